"""What any search has to beat: random search, and regularized evolution."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError
from mobilevision.search.space import Choices, Drawn, Space, choose, sample

Score = Callable[[Arch], float]
"""What a network earns: the search maximizes it."""


class Trial(NamedTuple):
    """A network that was tried.

    Attributes:
        arch: the network.
        choices: the decisions that made it.
        reward: what it earned.
    """

    arch: Arch
    choices: Choices
    reward: float


def random_search(space: Space, score: Score, *, trials: int, rng: random.Random) -> Iterator[Trial]:
    """Networks drawn at random, as they are tried."""
    for _ in range(trials):
        yield _tried(sample(space, rng), score)


def evolution(
    space: Space, score: Score, *, trials: int, rng: random.Random, population: int = 64, tournament: int = 16
) -> Iterator[Trial]:
    """Regularized evolution (arXiv:1802.01548): the best of a few is changed in one decision; the oldest dies.

    Args:
        space: where to look.
        score: what a network earns.
        trials: networks to try, the first population with them.
        rng: decides what is left to chance.
        population: networks that live at a time.
        tournament: how many of them compete for being changed.

    Yields:
        Every network as it is tried.

    Raises:
        UsageError: if the tournament is larger than the population.
    """
    if not 0 < tournament <= population:
        raise UsageError(f"a tournament of {tournament} does not fit a population of {population}; make it smaller")
    alive: deque[Trial] = deque(maxlen=population)
    for trial in random_search(space, score, trials=min(population, trials), rng=rng):
        alive.append(trial)
        yield trial
    for _ in range(trials - population):
        parent = max(rng.sample(alive, tournament), key=lambda trial: trial.reward)
        alive.append(_tried(mutated(space, parent.choices, rng), score))
        yield alive[-1]


def mutated(space: Space, choices: Choices, rng: random.Random) -> Drawn:
    """A point that differs in one decision, and in the decisions that this one makes new, which are drawn.

    Raises:
        UsageError: if the space has one point alone.
    """
    sizes = choose(space, lambda name, _: choices[name]).sizes
    open_ = [name for name, number in sizes.items() if number > 1]
    if not open_:
        raise UsageError("this space has one point alone; there is nothing to search")
    changed = rng.choice(open_)
    others = [i for i in range(sizes[changed]) if i != choices[changed]]
    return completed(space, choices | {changed: rng.choice(others)}, rng)


def completed(space: Space, choices: Choices, rng: random.Random) -> Drawn:
    """The point of `choices`; decisions that they lack, or whose option is not offered now, are drawn."""
    return choose(
        space,
        lambda name, options: choices[name] if choices.get(name, options) < options else rng.randrange(options),
    )


def _tried(drawn: Drawn, score: Score) -> Trial:
    return Trial(drawn.arch, drawn.choices, score(drawn.arch))
