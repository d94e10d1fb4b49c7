"""A search space is a function that asks `pick` for each open choice and returns an architecture.

Decisions are named after what they set, by dotted words: "3.out" is the `out` of all blocks of stage 3, "3.2.kernel"
the `kernel` of its block 2, "3.depth" the number of its blocks, "head.hidden" the `hidden` of the head. A decision may
govern, by what it chooses, only decisions of its own group ("3.2." here) and of groups below it; a decision without a
dot may govern all. Sizes are counted, and known networks found, by these names.

Options are listed from small to large: the last option of every decision makes the largest network.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError, nearest

T = TypeVar("T")


class Pick(Protocol):
    """Chooses one of `options` for the decision called `name`."""

    def __call__(self, name: str, options: Sequence[T], /) -> T:
        """One of `options`."""
        ...


Space = Callable[[Pick], Arch]
Choices = dict[str, int]
"""Decision -> index into its options; only decisions that were asked are in it."""

Chooser = Callable[[str, int], int]
"""(decision, number of options) -> the index to take."""

WIDTHS = frozenset({"out", "expand", "hidden", "dim", "heads"})
"""Last words of decisions that say how wide something is; all others choose an operation or a depth."""


class Record:
    """A `Pick` that takes the index a `Chooser` gives, and keeps what was chosen and what was on offer.

    Attributes:
        choices: what was chosen so far.
        options: what was on offer, by decision.
    """

    def __init__(self, chooser: Chooser) -> None:
        self.chooser, self.choices = chooser, Choices()
        self.options: dict[str, Sequence[Any]] = {}

    def __call__(self, name: str, options: Sequence[T], /) -> T:
        """One of `options`.

        Raises:
            UsageError: if the decision was asked before, has no options, or the index is not one of them.
        """
        if name in self.choices:
            raise UsageError(f"the space asks the decision {name!r} twice; give every decision a name of its own")
        if not options:
            raise UsageError(f"the decision {name!r} has no options; give it at least one")
        index = self.chooser(name, len(options))
        if not 0 <= index < len(options):
            raise UsageError(f"{index} is not a choice for {name!r}; it has {len(options)} options, the first is 0")
        self.options[name], self.choices[name] = options, index
        return options[index]


class Drawn(NamedTuple):
    """A point of a space.

    Attributes:
        arch: the architecture.
        choices: the decisions that made it, in the order they were asked.
        sizes: how many options each of them had.
    """

    arch: Arch
    choices: Choices
    sizes: dict[str, int]


def choose(space: Space, chooser: Chooser) -> Drawn:
    """The point of `space` that `chooser` chooses, decision by decision."""
    pick = Record(chooser)
    arch = space(pick)
    return Drawn(arch, pick.choices, {name: len(options) for name, options in pick.options.items()})


def sample(space: Space, rng: random.Random) -> Drawn:
    """A point drawn at random, every option of a decision alike."""
    return choose(space, lambda _, options: rng.randrange(options))


def largest(space: Space) -> Drawn:
    """The point that takes the last option of every decision."""
    return choose(space, lambda _, options: options - 1)


def replay(space: Space, choices: Choices) -> Arch:
    """The architecture of known choices; a decision that `choices` lacks takes its last option.

    Raises:
        UsageError: if `choices` names a decision that was not asked.
    """
    arch, made, _ = nearby(space, choices)
    if unasked := sorted(choices.keys() - made.keys()):
        raise UsageError(f"the space does not ask {unasked[0]!r} here; {nearest(unasked[0], made)}")
    return arch


def nearby(space: Space, choices: Choices) -> Drawn:
    """As `replay`, but decisions that are not asked, and indexes beyond the last option, are let pass.

    This is how a search changes one decision that governs others.
    """
    return choose(space, lambda name, options: min(choices.get(name, options - 1), options - 1))


def neighbours(
    space: Space, choices: Choices | None = None, *, fixed: Collection[str] = ()
) -> Iterator[tuple[str, Drawn]]:
    """The point of `choices` (default: the largest), then each that differs from it in one decision.

    Where a decision changes what else is asked in its group, or is called "kind", the others of the group are varied
    under it too. So every option of every decision is seen, with the widest of all else where `choices` says nothing.

    Args:
        space: where to look.
        choices: the point to start from.
        fixed: last words of decisions that are not varied.

    Yields:
        The decision that differs ("" for the start) and the point.
    """
    known: set[tuple[str, Any]] = set()
    pending: list[tuple[str, Choices]] = [("", dict(choices or {}))]
    while pending:
        name, wanted = pending.pop()
        drawn = nearby(space, wanted)
        yield name, drawn
        made, context = drawn.choices, _contexts(drawn)
        for decision, number in drawn.sizes.items():
            key = decision, context[_group(decision)]
            if key in known or decision.rsplit(".", 1)[-1] in fixed:
                continue
            known.add(key)
            pending += [(decision, wanted | {decision: i}) for i in range(number) if i != made[decision]]


def _contexts(drawn: Drawn) -> dict[str, tuple[Any, ...]]:
    """What each group of decisions was asked under: its decisions, with their options, and the kind that was chosen."""
    groups: dict[str, list[Any]] = {}
    for asked in drawn.sizes.items():
        groups.setdefault(_group(asked[0]), []).append(asked)
    return {group: (drawn.choices.get(f"{group}kind"), *asked) for group, asked in groups.items()}


def _group(name: str) -> str:
    return name[: name.rfind(".") + 1]
