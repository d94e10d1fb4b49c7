"""What any search has to beat: random search, and regularized evolution."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError
from mobilevision.search.space import Choices, Drawn, Space, choose, sample

Score = Callable[[Sequence[Arch]], Sequence[float]]
"""What each of some networks earns, which may be found out at the same time: the search maximizes it."""


Accept = Callable[[Arch], bool]
DRAWS, AHEAD = 100_000, 1000
"""Networks that are drawn until one is accepted, at most, and how far draws are looked ahead."""


def anything(arch: Arch) -> bool:
    """Every network is welcome."""
    return True


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


def random_search(
    space: Space, score: Score, *, trials: int, rng: random.Random, together: int = 1, accept: Accept = anything
) -> Iterator[Trial]:
    """Networks drawn at random, as they are tried.

    Args:
        space: where to look.
        score: what networks earn.
        trials: networks to try.
        rng: decides what is left to chance.
        together: networks that are tried at the same time.
        accept: which networks are worth a try, for example those whose price is near the target.
    """
    for start in range(0, trials, together):
        number = min(together, trials - start)
        yield from tried([accepted(space, accept, rng) for _ in range(number)], score)


def evolution(
    space: Space,
    score: Score,
    *,
    trials: int,
    rng: random.Random,
    population: int = 64,
    tournament: int = 16,
    together: int = 1,
) -> Iterator[Trial]:
    """Regularized evolution (arXiv:1802.01548): the best of a few is changed in one decision; the oldest dies.

    Args:
        space: where to look.
        score: what networks earn.
        trials: networks to try, the first population with them.
        rng: decides what is left to chance.
        population: networks that live at a time.
        tournament: how many of them compete for being changed.
        together: networks that are tried at the same time, all children of the same population.

    Yields:
        Every network as it is tried.

    Raises:
        UsageError: if the tournament is larger than the population.
    """
    if not 0 < tournament <= population:
        raise UsageError(f"a tournament of {tournament} does not fit a population of {population}; make it smaller")
    alive: deque[Trial] = deque(maxlen=population)
    for trial in random_search(space, score, trials=min(population, trials), rng=rng, together=together):
        alive.append(trial)
        yield trial
    for start in range(population, trials, together):
        children = []
        for _ in range(min(together, trials - start)):
            parent = max(rng.sample(alive, tournament), key=lambda trial: trial.reward)
            children.append(mutated(space, parent.choices, rng))
        for trial in tried(children, score):
            alive.append(trial)
            yield trial


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


def accepted(space: Space, accept: Accept, rng: random.Random) -> Drawn:
    """A point drawn at random among those that are accepted.

    Raises:
        UsageError: if none of `DRAWS` is.
    """
    for _ in range(DRAWS):
        drawn = sample(space, rng)
        if accept(drawn.arch):
            return drawn
    raise UsageError(f"none of {DRAWS} networks drawn at random is near the target; choose another target or space")


def coming(space: Space, rng: random.Random, *, accept: Accept, draws: int = AHEAD) -> Iterator[Arch]:
    """The accepted networks among those that `rng` draws next; it is left as it is, so that it draws them again."""
    ahead = random.Random()  # noqa: S311 - nothing secret
    ahead.setstate(rng.getstate())
    yield from (arch for _ in range(draws) if accept(arch := sample(space, ahead).arch))


def tried(drawn: Sequence[Drawn], score: Score) -> list[Trial]:
    """Points with what they earn."""
    rewards = score([point.arch for point in drawn])
    return [Trial(point.arch, point.choices, reward) for point, reward in zip(drawn, rewards, strict=True)]
