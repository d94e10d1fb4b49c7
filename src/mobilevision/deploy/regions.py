"""What is kept in float together: a convolution, and what is computed from it before the next one.

A map that 8 bits lose is not saved by its convolution alone: it is the sum or the activation behind it that is rounded
then, or the convolution that reads it rounds it. So all of them stay in float.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence

from mobilevision.deploy.tails import Operation

IMAGE = -1
"""The place of what is computed from no convolution."""


def owners(operations: Sequence[Operation], convolutions: Container[str]) -> dict[str, int]:
    """The place of the convolution that each tensor belongs to: the last of those that it is computed from.

    Args:
        operations: in the order in which they run.
        convolutions: kinds of operations that are counted as places, from 0.
    """
    found: dict[str, int] = {}
    place = IMAGE
    for each in operations:
        its = max((found.get(name, IMAGE) for name in each.reads), default=IMAGE)
        if each.kind in convolutions:
            place += 1
            its = place
        found.update(dict.fromkeys(each.makes, its))
    return found


def region(operations: Sequence[Operation], convolutions: Container[str], wide: Collection[int]) -> list[int]:
    """The indices of the operations that compute in float.

    Args:
        operations: in the order in which they run.
        convolutions: kinds of operations that are counted as places, from 0.
        wide: places whose maps are not rounded.
    """
    places = owners(operations, convolutions)
    kept = {name for name, place in places.items() if place in wide}
    return [
        i
        for i, each in enumerate(operations)
        if kept.intersection(each.makes) or (each.kind in convolutions and kept.intersection(each.reads))
    ]
