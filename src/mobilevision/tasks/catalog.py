"""The tasks by name."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mobilevision.errors import InputError, UsageError, nearest
from mobilevision.tasks.base import Task
from mobilevision.tasks.classify import Classify

TASKS: dict[str, Callable[[tuple[str, ...], bool], Task]] = {"classify": Classify}


def make_task(name: str, labels: Sequence[str], *, multilabel: bool = False) -> Task:
    """The task called `name` for these classes.

    Raises:
        UsageError: if there is no such task.
    """
    if name not in TASKS:
        raise UsageError(f"there is no task {name!r}; {nearest(name, TASKS)}; known are {', '.join(TASKS)}")
    return TASKS[name](tuple(labels), multilabel)


def read_task(facts: Mapping[str, Any]) -> Task:
    """The task that a run's task.json tells.

    Raises:
        InputError: if a fact is missing.
    """
    try:
        return make_task(facts["task"], facts["labels"], multilabel=facts["multilabel"])
    except KeyError as error:
        raise InputError(f"the facts of this task have no {error}; train or build the run again") from None
