"""A policy over a space that learns by REINFORCE which choices earn reward (TuNAS, arXiv:2008.06120, section 4)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any

from mobilevision.errors import InputError
from mobilevision.search.space import Drawn, Space, choose

SQUARES, TINY = 0.999, 1e-8  # Adam's second moment, and what keeps its root from being zero


@dataclass(frozen=True)
class Rate:
    """The learning rate of a policy, by step: nothing at first, then growing exponentially to the end.

    Attributes:
        steps: of the whole search.
        start: the learning rate when the policy starts to learn (the authors: 3e-4 for every 256 pictures of a step).
        growth: how many times higher it ends.
        quiet: share of the steps before that, in which the shared weights and the baseline get ready.
    """

    steps: int
    start: float = 3e-4
    growth: float = 10.0
    quiet: float = 0.25

    def __call__(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        first = self.quiet * self.steps
        return 0.0 if step < first else self.start * self.growth ** ((step - first) / max(1.0, self.steps - first))


class Policy:
    """Independent categorical choices: logits for every decision, made when it is first met, all alike at first.

    A decision that is asked with another number of options has logits of its own for them. Only decisions that were
    asked count towards the gradient, so that conditional spaces need no special case. The steps are Adam's without a
    first moment; the baseline is a moving mean of the reward.

    Args:
        rate: the learning rate, by step.
        momentum: how much of the baseline stays, at every step.
    """

    def __init__(self, rate: Rate, *, momentum: float = 0.95) -> None:
        self.rate, self.momentum = rate, momentum
        self.step = 0
        self.baseline: float | None = None
        self.logits: dict[str, list[float]] = {}
        self.squares: dict[str, list[float]] = {}
        self.updates: dict[str, int] = {}

    def sample(self, space: Space, rng: random.Random) -> Drawn:
        """A point of `space`, drawn by the probabilities."""
        return choose(space, lambda name, options: rng.choices(range(options), self.probabilities(name, options))[0])

    def best(self, space: Space) -> Drawn:
        """The point of the most likely choices."""

        def likeliest(name: str, options: int) -> int:
            chances = self.probabilities(name, options)
            return chances.index(max(chances))

        return choose(space, likeliest)

    def likelihood(self, drawn: Drawn) -> float:
        """The logarithm of the chance that a point is drawn."""
        sizes = drawn.sizes
        return sum(log(self.probabilities(name, sizes[name])[taken]) for name, taken in drawn.choices.items())

    def probabilities(self, name: str, options: int) -> list[float]:
        """The probability of every option of a decision."""
        logits = self.logits.get(_key(name, options)) or [0.0] * options
        top = max(logits)
        weights = [exp(logit - top) for logit in logits]
        total = sum(weights)
        return [weight / total for weight in weights]

    def learn(self, samples: Sequence[tuple[Drawn, float]]) -> None:
        """One step up the gradient of expected reward, from points that were drawn and what each earned."""
        mean = sum(reward for _, reward in samples) / len(samples)
        baseline = mean if self.baseline is None else self.baseline
        slopes: dict[str, list[float]] = {}
        for (_, choices, sizes), reward in samples:
            share = (reward - baseline) / len(samples)
            for name, taken in choices.items():
                slope = slopes.setdefault(_key(name, sizes[name]), [0.0] * sizes[name])
                for i, chance in enumerate(self.probabilities(name, sizes[name])):
                    slope[i] += share * ((i == taken) - chance)
        rate = self.rate(self.step)
        for key, slope in slopes.items():
            self._climb(key, slope, rate)
        self.baseline = self.momentum * baseline + (1 - self.momentum) * mean
        self.step += 1

    def state(self) -> dict[str, Any]:
        """All that it learned, as plain JSON."""
        return {
            "step": self.step,
            "baseline": self.baseline,
            "logits": {name: list(values) for name, values in self.logits.items()},
            "squares": {name: list(values) for name, values in self.squares.items()},
            "updates": dict(self.updates),
        }

    def restore_(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises:
            InputError: if something is missing in it.
        """
        try:
            self.step, self.baseline = state["step"], state["baseline"]
            self.logits = {name: list(values) for name, values in state["logits"].items()}
            self.squares = {name: list(values) for name, values in state["squares"].items()}
            self.updates = dict(state["updates"])
        except KeyError as error:
            raise InputError(f"the state of the policy lacks {error}; start the search again") from error

    def _climb(self, key: str, slope: list[float], rate: float) -> None:
        logits = self.logits.setdefault(key, [0.0] * len(slope))
        squares = self.squares.setdefault(key, [0.0] * len(slope))
        self.updates[key] = self.updates.get(key, 0) + 1
        correction = 1 - SQUARES ** self.updates[key]
        for i, value in enumerate(slope):
            squares[i] = SQUARES * squares[i] + (1 - SQUARES) * value * value
            logits[i] += rate * value / (sqrt(squares[i] / correction) + TINY)


def _key(name: str, options: int) -> str:
    return f"{name}/{options}"
