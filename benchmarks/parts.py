"""The parts of a long benchmark, kept in a JSON file as they are done: a call that is stopped loses no part."""

import json
import os
import platform
import statistics
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mobilevision.files import write_json
from mobilevision.run import processor

Written = Callable[[dict[str, dict[str, Any]]], str]
"""What is known of each part -> a page."""


class Parts:
    """What is known of each part, by name.

    Args:
        file: where it is kept.
        minutes: after which no further part is begun.
    """

    def __init__(self, file: Path, *, minutes: float) -> None:
        self.file, self.end = file, time.monotonic() + 60 * minutes

    @property
    def known(self) -> dict[str, dict[str, Any]]:
        """All that is kept."""
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}

    def left(self, names: Sequence[str]) -> Iterator[str]:
        """The parts to do, one after another, until the time is up."""
        for name in names:
            if name not in self.known:
                if time.monotonic() > self.end:
                    print("the time is up; the same command goes on from here", flush=True)
                    return
                yield name

    def finish(self, do: Mapping[str, Callable[[], dict[str, Any]]], *, page: Path, written: Written) -> None:
        """Do the parts that are left, with what each took, and write the page of all that are known."""
        for name in self.left(list(do)):
            with spending() as spent:
                facts = do[name]()
            self.keep(name, facts | spent)
        page.write_text(written(self.known), encoding="utf-8")
        print(page.read_text(encoding="utf-8"))

    def keep(self, name: str, facts: dict[str, Any]) -> None:
        """Keep what came out of a part."""
        told = facts | {"date": time.strftime("%Y-%m-%d"), "machine": machine()}
        write_json(self.file, self.known | {name: told})
        print(name, json.dumps(facts), flush=True)


@contextmanager
def spending() -> Iterator[dict[str, float]]:
    """Minutes of the clock, and of processors, that the block takes; processes that it ended count."""
    spent: dict[str, float] = {}
    clock, used = time.perf_counter(), sum(os.times()[:4])
    yield spent
    spent["minutes"] = round((time.perf_counter() - clock) / 60, 2)
    spent["processor_minutes"] = round((sum(os.times()[:4]) - used) / 60, 2)


@contextmanager
def environment(words: Mapping[str, str]) -> Iterator[None]:
    """Processes that the block starts have these words in their environment too."""
    before = dict(os.environ)
    os.environ.update(words)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def machine() -> dict[str, Any]:
    """Where a part was done."""
    return {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 1),
    }


def mean_and_range(values: Sequence[float], *, times: float = 100, digits: int = 1) -> str:
    """The mean, and in brackets the lowest and the highest; times 100 they are percent."""
    mean, low, high = (f"{times * value:.{digits}f}" for value in (statistics.mean(values), min(values), max(values)))
    return f"{mean} ({low} to {high})"


def paragraph(text: str) -> str:
    """A text laid out anew, in lines of a page."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False) + "\n\n"
