"""From predicted to measured costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mobilevision.cost import Line
from mobilevision.errors import UsageError


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


Fit = Callable[[Sequence[float], Sequence[float], Sequence[float]], Line]
"""(predicted, millions of weights, measured) -> the line."""


def by_rows(predicted: Sequence[float], weights: Sequence[float], measured: Sequence[float]) -> Line:
    """The line through predictions alone."""
    return fitted(predicted, measured)


def by_rows_and_weights(predicted: Sequence[float], weights: Sequence[float], measured: Sequence[float]) -> Line:
    """The plane through predictions and weights with the least squares of relative errors.

    Where it would fall with either of them, the measurements do not span one, and the line through predictions is it.
    """
    facts = np.column_stack([np.ones(len(measured)), predicted, weights]) / np.array(measured)[:, None]
    found, _, rank, _ = np.linalg.lstsq(facts, np.ones(len(measured)), rcond=None)
    intercept, slope, far = found.tolist()
    return Line(intercept, slope, far) if rank == 3 and slope > 0 and far > 0 else fitted(predicted, measured)


FORMS: tuple[Fit, ...] = (by_rows, by_rows_and_weights)
ENOUGH = 6
"""Measurements from which on the form is chosen that foretells those best that are left out; below, the first."""


def best_fit(predicted: Sequence[float], weights: Sequence[float], measured: Sequence[float]) -> Fit:
    """The form that is least off on measurements that are left out, one by one."""
    if len(measured) < ENOUGH:
        return by_rows
    return min(FORMS, key=lambda form: left_out_error(form, predicted, weights, measured))


def left_out_error(fit: Fit, predicted: Sequence[float], weights: Sequence[float], measured: Sequence[float]) -> float:
    """The mean relative error of a measurement by the fit of all the others, as a fraction; NaN below three."""
    if len(measured) < 3:
        return float("nan")
    errors = []
    for i, (p, w, m) in enumerate(zip(predicted, weights, measured, strict=True)):
        line = fit(*([*each[:i], *each[i + 1 :]] for each in (predicted, weights, measured)))
        errors.append(abs(line(p, w) / m - 1))
    return sum(errors) / len(errors)
