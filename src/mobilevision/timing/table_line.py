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
    """The line with the least squares of relative errors; if the measurements do not span one, the mean factor.

    A line that falls, or predictions that are all alike, say nothing about the slope.

    Raises:
        UsageError: if there is nothing to fit, or a cost is not positive.
    """
    if not predicted or len(predicted) != len(measured) or min(*predicted, *measured) <= 0:
        raise UsageError(
            f"{len(measured)} measurements of {len(predicted)} networks cannot be fitted; give positive ones"
        )
    weights = [1 / m**2 for m in measured]
    total = sum(weights)
    x = sum(w * p for w, p in zip(weights, predicted, strict=True)) / total
    y = sum(w * m for w, m in zip(weights, measured, strict=True)) / total
    points = list(zip(weights, predicted, measured, strict=True))
    spread = sum(w * (p - x) ** 2 for w, p, _ in points)
    slope = sum(w * (p - x) * (m - y) for w, p, m in points) / spread if spread > TINY * total * x * x else 0.0
    return Line(y - slope * x, slope) if slope > 0 else Line(0.0, sum(measured) / sum(predicted))


TINY = 1e-18
"""Share of the squared predictions below which their spread is rounding alone."""


def left_out_error(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """The mean relative error of a measurement by the line through all the others, as a fraction; NaN below three."""
    if len(measured) < 3:
        return float("nan")
    errors = []
    for i, (p, m) in enumerate(zip(predicted, measured, strict=True)):
        line = fitted([*predicted[:i], *predicted[i + 1 :]], [*measured[:i], *measured[i + 1 :]])
        errors.append(abs(line(p) / m - 1))
    return sum(errors) / len(errors)
