"""Which range of a tensor 8 bits should cover. Nothing here imports torch or a runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mobilevision.deploy.base import Array
from mobilevision.errors import UsageError, nearest

BINS = 2048
STEPS = 255
Range = tuple[float, float]


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


ESTIMATORS: dict[str, Callable[[Histogram], Range]] = {"mse": mse, "percentile": percentile, "minmax": minmax}


def find_estimator(name: str) -> Callable[[Histogram], Range]:
    """The estimator called `name`.

    Raises:
        UsageError: if there is none.
    """
    if name not in ESTIMATORS:
        raise UsageError(
            f"there is no range estimator {name!r}; {nearest(name, ESTIMATORS)}; choose from mse, percentile, minmax"
        )
    return ESTIMATORS[name]


def estimate(
    run: Callable[[], Iterator[Mapping[str, Array]]], estimator: Callable[[Histogram], Range]
) -> dict[str, Range]:
    """The range of every tensor of a file.

    Args:
        run: runs the file over all calibration pictures and yields its tensors by name; called twice, first for the
            ends and then for what lies between.
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
