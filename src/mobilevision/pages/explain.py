"""What a run can say of itself beside its scores: where it looked, how sure it may be, what it can bear."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mobilevision.data.dataset import Sample
from mobilevision.deploy.rounded import is_rounded
from mobilevision.errors import UsageError
from mobilevision.models import Model
from mobilevision.network import Network
from mobilevision.tasks.base import Task
from mobilevision.tasks.calibration import calibration, scored
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.grad_cam import mistakes
from mobilevision.tasks.robustness import robustness


class Pictures(NamedTuple):
    """What a network is judged on.

    Attributes:
        task: what it is asked.
        split: what `told` is called.
        told: the pictures that figures are about.
        fit_split: what `fit` is called.
        fit: the pictures that a temperature is fitted on; those of `told` if there are no others.
        train: those of the training.
    """

    task: Task
    split: str
    told: Sequence[Sample]
    fit_split: str
    fit: Sequence[Sample]
    train: Sequence[Sample]


def classifier_of(model: Model, source: str | Path, *, to_explain: bool) -> Classify:
    """The model's task, if it is one that can be explained and spoiled.

    Args:
        model: of what.
        source: what it was opened from, for the words.
        to_explain: whether its slopes are needed too, which an exported file and a network that rounds have not.

    Raises:
        UsageError: if not.
    """
    if not isinstance(model.task, Classify):
        raise UsageError(
            f"{source} does {model.task.name}; only classifiers are explained or tried on spoiled pictures"
        )
    if to_explain and (not isinstance(model.network, Network) or is_rounded(source)):
        raise UsageError(f"{source} has no slopes to explain it by; give the run that it was made from, in float")
    return model.task


def explained(model: Model, pictures: Pictures, wrong: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Where the network looked when it was wrong, and its calibration, as plain JSON.

    Args:
        model: a classifier with slopes.
        pictures: what it was judged on.
        wrong: the mistakes to explain, from its metrics.
    """
    task, preprocessing = model.task, model.preprocessing
    assert isinstance(task, Classify)
    told = scored(model.network, pictures.told, task=task, preprocessing=preprocessing, split=pictures.split)
    fit = told
    if pictures.fit_split != pictures.split:
        fit = scored(model.network, pictures.fit, task=task, preprocessing=preprocessing, split=pictures.fit_split)
    return {
        "calibration": calibration(task, told, fit=fit),
        "mistakes": mistakes(model.network, wrong, pictures.told, task=task, preprocessing=preprocessing),
    }


def spoiled(model: Model, pictures: Pictures) -> dict[str, Any]:
    """The accuracy on spoiled pictures, as plain JSON; see `mobilevision.tasks.robustness`."""
    assert isinstance(model.task, Classify)
    return robustness(
        model.network, pictures.told, task=model.task, preprocessing=model.preprocessing, split=pictures.split
    )
