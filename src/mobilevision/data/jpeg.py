"""JPEGs read the fast way: the head of the file tells whether nothing has to be turned, converted or made smaller."""

import math
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

START, SCAN, NOTE = 0xD8, 0xDA, 0xE1
EXIF, ORIENTATION, UPRIGHT = b"Exif\0\0", 0x0112, 1  # what its note begins with, a tag, and what that says mostly
FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive; the others are hardly ever written
ALONE = (0x01, *range(0xD0, 0xD8))  # markers without a length
# What Pillow's readers raise on bytes that are not what they seem: it has no error class of its own for this. Too
# little memory is no damage, and is told as what it is.
DAMAGE = (
    *(OSError, EOFError, SyntaxError, struct.error, zlib.error),  # what is cut off, and marks and notes that are none
    *(ValueError, TypeError, LookupError, OverflowError, ZeroDivisionError),  # numbers, tags and sizes that cannot be
)


class Frame(NamedTuple):
    """What the head of a JPEG says of its picture.

    Attributes:
        height: pixels, as it is stored.
        width: pixels, as it is stored.
        colors: numbers a pixel: 1 for grey, 3 for color, 4 for print.
        turned: whether a note tells to turn the picture, or may do so.
    """

    height: int
    width: int
    colors: int
    turned: bool


def read_frame(content: bytes) -> Frame | None:
    """What the head of a JPEG says; None if this is no JPEG, or one of a rare kind."""
    if content[:3] != bytes((0xFF, START, 0xFF)):
        return None
    at, notes = 2, list[bytes]()
    while at + 10 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in FRAMES:
            bits, height, width, colors = struct.unpack(">BHHB", content[at + 4 : at + 10])
            return Frame(height, width, colors, _may_turn(notes)) if bits == 8 and height and width else None
        if marker == SCAN or marker in ALONE or length < 2:
            return None
        if marker == NOTE:
            notes.append(content[at + 4 : at + 2 + length])
        at += 2 + length
    return None


def decode_plain(content: bytes, *, least: int | None) -> Image.Image | None:
    """The picture of an ordinary JPEG that is to be decoded whole, with the bits that Pillow gives, in half the time.

    Args:
        content: of the file.
        least: pixels that both sides must keep; see `mobilevision.data.pictures.open_picture`.

    Returns:
        An RGB picture; None if this is no such file, or if it is damaged: Pillow is to say why.
    """
    frame = read_frame(content)
    if frame is None or frame.turned or frame.colors not in (1, 3):
        return None
    if frame.height * frame.width > (Image.MAX_IMAGE_PIXELS or math.inf):
        return None
    if least is not None and min(frame.height, frame.width) >= 2 * least:
        return None  # Pillow decodes a half, a quarter or an eighth, which is faster still
    data = torch.frombuffer(bytearray(content), dtype=torch.uint8)  # of bytes, torch warns that they are read-only
    try:
        pixels = decode_jpeg(data, mode=ImageReadMode.RGB)
    except RuntimeError:
        return None
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def _may_turn(notes: Sequence[bytes]) -> bool:
    """Whether notes tell to turn the picture; where no sound note of EXIF's says that it is upright, they may."""
    if not notes:
        return False
    exif, found = Image.Exif(), [note for note in notes if note.startswith(EXIF)]
    if len(found) != 1:  # a note in XMP alone, or one of EXIF's that goes on in the next
        return True
    try:
        exif.load(found[0])
        upright: bool = exif.get(ORIENTATION, UPRIGHT if notes == found else None) == UPRIGHT
    except DAMAGE:  # a broken note about the picture does not break the picture
        return True
    return not upright
