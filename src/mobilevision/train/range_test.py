"""Finding a learning rate by trying them all."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mobilevision.data.dataset import Data
from mobilevision.errors import MobilevisionError
from mobilevision.network import Network
from mobilevision.tasks.base import Task
from mobilevision.train.chance import seed_step
from mobilevision.train.device import make_fabric
from mobilevision.train.feed import Feed, readers
from mobilevision.train.learner import make_learner
from mobilevision.train.loop import slope
from mobilevision.train.plan import make_plan
from mobilevision.train.recipe import Recipe

LOWEST, HIGHEST = 1e-5, 1.0
KEEP = 0.9
"""Share of the smoothed loss that a step keeps."""

SPAN = 5
"""Steps to both sides over which the loss is seen to fall: between two steps it is mostly chance that it does."""

BURST = 4.0
"""Times the lowest smoothed loss at which the search ends."""


@dataclass(frozen=True)
class Found:
    """What a search for a learning rate has seen.

    Attributes:
        rates: learning rates, ascending.
        losses: the smoothed loss after a step at each.
        lr: the one to take: where the loss falls fastest.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    lr: float

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"lr": self.lr, "rates": list(self.rates), "losses": list(self.losses)}


def find_lr(
    network: Network,
    data: Data | str | Path,
    *,
    task: str | Task = "classify",
    recipe: Recipe,
    seed: int = 0,
    device: str = "auto",
    workers: int | None = None,
    steps: int = 100,
) -> Found:
    """The learning rate at which the loss falls fastest (learning rate range test, arXiv:1506.01186, section 3.3).

    A copy of the network takes steps at rates that grow evenly from step to step, in factors, until the loss bursts.

    Args:
        network: fresh, or with weights to start from; it is left as it is.
        data: as for `fit`.
        task: the task, or its name.
        recipe: how it will be trained.
        seed: of the order and the augmentation.
        device: "auto", "cpu", "cuda" or "mps".
        workers: processes that read pictures.
        steps: from the lowest rate to the highest.

    Raises:
        MobilevisionError: one of its kinds, as `fit`; or if the loss fell nowhere.
    """
    fabric = make_fabric(device, "32")
    whole = replace(recipe, accumulate=recipe.accumulate or 1, first_size=0)
    plan = make_plan(network, data, task=task, recipe=whole, seed=seed)
    trial = copy.deepcopy(network)
    plan.equip_(trial)
    learner = make_learner(fabric, trial, plan.recipe)
    feed = Feed(plan, workers=readers() if workers is None else workers)
    rates, losses, mean = list[float](), list[float](), 0.0
    for step in range(steps):
        if step % feed.steps == 0:
            batches = feed.epoch(step // feed.steps)
        seed_step(seed, step)
        loss = slope(learner, feed, next(batches), weights=None)
        mean = KEEP * mean + (1 - KEEP) * loss
        smoothed = mean / (1 - KEEP ** (step + 1))
        if not math.isfinite(loss) or (losses and smoothed > BURST * min(losses)):
            break
        rates.append(LOWEST * (HIGHEST / LOWEST) ** (step / (steps - 1)))
        losses.append(smoothed)
        learner.step_(rate=rates[-1], step=step)
    return Found(tuple(rates), tuple(losses), steepest(rates, losses))


def steepest(rates: list[float], losses: list[float]) -> float:
    """The rate at which the loss falls fastest, per factor, before its lowest.

    Raises:
        MobilevisionError: if it falls nowhere.
    """
    lowest = losses.index(min(losses)) if losses else 0
    middles = range(2 * SPAN, min(lowest + 1, len(losses) - SPAN))  # the first few are of too few batches
    falls = {rates[i]: losses[i + SPAN] - losses[i - SPAN] for i in middles}  # rates grow alike from step to step
    if not falls or min(falls.values()) >= 0:
        raise MobilevisionError("the loss fell at no learning rate; look at the data and the labels")
    return min(falls, key=lambda rate: falls[rate])
