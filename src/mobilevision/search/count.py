"""How many points a space has, counted exactly."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeVar

from mobilevision.errors import UsageError
from mobilevision.search.space import Space

T = TypeVar("T")

GOVERNED = "outside its group; a decision may govern only its own group and those below it"


def count(space: Space) -> int:
    """The number of different choices a space offers; conditional decisions count where they are asked.

    Groups of decisions that do not govern one another are counted at the same time, so that a space of 10^30 points
    takes some thousand calls.

    Raises:
        UsageError: if the choice of a decision changes what is asked outside its group and those below it.
    """
    root = Group("")
    done = False
    while not done:
        space(Counter(root))
        done = root.advance()
    return root.total


class Counter:
    """A `Pick` that tries the next combination of every group."""

    def __init__(self, root: Group) -> None:
        self.root, self.asked = root, set[str]()
        root.rewind()

    def __call__(self, name: str, options: Sequence[T], /) -> T:
        """One of `options`."""
        if name in self.asked:
            raise UsageError(f"the space asks the decision {name!r} twice; give every decision a name of its own")
        self.asked.add(name)
        group = self.root
        for word in name.split(".")[:-1]:
            group = group.below(word)
        return options[group.index(name, len(options))]


class Group:
    """The decisions that share all words but the last: a counter with one digit a decision.

    Attributes:
        total: combinations counted so far, with all of those below.
        done: whether all were counted.
    """

    def __init__(self, name: str) -> None:
        self.name, self.total, self.done = name, 0, False
        self.digits: list[tuple[str, int, int]] = []  # decision, index, number of options
        self.groups: dict[str, Group] = {}
        self.at, self.closed = 0, False  # closed: all decisions of this combination are known

    def below(self, word: str) -> Group:
        """The group one word further down."""
        if self.closed and word not in self.groups:
            raise UsageError(f"'{self.name}{word}' is asked for some choices {GOVERNED}")
        return self.groups.setdefault(word, Group(f"{self.name}{word}."))

    def rewind(self) -> None:
        """Be ready to be asked from the first decision on."""
        self.at = 0
        for group in self.groups.values():
            group.rewind()

    def index(self, name: str, options: int) -> int:
        """The index of the next decision, which must be `name`."""
        if self.at == len(self.digits):
            if self.closed:
                raise UsageError(f"{name!r} is asked for some choices {GOVERNED}")
            self.digits.append((name, 0, options))
        known, index, number = self.digits[self.at]
        if (known, number) != (name, options):
            raise UsageError(f"{name!r} with {options} options stands where {known!r} with {number} stood {GOVERNED}")
        self.at += 1
        return index

    def advance(self) -> bool:
        """Go to the next combination; whether there is none left."""
        if self.at != len(self.digits):
            raise UsageError(f"{self.digits[self.at][0]!r} is not asked for some choices {GOVERNED}")
        self.closed = True
        below = [group.advance() for group in self.groups.values()]
        if self.done or not all(below):
            return self.done
        self.total += prod(group.total for group in self.groups.values())
        self.groups.clear()
        self.closed = False
        first = list(self.digits)
        while self.digits and self.digits[-1][1] == self.digits[-1][2] - 1:
            self.digits.pop()
        if self.digits:
            name, index, options = self.digits[-1]
            self.digits[-1] = name, index + 1, options
        else:
            self.done, self.digits = True, first
        return self.done
