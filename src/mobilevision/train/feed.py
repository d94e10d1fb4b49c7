"""The pictures a recipe trains on."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch.utils.data import DataLoader

from mobilevision.data.augment import Augment
from mobilevision.data.loaders import WHOLE, Share
from mobilevision.data.mixing import Mixing
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import MobilevisionError, UsageError
from mobilevision.train.plan import Plan
from mobilevision.train.recipe import Recipe

GROWTH = 32
"""Pixels by which a growing picture grows: every network halves the sides five times."""


@runtime_checkable
class Named(Protocol):
    """Pictures that are not those of the plan's training split, but know their files."""

    def file(self, place: int) -> str | Path:
        """The file of the picture at a place."""


class Feed:
    """Shuffled and augmented training pictures, epoch by epoch; they depend on the seed and the epoch alone.

    Args:
        plan: what is trained on what.
        workers: processes that read pictures.
        share: this process's part of every batch.

    Raises:
        UsageError: if the batch cannot be shared evenly, or the task cannot follow the augmentation.
    """

    def __init__(self, plan: Plan, *, workers: int, share: Share = WHOLE) -> None:
        self.plan, self.workers, self.share = plan, workers, share
        self.parts, self.mixing = share.of * plan.recipe.accumulate, augmentation(plan.recipe).mixing
        self.size, self.batches = plan.preprocessing.size, self._batches(plan.preprocessing)
        if plan.recipe.batch % self.parts or (self.parts > 1 and self.pictures < plan.recipe.batch):
            raise UsageError(
                f"{len(plan.data.train)} pictures in batches of {plan.recipe.batch} cannot be split over {share.of} "
                f"processes in {plan.recipe.accumulate} parts; use a batch that is a multiple of {self.parts}"
            )

    @property
    def pictures(self) -> int:
        """Pictures in a batch, of all processes."""
        return min(self.plan.recipe.batch, self.plan.recipe.turns * len(self.plan.data.train))

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return len(self.batches)

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Any]:
        """This process's share of the batches of an epoch (from 0), from batch `start` on.

        Raises:
            InputError: if a picture can no longer be read.
        """
        epochs = self.plan.recipe.passes(self.steps)
        preprocessing = seen_in_training(self.plan.recipe, self.plan.preprocessing, epoch / max(1, epochs - 1))
        if preprocessing.size != self.size:
            self.size, self.batches = preprocessing.size, self._batches(preprocessing)
        self.batches.dataset.set_epoch(epoch, start=start, share=self.share)  # type: ignore[attr-defined]  # our own Pictures, for torch any Dataset
        try:
            yield from self.batches
        except MobilevisionError as error:  # from a reading process it comes with that process's traceback
            raise type(error)(str(error).rpartition(f"{type(error).__name__}: ")[2].strip()) from None

    def files(self, epoch: int, batch: int) -> list[str]:
        """The files of a batch (from 0), of all processes."""
        self.batches.dataset.set_epoch(epoch, start=batch)  # type: ignore[attr-defined]  # our own Pictures, for torch any Dataset
        pictures = self.batches.dataset
        draws = next(iter(self.batches.batch_sampler), [])  # type: ignore[arg-type]  # it was given one
        if isinstance(pictures, Named):
            return [str(pictures.file(draw.place)) for draw in draws]
        return [str(self.plan.data.train[draw.place].file) for draw in draws]

    def _batches(self, preprocessing: Preprocessing) -> DataLoader[Any]:
        plan, augment = self.plan, augmentation(self.plan.recipe)
        batches = plan.task.batches(
            plan.data.train,
            transform=plan.task.training(preprocessing, augment),
            batch=plan.recipe.batch,
            shuffle=True,
            seed=plan.seed,
            workers=self.workers,
            balanced=plan.recipe.balance == "sample",
            least=augment.least(preprocessing),
        )
        batches.batch_sampler.order.repeats = plan.recipe.repeats  # type: ignore[union-attr]  # our own order
        return batches


def augmentation(recipe: Recipe) -> Augment:
    """How the recipe varies pictures."""
    return Augment(
        area=(recipe.area, 1.0),
        ratio=(1 / recipe.aspect, recipe.aspect),
        flip=recipe.flip,
        policy=recipe.policy,
        magnitude=recipe.magnitude,
        magnitude_spread=recipe.magnitude_spread,
        policy_layers=recipe.policy_layers,
        policy_chance=recipe.policy_chance,
        exclude=recipe.exclude,
        color=recipe.color,
        erase=recipe.erase,
        turns=recipe.turns,
        mixing=Mixing(mixup=recipe.mixup, cutmix=recipe.cutmix, chance=recipe.mix_chance),
    )


def seen_in_training(recipe: Recipe, preprocessing: Preprocessing, done: float) -> Preprocessing:
    """The preprocessing at the size that training has when a share `done` of its epochs is over."""
    last = recipe.train_size or preprocessing.size[0]
    if recipe.first_size and done < 1:
        grown = recipe.first_size + (last - recipe.first_size) * done
        side = round(grown / GROWTH) * GROWTH
        return replace(preprocessing, size=(side, side))
    return replace(preprocessing, size=(last, last)) if recipe.train_size else preprocessing


def readers() -> int:
    """Processes that read pictures, if nobody says how many: one for each core but one, at most 8."""
    return min(8, max(0, (os.cpu_count() or 1) - 1))
