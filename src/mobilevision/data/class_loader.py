"""Batches for vectors: quarter turns as classes of their own, and pictures of a class side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from mobilevision.data.dataset import Sample
from mobilevision.data.loaders import Draw, Order, Pictures, Transform, drawing, sample_weights, served
from mobilevision.errors import InputError, UsageError

QUARTERS = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


@dataclass(frozen=True)
class Prepared:
    """How pictures become tensors, and what a batch of them is made of.

    Attributes:
        transform: from a picture to a tensor.
        turns: 1, or how many quarter turns of each picture are drawn, each turn of a class a class of its own.
        together: pictures of a class that stand side by side in a batch, for losses that compare them; 1 mixes freely.
    """

    transform: Transform
    turns: int = 1
    together: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.turns <= len(QUARTERS):
            raise UsageError(f"{self.turns} quarter turns make no sense; use 1 to {len(QUARTERS)}")
        if self.together < 1:
            raise UsageError(f"{self.together} pictures of a class in a batch make no sense; use 1 or more")


class TurnedPictures(Pictures):
    """Samples in each of some quarter turns: of C classes and turn t, class c is class c + t * C.

    Args:
        samples: what to load.
        prepared: how, and in how many turns.
        classes: how many there are, unturned.
        seed: what the transform's draws start from.
        least: pixels that both sides keep if a large JPEG is decoded smaller; see `open_picture`.
    """

    def __init__(
        self, samples: Sequence[Sample], prepared: Prepared, *, classes: int, seed: int = 0, least: int | None = None
    ) -> None:
        super().__init__(samples, prepared.transform, outputs=classes, seed=seed, least=least)
        self.turns, self.classes = prepared.turns, classes

    def __len__(self) -> int:
        return super().__len__() * self.turns

    def __getitem__(self, draw: Draw | int) -> tuple[Tensor, Tensor]:
        """The picture in its turn, (C, H, W), uint8 if it is to be finished, and its class, () int64."""
        draw = draw if isinstance(draw, Draw) else Draw(draw, self.next.epoch, 0)
        turn, place = divmod(draw.place, len(self.album))
        picture, quarter = self.album.open(place, least=self.least), QUARTERS[turn]
        with drawing(self.seed, *draw):
            tensor = self.transform(picture if quarter is None else picture.transpose(quarter))
        return tensor, self.targets[place] + turn * self.classes

    def file(self, place: int) -> str | Path:
        """The file of the picture at a place."""
        return self.album.file(place % len(self.album))

    def class_of(self) -> Tensor:
        """The class of every place. Shape: (len(self),)."""
        return torch.cat([self.targets + turn * self.classes for turn in range(self.turns)])


class Together(Order):
    """An order in which pictures of a class stand in groups; what is left of a class makes a smaller group.

    Args:
        pictures: what is drawn from.
        size: pictures of a group.
    """

    def __init__(self, pictures: TurnedPictures, *, size: int) -> None:
        super().__init__(pictures, shuffle=True)
        self.classes, self.size = pictures.class_of(), size

    def _once(self, generator: torch.Generator) -> Tensor:
        groups = list(self._groups(generator))
        return torch.cat([groups[i] for i in torch.randperm(len(groups), generator=generator).tolist()])

    def _groups(self, generator: torch.Generator) -> Iterator[Tensor]:
        for label in sorted(set(self.classes.tolist())):
            places = (self.classes == label).nonzero().flatten()
            yield from places[torch.randperm(len(places), generator=generator)].split(self.size)


def class_loader(
    samples: Sequence[Sample],
    *,
    prepared: Prepared,
    batch: int,
    shuffle: bool = False,
    seed: int = 0,
    workers: int = 0,
    balanced: bool = False,
    least: int | None = None,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches of (pictures, classes); what follows from what is as in `mobilevision.data.loaders.loader`.

    Raises:
        InputError: if there are no samples, or one has not exactly one label.
        UsageError: if classes are to be drawn equally often and stand together as well.
    """
    if not samples:
        raise InputError("there are no pictures to load; check the data first")
    if balanced and prepared.together > 1:
        raise UsageError("classes that stand together cannot be drawn equally often too; set balance to 'none'")
    classes = 1 + max((label for sample in samples for label in sample.labels), default=0)
    pictures = TurnedPictures(samples, prepared, classes=classes, seed=seed, least=least)
    weights = sample_weights(samples, classes).repeat(prepared.turns) if balanced else None
    grouped = shuffle and prepared.together > 1
    order = Together(pictures, size=prepared.together) if grouped else Order(pictures, shuffle=shuffle, weights=weights)
    return served(pictures, order, batch=batch, workers=workers)
