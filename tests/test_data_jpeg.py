"""The fast way through a JPEG gives what Pillow gives, or leaves it to Pillow."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilevision.data.jpeg import decode_plain, read_frame
from mobilevision.data.pictures import decode
from mobilevision.errors import InputError


def jpeg(mode: str = "RGB", size: tuple[int, int] = (61, 43), **options: object) -> bytes:
    """A JPEG of smooth noise."""
    pixels = np.random.default_rng(0).integers(0, 255, (6, 8, 4), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert("RGB").resize(size, Image.Resampling.BICUBIC).convert(mode)
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def by_pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


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
    noted = Image.Exif()
    noted[0x0112] = 6
    assert read_frame(jpeg(exif=noted)) == (43, 61, 3, True)


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xff\xd8\xff", b"\x89PNG\r\n", b"\xff\xd8\xff\xe0\x00\x00" * 9])
def test_what_is_no_jpeg_has_no_head(content: bytes) -> None:
    assert read_frame(content) is None
    assert decode_plain(content, least=None) is None


def test_turned_printed_and_larger_ones_are_left_to_pillow() -> None:
    noted = Image.Exif()
    noted[0x0112] = 6
    assert decode_plain(jpeg(exif=noted), least=None) is None
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
