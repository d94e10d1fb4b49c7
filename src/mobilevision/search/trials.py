"""Searches that train every candidate by itself: random, evolution, MnasNet's controller, NSGA-II."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from mobilevision.architecture import Arch
from mobilevision.errors import MobilevisionError, UsageError
from mobilevision.search.baselines import Trial, coming, evolution, random_search
from mobilevision.search.evaluate import Evaluator
from mobilevision.search.front import Point, front, nsga2
from mobilevision.search.liked import liked_by_trials
from mobilevision.search.mnasnet import mnasnet_search
from mobilevision.search.session import Session

NEAR = 0.05
"""Random search draws networks that cost at most the target and at most this share less, as TuNAS's baseline does."""
FAR = 0.25
"""What multiply-accumulates alone say a network's time is may be off by this share."""

Tried = TypeVar("Tried")


class Judge:
    """What candidates earn in a session: they are trained by the evaluator, and priced.

    Attributes:
        tried: accuracy, costs and failure of every network, by digest.
        seconds: of wall time that judging them took, each once, on one worker after another.
        measures: whether the first cost of a candidate is measured on the whole network, as MnasNet does.
    """

    def __init__(self, session: Session, evaluator: Evaluator, *, measures: bool = False) -> None:
        self.session, self.evaluator, self.measures = session, evaluator, measures
        self.tried: dict[str, dict[str, Any]] = {}
        self.seconds = 0.0

    def rewards(self, archs: Sequence[Arch]) -> list[float]:
        """What each earns; one that failed earns what no accuracy earns."""
        return [self.session.reward(accuracy, costs) for accuracy, *costs in self.values(archs)]

    def values(self, archs: Sequence[Arch]) -> list[tuple[float, ...]]:
        """The accuracy of each, then its costs."""
        verdicts = self.evaluator.judge(archs)
        found: list[tuple[float, ...]] = []
        for arch, verdict, costs in zip(archs, verdicts, self._costs(archs), strict=True):
            found.append((verdict.accuracy, *costs))
            named = dict(zip(self.session.brief.targets, costs, strict=True))
            self.seconds += 0 if arch.digest in self.tried else verdict.seconds
            self.tried[arch.digest] = {"accuracy": verdict.accuracy, "costs": named, "failure": verdict.failure}
        return found

    def _costs(self, archs: Sequence[Arch]) -> list[tuple[float, ...]]:
        latency = self.session.latency
        if latency:
            latency.know(archs)
        if not (self.measures and latency):
            return [self.session.costs(arch) for arch in archs]
        times = dict(zip(archs, latency.measured(archs), strict=True))
        return [
            tuple(times[arch] if target.name == "ms" else target.price(arch) for target in self.session.targets)
            for arch in archs
        ]


Search = Callable[[Session, Judge], Iterator[Trial]]


def at_random(session: Session, judge: Judge) -> Iterator[Trial]:
    """Networks drawn at random whose first cost is near its target."""
    (first, *_), numbers = session.targets, session.brief.numbers
    low, rng = (1 - NEAR) * first.value, random.Random(session.brief.seed)  # noqa: S311 - nothing secret
    latency = session.latency if first.name == "ms" else None
    rough = latency.roughly if latency else first.price

    def likely(arch: Arch) -> bool:
        return (1 - FAR) * low <= rough(arch) <= (1 + FAR) * first.value  # spares the timing of rows

    def near(arch: Arch) -> bool:
        if not likely(arch):
            return False
        if latency and latency.timed.missing(arch):
            latency.know_ahead(arch, coming(session.space, rng, accept=likely))
        return low <= first.price(arch) <= first.value

    return random_search(
        session.space,
        judge.rewards,
        trials=numbers["trials"],
        rng=rng,
        together=numbers["together"],
        accept=near,
    )


