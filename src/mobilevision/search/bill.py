"""What a search has cost, by phase."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mobilevision.files import append_json, read_json_lines

APART = ("table", "measuring", "training", "long training")
"""Phases that are no search: times, which another search may have left in its table, and the last training."""


@dataclass
class Item:
    """What one piece of work has cost.

    Attributes:
        phase: of the search.
        wall_seconds: from its start to its end.
        cpu_seconds: of all processors, in this process, those it started and those on other machines.
        trained: candidates that were trained.
        measured: rows and whole networks that were timed.
    """

    phase: str
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    trained: int = 0
    measured: int = 0

    def add(self, other: Item) -> None:
        """Put the costs of `other` on top."""
        self.wall_seconds += other.wall_seconds
        self.cpu_seconds += other.cpu_seconds
        self.trained += other.trained
        self.measured += other.measured


class Bill:
    """The costs of a search, kept in a file as they arise; a search that goes on adds to it.

    A piece of work within another is charged once, to its own phase. What a killed process spent on the piece that it
    was at is not known.

    Args:
        path: the file, one piece of work a line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items = [Item(**line) for line in read_json_lines(path)]
        self.within: list[Item] = []  # pieces of work that are going on, the innermost last

    @contextmanager
    def phase(self, name: str) -> Iterator[Item]:
        """Charge what happens until the block ends, also if it ends with an error.

        Yields:
            The item, for the counts; processor seconds that are put on it come on top of those of this process and
            of the processes that it has started.
        """
        item, began, worked = Item(name), time.perf_counter(), _worked()
        self.within.append(item)
        try:
            yield item
        finally:
            self.within.remove(item)
            wall, cpu = time.perf_counter() - began, _worked() - worked
            item.wall_seconds, item.cpu_seconds = item.wall_seconds + wall, item.cpu_seconds + cpu
            if self.within:
                self.within[-1].wall_seconds -= wall
                self.within[-1].cpu_seconds -= cpu
            append_json(self.path, asdict(item))
            self.items.append(item)

    def phases(self) -> list[Item]:
        """The costs by phase, in the order the phases began, and of all together as "total"."""
        found: dict[str, Item] = {}
        total = Item("total")
        for item in self.items:
            found.setdefault(item.phase, Item(item.phase)).add(item)
            total.add(item)
        return [*found.values(), total]

    def searching(self) -> float:
        """Wall seconds of all phases but those `APART`: what a rival gets too."""
        return sum(item.wall_seconds for item in self.items if item.phase not in APART)

    def facts(self) -> list[dict[str, Any]]:
        """As plain JSON."""
        return [asdict(item) for item in self.phases()]

    def words(self) -> str:
        """As lines for people."""
        head = f"{'phase':<24} {'wall':>9} {'processor':>10} {'trained':>8} {'measured':>9}"
        return "\n".join([head, *map(_line, self.phases())])


def _line(item: Item) -> str:
    return (
        f"{item.phase:<24} {item.wall_seconds:>7.0f} s {item.cpu_seconds:>8.0f} s {item.trained:>8} {item.measured:>9}"
    )


def _worked() -> float:
    """Processor seconds of this process and of those it has started and seen end."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system
