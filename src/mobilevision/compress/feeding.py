"""What a training is fed with beside its data: a cache, replicas, a teacher."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from mobilevision.compress.distill import Distill
from mobilevision.compress.mixture import Replayed, open_replicas
from mobilevision.compress.teacher import open_teacher
from mobilevision.data.album import Album
from mobilevision.data.cache import cached
from mobilevision.data.dataset import Data
from mobilevision.errors import UsageError
from mobilevision.files import cache_folder
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.tasks.base import Task
from mobilevision.train.feed import augmentation
from mobilevision.train.plan import seen_by
from mobilevision.train.recipe import Recipe

ENLARGED = 1.5
"""Sides of a cached picture as a multiple of the network's, if small crops would ask for more."""


@dataclass(frozen=True)
class Feeding:
    """What else a network learns from.

    Attributes:
        cache: whether the training pictures are kept decoded in the folder that MOBILEVISION_CACHE names, else in
            ~/.cache/mobilevision.
        distilled: folders of replicas with their ratios, as "D1:1,D2:2"; they take the place of the training pictures.
        teacher: who is asked while the student trains; see `open_teacher`.
        teacher_weights: what the teacher is loaded with.
        temperature: that softens what the teacher says.
        soft: share of the teacher in the loss; the rest is the labels'.

    Raises:
        UsageError: if something is said of a teacher and there is none.
    """

    cache: bool = False
    distilled: str = ""
    teacher: str = ""
    teacher_weights: str | None = None
    temperature: float = 1.0
    soft: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what only a teacher would heed; replicas keep what theirs said when they were prepared."""
        asked = {
            "teacher-weights": self.teacher_weights is not None,
            "temperature": self.temperature != 1,
            "soft": self.soft != 1,
        }
        for name, is_asked in asked.items():
            if is_asked and not self.teacher:
                raise UsageError(f"--{name} is of a teacher, and there is none; give --teacher, or leave it out")

    @classmethod
    def of(cls, run: Run) -> Self:
        """What the training in `run` was fed with."""
        task, sets = run.read("task"), run.read("task").get("distilled", ())
        return cls(
            cache=bool(run.read("data").get("cache")),
            distilled=",".join(f"{each['folder']}:{each['ratio']}" for each in sets),
            teacher=task.get("teacher", ""),
            teacher_weights=task.get("teacher_weights") or None,
            temperature=task.get("temperature", 1.0),
            soft=task.get("soft", 1.0),
        )

    def fed(self, data: Data, task: Task, *, network: Network, recipe: Recipe) -> tuple[Data, Task]:
        """The data and the task of a training, with all of this in them.

        Raises:
            UsageError: if this cannot be had together, or not for this task.
            InputError: if the teacher or the replicas have other classes.
        """
        if self == PLAIN:
            return data, task
        if task.name != "classify":
            raise UsageError(f"a cache and a teacher are for the task classify, not for {task.name}; leave them out")
        if self.teacher and self.distilled:
            raise UsageError("a student has replicas or a teacher, not both; leave one out")
        if self.cache and self.distilled:
            raise UsageError("replicas are read from their shards, without a cache; leave one out")
        if self.distilled:
            _check_order(recipe)
        return self._kept(data, network, recipe), self._taught(task, data, network, recipe)

    def _kept(self, data: Data, network: Network, recipe: Recipe) -> Data:
        if not self.cache:
            return data
        preprocessing = seen_by(network, recipe)
        side = min(augmentation(recipe).least(preprocessing), round(ENLARGED * max(preprocessing.size)))
        return replace(data, train=cached(Album.of(data.train), cache_folder() / "pictures", side=side), cache=side)

    def _taught(self, task: Task, data: Data, network: Network, recipe: Recipe) -> Task:
        if not self.distilled and not self.teacher:
            return task
        if data.multilabel:
            raise UsageError("a teacher's probabilities are of one label a picture, and this data has several")
        if self.distilled:
            return Replayed(task, open_replicas(self.distilled, data.labels))
        teacher = open_teacher(self.teacher, labels=data.labels, weights=self.teacher_weights)
        return Distill(task, teacher, seen_by(network, recipe), self.temperature, self.soft)


def _check_order(recipe: Recipe) -> None:
    """Refuse a recipe that asks for other turns or other weights than the ratios of replicas give."""
    for name, asked, plain in (("balance", recipe.balance, "none"), ("repeats", recipe.repeats, 1)):
        if asked != plain:
            raise UsageError(
                f"{name}={asked} would not be heeded: replicas come in their ratios, with the teacher's probabilities; "
                f"give --set {name}={plain}, or leave --distilled out"
            )


PLAIN = Feeding()
"""The data alone."""
