"""The rows that the networks of a space are made of: what a table has to time."""

from __future__ import annotations

import random
from collections.abc import Iterator

from mobilevision.cost import Key, walk
from mobilevision.search.space import Drawn, Space, neighbours, sample

PATIENCE = 2000
"""Networks in a row that bring nothing new before a space counts as known."""


def rows(space: Space, *, outputs: int = 1000, most: int | None = None) -> list[Key]:
    """Every block of a space on every shape that it meets there, in the order they are found.

    The widest network and its neighbors are looked at, then networks drawn at random until `PATIENCE` of them brought
    nothing new. A row that follows from k choices among n options each is in one network of n^k; with the published
    spaces' two choices among seven, one is missed once in 10^17 times. What is missed all the same is timed when it
    is met.

    Args:
        space: where to look.
        outputs: of the head.
        most: stop when so many are found, because the space is one that fills its table as it goes.
    """
    found: dict[Key, None] = {}
    quiet = 0
    for arch, *_ in _networks(space):
        before = len(found)
        found.update(dict.fromkeys((row.block, row.shape) for row in walk(arch, outputs=outputs)))
        quiet = quiet + 1 if len(found) == before else 0
        if quiet >= PATIENCE or (most is not None and len(found) >= most):
            break
    return list(found)


def _networks(space: Space) -> Iterator[Drawn]:
    """The widest network, its neighbors, then networks drawn at random, without end."""
    rng = random.Random(0)  # noqa: S311 - nothing secret
    for _, drawn in neighbours(space):
        yield drawn
    while True:
        yield sample(space, rng)
