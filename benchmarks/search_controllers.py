"""Whether the controllers find the best of 2 x 10^11 networks in 3,000 samples, where random search does not.

Every network of MobileNetV4-Small's fine space gets a synthetic reward: every filter is worth what a table says, and
every two of a block and every two neighboring blocks are worth something together, so that no choice is free of the
others and yet the best and the worst network are known exactly. Rewards are scaled so that these earn 1 and 0.

The reward was fixed before the controllers were tuned: filters are worth 0 to 1 and pairs 0 to `COUPLING`, so that a
fifth of the rewards' variance is of pairs (0.5^2 / (1 + 0.5^2)). The controllers were tuned on the tables of the seeds
`TUNING` alone; what is reported, and tested, is what they reach on the tables of the seeds `REPORTED`, which nothing
was tuned on.

Run: PYTHONPATH=src python benchmarks/search_controllers.py
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch

from mobilevision.architecture import Arch
from mobilevision.blocks import UIB
from mobilevision.search.baselines import Score, evolution, random_search
from mobilevision.search.count import count
from mobilevision.search.mnasnet import mnasnet_search
from mobilevision.search.policy import Policy, Rate
from mobilevision.search.shared import LIKELY
from mobilevision.search.space import Space
from mobilevision.search.spaces import SMALL, v4_fine

SPACE: Space = partial(v4_fine, plan=SMALL, size=64)
SAMPLES, CLOSE, FINALISTS = 3000, 0.99, 8
COUPLING = 0.5
TUNING, REPORTED = range(5), range(1000, 1005)
STATES = [(start, middle) for start in (0, 3, 5) for middle in (0, 3, 5)]
State = tuple[int, int]


def chain(arch: Arch) -> list[State]:
    """The two filters of every bottleneck, from the image on."""
    return [(block.start, block.middle) for _, block in arch.places() if isinstance(block, UIB)]


def synthetic(seed: int, *, coupling: float = COUPLING) -> Score:
    """A reward from 0 to 1 over `SPACE`.

    Args:
        seed: decides the tables.
        coupling: the most that two filters of a block, or two neighboring blocks, are worth together, beside the 1
            that a filter may be worth alone.
    """
    rng = random.Random(seed)
    opening = [block.stride == 2 for _, block in SPACE(lambda _, options: options[-1]).places() if type(block) is UIB]
    allowed = [[state for state in STATES if not (halves and state == (0, 0))] for halves in opening]
    alone = [_worth(rng, coupling) for _ in allowed]
    pairs = [{(a, b): coupling * rng.random() for a in STATES for b in STATES} for _ in allowed]

    def value(states: list[State]) -> float:
        own = sum(table[state] for table, state in zip(alone, states, strict=True))
        return own + sum(pairs[i][states[i - 1], states[i]] for i in range(1, len(states)))

    def extreme(choose: Callable[..., float]) -> float:
        reached = {state: alone[0][state] for state in allowed[0]}
        for i in range(1, len(allowed)):
            reached = {b: alone[i][b] + choose(reached[a] + pairs[i][a, b] for a in reached) for b in allowed[i]}
        return choose(reached.values())

    lowest, highest = extreme(min), extreme(max)
    return lambda archs: [(value(chain(arch)) - lowest) / (highest - lowest) for arch in archs]


def _worth(rng: random.Random, coupling: float) -> dict[State, float]:
    """What the two filters of a block are worth: each for itself, and the pair."""
    start, middle = ({side: rng.random() for side in (0, 3, 5)} for _ in range(2))
    return {(a, b): start[a] + middle[b] + coupling * rng.random() for a, b in STATES}


def tunas_policy(score: Score, seed: int) -> float:
    """What the best of `FINALISTS` likely networks earns, as `search tunas` ends; all are counted as samples.

    Several networks are drawn a step, as TuNAS's many cores draw them.
    """
    together = 8
    steps = (SAMPLES - FINALISTS) // together
    rng, policy = random.Random(seed), Policy(Rate(steps, start=0.02, growth=10, quiet=0))
    for _ in range(steps):
        drawn = [policy.sample(SPACE, rng) for _ in range(together)]
        policy.learn(list(zip(drawn, score([point.arch for point in drawn]), strict=True)))
    likely = sorted((policy.sample(SPACE, rng) for _ in range(LIKELY - 1)), key=policy.likelihood, reverse=True)
    unlike = {point.arch.digest: point.arch for point in (policy.best(SPACE), *likely)}
    return max(score(list(unlike.values())[:FINALISTS]))


def mnasnet_controller(score: Score, seed: int) -> float:
    """What the best network earns that the controller drew."""
    return max(trial.reward for trial in mnasnet_search(SPACE, score, trials=SAMPLES, seed=seed))


def regularized_evolution(score: Score, seed: int) -> float:
    """What the best network earns that was ever alive."""
    rng = random.Random(seed)
    found = evolution(SPACE, score, trials=SAMPLES, rng=rng, population=100, tournament=25)
    return max(trial.reward for trial in found)


def at_random(score: Score, seed: int) -> float:
    """What the best of as many networks earns that were drawn at random."""
    return max(trial.reward for trial in random_search(SPACE, score, trials=SAMPLES, rng=random.Random(seed)))


CONTROLLERS: dict[str, Callable[[Score, int], float]] = {
    "TuNAS policy": tunas_policy,
    "MnasNet controller": mnasnet_controller,
    "evolution": regularized_evolution,
    "random search": at_random,
}


def results(search: Callable[[Score, int], float], seeds: Sequence[int] = REPORTED) -> list[float]:
    """What a controller reaches for every seed; the best network earns 1."""
    return [search(synthetic(seed), seed) for seed in seeds]


def told(reached: Sequence[float]) -> str:
    """What a controller reaches, seed by seed."""
    return " ".join(f"{reward:.4f}" for reward in reached)


def main() -> None:
    torch.set_num_threads(1)
    seeds = TUNING if "--tuning" in sys.argv else REPORTED
    print(f"{count(SPACE):.2g} networks, {SAMPLES} samples, seeds {list(seeds)}; the best network earns 1, the worst 0")
    for name, search in CONTROLLERS.items():
        began = time.perf_counter()
        reached = results(search, seeds)
        close = sum(reward >= CLOSE for reward in reached)
        seconds = (time.perf_counter() - began) / len(seeds)
        print(
            f"{name:20} {told(reached)}   within 1 % in {close} of {len(seeds)}   {seconds:.1f} s a search", flush=True
        )


if __name__ == "__main__":
    main()
