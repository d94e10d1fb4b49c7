"""NetAdapt: shrink a trained network step by step until it meets its budget (arXiv:1804.03230)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.search.inherit import inherit
from mobilevision.search.narrow import Part, cuts, parts

Price = Callable[[Arch], float]
"""What an architecture costs, in the unit of the budget: ms, or multiply-accumulates."""

Tune = Callable[[Network], float]
"""Trains a network in place for a short while, and gives its accuracy on pictures that it was not trained on."""


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
) -> Iterator[Step]:
    """Cut the part whose loss is wanted least, tune, and again, until the budget is met.

    The network of the last step is to be trained to the end. A search that was stopped goes on from the last network.

    Args:
        network: trained.
        price: what an architecture costs.
        budget: the most the last network may cost, in the unit of `price`.
        saving: the least that the first step saves, in the same unit; MobileNetV3 takes 1 % of the network's cost, the
            authors' code 2.5 %.
        tune: trains every proposal for a short while and gives its accuracy.
        prefer: how the winner is chosen.
        decay: by how much the least saving is multiplied at every step; the authors' code has 0.96.

    Yields:
        The network to start from with its accuracy, then the winner of every step.

    Raises:
        UsageError: if no part can save what a step has to save.
    """
    if saving <= 0:
        raise UsageError(f"a saving of {saving:g} a step never ends; give a positive one")
    now = Step(network, tune(network), price(network.arch), None, 1)
    yield now
    while now.cost > budget:
        most = now.cost - min(saving, now.cost - budget)
        found = list(proposals(now.network.arch, price, most))
        if not found:
            raise UsageError(
                f"no part of {network.arch.name} can be cut to {most:g}; the least reached is {now.cost:g}"
            )
        now = _winner(now, found, tune, prefer)
        yield now
        saving *= decay


def proposals(arch: Arch, price: Price, most: float) -> Iterator[Proposal]:
    """For every part that can be made narrower, the widest version of `arch` that costs at most `most`."""
    for part in parts(arch):
        for channels, small in cuts(arch, part):
            if (cost := price(small)) <= most:
                yield Proposal(part, channels, small, cost)
                break


def _winner(now: Step, found: list[Proposal], tune: Tune, prefer: Preference) -> Step:
    """The most wanted of the tuned proposals; only the best so far is kept in memory."""
    best: Step | None = None
    for proposal in found:
        child = inherit(now.network, proposal.arch)
        step = Step(child, tune(child), proposal.cost, proposal, len(found))
        if best is None or prefer(now, step) > prefer(now, best):
            best = step
    assert best is not None
    return best
