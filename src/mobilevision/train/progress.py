"""What a training shows while it runs, on stderr: a bar on a terminal, a line an epoch everywhere."""

import math
from collections.abc import Iterable, Iterator
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Batch = TypeVar("Batch")


class Meter:
    """Measures one epoch of training: loss, speed, and how long the network waited for pictures."""

    def __init__(self) -> None:
        self.pictures, self.loss, self.waited, self.began = 0, 0.0, 0.0, perf_counter()

    def each(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, with the time it takes to get them counted as waiting."""
        source, asked = iter(batches), perf_counter()
        for batch in source:
            self.waited += perf_counter() - asked
            yield batch
            asked = perf_counter()

    def add(self, loss: float, pictures: int) -> None:
        """Count a step."""
        self.loss += loss * pictures
        self.pictures += pictures

    def facts(self) -> dict[str, float]:
        """The mean loss, pictures a second, and the share of the time spent waiting for them."""
        seconds = perf_counter() - self.began
        return {
            "train_loss": self.loss / max(1, self.pictures),
            "images_per_second": self.pictures / seconds,
            "data_wait": self.waited / seconds,
        }


class Display:
    """A progress bar over all steps of a training, and a line for every epoch.

    Args:
        steps: of the whole training.
        done: steps of it that are done already.
        goal: the metric that the lines show.
    """

    def __init__(self, steps: int, *, done: int, goal: str) -> None:
        self.console, self.goal = Console(stderr=True), goal
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self.row = self.bar.add_task("training", total=steps, completed=done, speed="")

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
        speed = f"{meter.facts()['images_per_second']:.0f} images/s"
        self.bar.update(self.row, advance=1, description=f"epoch {epoch}", speed=speed)

    def epoch(self, facts: dict[str, Any]) -> None:
        """Print the line of an epoch."""
        self.console.print(
            f"epoch {facts['epoch']}  loss {facts['train_loss']:.4f}  "
            f"validation {facts['loss']:.4f}  {self.goal} {facts.get(self.goal, math.nan):.2%}  "
            f"{facts['images_per_second']:.0f} images/s  data wait {facts['data_wait']:.0%}",
            highlight=False,
        )
