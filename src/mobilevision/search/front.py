"""A whole front of accuracy against costs, by NSGA-II (Deb et al. 2002) as Optuna has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from mobilevision.architecture import Arch
from mobilevision.errors import missing_extra
from mobilevision.search.space import Choices, Space, choose

Values = Callable[[Sequence[Arch]], Sequence[tuple[float, ...]]]
"""The accuracy of each network, to maximize, followed by its costs, to minimize."""


class Point(NamedTuple):
    """A network that was tried.

    Attributes:
        arch: the network.
        choices: the decisions that made it.
        values: its accuracy, a fraction, then its costs.
    """

    arch: Arch
    choices: Choices
    values: tuple[float, ...]


def nsga2(space: Space, values: Values, *, costs: int, trials: int, seed: int, population: int = 32) -> Iterator[Point]:
    """Networks in generations, each made of the best of the one before; every network as it is tried.

    Args:
        space: where to look.
        values: what is looked for.
        costs: how many costs there are.
        trials: networks to try.
        seed: decides what is left to chance.
        population: networks of a generation, tried at the same time.

    Raises:
        MissingError: if Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise missing_extra("optuna", "search") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.NSGAIISampler(seed=seed, population_size=population)
    minimize, maximize = optuna.study.StudyDirection.MINIMIZE, optuna.study.StudyDirection.MAXIMIZE
    study = optuna.create_study(directions=[maximize, *[minimize] * costs], sampler=sampler)
    for start in range(0, trials, population):
        asked = [study.ask() for _ in range(min(population, trials - start))]
        drawn = [choose(space, partial(_suggested, one)) for one in asked]
        found = values([point.arch for point in drawn])
        for one, point, value in zip(asked, drawn, found, strict=True):
            study.tell(one, value)
            yield Point(point.arch, point.choices, value)


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in every value, the most accurate first; each network once."""
    alone = {point.arch: point for point in points}.values()
    best = [point for point in alone if not any(_beats(other, point) for other in alone)]
    return sorted(best, key=lambda point: -point.values[0])


def _suggested(trial: Any, name: str, options: int) -> int:
    """What Optuna's trial takes of a decision's options."""
    return int(trial.suggest_int(f"{name}/{options}", 0, options - 1))


def _beats(one: Point, other: Point) -> bool:
    mine = (-one.values[0], *one.values[1:])
    theirs = (-other.values[0], *other.values[1:])
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))