def by_evolution(session: Session, judge: Judge) -> Iterator[Trial]:
    """Regularized evolution; a population is a quarter of all trials, at most 64."""
    numbers = session.brief.numbers
    population = max(2, min(64, numbers["trials"] // 4))
    return evolution(
        session.space,
        judge.rewards,
        trials=numbers["trials"],
        rng=random.Random(session.brief.seed),  # noqa: S311 - nothing secret
        population=population,
        tournament=max(2, population // 4),
        together=numbers["together"],
    )


def by_controller(session: Session, judge: Judge) -> Iterator[Trial]:
    """MnasNet's controller."""
    return mnasnet_search(session.space, judge.rewards, trials=session.brief.numbers["trials"], seed=session.brief.seed)


METHODS: dict[str, Search] = {"random": at_random, "evolution": by_evolution, "mnasnet": by_controller}
MEASURING = ("mnasnet",)
"""Methods whose candidates are measured, not only predicted."""


def search(
    session: Session, evaluator: Evaluator, *, minutes: float | None = None, seconds: float | None = None
) -> dict[str, Any]:
    """Run a session's method to its end and write what was found.

    A search that was stopped is gone through again from its start: what was judged and measured before is known, so
    it comes at once to where it was, in the same state.

    Args:
        session: the search.
        evaluator: judges candidates.
        minutes: end after so long, whatever trials are left; None ends after all.
        seconds: end when candidates have taken so much wall time, also those of an earlier start; None ends after all.

    Raises:
        MobilevisionError: if no candidate could be trained.
    """
    judge = Judge(session, evaluator, measures=session.brief.method in MEASURING)
    trials = []
    for trial in _in_time(METHODS[session.brief.method](session, judge), minutes):
        trials.append(trial)
        if seconds is not None and judge.seconds >= seconds * session.brief.numbers["together"]:
            break
    alive = [trial for trial in trials if not judge.tried[trial.arch.digest]["failure"]]
    if not alive:
        raise MobilevisionError(f"none of {len(trials)} candidates could be trained; {evaluator.path} tells why")
    best = max(alive, key=lambda trial: trial.reward)
    return session.finish(
        best.arch,
        reward=best.reward,
        choices=best.choices,
        liked=liked_by_trials(trials, session.space, best.choices),
        **_told(judge, [trial.arch for trial in trials], best.arch),
    )


def search_front(session: Session, evaluator: Evaluator, *, minutes: float | None = None) -> dict[str, Any]:
    """Run NSGA-II to its end and write the front; the network found is the front's most rewarded one.

    Args:
        session: the search.
        evaluator: judges candidates.
        minutes: end after the generation that comes to so long; None ends after all.

    Raises:
        UsageError: if there are too few trials for a front.
        MobilevisionError: if no candidate could be trained.
    """
    judge, numbers = Judge(session, evaluator), session.brief.numbers
    if numbers["trials"] < 2:
        raise UsageError(f"{numbers['trials']} trials make no front; give at least 2")
    population = max(2, min(32, numbers["trials"] // 4))
    tried = nsga2(
        session.space,
        judge.values,
        costs=len(session.targets),
        trials=numbers["trials"],
        seed=session.brief.seed,
        population=population,
    )
    points = list(_in_time(tried, minutes, together=population))
    found = front([point for point in points if not judge.tried[point.arch.digest]["failure"]])
    if not found:
        raise MobilevisionError(f"none of {len(points)} candidates could be trained; {evaluator.path} tells why")
    best = max(found, key=lambda point: session.reward(point.values[0], point.values[1:]))
    told = [_point(session, point) for point in found]
    trials = [Trial(point.arch, point.choices, session.reward(point.values[0], point.values[1:])) for point in points]
    return session.finish(
        best.arch,
        choices=best.choices,
        front=told,
        liked=liked_by_trials(trials, session.space, best.choices),
        **_told(judge, [point.arch for point in points], best.arch),
    )


def _in_time(tried: Iterator[Tried], minutes: float | None, *, together: int = 1) -> Iterator[Tried]:
    """What comes until the time is over; so many that were judged together come all or not at all."""
    end = math.inf if minutes is None else time.perf_counter() + 60 * minutes
    for number, each in enumerate(tried, start=1):
        yield each
        if number % together == 0 and time.perf_counter() > end:
            return


def _told(judge: Judge, archs: Sequence[Arch], best: Arch) -> dict[str, Any]:
    known = {arch.digest: judge.tried[arch.digest] for arch in archs}
    return {
        "accuracy": known[best.digest]["accuracy"],
        "trials": len(archs),
        "networks": len(known),
        "failed": sum(bool(each["failure"]) for each in known.values()),
        "seconds": judge.seconds,
        "points": [
            {"digest": digest, "accuracy": each["accuracy"], "costs": each["costs"]}
            for digest, each in known.items()
            if not each["failure"]
        ],
    }


def _point(session: Session, point: Point) -> dict[str, Any]:
    accuracy, *costs = point.values
    return {
        "digest": point.arch.digest,
        "accuracy": accuracy,
        "costs": dict(zip(session.brief.targets, costs, strict=True)),
    }
