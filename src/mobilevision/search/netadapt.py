"""NetAdapt: shrink a trained network step by step until it meets its budget (arXiv:1804.03230)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.search.inherit import inherit
from mobilevision.search.narrow import Part, cuts, parts

CUTS = 4
"""Cuts at random that lead to a budget: few, because each asks for the prices of all that can be cut."""

Price = Callable[[Arch], float]
"""What an architecture costs, in the unit of the budget: ms, or multiply-accumulates."""

Tune = Callable[[Sequence[Network]], Sequence[float]]
"""Trains networks in place for a short while, and gives their accuracies on pictures they were not trained on."""

Know = Callable[[Sequence[Arch]], None]
"""Is told which architectures are priced next, so that what is to be measured for them can be measured at once."""


def known(archs: Sequence[Arch]) -> None:
    """Nothing has to be measured."""


class Proposal(NamedTuple):
    """One way to make a network cheaper.

    Attributes:
        part: what is made narrower.
        channels: how many of its channels are left.
        arch: what comes out.
        cost: what that costs.
    """

    part: Part
    channels: int
    arch: Arch
    cost: float


class Step(NamedTuple):
    """The proposal that won.

    Attributes:
        network: tuned.
        accuracy: a fraction.
        cost: in the unit of the budget.
        proposal: what it came from; None for the network to start from.
        tried: how many proposals were tuned.
    """

    network: Network
    accuracy: float
    cost: float
    proposal: Proposal | None
    tried: int


Preference = Callable[[Step, Step], float]
"""(the step before, a candidate for the next) -> how much the candidate is wanted."""


def by_accuracy(before: Step, after: Step) -> float:
    """NetAdapt's own choice: the most accurate of proposals that save about the same."""
    return after.accuracy


def by_ratio(before: Step, after: Step) -> float:
    """MobileNetV3's choice: the change in accuracy for the cost that is saved (arXiv:1905.02244, section 4.2)."""
    return (after.accuracy - before.accuracy) / (before.cost - after.cost)


def netadapt(
    network: Network,
    *,
    price: Price,
    budget: float,
    saving: float,
    tune: Tune,
    prefer: Preference = by_ratio,
    decay: float = 1.0,
    know: Know = known,
    begun: Step | None = None,
) -> Iterator[Step]:
    """Cut the part whose loss is wanted least, tune, and again, until the budget is met.

    The network of the last step is to be trained to the end.

    Args:
        network: trained.
        price: what an architecture costs; less, or the same, with fewer channels.
        budget: the most the last network may cost, in the unit of `price`.
        saving: the least that the first step saves, in the same unit; MobileNetV3 takes 1 % of the network's cost, the
            authors' code 2.5 %.
        tune: trains every proposal for a short while and gives its accuracy.
        prefer: how the winner is chosen.
        decay: by how much the least saving is multiplied at every step; the authors' code has 0.96.
        know: is told which architectures are priced next.
        begun: the last step of a search that was stopped, with `saving` that of the next; None begins with `network`.

    Yields:
        The network to start from with its accuracy, unless it goes on; then the winner of every step.

    Raises:
        UsageError: if no part can save what a step has to save.
    """
    if saving <= 0:
        raise UsageError(f"a saving of {saving:g} a step never ends; give a positive one")
    now = begun or Step(network, tune([network])[0], price(network.arch), None, 1)
    if begun is None:
        yield now
    while now.cost > budget:
        most = now.cost - min(saving, now.cost - budget)
        found = proposals(now.network.arch, price, most, know=know)
        if not found:
            raise UsageError(
                f"no part of {network.arch.name} can be cut to {most:g}; the least reached is {now.cost:g}"
            )
        now = _winner(now, found, tune, prefer)
        yield now
        saving *= decay


def proposals(arch: Arch, price: Price, most: float, *, know: Know = known) -> list[Proposal]:
    """For every part that can be made narrower, the widest version of `arch` that costs at most `most`.

    Widths are halved in on, for all parts at the same time.
    """
    ways = [(part, found) for part in parts(arch) if (found := list(cuts(arch, part)))]
    know([found[-1][1] for _, found in ways])
    ways = [(part, found) for part, found in ways if price(found[-1][1]) <= most]
    low, high = [0] * len(ways), [len(found) - 1 for _, found in ways]  # the widest that is cheap enough lies between
    while any(a < b for a, b in zip(low, high, strict=True)):
        middle = [(a + b) // 2 for a, b in zip(low, high, strict=True)]
        know([found[i][1] for (_, found), i in zip(ways, middle, strict=True)])
        for which, ((_, found), i) in enumerate(zip(ways, middle, strict=True)):
            if price(found[i][1]) <= most:
                high[which] = i
            elif low[which] < high[which]:
                low[which] = i + 1
    kept = [(part, *found[i]) for (part, found), i in zip(ways, high, strict=True)]
    return [Proposal(part, channels, small, price(small)) for part, channels, small in kept]


def random_cuts(arch: Arch, price: Price, budget: float, *, rng: random.Random, know: Know = known) -> Arch:
    """Where cuts lead whose part is drawn, not chosen: the proposals of NetAdapt, taken at random.

    Args:
        arch: what is cut.
        price: what an architecture costs.
        budget: the most that the last one may cost; `CUTS` cuts lead there.
        rng: draws.
        know: is told which architectures are priced next.

    Raises:
        UsageError: if no part can save what a cut has to save.
    """
    saving = (price(arch) - budget) / CUTS
    while (cost := price(arch)) > budget:
        found = proposals(arch, price, max(budget, cost - saving), know=know)
        if not found:
            raise UsageError(f"no part of {arch.name} can be cut to {budget:g}; the least reached is {cost:g}")
        arch = rng.choice(found).arch
    return arch


def _winner(now: Step, found: Sequence[Proposal], tune: Tune, prefer: Preference) -> Step:
    """The most wanted of the tuned proposals, the first of those that are wanted alike."""
    children = [inherit(now.network, proposal.arch) for proposal in found]
    accuracies = tune(children)
    steps = [
        Step(child, accuracy, proposal.cost, proposal, len(found))
        for child, accuracy, proposal in zip(children, accuracies, found, strict=True)
    ]
    return max(steps, key=lambda step: prefer(now, step))
