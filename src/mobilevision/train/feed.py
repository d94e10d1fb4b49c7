"""The pictures a recipe trains on."""

import os
from typing import Any

from torch.utils.data import DataLoader

from mobilevision.data.augment import Augment
from mobilevision.train.plan import Plan
from mobilevision.train.recipe import Recipe


def training_batches(plan: Plan, *, workers: int) -> DataLoader[Any]:
    """Shuffled and augmented pictures with their targets; they depend on the seed and the epoch alone."""
    augment = augmentation(plan.recipe)
    return plan.task.batches(
        plan.data.train,
        transform=plan.task.training(plan.preprocessing, augment),
        batch=plan.recipe.batch,
        shuffle=True,
        seed=plan.seed,
        workers=workers,
        balanced=plan.recipe.balance == "sample",
        least=augment.least(plan.preprocessing),
    )


def augmentation(recipe: Recipe) -> Augment:
    """How the recipe varies pictures."""
    return Augment(
        area=(recipe.area, 1.0),
        ratio=(1 / recipe.aspect, recipe.aspect),
        flip=recipe.flip,
        policy=recipe.policy,
        magnitude=recipe.magnitude,
        color=recipe.color,
        erase=recipe.erase,
    )


def readers() -> int:
    """Processes that read pictures, if nobody says how many: one for each core but one, at most 8."""
    return min(8, max(0, (os.cpu_count() or 1) - 1))
