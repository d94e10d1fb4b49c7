"""From predicted to measured costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilevision.cost import Line, Totals
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


Form = tuple[str, ...]
"""The numbers of a line that are fitted; the others stay 0."""

FORMS: tuple[Form, ...] = (
    ("intercept", "slope"),
    ("each", "slope"),
    ("each", "slope", "far"),
    ("each", "slope", "far", "work"),
)
"""From the simplest on. Where all networks have as many rows, "each" is an intercept."""
RISING = ("slope", "far", "work")
"""What makes no network faster."""
ENOUGH = 6
"""Measurements from which on the form is chosen that foretells those best that are left out; below, the first."""


def fit_form(form: Form, known: Sequence[Totals], measured: Sequence[float]) -> Line:
    """The line of a form with the least squares of relative errors.

    Where some number would make a network faster that has more to do, or the measurements do not tell the numbers
    apart, it is the line through predictions alone.

    Args:
        form: which numbers are fitted.
        known: what the rows of each network come to.
        measured: what each took.
    """
    predicted, weights, macs, rows = (np.array(column, dtype=np.float64) for column in zip(*known, strict=True))
    columns = {"intercept": np.ones(len(known)), "slope": predicted, "far": weights, "work": macs, "each": rows}
    facts = np.column_stack([columns[name] for name in form]) / np.array(measured)[:, None]
    found, _, rank, _ = np.linalg.lstsq(facts, np.ones(len(known)), rcond=None)
    numbers = dict(zip(form, found.tolist(), strict=True))
    if rank < len(form) or any(numbers.get(name, 1) <= 0 for name in RISING):
        return fitted(predicted.tolist(), measured)
    return Line(**numbers)


def best_form(known: Sequence[Totals], measured: Sequence[float], *, forms: Sequence[Form] = FORMS) -> Form:
    """The form that is least off on measurements that are left out, one by one; the first, if they are few."""
    if len(measured) < ENOUGH:
        return forms[0]
    return min(forms, key=lambda form: left_out_error(form, known, measured))


def left_out_error(form: Form, known: Sequence[Totals], measured: Sequence[float]) -> float:
    """The mean relative error of a measurement by the fit of all the others, as a fraction; NaN below three."""
    if len(measured) < 3:
        return float("nan")
    errors = []
    for i, (totals, ms) in enumerate(zip(known, measured, strict=True)):
        line = fit_form(form, *([*each[:i], *each[i + 1 :]] for each in (known, measured)))
        errors.append(abs(line(*totals) / ms - 1))
    return sum(errors) / len(errors)
