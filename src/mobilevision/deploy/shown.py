"""The real pictures that a file is calibrated and proven on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from mobilevision.data.dataset import Data
from mobilevision.data.pictures import find_pictures, open_picture
from mobilevision.errors import InputError, UsageError
from mobilevision.models import Model
from mobilevision.run import Run
from mobilevision.tasks.catalog import known_data

Kind = TypeVar("Kind")

LEAST = 64
"""Pictures that a proof is made on at least, where there are so many."""

JUDGED = {"detect": "map50", "segment": "miou", "embed": "recall1"}
"""The figure that a task's files are judged by; other tasks' are by their scores."""


@dataclass(frozen=True)
class Pictures:
    """Real pictures to prove a file on.

    Attributes:
        files: where they are.
        labels: of those that were never trained on, by file: on these accuracy is measured.
        source: where they are from.
    """

    files: tuple[Path, ...]
    labels: dict[Path, tuple[int, ...]]
    source: str


def run_data(run: Run) -> Data:
    """The pictures a run was trained on, in its splits: none that it learned is taken for one that it never saw.

    Raises:
        InputError: if they are gone, or others now.
    """
    facts, task = run.read("data"), run.read("task")["task"]
    try:
        data = known_data(task, facts["source"], digest=facts["digest"], seed=facts["seed"])
    except UsageError as error:
        raise InputError(f"the run's data is gone: {error}; put it back: it is judged on that") from error
    if task not in JUDGED:
        check_labels(run, data)
    return data


def check_labels(run: Run, data: Data) -> None:
    """Refuse data whose classes are not those that the run learned: its accuracy would mean nothing.

    Raises:
        InputError: with both.
    """
    learned = tuple(run.read("task")["labels"])
    if data.labels != learned:
        raise InputError(
            f"{data.source} has the classes {', '.join(data.labels)} now, and the run learned {', '.join(learned)}; "
            "put its data back, or train again"
        )


def proof_pictures(run: Run, *, given: Sequence[str | Path] = ()) -> Pictures:
    """The pictures given, which have no labels; else those of the run's data, see `judging_pictures`.

    Raises:
        InputError: if the run's data is gone, or other data now.
    """
    if not given:
        return judging_pictures(run_data(run))
    files = tuple(file for source in given for file in find_pictures(source))
    return Pictures(files, {}, ", ".join(map(str, given)))


def judging_pictures(data: Data) -> Pictures:
    """All validation pictures, and training pictures, spread over all of them, if those are few."""
    labels = {sample.file: sample.labels for sample in data.validation}
    lacking = max(0, LEAST - len(labels))
    more = [sample.file for sample in spread(data.train, lacking)]
    kinds = "validation and training" if more else "validation"
    return Pictures((*labels, *more), labels, f"{kinds} pictures of {data.source}")


def calibration_pictures(data: Data, model: Model, *, count: int) -> Tensor:
    """Up to `count` training pictures, spread over all of them. Shape: (N, channels, height, width).

    Raises:
        InputError: if none can be read.
    """
    _, pictures = readable([sample.file for sample in spread(data.train, count)], model)
    if not len(pictures):
        raise InputError(f"none of the training pictures in {data.source} can be read; 8 bits are calibrated on them")
    return pictures


def spread(samples: Sequence[Kind], count: int) -> list[Kind]:
    """Up to `count` of them, at even distances over all: sorted by class, the first few would be of one alone."""
    few = min(count, len(samples))
    return [samples[place * len(samples) // few] for place in range(few)]


def readable(files: Sequence[Path], model: Model) -> tuple[tuple[Path, ...], Tensor]:
    """The pictures that can be read, and what the network sees of them. Shape: (N, channels, height, width)."""
    kept, tensors = [], []
    prepared = model.task.picture(model.preprocessing)
    for file in files:
        try:
            tensors.append(prepared(open_picture(file)))
        except InputError:  # the check of the data has told of it
            continue
        kept.append(file)
    return tuple(kept), torch.stack(tensors) if tensors else torch.zeros(0)
