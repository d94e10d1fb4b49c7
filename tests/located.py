"""Where in a space a known network is, or what keeps it outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import zip_longest
from typing import Any, NamedTuple, TypeVar

from mobilevision.architecture import Arch
from mobilevision.blocks import Block, Head
from mobilevision.errors import UsageError
from mobilevision.search.space import Choices, Record, Space

T = TypeVar("T")


class Outside(NamedTuple):
    """A decision that a network answers in a way its space does not offer.

    Attributes:
        name: the decision, or the stage and block that no decision explains.
        value: what the network has there.
        offered: what the space offers there.
    """

    name: str
    value: Any
    offered: tuple[Any, ...]


def locate(space: Space, arch: Arch) -> Choices:
    """The choices that make the stages and the head of `arch`; name, image size, epsilon and padding do not count.

    Raises:
        UsageError: if it is outside, with the first decision or block that is.
    """
    choices, found = _read(space, arch)
    if found:
        name, value, offered = found[0]
        raise UsageError(f"{arch.name} is outside this space: {name} is {value}, and the space offers {list(offered)}")
    return choices


def outside(space: Space, arch: Arch) -> tuple[Outside, ...]:
    """Every decision and block that keeps `arch` outside the space; nothing if it is a point of it."""
    return tuple(_read(space, arch)[1])


def _read(space: Space, arch: Arch) -> tuple[Choices, list[Outside]]:
    reading = Reading(arch)
    made = space(reading)
    named = {found.name for found in reading.found}
    rest = [found for found in _differences(made, arch) if not named & _names(found.name)]
    return reading.record.choices, [*reading.found, *rest]


class Reading:
    """A `Pick` that answers what an architecture has: decisions are named after what they set.

    Attributes:
        found: decisions whose answer is not among their options; they take the last one.
    """

    def __init__(self, arch: Arch) -> None:
        self.arch, self.found = arch, list[Outside]()
        self.wanted = 0
        self.record = Record(lambda _, __: self.wanted)

    def __call__(self, name: str, options: Sequence[T], /) -> T:
        """One of `options`."""
        values = _values(self.arch, name)
        matching = [i for i, option in enumerate(options) if option in values]
        self.wanted = matching[0] if matching else len(options) - 1
        if values and not matching:
            self.found.append(Outside(name, values[0], tuple(options)))
        return self.record(name, options)


def _values(arch: Arch, name: str) -> list[Any]:
    """What an architecture has where `name` points to: one value, or none if there is nothing."""
    match name.split("."):
        case ["stages"]:
            return [len(arch.stages) - 1]
        case ["head", word]:
            return [getattr(arch.head, word)] if hasattr(arch.head, word) else []
        case [stage, word] if int(stage) < len(arch.stages):
            blocks = arch.stages[int(stage)]
            if word == "depth":
                return [len(blocks)]
            return _fact(blocks[0] if word == "stride" else blocks[-1], word)
        case [stage, block, word] if int(stage) < len(arch.stages) and int(block) < len(arch.stages[int(stage)]):
            return _fact(arch.stages[int(stage)][int(block)], word)
    return []


def _fact(block: Block, word: str) -> list[Any]:
    if word == "kind":
        return [type(block).__name__]
    return [getattr(block, word)] if hasattr(block, word) else []


def _names(name: str) -> set[str]:
    """The decisions that may set what `name` names: "3.1.out" is set by itself or by "3.out"."""
    words = name.split(".")
    return {name, f"{words[0]}.{words[-1]}", f"{'.'.join(words[:-1])}.kind"}


def _differences(made: Arch, arch: Arch) -> Iterator[Outside]:
    """Blocks and fields of blocks and of the head that `arch` has and `made` has not, or has otherwise."""
    for i, (have, want) in enumerate(zip_longest(made.stages, arch.stages, fillvalue=())):
        for j, (ours, theirs) in enumerate(zip_longest(have, want)):
            yield from _unlike(f"{i}.{j}", ours, theirs)
    yield from _unlike("head", made.head, arch.head)


def _unlike(name: str, ours: Block | Head | None, theirs: Block | Head | None) -> Iterator[Outside]:
    if ours is None or theirs is None or type(ours) is not type(theirs):
        if ours != theirs:
            yield Outside(name, theirs, () if ours is None else (ours,))
        return
    for word in (f.name for f in fields(ours)):
        have, want = getattr(ours, word), getattr(theirs, word)
        if have != want:
            yield Outside(f"{name}.{word}", want, (have,))
