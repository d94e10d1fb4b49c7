"""The tasks by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mobilevision.data.boxes import check_boxes
from mobilevision.data.check import check
from mobilevision.data.dataset import Data
from mobilevision.data.masks import check_masks
from mobilevision.errors import InputError, UsageError, nearest
from mobilevision.tasks.base import Task
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.segment import Segment


class Kind(NamedTuple):
    """What a task's name stands for.

    Attributes:
        read: the task of its facts.
        check: the data it learns from, every picture of it opened.
    """

    read: Callable[[Mapping[str, Any]], Task]
    check: Callable[..., Data]


def _classify(facts: Mapping[str, Any]) -> Task:
    return Classify(tuple(facts["labels"]), facts["multilabel"])


TASKS: dict[str, Kind] = {
    "classify": Kind(_classify, check),
    "detect": Kind(Detect.read, check_boxes),
    "segment": Kind(Segment.read, check_masks),
}


def make_task(name: str, labels: Sequence[str], *, multilabel: bool = False) -> Task:
    """The task called `name` for these classes.

    Raises:
        UsageError: if there is no such task.
    """
    return _kind(name).read({"labels": labels, "multilabel": multilabel})


def read_task(facts: Mapping[str, Any]) -> Task:
    """The task that a run's task.json tells.

    Raises:
        InputError: if a fact is missing.
    """
    try:
        return _kind(facts["task"]).read(facts)
    except KeyError as error:
        raise InputError(f"the facts of this task have no {error}; train or build the run again") from None


def check_data(name: str, source: str | Path, *, seed: int = 0) -> Data:
    """The data at `source` for the task called `name`, with every picture opened and everything bad set aside.

    Raises:
        UsageError: if there is no such task or source.
        InputError: if it holds nothing to train on.
    """
    return _kind(name).check(source, seed=seed)


def _kind(name: str) -> Kind:
    if name not in TASKS:
        raise UsageError(f"there is no task {name!r}; {nearest(name, TASKS)}; known are {', '.join(TASKS)}")
    return TASKS[name]
