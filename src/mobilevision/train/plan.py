"""What a training is going to do, checked before it starts, and written down so that it can go on later."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from mobilevision.architecture import Arch
from mobilevision.data.dataset import Data
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError
from mobilevision.network import Network
from mobilevision.run import Run, environment
from mobilevision.tasks.base import Task
from mobilevision.tasks.catalog import check_data, make_task
from mobilevision.train.recipe import Recipe
from mobilevision.train.resume import has_checkpoint, told_if_unwritable

SHOWN = 80
"""Letters of a fact that a message tells."""


class Feeder(Protocol):
    """What a training is fed with beside its data; see `mobilevision.compress.feeding`."""

    def fed(self, data: Data, task: Task, *, network: Network, recipe: Recipe) -> tuple[Data, Task]:
        """The data and the task of a training, with all of this in them."""


@dataclass(frozen=True)
class Plan:
    """All that decides what comes out of a training, the machine and the starting weights apart.

    Attributes:
        arch: what is trained.
        data: on what.
        task: what for.
        recipe: how.
        preprocessing: how a picture becomes a tensor.
        seed: of the split, the order of the pictures, their augmentation and the network's chances.
    """

    arch: Arch
    data: Data
    task: Task
    recipe: Recipe
    preprocessing: Preprocessing
    seed: int

    def facts(self) -> dict[str, Any]:
        """The facts of the run's files, by name."""
        return {
            "task": self.task.facts() | {"preprocessing": self.preprocessing.facts()},
            "recipe": self.recipe.facts(),
            "data": self.data.facts(),
        }

    def equip_(self, network: Network) -> None:
        """Give the network, before it trains, what its loss learns; see `mobilevision.tasks.base.Task.equip_`."""
        self.task.equip_(network, self.data.train, turns=self.recipe.turns, seed=self.seed)

    def begin(self, run: Run) -> None:
        """Write the plan into the run's folder; a training that stands there must have the same one.

        Raises:
            UsageError: if another training stands there.
        """
        if has_checkpoint(run.folder):
            self._compare(run)
            run.write("data", self.data.facts())  # the same pictures may lie elsewhere now
        else:
            run.begin(self.arch, **self.facts(), environment=environment(self.seed))

    def _compare(self, run: Run) -> None:
        facts = run.read("data")
        asked = {"architecture": self.arch.digest, "seed": self.seed, "data": pictures(self.data.facts())}
        asked["cache"] = self.data.cache
        stands = {
            "architecture": run.arch.digest,
            "data": pictures(facts),
            "seed": run.read("environment")["seed"],
            "cache": facts.get("cache", 0),
        }
        there = {"task": run.read("task"), "recipe": Recipe.read(run.read("recipe")).facts()}
        for name, facts in there.items():
            asked |= {f"{name}.{key}": value for key, value in json.loads(json.dumps(self.facts()[name])).items()}
            stands |= {f"{name}.{key}": value for key, value in facts.items()}
        for name in asked | stands:  # in their order: a seed that differs draws another split, so it is told first
            if asked.get(name) != stands.get(name):
                raise UsageError(
                    f"{run.folder} holds a training with another {name} ({str(stands.get(name))[:SHOWN]} there, "
                    f"{str(asked.get(name))[:SHOWN]} asked); choose another folder, or ask for the same"
                )


def make_plan(network: Network, data: Data | str | Path, *, task: str | Task, recipe: Recipe, seed: int) -> Plan:
    """A plan that fits together.

    Raises:
        InputError: if there is nothing to train on, or nothing to tell progress by.
        UsageError: if the network has other outputs than the task asks for.
    """
    name = task if isinstance(task, str) else task.name
    data = data if isinstance(data, Data) else check_data(name, data, seed=seed)
    task = make_task(task, data.labels, multilabel=data.multilabel) if isinstance(task, str) else task
    check_splits(data)
    if task.labels:  # vectors are asked of classes that training never saw
        warn_of_unseen(data)
    if network.outputs != task.outputs:
        raise UsageError(
            f"the network has {network.outputs} outputs and the data {task.outputs} classes; "
            f"make it with num_classes={task.outputs}"
        )
    return Plan(network.arch, data, task, recipe, seen_by(network, recipe), seed)


def pictures(facts: Mapping[str, Any]) -> str:
    """How many pictures data of these facts has, and what names their list."""
    counts = ", ".join(f"{count} {split}" for split, count in facts["pictures"].items())
    return f"{counts}, list {facts['digest'][:12]}"


def check_splits(data: Data) -> None:
    """Refuse data that nothing can be learned from, or that would tell a false accuracy.

    `check` sets aside what does not fit; this is for data that was put together by hand.

    Raises:
        InputError: if there is nothing to train on or to measure, a label outside the classes, or a picture to train
            on among those to measure.
    """
    for split in ("train", "validation"):
        if not getattr(data, split):
            raise InputError(f"{data.source} leaves no {split} pictures; add some, or let the split be made")
    for sample in chain(data.train, data.validation):
        if any(not 0 <= label < len(data.labels) for label in sample.labels):
            raise InputError(f"{sample.file} has labels {sample.labels}; all must be below {len(data.labels)}")
    measured = {sample.file for sample in data.validation}
    if leak := next((sample.file for sample in data.train if sample.file in measured), None):
        raise InputError(f"{leak} is both a training and a validation picture; take it out of one")


def warn_of_unseen(data: Data) -> None:
    """Warn of a class to measure that no training picture shows."""
    seen = {label for sample in data.train for label in sample.labels}
    for sample in data.validation:
        if unseen := [data.labels[label] for label in sample.labels if label not in seen]:
            warnings.warn(
                f"{sample.file} shows {unseen[0]}, which no training picture does; it will never be told", stacklevel=3
            )
            break


@contextmanager
def prepared(run: Run, plan: Plan, *, on: bool = True) -> Iterator[None]:
    """Hold the run's folder for this process, with the plan in it.

    Args:
        run: whose folder.
        plan: what is written, or compared with what stands there.
        on: whether this process is the one that writes; the others go on.

    Raises:
        UsageError: if another process holds it, or another training stands there.
        MobilevisionError: if it cannot be written.
    """
    with ExitStack() as held:
        if on:
            with told_if_unwritable(run.folder):
                held.enter_context(run.locked())
                plan.begin(run)
        yield


def seen_by(network: Network, recipe: Recipe) -> Preprocessing:
    """The network's own preprocessing, or the ordinary one, at the recipe's size."""
    side = network.arch.size
    own = network.preprocessing or Preprocessing(size=(side, side))
    size = (recipe.size, recipe.size) if recipe.size else own.size
    return replace(own, size=size, crop=recipe.crop or own.crop)
