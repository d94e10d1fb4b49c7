"""Curves and matrices as inline SVG; their colors follow the page's light or dark."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

from mobilevision.pages import quantities
from mobilevision.pages.plane import COLORS, Form, Frame, Plane, Scale, legend, linear, ticks
from mobilevision.pages.svg import Element, add, drawing, text_width, written

FRAME = Frame(360, 220, left=50, right=12, top=34, bottom=34, foot=2)
RIGHT_COLOR, WRONG_COLOR = "#27a38d", "#e0703a"
WRITTEN = 30  # classes up to which a matrix has labels
FULL = 14  # letters of a label


class Series(NamedTuple):
    """A curve.

    Attributes:
        name: for the legend.
        points: (x, y), in order of x; those that are no numbers are left out.
    """

    name: str
    points: Sequence[tuple[float, float]]


class _Told(NamedTuple):
    """What a cell of a matrix is about: the true class, the one that was said, the pictures of the true one."""

    truth: str
    said: str
    total: int


def curves(title: str, series: Sequence[Series], *, across: str, form: Form) -> str:
    """Curves over one axis, with a legend, round ticks and every value under the pointer.

    Args:
        title: what the chart shows.
        series: the curves; empty ones are left out.
        across: what the horizontal axis counts.
        form: how a value of the vertical axis is written.

    Returns:
        SVG, or "" if there is no point to draw.
    """
    series = [Series(one.name, [p for p in one.points if all(map(math.isfinite, p))]) for one in series]
    series = [one for one in series if one.points]
    if not series:
        return ""
    xs, ys = ([point[axis] for one in series for point in one.points] for axis in (0, 1))
    plane = Plane(FRAME, _counted(across, xs), linear("", ys, form))
    root = plane.drawing(title, _told(series, form))
    for number, one in enumerate(series):
        _curve(root, plane, one, COLORS[number % len(COLORS)], form)
    legend(root, FRAME, [one.name for one in series])
    return written(root)


def _counted(name: str, values: Sequence[float]) -> Scale:
    """From the first value to the last, with round whole numbers between them."""
    low, high = min(values), max(values)
    whole = [step for step in ticks(low, high) if low <= step <= high and step == round(step)]
    return Scale(name, low, high if high > low else low + 1, {step: f"{step:g}" for step in whole})


def _curve(root: Element, plane: Plane, one: Series, color: str, form: Form) -> None:
    """A curve; of a long one only the last value is a point under the pointer."""
    plane.line(root, one.points, {"stroke": color, "stroke-width": 2.2})
    for x, y in one.points if len(one.points) <= 60 else one.points[-1:]:
        plane.dot(root, (x, y), {"r": 2.6, "fill": color}, f"{one.name}, {x:g}: {form(y)}")


def _told(series: Sequence[Series], form: Form) -> str:
    parts = [f"{one.name} from {form(one.points[0][1])} to {form(one.points[-1][1])}" for one in series]
    return "; ".join(parts) + "."


def matrix(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """A confusion matrix, rows the truth, with labels and counts: for some thirty classes at most.

    A cell is as strong as its share of its row; what was right is green, what was not is orange.
    """
    n = len(labels)
    cell = 40.0 if n <= 12 else 26.0
    short = [label if len(label) <= FULL else label[: FULL - 1] + "…" for label in labels]
    margin = max(text_width(label, 12.5) for label in short) + 34
    side = margin + cell * n
    root = drawing(side + 6, side + 6, name="matrix", title="Confusion matrix", description=_confused(counts, labels))
    root.set("style", f"max-width:{side * 1.05:.0f}px")
    for i, row in enumerate(counts):
        middle = margin + cell * (i + 0.5)
        add(root, "text", {"x": margin - 8, "y": middle + 4, "font-size": 12.5, "text-anchor": "end"}, short[i])
        turned = {"transform": f"translate({middle + 4:.1f} {margin - 8:.1f}) rotate(-90)", "font-size": 12.5}
        add(root, "text", turned, short[i])
        for j, count in enumerate(row):
            _cell(root, (margin + cell * j, margin + cell * i, cell), count, _Told(labels[i], labels[j], sum(row)))
    names = (("said", {"x": side, "y": 14, "text-anchor": "end"}), ("true", {"x": 2, "y": side - 2}))
    for name, place in names:
        add(root, "text", place | {"font-size": 12, "fill-opacity": "0.65", "font-style": "italic"}, name)
    return written(root)


def _cell(root: Element, place: tuple[float, float, float], count: int, told: _Told) -> None:
    """A cell at (x, y), so many pixels wide."""
    x, y, side = place
    share = count / max(1, told.total)
    strength = 0.05 if not count else 0.15 + 0.85 * share
    box = {"x": x + 0.75, "y": y + 0.75, "width": side - 1.5, "height": side - 1.5, "rx": 3}
    color = {"fill": RIGHT_COLOR if told.truth == told.said else WRONG_COLOR} if count else {}
    part = add(root, "g", {})
    add(part, "title", {}, f"{told.truth}, taken for {told.said}: {count} of {told.total}")
    add(part, "rect", box | color | {"fill-opacity": f"{strength:.2f}"})
    if count:
        words = str(count) if count < 1000 else quantities.count(count)  # pixels are many
        text = {"x": x + side / 2, "y": y + side / 2 + 4, "font-size": min(12.5 if side > 30 else 10, 60 / len(words))}
        add(part, "text", text | {"text-anchor": "middle"}, words)


def raster(counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix of many classes: one pixel a cell, as a PNG inside the drawing."""
    import numpy as np
    from PIL import Image

    table = np.asarray(counts, dtype=np.float64)
    share = table / np.maximum(1, table.sum(1, keepdims=True))
    pixels = np.zeros((*table.shape, 4), np.uint8)
    pixels[..., :3] = _rgb(WRONG_COLOR)
    pixels[np.eye(len(table), dtype=bool), :3] = _rgb(RIGHT_COLOR)
    pixels[..., 3] = np.where(table > 0, 70 + 185 * share, 0)
    out = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(out, "PNG", optimize=True)
    uri = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
    told = f"{len(table)} classes; rows are the truth, columns what was said, the diagonal what was right."
    root = drawing(600, 600, name="matrix", title="Confusion matrix", description=told)
    frame = {"x": 1, "y": 1, "width": 598, "height": 598}
    add(root, "image", frame | {"href": uri, "style": "image-rendering:pixelated"})
    add(root, "rect", frame | {"fill": "none", "stroke": "currentColor", "stroke-opacity": "0.3"})
    return written(root)


def confusions(counts: Sequence[Sequence[int]], labels: Sequence[str], *, most: int = 12) -> list[tuple[str, str, int]]:
    """The pairs (truth, said, pictures) that are mixed up most, worst first."""
    pairs = [
        (labels[i], labels[j], count) for i, row in enumerate(counts) for j, count in enumerate(row) if count and i != j
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:most]


def _confused(counts: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    worst = "; ".join(
        f"{truth} taken for {said} {count} times" for truth, said, count in confusions(counts, labels)[:3]
    )
    return f"Rows are the truth, columns what was said. Most often mixed up: {worst or 'nothing'}."


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
