"""From a file to an upright RGB picture, or to the reason why not."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mobilevision.data.content import content
from mobilevision.data.jpeg import DAMAGE, decode_plain
from mobilevision.errors import InputError, UsageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff")
LITTER = ("thumbs.db", "desktop.ini", "__macosx", "@eadir")  # what Windows, macOS and file servers leave behind
LONGEST = 100  # times as long as wide; the preparation of a thinner strip would fill the memory

TURNS = {  # EXIF orientation -> what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(path: str | Path, *, least: int | None = None) -> Image.Image:
    """The picture in a JPEG, PNG, WebP, BMP or TIFF file: upright, RGB, transparent parts on white.

    Args:
        path: the file, which may lie in a shard or in a data set on disk (`mobilevision.data.content`); its content
            decides, not its suffix. Of several frames or pages the first is taken.
        least: pixels; a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, which is much faster, as long as both
            sides keep this many. None decodes it whole.

    Raises:
        InputError: if it cannot be read; says why.
    """
    try:
        return decode(content(Path(path)), least=least)
    except InputError as error:
        raise InputError(f"{path} cannot be used: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror or error}") from error


def decode(file: bytes, *, least: int | None = None) -> Image.Image:
    """As `open_picture`, from the bytes of the file; the error is the reason alone, without the name of the file."""
    if not file:
        raise InputError("it is empty (0 bytes)")
    try:
        if image := decode_plain(file, least=least):
            _check_sides(*image.size)
            return image
        with Image.open(io.BytesIO(file), formats=FORMATS) as image:
            _check_sides(*image.size)
            if least is not None:
                image.draft(None, (least, least))  # None keeps the mode
            image.load()
            return rgb(image)
    except UnidentifiedImageError:
        raise InputError("it is not a picture of a kind that is read here (JPEG, PNG, WebP, BMP, TIFF)") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"it has too many pixels to be read safely: {error}") from error
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(f"it is cut off or damaged: {error}") from error


def rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as upright RGB: grey, palette, alpha (laid on white), CMYK, 16-bit, 32-bit.

    Values of 16 bits are divided by 257, so that 65535 becomes 255.

    Raises:
        InputError: if the values cannot be shown in 8 bits without guessing.
    """
    if image.mode == "RGB" and not image.info:
        return image
    shown = _in_rgb(_upright(image))
    shown.info.clear()  # else the note on the orientation would turn it once more
    return shown


def find_pictures(path: str | Path) -> list[Path]:
    """The picture files under a folder, by suffix, sorted; a file is returned as it is.

    Raises:
        UsageError: if there is no such path.
        InputError: if the folder holds no picture.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(f"there is no file or folder {path}; give the path of a picture or of a folder of pictures")
    found = [file for file in files_under(path) if named_as_picture(file)]
    if not found:
        raise InputError(f"{path} holds no picture; files are taken by suffix: {' '.join(SUFFIXES)}")
    return found


def files_under(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Every file under `folder` in the order of names, without hidden files and what systems leave behind.

    Links are followed, unless they lead back to a folder above, which would never end.
    """
    here = folder.resolve()
    above = above | {here, *here.parents}
    for name in _names(folder):  # a Path for each at once would take ten times the memory
        path = folder / name
        if not path.is_dir():
            yield path
        elif path.resolve() not in above:
            yield from files_under(path, above)


def visible(folder: Path) -> list[Path]:
    """What a person sees in `folder`, in the order of names: no hidden files, no litter of file systems.

    Raises:
        InputError: if the folder cannot be read.
    """
    return [folder / name for name in _names(folder)]


def named_as_picture(path: Path) -> bool:
    """Whether the suffix is that of a picture that is read here."""
    return path.suffix.lower() in SUFFIXES


def _names(folder: Path) -> list[str]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  # a Path for each hidden file would only be dropped again
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from error
    return [name for name in names if not name.startswith(".") and name.lower() not in LITTER]


def _check_sides(width: int, height: int) -> None:
    if max(width, height) > LONGEST * min(width, height):
        raise InputError(f"it is a strip of {width} x {height} pixels; sides may differ {LONGEST}-fold at most")


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(image.getexif().get(0x0112, 1))
    except DAMAGE:  # a broken note about the picture does not break the picture
        return image
    return image if turn is None else image.transpose(turn)


def _in_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_grey(image)).convert("RGB")
    try:
        if not image.has_transparency_data:
            return image.convert("RGB")
        layer = image.convert("RGBA")
    except ValueError as error:
        raise InputError(f"its colors ({image.mode}) are not read here: {error}; save it as RGB") from error
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _grey(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode.startswith("F") and low >= 0 and high <= 1:  # false for NaN too
        return np.round(values * 255).astype(np.uint8)
    if image.mode.startswith("I") and low >= 0 and high <= 65535:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    raise InputError(
        f"its grey values reach from {low} to {high}, neither within 0 to 65535 nor, for floats, within 0 to 1;"
        " save it as 8 or 16 bits"
    )
