"""The evaluation transform is torchvision's, to the last bit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import MobileNet_V2_Weights
from torchvision.transforms import InterpolationMode, v2

from mobilevision.data import Preprocessing, find_pictures, open_picture
from mobilevision.errors import InputError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8))


def reference(short: int, size: int, interpolation: InterpolationMode) -> v2.Compose:
    return v2.Compose(
        [
            v2.Resize(short, interpolation=interpolation, antialias=True),
            v2.CenterCrop(size),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (37, 91), (91, 37), (50, 50), (20, 333)])
@pytest.mark.parametrize(
    ("preprocessing", "short", "interpolation"),
    [
        (Preprocessing((32, 32)), 37, InterpolationMode.BILINEAR),
        (Preprocessing((32, 32), crop=1.0, interpolation="bicubic"), 32, InterpolationMode.BICUBIC),
        (Preprocessing((224, 224)), 256, InterpolationMode.BILINEAR),
        (Preprocessing((224, 224), crop=224 / 232), 232, InterpolationMode.BILINEAR),
    ],
)
def test_it_equals_torchvisions_transforms(
    size: tuple[int, int], preprocessing: Preprocessing, short: int, interpolation: InterpolationMode
) -> None:
    picture = noise(*size)
    expected = reference(short, preprocessing.size[0], interpolation)(picture)
    assert torch.equal(preprocessing.tensor(picture), expected)


@pytest.mark.parametrize(
    ("weights", "short"), [(MobileNet_V2_Weights.IMAGENET1K_V1, 256), (MobileNet_V2_Weights.IMAGENET1K_V2, 232)]
)
def test_it_equals_torchvisions_transforms_on_photographs(
    real_data: Path, weights: MobileNet_V2_Weights, short: int
) -> None:
    preprocessing = Preprocessing(crop=224 / short)
    files = find_pictures(real_data / "photos")
    assert len(files) == 6
    for file in files:
        with Image.open(file) as image:
            picture = image.convert("RGB")
        tensor = preprocessing.tensor(open_picture(file))
        assert torch.equal(tensor, reference(short, 224, InterpolationMode.BILINEAR)(picture)), file.name
        # The preset of the weights normalizes by the older functions, which round the last bit another way.
        assert torch.allclose(tensor, weights.transforms()(picture), rtol=0, atol=1e-6), file.name


@pytest.mark.parametrize("size", [(64, 48), (30, 90), (200, 17)])
def test_a_rectangle_is_filled_and_keeps_the_proportions(size: tuple[int, int]) -> None:
    preprocessing = Preprocessing((24, 56), crop=0.8)
    picture = noise(*size)
    assert preprocessing.tensor(picture).shape == (3, 24, 56)
    tall, wide = preprocessing.covering(picture.height, picture.width)
    assert tall >= 30
    assert wide >= 70
    assert tall == 30 or wide == 70
    assert abs(tall * picture.width - wide * picture.height) <= max(picture.size)


def test_a_picture_that_is_not_yet_upright_or_rgb_is_made_so(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(40, 20).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as lying:
        tensor = Preprocessing((16, 16)).tensor(lying)
    assert torch.equal(tensor, Preprocessing((16, 16)).tensor(open_picture(tmp_path / "a.png")))
    assert torch.equal(tensor, Preprocessing((16, 16)).tensor(noise(40, 20).transpose(Image.Transpose.ROTATE_270)))


def test_one_mean_makes_one_channel() -> None:
    preprocessing = Preprocessing((8, 8), mean=(0.5,), std=(0.5,), crop=1.0)
    tensor = preprocessing.tensor(Image.new("RGB", (8, 8), "white"))
    assert preprocessing.channels == 1
    assert torch.equal(tensor, torch.ones(1, 8, 8))


def test_facts_go_through_json_and_back() -> None:
    half = (0.5, 0.5, 0.5)
    preprocessing = Preprocessing((96, 128), mean=half, std=half, crop=0.95, interpolation="bicubic")
    assert Preprocessing.read(json.loads(json.dumps(preprocessing.facts()))) == preprocessing


@pytest.mark.parametrize(
    "change",
    [
        {"size": (0, 8)},
        {"mean": (0.5,)},
        {"mean": (0.5, 0.5), "std": (0.5, 0.5)},
        {"std": (0.0, 1.0, 1.0)},
        {"crop": 1.5},
        {"crop": 0.0},
        {"interpolation": "nearest"},
    ],
)
def test_facts_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(Preprocessing(), **change)
    with pytest.raises(InputError):
        Preprocessing.read(Preprocessing().facts() | change)


def test_a_missing_fact_is_named() -> None:
    facts = Preprocessing().facts()
    del facts["crop"]
    with pytest.raises(InputError, match="crop"):
        Preprocessing.read(facts)
