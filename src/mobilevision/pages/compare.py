"""Two runs side by side: what differs, which is better on the same pictures and how surely, which is faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mobilevision.data.dataset import Data, Sample
from mobilevision.deploy.rounded import open_run
from mobilevision.deploy.shown import run_data
from mobilevision.errors import InputError
from mobilevision.models import Model
from mobilevision.pages.facts import RunFacts, read_facts
from mobilevision.pages.trust import kept
from mobilevision.run import Run
from mobilevision.tasks.catalog import check_data
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.figures import HEADLINES

PARTS = ("task", "recipe", "data", "environment")
ASIDE = {"data.set_aside", "data.warnings", "environment.time"}  # told elsewhere, or never the same
RESAMPLES = 10_000
SHOWN = 50  # pictures that changed sides, of each sort

Right = NDArray[np.bool_]
"""Whether each picture was told right."""


def compare(one: str | Path, other: str | Path, data: str | Path | None = None) -> dict[str, Any]:
    """What two runs have in common and what not, as plain JSON; differences are the other's less the first's.

    Args:
        one: the folder of a run.
        other: the folder of another.
        data: pictures to compare them on; default: the test (or validation) pictures of the data of both.

    Raises:
        UsageError: if a folder is not there.
        InputError: if one holds no run, has no weights, or both were trained on other data and `data` is not given.
    """
    first, second = read_facts(one), read_facts(other)
    return {
        "runs": [str(first.folder), str(second.folder)],
        "differs": list(_differing(first, second)),
        "scores": list(_scores(first, second)),
        "accuracy": _accuracy(first, second, data),
        "files": list(_files(first, second)),
    }


def paired(one: Right, other: Right, *, seed: int = 0) -> dict[str, float]:
    """The difference of two shares right on the same pictures, with its 95 % interval over pictures drawn again.

    Args:
        one: whether the first told each picture right.
        other: whether the second did.
        seed: of the draws.
    """
    change = other.astype(np.float64) - one
    counts = np.array([(change < 0).sum(), (change == 0).sum(), (change > 0).sum()])
    draws = np.random.default_rng(seed).multinomial(len(change), counts / len(change), RESAMPLES)
    low, high = np.quantile((draws[:, 2] - draws[:, 0]) / len(change), (0.025, 0.975))
    return {"difference": float(change.mean()), "low": float(low), "high": float(high)}


def _differing(first: RunFacts, second: RunFacts) -> Iterator[dict[str, Any]]:
    """Every fact that is not the same."""
    sides = [_flat(facts) for facts in (first, second)]
    for name in sides[0] | sides[1]:
        here, there = (side.get(name) for side in sides)
        if here != there and name not in ASIDE:
            yield {"what": name, "first": here, "second": there}


def _flat(facts: RunFacts) -> dict[str, Any]:
    arch = {"arch.name": facts.arch.name, "arch.digest": facts.arch.digest} if facts.arch else {}
    parts = {f"{part}.{name}": value for part in PARTS for name, value in facts.part(part).items()}
    metrics = facts.part("metrics")
    return arch | parts | ({"metrics.split": metrics["split"]} if "split" in metrics else {})


def _scores(first: RunFacts, second: RunFacts) -> Iterator[dict[str, Any]]:
    """The figures that both are known by, as each run measured them."""
    here, there = first.part("metrics"), second.part("metrics")
    for name in HEADLINES:
        if name in here and name in there:
            yield {"name": name, "first": here[name], "second": there[name]}
    sure, other = _trusted(first), _trusted(second)
    for name in sure:
        if name in other:
            yield {"name": name, "first": sure[name], "second": other[name]}


def _trusted(facts: RunFacts) -> dict[str, float]:
    """The calibration error, and the accuracy under the strongest of each damage, of a run that tells them."""
    explained, spoiled = (kept(facts, name, []) for name in ("explain", "robust"))
    error = {"calibration error": explained["calibration"]["before"]["ece"]} if explained else {}
    strongest = {one["name"]: one["levels"][-1] for one in (spoiled["damages"] if spoiled else [])}
    return error | {f"top1, {level['strength']} {name}": level["top1"] for name, level in strongest.items()}


def _accuracy(first: RunFacts, second: RunFacts, source: str | Path | None) -> dict[str, Any] | None:
    """Both on the same pictures; None where a picture is not simply right or wrong."""
    models = [open_run(facts.folder) for facts in (first, second)]
    if not all(isinstance(model.task, Classify) for model in models):
        return None
    if models[0].labels != models[1].labels:
        raise InputError(
            f"{first.name} tells {', '.join(models[0].labels[:5])} apart and {second.name} "
            f"{', '.join(models[1].labels[:5])}; only runs with the same classes can be compared"
        )
    split, samples = _samples(first, second, source, models[0])
    right = [_right(model, samples) for model in models]
    lost, gained = ([str(samples[i].file) for i in np.flatnonzero(a & ~b).tolist()] for a, b in (right, right[::-1]))
    return {
        "split": split,
        "count": len(samples),
        "first": float(right[0].mean()),
        "second": float(right[1].mean()),
        **paired(*right),
        "lost_count": len(lost),
        "gained_count": len(gained),
        "lost": lost[:SHOWN],
        "gained": gained[:SHOWN],
    }


def _samples(
    first: RunFacts, second: RunFacts, source: str | Path | None, model: Model
) -> tuple[str, Sequence[Sample]]:
    if source is not None:
        found = check_data(model.task.name, source).relabeled(model.labels)
        split, samples = _tested(found)
        return split, samples
    facts = first.part("data")
    if not facts or facts.get("digest") != second.part("data").get("digest"):
        raise InputError(
            f"{first.name} and {second.name} did not see the same data; give pictures that neither was trained on"
        )
    return _tested(run_data(Run(first.folder)))


def _tested(found: Data) -> tuple[str, Sequence[Sample]]:
    split = "test" if found.test else "validation"
    return split, found.splits[split]


@torch.no_grad()
def _right(model: Model, samples: Sequence[Sample]) -> Right:
    """Whether the label with the best score is one of each picture's."""
    network, task = model.network.eval(), model.task
    batches = task.batches(samples, transform=task.evaluation(model.preprocessing), batch=32)
    best = torch.cat([network(pictures).argmax(1) for pictures, _ in batches]).tolist()
    return np.array([said in sample.labels for said, sample in zip(best, samples, strict=True)])


def _files(first: RunFacts, second: RunFacts) -> Iterator[dict[str, Any]]:
    """The files of a format and precision that both have, with their times where both were taken alike."""
    there = {(facts["format"], facts.get("precision")): facts for facts in second.artifacts}
    for here in first.artifacts:
        other = there.get((here["format"], here.get("precision")))
        if other:
            times = [side.get("timing") or {} for side in (here, other)]
            alike = all(times[0].get(key) == times[1].get(key) for key in ("machine", "threads"))
            yield {
                "format": here["format"],
                "precision": here.get("precision"),
                "bytes": [here.get("bytes"), other.get("bytes")],
                "median_ms": [time.get("median_ms") for time in times],
                "same_machine": alike,
            }
