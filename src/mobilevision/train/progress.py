"""What a training shows while it runs, on stderr: a bar on a terminal, a line an epoch everywhere."""

import math
from collections.abc import Iterable, Iterator
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Batch = TypeVar("Batch")

STARVED = 0.2
"""Share of the time spent waiting for pictures from where it is worth a word."""

LOST = 2.0
"""Seconds of an epoch that must be lost in this way."""


class Meter:
    """Measures the speed of an epoch of training, and how long the network waited for pictures."""

    def __init__(self) -> None:
        self.pictures, self.waited, self.began = 0, 0.0, perf_counter()

    def each(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, with the time it takes to get them counted as waiting."""
        source, asked = iter(batches), perf_counter()
        for batch in source:
            self.waited += perf_counter() - asked
            yield batch
            asked = perf_counter()

    def add(self, pictures: int) -> None:
        """Count a step."""
        self.pictures += pictures

    def facts(self) -> dict[str, float]:
        """Pictures a second, and the share of the time spent waiting for them."""
        seconds = perf_counter() - self.began
        return {"images_per_second": self.pictures / seconds, "data_wait": self.waited / seconds}


class Display:
    """A progress bar over all steps of a training, and a line for every epoch.

    Args:
        steps: of the whole training.
        done: steps of it that are done already.
        goal: the metric that the lines show.
        workers: processes that read pictures, for advice.
        on: whether this process is the one that tells.
    """

    def __init__(self, steps: int, *, done: int, goal: str, workers: int = 0, on: bool = True) -> None:
        self.console, self.goal, self.workers = Console(stderr=True, quiet=not on), goal, workers
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )
        shown = on and self.console.is_terminal
        self.bar = Progress(*columns, console=self.console, transient=True, disable=not shown)
        self.row = self.bar.add_task("training", total=steps, completed=done, speed="")
        self.advised = False

    def __enter__(self) -> Self:
        """Show the bar."""
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self.bar.stop()

    def step(self, epoch: int, meter: Meter) -> None:
        """Advance by one step of `epoch` (from 1)."""
        facts = meter.facts()
        speed = f"{facts['images_per_second']:.0f} images/s, data wait {facts['data_wait']:.0%}"
        self.bar.update(self.row, advance=1, description=f"epoch {epoch}", speed=speed)

    def epoch(self, facts: dict[str, Any]) -> None:
        """Print the line of an epoch, and once what to do if the network waits for pictures."""
        self.say(
            f"epoch {facts['epoch']}  loss {facts['train_loss']:.4f}  "
            f"validation {facts['loss']:.4f}  {self.goal} {facts.get(self.goal, math.nan):.2%}  "
            f"{facts['images_per_second']:.0f} images/s  data wait {facts['data_wait']:.0%}"
        )
        wait = facts["data_wait"]
        if wait > STARVED and wait * facts["seconds"] > LOST and not self.advised:
            self.advised = True
            self.say(starved(wait, workers=self.workers))

    def say(self, line: str) -> None:
        """Print a line."""
        self.console.print(line, highlight=False, soft_wrap=True)


def starved(wait: float, *, workers: int) -> str:
    """What to do about a network that waits for its pictures."""
    readers = f"{workers} reading processes" if workers else "the training's own process, which reads them"
    return (
        f"warning: the network waited {wait:.0%} of the time for {readers}; give more with --workers if there are "
        "cores, or make the picture files smaller: their sides need not exceed twice the recipe's size"
    )
