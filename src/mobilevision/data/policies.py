"""Policies that vary the look of a picture: RandAugment, AutoAugment, TrivialAugment, and a little of each move."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

FULL = 10.0
"""The level at which the papers' operations have their full strength: a rotation has 30 degrees there."""

OPERATIONS = tuple(v2.RandAugment._AUGMENTATION_SPACE)
"""RandAugment's operations by torchvision's names; Cutout is not among them, which is what MobileNetV4 leaves out."""

COLORS = ("Brightness", "Color", "Contrast", "Sharpness")
LEAST = {"Posterize": 1.0}
"""The smallest number that an operation makes sense with, where it is not 0: a bit."""


class Strength(Protocol):
    """What a policy is told; see `mobilevision.data.augment.Augment`."""

    @property
    def magnitude(self) -> float:
        """Strength, as RandAugment's paper counts."""

    @property
    def magnitude_spread(self) -> float:
        """Its standard deviation."""

    @property
    def policy_layers(self) -> int:
        """Operations, one after another."""

    @property
    def policy_chance(self) -> float:
        """Chance of each."""

    @property
    def exclude(self) -> tuple[str, ...]:
        """Operations that are left out."""


@dataclass(frozen=True)
class Level:
    """How strong an operation of RandAugment is, drawn anew for each picture.

    Attributes:
        operation: torchvision's name.
        magnitude: as the paper counts.
        spread: standard deviation of the magnitude.
    """

    operation: str
    magnitude: float
    spread: float

    def __call__(self, steps: int, height: int, width: int) -> Tensor | None:
        """The strength for a picture of that height and width, as a list of one; None if it has none."""
        ends = v2.RandAugment._AUGMENTATION_SPACE[self.operation][0](2, height, width)  # at level 0, and at FULL
        if ends is None:
            return None
        magnitude = self.magnitude + (self.spread * torch.randn(()).item() if self.spread else 0.0)
        share = min(max(magnitude / FULL, 0.0), 1.0 if self.operation in COLORS else math.inf)
        weak, full = (float(end) for end in ends)
        return torch.tensor([max(weak + (full - weak) * share, LEAST.get(self.operation, 0.0))])


class RandAugment(v2.RandAugment):  # type: ignore[misc]  # torchvision is not typed
    """One operation of RandAugment (arXiv:1909.13719), at a strength as the paper counts it.

    torchvision counts to 30, so that its 9 is what the paper calls 3. Strengths above 10 go on in the same line, but
    for colors, which end where a picture would turn black, and for operations that have no more to give.

    Args:
        magnitude: 10 has the full strength: a turn of 30 degrees, 4 bits.
        spread: standard deviation of the strength, drawn anew each time.
        exclude: operations that are left out, by torchvision's names.
    """

    def __init__(self, magnitude: float, *, spread: float = 0.0, exclude: Collection[str] = ()) -> None:
        super().__init__(num_ops=1, magnitude=0)
        self._AUGMENTATION_SPACE = {
            name: (Level(name, magnitude, spread), signed)
            for name, (_, signed) in v2.RandAugment._AUGMENTATION_SPACE.items()
            if name not in exclude
        }


class Affine:
    """A picture turned, moved, scaled and sheared, a little of each; what comes in from outside has the border's color.

    Args:
        magnitude: 0 to 30; 10 turns up to 20 degrees, moves up to a tenth of a side, scales by up to a fifth and shears
            up to 10 degrees.
    """

    def __init__(self, magnitude: float) -> None:
        share = magnitude / 100
        self.numbers = {
            "degrees": 2 * magnitude,
            "translate": (share, share),
            "scale": (1 - 2 * share, 1 + 2 * share),
            "shear": magnitude,
        }

    def __call__(self, picture: Image.Image) -> Image.Image:
        """The picture, of the same size."""
        pixels = np.asarray(picture).reshape(picture.height, picture.width, -1)
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        fill = np.median(border, axis=0).tolist()
        move = v2.RandomAffine(**self.numbers, interpolation=InterpolationMode.BILINEAR, fill=fill)
        moved: Image.Image = move(picture)
        return moved


def rand(strength: Strength) -> list[Any]:
    """RandAugment: so many operations, each with its chance."""
    one = RandAugment(strength.magnitude, spread=strength.magnitude_spread, exclude=strength.exclude)
    return [v2.RandomApply([one], p=strength.policy_chance) for _ in range(strength.policy_layers)]


POLICIES: dict[str, Callable[[Strength], list[Any]]] = {  # name -> the transforms of a strength
    "none": lambda _: [],
    "auto": lambda _: [v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET)],  # arXiv:1805.09501; its strengths were learned
    "rand": rand,
    "trivial": lambda _: [v2.TrivialAugmentWide()],  # arXiv:2103.10158; it draws its strength
    "affine": lambda strength: [Affine(strength.magnitude)],
}
