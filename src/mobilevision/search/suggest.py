"""Which published network fits a budget: no search, but times of rows on this machine, and published accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier
from mobilevision.cost import macs, params
from mobilevision.errors import UsageError, nearest
from mobilevision.search.pricing import Latency
from mobilevision.tasks.catalog import headed
from mobilevision.weights.published import published_for
from mobilevision.zoo import arch as zoo_arch
from mobilevision.zoo import catalog, list_models

NEAR = (0.3, 1.3)
"""Shares of the target between which a network's time, guessed by its arithmetic, makes it worth timing."""
MOST = 12
"""Networks that are timed, the most accurate of those that may fit."""
CLASSES = 1000
OUTPUTS = {"classify": CLASSES, "detect": 90, "segment": 21, "embed": 128}
"""What heads give where nothing else is said: ImageNet's classes, COCO's, VOC's with the background; numbers."""


@dataclass(frozen=True)
class Suggestion:
    """A published network beside the budget.

    Attributes:
        arch: the network, at the size it would be used at.
        outputs: of its head.
        top1: percent of ImageNet-1k's validation pictures that published weights name right at that size, or, where
            the network does not classify, its backbone's at its own size; None if no weights are published for it.
        weights: name of those weights; "" if there are none.
        predicted_ms: by the table.
        fits: whether that is within the budget.
        measured_ms: of the whole network; None if it was not measured.
    """

    arch: Arch
    outputs: int
    top1: float | None
    weights: str
    predicted_ms: float
    fits: bool
    measured_ms: float | None = None

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "name": self.arch.name,
            "size": self.arch.size,
            "predicted_ms": self.predicted_ms,
            "measured_ms": self.measured_ms,
            "fits": self.fits,
            "top1": self.top1,
            "weights": self.weights,
            "params": params(self.arch, self.outputs),
            "macs": macs(self.arch, outputs=self.outputs),
        }


def candidates(
    pattern: str, *, task: str = "classify", sizes: Sequence[int] = (), widths: Sequence[float] = ()
) -> list[Arch]:
    """The zoo's networks whose names fit, at their own size or at others, as published or at other widths.

    Backbones stand under the task's usual head; networks that were published for another task are left out.

    Raises:
        UsageError: if no name fits, or there is no such task.
    """
    names = list_models(pattern)
    if not names:
        raise UsageError(f"no network is called {pattern!r}; {nearest(pattern.strip('*?'), catalog())}")
    families = dict.fromkeys(catalog()[name]["family"] for name in names)
    own = [zoo_arch(name) for name in names]
    own += [zoo_arch(family, width=width) for family in families for width in widths]
    fit = [headed(one, task) for one in own if isinstance(one.head, Classifier) or headed(one, task) is one]
    return [replace(one, size=size) for one in dict.fromkeys(fit) for size in (sizes or (one.size,))]


def suggest(
    found: Sequence[Arch], target: float, latency: Latency, *, most: int = MOST, measured: int = 0
) -> list[Suggestion]:
    """The networks nearest to a budget: those within it first, the most accurate first.

    Networks far from the budget are not timed: how far is guessed from the arithmetic of one that is.

    Args:
        found: what to choose from.
        target: milliseconds.
        latency: predicts, and times the rows that its table lacks.
        most: how many are timed.
        measured: how many of the first are also measured as whole networks, on which predictions are then put.

    Raises:
        UsageError: if there is none, or every one is far slower than the target.
    """
    if not found:
        raise UsageError("none of these networks does the task; give another pattern of names")
    count = partial(macs, outputs=latency.timed.conditions.outputs)
    order = sorted(found, key=count)
    probe = order[0]
    pace = latency(probe) / count(probe)
    low, high = NEAR
    near = [one for one in order if low * target <= pace * count(one) <= high * target]
    if not near:
        if latency(probe) > target:
            raise UsageError(
                f"none of {len(found)} networks takes {target:g} ms; the smallest, {probe.name} at {probe.size} "
                f"pixels, takes {latency(probe):.3g} ms: raise the target or give smaller --sizes"
            )
        near = [one for one in order if pace * count(one) <= target][-most:]
    kept = sorted(near, key=_accuracy, reverse=True)[:most]
    latency.know(kept)
    first = _ranked(kept, target, latency)[:measured]
    if first:
        latency.calibrate([one.arch for one in first])
    ranked = _ranked(kept, target, latency)
    times = latency.measured([one.arch for one in ranked[:measured]])
    return [replace(one, measured_ms=ms) for one, ms in zip(ranked, times, strict=False)] + ranked[len(times) :]


def _ranked(archs: Sequence[Arch], target: float, latency: Latency) -> list[Suggestion]:
    """Networks by the times that are known so far: those within the target first, the most accurate first."""
    outputs = latency.timed.conditions.outputs
    told = [Suggestion(one, outputs, *_published(one), (ms := latency(one)), ms <= target) for one in archs]
    return sorted(told, key=lambda one: (not one.fits, -_accuracy(one.arch), -one.predicted_ms))


def _accuracy(arch: Arch) -> float:
    return _published(arch)[0] or 0.0


def _published(arch: Arch) -> tuple[float | None, str]:
    """The best published accuracy of a network at its size, or of a backbone at any, and whose it is."""
    known: list[tuple[float, str]] = []
    anywhere = not isinstance(arch.head, Classifier)
    for one in published_for(arch.name):
        for seen, top1 in ((one.preprocessing, one.top1), (one.better, one.better_top1)):
            if seen is None or top1 is None or one.classes != CLASSES:
                continue
            if anywhere or seen.size[0] == arch.size:
                known.append((top1, one.name))
    return max(known, default=(None, ""))
