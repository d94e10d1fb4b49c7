"""Mixing and policies do what their papers say."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from mobilevision.data import Augment, Preprocessing
from mobilevision.data.joint import varied
from mobilevision.data.mixing import Mixing
from mobilevision.data.policies import OPERATIONS, Level, RandAugment
from mobilevision.errors import UsageError

PICTURES, CLASSES = torch.arange(4.0)[:, None, None, None].expand(4, 3, 32, 32).contiguous(), torch.arange(4)


def test_mixup_lays_neighbours_together_in_the_share_that_their_targets_have() -> None:
    pictures, targets = Mixing(mixup=0.8).mixed(PICTURES, CLASSES, outputs=5)
    share = targets[0, 0].item()
    assert 0 < share < 1
    for i in range(4):
        assert targets[i, i].item() == pytest.approx(share)
        assert targets[i, i - 1 if i else 3].item() == pytest.approx(1 - share)
        expected = share * PICTURES[i] + (1 - share) * PICTURES[i - 1]
        assert torch.allclose(pictures[i], expected, atol=1e-5)


def test_cutmix_gives_each_picture_the_area_that_its_target_says() -> None:
    pictures, targets = Mixing(cutmix=1.0).mixed(PICTURES, CLASSES, outputs=4)
    kept = (pictures[2, 0] == 2).float().mean()
    assert kept.item() == pytest.approx(targets[2, 2].item(), abs=1e-6)
    assert set(pictures[2].unique().tolist()) <= {1.0, 2.0}


def test_mixing_has_its_chance_and_both_ways_half_of_it() -> None:
    def way() -> str:
        _, targets = Mixing(mixup=1.0, cutmix=1.0, chance=0.5).mixed(PICTURES, CLASSES, outputs=4)
        return "none" if targets.ndim == 1 else "mixed"

    drawn = Counter(way() for _ in range(400))
    assert 0.4 < drawn["mixed"] / 400 < 0.6
    assert len(Mixing(mixup=1.0, cutmix=1.0).ways) == 2
    assert not Mixing(mixup=1.0, chance=0.0)
    assert not Mixing()


def test_several_labels_a_picture_are_mixed_too() -> None:
    rows = torch.eye(4) + torch.eye(4).roll(1, 1)
    _, targets = Mixing(mixup=0.5).mixed(PICTURES, rows, outputs=4)
    assert targets.sum(1).tolist() == pytest.approx([2.0] * 4)


def test_mixing_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError):
        Mixing(mixup=-1)
    with pytest.raises(UsageError, match="set mixup and cutmix to 0"):
        varied(Preprocessing(), Augment(mixing=Mixing(mixup=0.2)))


def test_strengths_are_those_of_the_paper_where_10_is_full() -> None:
    def strength(operation: str, magnitude: float) -> float:
        found = Level(operation, magnitude, 0.0)(2, 331, 331)
        assert found is not None
        return found.item()

    assert strength("Rotate", 9) == pytest.approx(27)
    assert strength("Rotate", 15) == pytest.approx(45)
    assert strength("TranslateX", 10) == pytest.approx(150)
    assert strength("Posterize", 10) == 4
    assert strength("Posterize", 30) == 1
    assert strength("Brightness", 15) == pytest.approx(0.9)  # more would turn pictures black
    assert strength("Solarize", 15) == 0
    assert Level("Equalize", 9, 0.0)(2, 32, 32) is None


def test_a_spread_draws_the_strength() -> None:
    drawn = torch.tensor([Level("Rotate", 9, 0.5)(2, 32, 32).item() for _ in range(500)]) / 3  # type: ignore[union-attr]
    assert drawn.mean().item() == pytest.approx(9, abs=0.1)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.1)


def test_excluded_operations_are_never_drawn() -> None:
    one = RandAugment(9, exclude=[name for name in OPERATIONS if name != "Solarize"])
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8))
    wanted = v2.functional.solarize(picture, 255 * (1 - 0.9))
    assert all(np.array_equal(one(picture), wanted) for _ in range(20))


def test_operations_have_their_chance() -> None:
    still = Augment(area=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0, policy="rand", magnitude=10, policy_layers=1)
    square = Preprocessing((16, 16), crop=1.0)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8))
    shares = []
    for chance in (0.0, 0.5, 1.0):
        transform = Augment(**(still.__dict__ | {"policy_chance": chance})).transform(square)
        shares.append(np.mean([not torch.equal(transform(picture), square.tensor(picture)) for _ in range(200)]))
    assert shares[0] == 0
    assert all(less < more for less, more in pairwise(shares))
