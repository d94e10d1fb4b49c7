"""Whether a classifier is as often right as it is sure, and the temperature that makes it so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mobilevision.data.dataset import Sample
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.tasks.base import Predict
from mobilevision.tasks.classify import Classify

BINS = 15
"""Bins of equal width, as in arXiv:1706.04599, section 5."""

SOFTEST, SHARPEST = 20.0, 0.05
"""Temperatures between which the best is looked for; pictures that are all right would ask for 0."""

HALVINGS = 40


class Scored(NamedTuple):
    """What a network gave for pictures.

    Attributes:
        scores: before any softmax. Shape: (N, outputs).
        targets: classes, shape (N,), or rows of 0 and 1, shape (N, outputs).
        split: what the pictures are called.
    """

    scores: Tensor
    targets: Tensor
    split: str


@torch.no_grad()
def scored(
    predict: Predict, samples: Sequence[Sample], *, task: Classify, preprocessing: Preprocessing, split: str
) -> Scored:
    """The scores of pictures with their targets, in order."""
    batches = task.batches(samples, transform=task.evaluation(preprocessing), batch=32)
    pairs = [(predict(pictures).float().cpu(), targets) for pictures, targets in batches]
    return Scored(torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs]), split)


def calibration(task: Classify, told: Scored, *, fit: Scored) -> dict[str, Any]:
    """How sure a network is and how right, before and after a temperature (arXiv:1706.04599), as plain JSON.

    Args:
        task: what was asked.
        told: what the figures are about.
        fit: what the temperature is fitted on; the same as `told` makes the figures after it too kind.
    """
    fitted = temperature(task, fit)
    return {
        "split": told.split,
        "count": len(told.scores),
        "fitted_on": fit.split,
        "fitted_count": len(fit.scores),
        "temperature": fitted,
        "at_bound": not SHARPEST * 1.01 < fitted < SOFTEST / 1.01,
        "before": sureness(task, told),
        "after": sureness(task, told._replace(scores=told.scores / fitted)),
    }


def temperature(task: Classify, fit: Scored) -> float:
    """What scores must be divided by for the least loss: more than 1 makes a network less sure.

    The loss is convex in the inverse of the temperature, so that halving where its slope changes sign finds it.
    """
    scores, targets = fit.scores.double(), fit.targets.double() if task.multilabel else fit.targets
    low, high = math.log(1 / SOFTEST), math.log(1 / SHARPEST)
    for _ in range(HALVINGS):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(task.loss(scores * middle.exp(), targets), middle)
        low, high = (low, middle.item()) if slope > 0 else (middle.item(), high)
    return math.exp(-(low + high) / 2)


def sureness(task: Classify, found: Scored) -> dict[str, Any]:
    """The expected calibration error, the loss, and the bins of a reliability diagram.

    With several labels every label of every picture is a decision of its own, told by the probability of yes.
    """
    from torchmetrics.functional import classification  # heavy

    probabilities = task.probabilities(found.scores)
    if task.multilabel:
        sure, right = probabilities.flatten(), found.targets.flatten()
        error = classification.binary_calibration_error(sure, right.long(), n_bins=BINS)
    else:
        best = probabilities.max(1)
        sure, right = best.values, best.indices == found.targets
        error = classification.multiclass_calibration_error(
            probabilities, found.targets, num_classes=task.outputs, n_bins=BINS
        )
    return {"ece": error.item(), "nll": task.loss(found.scores, found.targets).item(), "bins": _bins(sure, right)}


def _bins(sure: Tensor, right: Tensor) -> list[dict[str, float]]:
    """Of each bin that holds something: where it begins and ends, how many, how sure and how right on average."""
    edges = torch.linspace(0, 1, BINS + 1)
    place = (torch.bucketize(sure, edges, right=True) - 1).clamp(max=BINS - 1)
    held = [(edges[i : i + 2].tolist(), place == i) for i in range(BINS)]
    return [
        {
            "low": low,
            "high": high,
            "count": int(here.sum()),
            "sure": sure[here].double().mean().item(),
            "right": right[here].double().mean().item(),
        }
        for (low, high), here in held
        if here.any()
    ]
