"""Which range of a tensor 8 bits should cover. Nothing here imports torch or a runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mobilevision.deploy.base import Array
from mobilevision.errors import UsageError, nearest

BINS = 2048
STEPS = 255
LOOK = 16
"""Calibration pictures on which each layer's own loss is looked at."""

NEAR = 1e-3
"""How far two runtimes may be apart in what they say of a map, as a share of its range."""

Range = tuple[float, float]
Run = Callable[[], Iterator[Mapping[str, Array]]]
"""Runs something over all calibration pictures and yields its tensors by name, a few pictures after another."""


@dataclass
class Histogram:
    """How often a tensor's values fall where.

    Attributes:
        low: the least value.
        high: the largest value.
        counts: of `BINS` equal parts between them.
    """

    low: float
    high: float
    counts: Array

    @property
    def values(self) -> Array:
        """The middle of each part."""
        step = (self.high - self.low) / BINS
        middles: Array = self.low + step * (np.arange(BINS) + 0.5)
        return middles


@dataclass(frozen=True)
class Mark:
    """What tells a map from others, whatever a converter calls it and however it lies in memory.

    Attributes:
        count: of its values, over all pictures that were run; so of the others.
        low: the least value.
        high: the largest value.
        mean: the mean.
        square: the mean square.
    """

    count: int
    low: float
    high: float
    mean: float
    square: float

    def distance(self, other: Mark) -> float:
        """How unlike two maps are, as a share of their range; infinite if they cannot be the same."""
        if self.count != other.count:
            return float("inf")
        reach = max(self.high - self.low, 1e-9)
        here, there = (np.array([each.low, each.high, each.mean, each.square**0.5]) for each in (self, other))
        return float(np.abs(here - there).max() / reach)


@dataclass(frozen=True)
class Rounding:
    """How a file is rounded.

    Attributes:
        estimator: of the ranges of maps.
        wide: which convolutions stay in fp32, counted from 0 in the order in which they run.
        trained: ranges that training found, each with the mark of its map; they go before what is estimated.
    """

    estimator: Callable[[Histogram], Range]
    wide: Sequence[int] = ()
    trained: Sequence[tuple[Mark, Range]] = ()


def minmax(seen: Histogram) -> Range:
    """All that was seen: nothing is clipped, and one far value takes levels from all others."""
    return seen.low, seen.high


def percentile(seen: Histogram, *, outside: float = 1e-5) -> Range:
    """All but the outermost `outside` of the values at either end."""
    share = seen.counts.cumsum() / seen.counts.sum()
    least, largest = np.searchsorted(share, (outside, 1 - outside)).tolist()
    step = (seen.high - seen.low) / BINS
    return seen.low + step * least, seen.low + step * min(largest + 1, BINS)


def mse(seen: Histogram) -> Range:
    """Where clipping and rounding together err least in the mean square.

    Either end is moved towards 0 by itself, the upper first: the best of 64 places each.
    """
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    shares = np.linspace(1, 0.2, 64)
    uppers, lowers = (high * shares).tolist(), (low * shares).tolist()
    high = uppers[int(np.argmin([_error(seen, low, end) for end in uppers]))]
    low = lowers[int(np.argmin([_error(seen, end, high) for end in lowers]))]
    return low, high


USUAL = "minmax"
"""What tells ranges where nothing is said: of the three it lost least on photographs, see docs/int8_accuracy.md."""

ESTIMATORS: dict[str, Callable[[Histogram], Range]] = {"mse": mse, "percentile": percentile, "minmax": minmax}


def find_estimator(name: str) -> Callable[[Histogram], Range]:
    """The estimator called `name`.

    Raises:
        UsageError: if there is none.
    """
    if name not in ESTIMATORS:
        raise UsageError(
            f"there is no range estimator {name!r}; {nearest(name, ESTIMATORS)}; choose from {', '.join(ESTIMATORS)}"
        )
    return ESTIMATORS[name]


def told(run: Run, how: Rounding) -> dict[str, Range]:
    """The range of every tensor: as training found it, else as the pictures tell."""
    found = estimate(run, how.estimator)
    for name, mark in marks(run).items() if how.trained else ():
        nearest_, range_ = min(how.trained, key=lambda each: each[0].distance(mark))
        if nearest_.distance(mark) <= NEAR:
            found[name] = range_
    return found


def errors(
    exact: Iterator[Mapping[str, Array]], found: Iterator[Mapping[str, Array]], names: Sequence[str]
) -> dict[int, float]:
    """How far tensors are off, as a share of their root mean square, by their places in `names`.

    Args:
        exact: the tensors in fp32, a few pictures after another.
        found: the same of a file in 8 bits; those that it does not have are left out.
        names: of the tensors to look at.
    """
    off, whole = np.zeros(len(names)), np.zeros(len(names))
    for right, rounded in zip(exact, found, strict=True):
        for place, name in enumerate(names):
            if name in right and name in rounded:
                off[place] += np.square(rounded[name] - right[name]).sum()
                whole[place] += np.square(right[name]).sum()
    return {place: float(np.sqrt(off[place] / whole[place])) for place in range(len(names)) if whole[place]}


def marks(run: Run) -> dict[str, Mark]:
    """The mark of every tensor."""
    seen: dict[str, list[Array]] = {}
    for tensors in run():
        for name, values in tensors.items():
            wide = values.astype(np.float64)
            part = np.array([wide.size, wide.min(), wide.max(), wide.sum(), np.square(wide).sum()])
            seen.setdefault(name, []).append(part)
    found = {}
    for name, parts in seen.items():
        count, low, high, total, squares = np.array(parts).T
        size = count.sum()
        found[name] = Mark(int(size), low.min(), high.max(), total.sum() / size, squares.sum() / size)
    return found


def estimate(run: Run, estimator: Callable[[Histogram], Range]) -> dict[str, Range]:
    """The range of every tensor of a file.

    Args:
        run: called twice, first for the ends and then for what lies between.
        estimator: of `ESTIMATORS`.
    """
    ends: dict[str, Range] = {}
    for tensors in run():
        for name, values in tensors.items():
            low, high = ends.get(name, (np.inf, -np.inf))
            ends[name] = min(low, float(values.min())), max(high, float(values.max()))
    if estimator is minmax:
        return ends
    seen = {name: Histogram(*_open(low, high), np.zeros(BINS)) for name, (low, high) in ends.items()}
    for tensors in run():
        for name, values in tensors.items():
            each = seen[name]
            each.counts += np.histogram(values, BINS, (each.low, each.high))[0]
    return {name: estimator(each) for name, each in seen.items()}


def _open(low: float, high: float) -> Range:
    return low, max(high, low + 1e-6)


def _error(seen: Histogram, low: float, high: float) -> float:
    """The mean square of what 8 bits from `low` to `high` miss."""
    scale = max(high - low, 1e-12) / STEPS
    zero = round(-low / scale)
    held = (np.clip(np.round(seen.values / scale) + zero, 0, STEPS) - zero) * scale
    return float((seen.counts * (seen.values - held) ** 2).sum())
