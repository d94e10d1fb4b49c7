"""Mixing the pictures of a batch with each other: mixup and cutmix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torchvision.transforms import v2

from mobilevision.errors import UsageError


@dataclass(frozen=True)
class Mixing:
    """How the pictures of a training batch are mixed; chance is drawn from torch's generator.

    Attributes:
        mixup: alpha of the share that each of two pictures has (arXiv:1710.09412); 0 does not lay pictures together.
        cutmix: alpha of the area that is cut out of the other picture (arXiv:1905.04899); 0 does not cut. With both,
            each has half of the batches that are mixed.
        chance: that a batch is mixed.

    Raises:
        UsageError: if a number makes no sense.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    chance: float = 1.0

    def __post_init__(self) -> None:
        if self.mixup < 0 or self.cutmix < 0 or not 0 <= self.chance <= 1:
            raise UsageError(f"mixup {self.mixup} and cutmix {self.cutmix} must not be below 0, {self.chance} a share")

    def __bool__(self) -> bool:
        """Whether anything is mixed."""
        return bool(self.chance and (self.mixup or self.cutmix))

    @cached_property
    def ways(self) -> list[v2.Transform]:
        """The transforms to choose from."""
        given = [(v2.MixUp, self.mixup), (v2.CutMix, self.cutmix)]
        return [way(alpha=alpha) for way, alpha in given if alpha]

    def mixed(self, pictures: Tensor, targets: Tensor, *, outputs: int) -> tuple[Tensor, Tensor]:
        """The batch, each picture mixed with its neighbour, or as it was if chance says so.

        Args:
            pictures: shape (N, channels, H, W).
            targets: classes, shape (N,), or a row of numbers for each picture, shape (N, outputs).
            outputs: classes.

        Returns:
            Pictures and targets; mixed targets have a probability for each class. Shape: (N, outputs).
        """
        if not self or torch.rand(()).item() >= self.chance:
            return pictures, targets
        way = self.ways[int(torch.randint(len(self.ways), ()))]
        rows = torch.nn.functional.one_hot(targets, outputs).float() if targets.ndim == 1 else targets
        mixed: tuple[Tensor, Tensor] = way(pictures, rows)
        return mixed
