"""Work on many pictures at once, little of it in memory."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

PART = 256  # pictures that are worked on at a time; a task that waits in a pool takes more memory than a picture's name

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(given: Sequence[Given], make: Callable[[Given], Made]) -> Iterator[tuple[Given, Made]]:
    """Each of `given` with what `make` makes of it, in order; decoding, resizing and hashing let other threads run."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(given), PART):
            part = given[start : start + PART]
            yield from zip(part, pool.map(make, part), strict=True)
