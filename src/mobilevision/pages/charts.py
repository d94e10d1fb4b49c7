"""Curves and matrices as inline SVG; their colors follow the page's light or dark."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mobilevision.pages import quantities
from mobilevision.pages.svg import Element, add, drawing, text_width, written

COLORS = ("#4a86d8", "#e0853a", "#27a38d", "#c2609e", "#8a7fd6", "#b59a2f", "#5f7f9a", "#d0604f")
WIDTH, HEIGHT = 360.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 50.0, 12.0, 34.0, 34.0
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


def curves(title: str, series: Sequence[Series], *, across: str, form: Callable[[float], str]) -> str:
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
    root = drawing(WIDTH, HEIGHT, name="chart", title=title, description=_told(series, form))
    plane = _Plane(xs, ys)
    plane.axes(root, across, form)
    for number, one in enumerate(series):
        plane.curve(root, one, COLORS[number % len(COLORS)], form)
    _legend(root, [one.name for one in series])
    return written(root)


def ticks(low: float, high: float, *, wanted: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that reach from below `low` to above `high`."""
    span = (high - low) or abs(high) or 1.0
    rough = span / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


class _Plane:
    """From values to pixels."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.across = [x for x in ticks(min(xs), max(xs)) if min(xs) <= x <= max(xs) and x == round(x)]
        self.up = ticks(min(ys), max(ys))
        self.x0, self.x1 = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
        self.y0, self.y1 = self.up[0], self.up[-1]

    def at(self, x: float, y: float) -> tuple[float, float]:
        right = LEFT + (x - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)
        return right, HEIGHT - BOTTOM - (y - self.y0) / (self.y1 - self.y0) * (HEIGHT - TOP - BOTTOM)

    def axes(self, root: Element, across: str, form: Callable[[float], str]) -> None:
        for value in self.up:
            y = self.at(self.x0, value)[1]
            line = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y, "stroke": "currentColor"}
            add(root, "line", line | {"stroke-opacity": "0.15"})
            label = {"x": LEFT - 8, "y": y + 4, "font-size": 12, "text-anchor": "end", "fill-opacity": "0.7"}
            add(root, "text", label, form(value))
        for value in self.across:
            x = self.at(value, self.y0)[0]
            label = {"x": x, "y": HEIGHT - 16, "font-size": 12, "text-anchor": "middle", "fill-opacity": "0.7"}
            add(root, "text", label, f"{value:g}")
        name = {"x": WIDTH - RIGHT, "y": HEIGHT - 2, "font-size": 12, "text-anchor": "end", "fill-opacity": "0.7"}
        add(root, "text", name, across)

    def curve(self, root: Element, one: Series, color: str, form: Callable[[float], str]) -> None:
        places = [self.at(x, y) for x, y in one.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        shape = {"points": path, "fill": "none", "stroke": color, "stroke-width": 2.2, "stroke-linejoin": "round"}
        add(root, "polyline", shape)
        dots = places if len(places) <= 60 else places[-1:]
        for (x, y), (across, value) in zip(dots, one.points[-len(dots) :], strict=True):
            dot = add(root, "circle", {"cx": x, "cy": y, "r": 2.6, "fill": color})
            add(dot, "title", {}, f"{one.name}, {across:g}: {form(value)}")


def _legend(root: Element, names: Sequence[str]) -> None:
    x, y = LEFT, 15.0
    for number, name in enumerate(names):
        wide = 19 + text_width(name, 12.5)
        if x > LEFT and x + wide > WIDTH:
            x, y = LEFT, y + 14  # there is room for a second row
        color = COLORS[number % len(COLORS)]
        add(root, "rect", {"x": x, "y": y - 7, "width": 14, "height": 4, "rx": 2, "fill": color})
        add(root, "text", {"x": x + 19, "y": y, "font-size": 12.5}, name)
        x += wide + 17


def _told(series: Sequence[Series], form: Callable[[float], str]) -> str:
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
