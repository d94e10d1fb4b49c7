"""Training pictures vary within what the facts allow."""

import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from mobilevision.data import Augment, Preprocessing
from mobilevision.errors import UsageError

PREPROCESSING = Preprocessing((16, 24))
STILL = Augment(area=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0)


def picture(width: int = 32, height: int = 32) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("policy", ["none", "auto", "trivial", "rand"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK"])
def test_it_gives_tensors_of_the_right_size_that_vary(policy: str, mode: str) -> None:
    transform = Augment(policy=policy, color=0.3, erase=0.5).transform(PREPROCESSING)
    first, second = transform(picture().convert(mode)), transform(picture().convert(mode))
    assert first.shape == (3, 16, 24)
    assert first.dtype == torch.float32
    assert not torch.equal(first, second)


def test_the_same_draw_gives_the_same_picture() -> None:
    transform = Augment(policy="rand", color=0.3, erase=0.5).transform(PREPROCESSING)
    torch.manual_seed(5)
    first = transform(picture())
    torch.manual_seed(5)
    assert torch.equal(transform(picture()), first)


def test_without_variation_it_is_evaluation_without_margin() -> None:
    square = Preprocessing((16, 16), crop=1.0)
    assert torch.equal(STILL.transform(square)(picture()), square.tensor(picture()))


def test_a_flip_of_1_always_mirrors() -> None:
    square = Preprocessing((32, 32), crop=1.0)
    flipped = Augment(area=(1.0, 1.0), ratio=(1.0, 1.0), flip=1.0).transform(square)(picture())
    assert torch.equal(flipped.flip(-1), square.tensor(picture()))


def test_erasing_puts_the_mean_color_into_a_rectangle() -> None:
    square = Preprocessing((32, 32), crop=1.0)
    erased = Augment(area=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0, erase=1.0).transform(square)(picture())
    gone = (erased == 0).all(dim=0)
    assert 0.01 < gone.float().mean() < 0.4
    assert torch.equal(erased[:, ~gone], square.tensor(picture())[:, ~gone])


def test_grey_networks_get_one_channel() -> None:
    grey = Preprocessing((16, 16), mean=(0.5,), std=(0.5,))
    assert Augment(policy="trivial", color=0.2).transform(grey)(picture()).shape == (1, 16, 16)


def test_it_travels_to_workers_and_into_json() -> None:
    augment = Augment(area=(0.3, 1.0), policy="trivial")
    transform = pickle.loads(pickle.dumps(augment.transform(PREPROCESSING)))
    assert transform(picture()).shape == (3, 16, 24)
    facts = json.loads(json.dumps(augment.facts()))
    assert facts["policy"] == "trivial"
    assert facts["area"] == [0.3, 1.0]


def test_the_least_size_never_enlarges_the_smallest_crop() -> None:
    assert Augment(area=(0.25, 1.0)).least(Preprocessing((100, 50))) == 200
    assert Augment().least(Preprocessing()) == 792


@pytest.mark.parametrize(
    "change",
    [
        {"area": (0.0, 1.0)},
        {"area": (0.5, 0.2)},
        {"ratio": (2.0, 1.0)},
        {"policy": "wild"},
        {"exclude": ("Cutout",)},
        {"policy_chance": 2},
        {"flip": 1.5},
        {"magnitude": 31},
    ],
)
def test_facts_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Augment(**change)
