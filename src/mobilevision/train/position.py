"""How far a training has come, and what decides when it stops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from mobilevision.train.trackers import find_tracker

Score = tuple[float, float]
"""The metric that decides, and the negative loss, which decides where the metric is the same; higher is better."""


@dataclass(frozen=True)
class Position:
    """A place in a training.

    Attributes:
        epoch: complete epochs.
        batch: steps of the next one that are done.
        loss: sum of the losses of its pictures so far.
        pictures: how many those were.
        best: the best score so far.
        since: epochs since then.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    pictures: int = 0
    best: Score | None = None
    since: int = 0

    @property
    def mean_loss(self) -> float:
        """The mean loss of a picture in this epoch."""
        return self.loss / max(1, self.pictures)

    def stepped(self, loss: float, pictures: int) -> Position:
        """A step on, in which so many pictures had that mean loss."""
        return replace(self, batch=self.batch + 1, loss=self.loss + loss * pictures, pictures=self.pictures + pictures)

    def scored(self, score: Score) -> Position:
        """At the end of an epoch that had that score."""
        better = self.best is None or score > self.best
        best, since = (score, 0) if better else (self.best, self.since + 1)
        return Position(epoch=self.epoch + 1, best=best, since=since)

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "loss": self.loss,
            "pictures": self.pictures,
            "best": self.best and list(self.best),
            "since": self.since,
        }

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Position:
        """The position that `facts` gave."""
        best = facts["best"] and (facts["best"][0], facts["best"][1])
        return cls(facts["epoch"], facts["batch"], facts["loss"], facts["pictures"], best, facts["since"])


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How a training is run, which does not change what comes out of it.

    Attributes:
        save_seconds: a checkpoint in the middle of an epoch is written when the last is older than this.
        save_steps: or when so many steps have passed; 0 does not count them.
        minutes: how long it may take, from now; then it stops where it is, and can go on. 0 has no limit.
        log: where else to write what happens: "mlflow", "wandb".

    Raises:
        UsageError: if a tracker is not known.
    """

    save_seconds: float = 300.0
    save_steps: int = 0
    minutes: float = 0.0
    log: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Look the trackers up now: they are opened only when a folder has been written."""
        for name in self.log:
            find_tracker(name)


def reduced(fabric: Fabric, number: Tensor, *, how: str) -> float:
    """The "mean" or "sum" of a number over all processes."""
    together: Any = fabric.all_reduce(number, reduce_op=how)
    return float(together)


class Clock:
    """Says when the time is up, to all processes alike.

    Args:
        fabric: the processes.
        minutes: from now; 0 is never.
    """

    def __init__(self, fabric: Fabric, minutes: float) -> None:
        self.fabric, self.end = fabric, monotonic() + 60 * minutes if minutes else math.inf

    def over(self) -> bool:
        """Whether the time is up."""
        if self.end == math.inf:
            return False
        late = torch.tensor(float(monotonic() >= self.end), device=self.fabric.device)
        return bool(reduced(self.fabric, late, how="sum"))
