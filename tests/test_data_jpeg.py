"""The fast way through a JPEG gives what Pillow gives, or leaves it to Pillow."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilevision.data.jpeg import decode_plain, read_frame
from mobilevision.data.pictures import decode, rgb
from mobilevision.errors import InputError


def jpeg(mode: str = "RGB", size: tuple[int, int] = (61, 43), **options: object) -> bytes:
    """A JPEG of smooth noise."""
    pixels = np.random.default_rng(0).integers(0, 255, (6, 8, 4), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert("RGB").resize(size, Image.Resampling.BICUBIC).convert(mode)
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def exif(orientation: int | None) -> Image.Exif:
    """A note of EXIF's, with or without a word on how the picture stands."""
    note = Image.Exif()
    note[0x0110] = "a camera"
    if orientation is not None:
        note[0x0112] = orientation
    return note


def by_pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options", [{}, {"quality": 30}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}]
)
def test_an_ordinary_jpeg_has_the_bits_that_pillow_gives(mode: str, options: dict[str, object]) -> None:
    content = jpeg(mode, **options)
    plain = decode_plain(content, least=None)
    assert plain is not None
    assert plain.mode == "RGB"
    assert (np.asarray(plain) == by_pillow(content)).all()


def test_real_photographs_have_the_bits_that_pillow_gives(real_data: Path) -> None:
    for file in [*sorted((real_data / "photos").glob("*.jpg")), *sorted((real_data / "bccd").rglob("*.jpg"))[:3]]:
        content = file.read_bytes()
        plain = decode_plain(content, least=None)
        assert plain is None or (np.asarray(plain) == by_pillow(content)).all()


def test_the_head_is_read() -> None:
    assert read_frame(jpeg("L", (20, 10))) == (10, 20, 1, False)
    assert read_frame(jpeg("CMYK", (20, 10))) == (10, 20, 4, False)
    assert read_frame(jpeg(exif=exif(6))) == (43, 61, 3, True)


def test_a_broken_note_never_breaks_its_picture() -> None:
    note, draw = exif(1).tobytes(), np.random.default_rng(0)
    for _ in range(100):
        broken = bytearray(note)
        for place in draw.integers(6, len(note), 3):
            broken[place] = draw.integers(256)
        content = jpeg(exif=bytes(broken))
        assert decode(content).size in {(61, 43), (43, 61)}


@pytest.mark.parametrize(
    ("notes", "turned"),
    [
        ({"exif": exif(None)}, False),
        ({"exif": exif(1)}, False),
        ({"exif": exif(1), "xmp": XMP}, False),
        ({"exif": exif(None), "xmp": XMP}, True),
        ({"xmp": XMP}, True),
        ({"exif": b"Exif\0\0nonsense"}, True),
        *(({"exif": exif(turn)}, True) for turn in range(2, 9)),
    ],
)
def test_a_picture_that_its_notes_leave_upright_is_read_the_fast_way(notes: dict[str, object], turned: bool) -> None:
    content = jpeg(**notes)
    assert (decode_plain(content, least=None) is None) == turned
    with Image.open(io.BytesIO(content)) as image:
        upright = rgb(image)
    assert (np.asarray(decode(content)) == np.asarray(upright)).all()


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xff\xd8\xff", b"\x89PNG\r\n", b"\xff\xd8\xff\xe0\x00\x00" * 9])
def test_what_is_no_jpeg_has_no_head(content: bytes) -> None:
    assert read_frame(content) is None
    assert decode_plain(content, least=None) is None


def test_turned_printed_and_larger_ones_are_left_to_pillow() -> None:
    assert decode_plain(jpeg(exif=exif(6)), least=None) is None
    assert decode_plain(jpeg("CMYK"), least=None) is None
    assert decode_plain(jpeg(size=(64, 40)), least=20) is None
    assert decode_plain(jpeg(size=(64, 40)), least=21) is not None


def test_one_with_too_many_pixels_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert decode_plain(jpeg(), least=None) is None
    with pytest.raises(InputError, match="too many pixels"):
        decode(jpeg())


def test_wherever_it_is_cut_off_it_is_refused_as_pillow_does() -> None:
    content = jpeg()
    for end in range(1, len(content) - 2, 37):
        with pytest.raises(InputError):
            decode(content[:end])
