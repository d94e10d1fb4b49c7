"""From predicted to measured costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mobilevision.errors import UsageError


class Line(NamedTuple):
    """measured = intercept + slope x predicted; as it stands, no correction.

    Attributes:
        intercept: in the unit of the cost.
        slope: a factor.
    """

    intercept: float = 0.0
    slope: float = 1.0

    def __call__(self, predicted: float) -> float:
        """The cost that is to be expected in a measurement."""
        return self.intercept + self.slope * predicted


def fitted(predicted: Sequence[float], measured: Sequence[float]) -> Line:
    """The line nearest to the measurements by least squares; if they do not span one, the mean factor.

    A line that falls, or predictions that are all alike, say nothing about the slope.

    Raises:
        UsageError: if there is nothing to fit, or a cost is not positive.
    """
    if not predicted or len(predicted) != len(measured) or min(*predicted, *measured) <= 0:
        raise UsageError(
            f"{len(measured)} measurements of {len(predicted)} networks cannot be fitted; give positive ones"
        )
    n = len(predicted)
    x, y = sum(predicted) / n, sum(measured) / n
    spread = sum((p - x) ** 2 for p in predicted)
    slope = sum((p - x) * (m - y) for p, m in zip(predicted, measured, strict=True)) / spread if spread else 0.0
    return Line(y - slope * x, slope) if slope > 0 else Line(0.0, y / x)
