"""Every kind of picture is read as a person sees it, or refused with its reason."""

import io
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from mobilevision.data import find_pictures, open_picture
from mobilevision.data.pictures import decode, rgb
from mobilevision.errors import InputError, UsageError

RED, WHITE = (255, 0, 0), (255, 255, 255)
ORIENTATION = 0x0112
UNTURN = {  # orientation -> how its camera laid the upright picture down
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_270],
    8: [Image.Transpose.ROTATE_270],
}


def scene(width: int = 24, height: int = 16) -> Image.Image:
    """A smooth picture whose four corners differ."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray(np.stack([255 * x, 255 * y, 255 * (1 - x) * y], axis=-1).astype(np.uint8))


def difference(a: Image.Image, b: Image.Image) -> float:
    assert a.size == b.size
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).max())


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.tiff", "a.PNG"])
def test_a_lossless_picture_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    scene().save(tmp_path / name)
    opened = open_picture(tmp_path / name)
    assert opened.mode == "RGB"
    assert difference(opened, scene()) == 0


@pytest.mark.parametrize(("name", "options"), [("a.jpg", {"quality": 98}), ("a.webp", {"quality": 98})])
def test_a_lossy_picture_comes_back_nearly(tmp_path: Path, name: str, options: dict[str, int]) -> None:
    scene().save(tmp_path / name, **options)
    assert difference(open_picture(tmp_path / name), scene()) <= 24


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.jpg", format="PNG")
    assert difference(open_picture(tmp_path / "a.jpg"), scene()) == 0


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_and_palette_become_rgb(tmp_path: Path, mode: str) -> None:
    picture = scene().convert(mode)
    picture.save(tmp_path / "a.png")
    assert difference(open_picture(tmp_path / "a.png"), picture.convert("RGB")) == 0


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_what_is_transparent_is_white(tmp_path: Path, suffix: str) -> None:
    picture = Image.new("RGBA", (4, 2), (*RED, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 2, 2))
    picture.putpixel((3, 0), (*RED, 128))
    picture.save(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    opened = open_picture(tmp_path / f"a.{suffix}")
    assert opened.getpixel((0, 0)) == WHITE
    assert opened.getpixel((2, 0)) == RED
    assert opened.getpixel((3, 0)) == (255, 127, 127)


def test_grey_with_alpha_and_a_transparent_palette_color_lie_on_white(tmp_path: Path) -> None:
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "la.png")
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "p.png", transparency=1)
    Image.new("RGB", (4, 4), RED).save(tmp_path / "key.png", transparency=RED)
    for name in ("la.png", "p.png", "key.png"):
        assert open_picture(tmp_path / name).getpixel((0, 0)) == WHITE, name


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_has_the_colors_it_prints(tmp_path: Path, suffix: str) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / f"a.{suffix}")
    red, green, blue = open_picture(tmp_path / f"a.{suffix}").getpixel((4, 4))
    assert red > 250
    assert green < 5
    assert blue < 5


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_to_8(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 128, 129, 257], [32768, 65278, 65406, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{suffix}")
    expected = np.round(values / 257).astype(np.uint8)
    opened = np.asarray(open_picture(tmp_path / f"a.{suffix}"))
    assert (opened == expected[..., None]).all()


def test_16_bits_in_the_other_byte_order_and_in_32_bits_are_scaled_alike(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65535]], dtype=np.uint16)
    swapped = Image.frombytes("I;16B", (3, 1), values.astype(">u2").tobytes())
    wide = Image.fromarray(values.astype(np.int32))
    for picture in (swapped, wide):
        assert np.asarray(rgb(picture))[..., 0].tolist() == [[0, 1, 255]]


def test_floats_from_0_to_1_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 0.5, 1]], dtype=np.float32)).save(tmp_path / "a.tif")
    assert np.asarray(open_picture(tmp_path / "a.tif"))[..., 1].tolist() == [[0, 128, 255]]


@pytest.mark.parametrize("value", [-1.0, 3.5, float("nan")])
def test_values_of_unknown_range_are_refused_not_guessed(tmp_path: Path, value: float) -> None:
    Image.fromarray(np.array([[0, value, 1]], dtype=np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="save it as 8 or 16 bits"):
        open_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = scene(32, 16)
    laid = upright
    for turn in UNTURN.get(orientation, []):
        laid = laid.transpose(turn)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    laid.save(tmp_path / f"a.{suffix}", exif=exif, quality=98)
    opened = open_picture(tmp_path / f"a.{suffix}")
    assert difference(opened, upright) <= 40
    assert difference(rgb(opened), opened) == 0  # it is not turned a second time


def test_a_broken_note_about_the_orientation_does_not_break_the_picture(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\x00\x01broken")
    assert open_picture(tmp_path / "a.jpg").size == scene().size


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_picture_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(file)
    whole = file.read_bytes()
    if suffix == "tif":  # its directory may stand at the end; what is cut then is the way to the pixels
        whole = whole[: len(whole) - 200]
    file.write_bytes(whole[: int(len(whole) * share)])
    for least in (None, 16):
        with pytest.raises(InputError, match=r"cut off|not a picture"):
            open_picture(file, least=least)


def test_empty_text_missing_and_folders_are_refused_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("this is no picture")
    (tmp_path / "folder.jpg").mkdir()
    for name, reason in {
        "empty.jpg": "empty",
        "text.jpg": "not a picture",
        "none.jpg": "No such file",
        "folder.jpg": "Is a directory",
    }.items():
        with pytest.raises(InputError, match=reason) as refused:
            open_picture(tmp_path / name)
        assert name in str(refused.value)


def test_a_kind_that_is_not_read_here_is_refused(tmp_path: Path) -> None:
    scene().save(tmp_path / "a.jpg", format="GIF")
    with pytest.raises(InputError, match="JPEG, PNG, WebP, BMP, TIFF"):
        open_picture(tmp_path / "a.jpg")


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20000, 10000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    with pytest.raises(InputError, match="too many pixels"):
        open_picture(tmp_path / "bomb.png")
    Image.new("L", (2, 1000)).save(tmp_path / "strip.png")
    with pytest.raises(InputError, match="strip of 2 x 1000"):
        open_picture(tmp_path / "strip.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
def test_damaged_bytes_give_a_picture_or_a_reason_never_anything_else(suffix: str) -> None:
    buffer = io.BytesIO()
    scene().save(buffer, format={"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
    chance, whole = random.Random(0), buffer.getvalue()
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(300):
            broken = bytearray(whole)
            for _ in range(chance.randint(1, 8)):
                broken[chance.randrange(min(len(broken), 400))] = chance.randrange(256)
            try:
                assert decode(bytes(broken)).mode == "RGB"
            except InputError:
                refused += 1
    assert refused > 0


@pytest.mark.parametrize("kind", [MemoryError, AttributeError])
def test_what_is_no_damage_is_not_told_as_one(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise kind

    buffer = io.BytesIO()
    scene().save(buffer, format="PNG")
    monkeypatch.setattr(PngImageFile, "load", fails)
    with pytest.raises(kind):
        decode(buffer.getvalue())


def test_a_large_jpeg_is_decoded_smaller_but_not_below_the_least(tmp_path: Path) -> None:
    scene(640, 480).save(tmp_path / "a.jpg")
    assert open_picture(tmp_path / "a.jpg").size == (640, 480)
    assert open_picture(tmp_path / "a.jpg", least=200).size == (320, 240)
    assert open_picture(tmp_path / "a.jpg", least=480).size == (640, 480)
    small, whole = open_picture(tmp_path / "a.jpg", least=100), open_picture(tmp_path / "a.jpg")
    assert difference(small, whole.resize(small.size, Image.Resampling.BOX)) <= 12


def test_pictures_are_found_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/2.png", "a/1.webp", ".DS_Store", "._b.jpg", ".git/c.png", "Thumbs.db", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)]
    assert names == ["a/1.webp", "a/2.png", "b.JPG"]
    assert find_pictures(tmp_path / "note.txt") == [tmp_path / "note.txt"]


def test_no_pictures_and_no_path_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no picture"):
        find_pictures(tmp_path)
    with pytest.raises(UsageError, match="no file or folder"):
        find_pictures(tmp_path / "none")
