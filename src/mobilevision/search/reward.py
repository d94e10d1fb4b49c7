"""How accuracy and costs become one number to maximize.

Every reward takes one target for each cost, in the cost's own unit (ms, multiply-accumulates, bytes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

from mobilevision.errors import UsageError


class Reward(Protocol):
    """What a search maximizes."""

    def __call__(self, accuracy: float, costs: Sequence[float], /) -> float:
        """The reward of a network.

        Args:
            accuracy: a fraction.
            costs: one for each target, each in the unit of its target.
        """
        ...

    def off(self, costs: Sequence[float], /) -> float:
        """By which share of its target the worst cost is where it should not be; 0 if all are as good as any."""
        ...


@dataclass(frozen=True)
class Absolute:
    """accuracy + beta x |cost / target - 1|, summed over the costs (TuNAS, arXiv:2008.06120, equation 5).

    It is highest at the target itself, so that one search ends there; the forms with a power do not.

    Attributes:
        targets: what each cost should be.
        beta: the price of missing a target by its whole size; -0.10 is the authors' code's default.
    """

    targets: tuple[float, ...]
    beta: float = -0.10

    def __post_init__(self) -> None:
        """Check the facts that no type checks."""
        _check(self.targets, self.beta)

    def __call__(self, accuracy: float, costs: Sequence[float], /) -> float:
        """The reward of a network."""
        return accuracy + self.beta * sum(abs(share - 1) for share in _shares(costs, self.targets))

    def off(self, costs: Sequence[float], /) -> float:
        """Above or below its target."""
        return max(abs(share - 1) for share in _shares(costs, self.targets))


@dataclass(frozen=True)
class Soft:
    """accuracy x (cost / target) ** power, for every cost (MnasNet, arXiv:1807.11626, equation 2).

    Attributes:
        targets: what each cost should be.
        power: -0.07 makes a doubled latency worth 5 % of accuracy; MobileNetV3-Small took -0.15.
    """

    targets: tuple[float, ...]
    power: float = -0.07

    def __post_init__(self) -> None:
        """Check the facts that no type checks."""
        _check(self.targets, self.power)

    def __call__(self, accuracy: float, costs: Sequence[float], /) -> float:
        """The reward of a network."""
        return accuracy * prod(float(share**self.power) for share in _shares(costs, self.targets))

    def off(self, costs: Sequence[float], /) -> float:
        """Nowhere: every cost has its price."""
        return 0.0


@dataclass(frozen=True)
class Hard:
    """accuracy x min(1, (cost / target) ** power): a target that is met earns nothing more.

    With power -1 it is MnasNet's hard constraint (equation 3); TuNAS's code has the same form with a power of its own.

    Attributes:
        targets: what each cost should be at most.
        power: how fast the reward falls above the target.
    """

    targets: tuple[float, ...]
    power: float = -1.0

    def __post_init__(self) -> None:
        """Check the facts that no type checks."""
        _check(self.targets, self.power)

    def __call__(self, accuracy: float, costs: Sequence[float], /) -> float:
        """The reward of a network."""
        return accuracy * prod(min(1.0, float(share**self.power)) for share in _shares(costs, self.targets))

    def off(self, costs: Sequence[float], /) -> float:
        """Above its target."""
        return max(0.0, *(share - 1 for share in _shares(costs, self.targets)))


def _check(targets: Sequence[float], strength: float) -> None:
    if not targets or min(targets) <= 0:
        raise UsageError(f"targets {list(targets)} cannot be met; give one positive number for each cost")
    if strength >= 0:
        raise UsageError(f"a strength of {strength:g} would reward high costs; give a negative number, such as -0.1")


def _shares(costs: Sequence[float], targets: Sequence[float]) -> list[float]:
    if len(costs) != len(targets):
        raise UsageError(f"{len(costs)} costs do not fit {len(targets)} targets; give one target for each cost")
    return [cost / target for cost, target in zip(costs, targets, strict=True)]
