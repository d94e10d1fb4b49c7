"""What a search tried, and how near its predictions were, as inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mobilevision.pages import pareto
from mobilevision.pages.charts import COLORS, ticks
from mobilevision.pages.svg import Element, add, drawing, polygon, text_width, written

WIDTH, HEIGHT = 560.0, 380.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 26.0, 34.0, 44.0
QUIET = {"font-size": 12, "fill-opacity": "0.75"}
NEAR = 0.05
"""Share by which a prediction may be off and stand in the band."""


class Tried(NamedTuple):
    """A network that was trained to be judged.

    Attributes:
        cost: of it.
        accuracy: a fraction.
        ours: whether the search itself tried it; else random search did.
        name: what is written beside it; "" for nothing.
    """

    cost: float
    accuracy: float
    ours: bool
    name: str = ""


Form = Callable[[float], str]


def tried(points: Sequence[Tried], *, target: float, cost: str, form: Form) -> str:
    """Accuracy against cost of all networks that were tried, by the search and by random search.

    Args:
        points: at least one.
        target: where the cost should be.
        cost: its name, with the unit.
        form: how a cost is written.

    Returns:
        SVG.
    """
    root = drawing(WIDTH, HEIGHT, name="chart", title=f"Accuracy against {cost}", description=_words(points, form))
    plane = _Plane([target, *(one.cost for one in points)], [one.accuracy for one in points])
    plane.axes(root, cost, form, "accuracy", lambda share: f"{100 * share:.3g} %")
    x = plane.x(target)
    line = {"x1": x, "x2": x, "y1": TOP, "y2": HEIGHT - BOTTOM, "stroke": "currentColor", "stroke-dasharray": "4 4"}
    add(root, "line", line | {"stroke-opacity": "0.5"})
    label = f"target {form(target)}"
    half = text_width(label, 12) / 2
    add(root, "text", QUIET | {"x": min(x, WIDTH - 2 - half), "y": TOP - 8, "text-anchor": "middle"}, label)
    best = pareto.front([pareto.Point("", one.cost, one.accuracy) for one in points])
    path = " ".join(f"{plane.x(one.cost):.1f},{plane.y(one.gain):.1f}" for one in best)
    add(root, "polyline", {"points": path, "fill": "none", "stroke": "currentColor", "stroke-opacity": "0.4"})
    for one in sorted(points, key=lambda one: bool(one.name)):
        _dot(root, plane, one, form)
    return written(root)


def agreement(pairs: Sequence[tuple[float, float]]) -> str:
    """Measured against predicted milliseconds, with the band in which a prediction is at most a twentieth off.

    Args:
        pairs: (predicted, measured) of each network; at least one.

    Returns:
        SVG.
    """
    off = sum(abs(predicted / measured - 1) for predicted, measured in pairs) / len(pairs)
    told = f"{len(pairs)} networks; predictions are {100 * off:.1f} % off on average."
    root = drawing(WIDTH, HEIGHT, name="chart", title="Measured against predicted milliseconds", description=told)
    every = [value for pair in pairs for value in pair]
    plane = _Plane(every, every)
    low, high = plane.across[0], plane.across[-1]
    plane.axes(root, "ms predicted", "{:.3g}".format, "ms measured", "{:.3g}".format)
    band = [(low, low), (low, low * (1 + NEAR)), (high / (1 + NEAR), high), (high, high), (high, high * (1 - NEAR))]
    corners = [(plane.x(x), plane.y(min(y, high))) for x, y in band]
    corners.append((plane.x(max(low / (1 - NEAR), low)), plane.y(low)))
    polygon(root, corners, {"fill": COLORS[2], "fill-opacity": "0.16"})
    for predicted, measured in pairs:
        dot = add(root, "circle", {"cx": plane.x(predicted), "cy": plane.y(measured), "r": 4, "fill": COLORS[0]})
        add(dot, "title", {}, f"{predicted:.3g} ms predicted, {measured:.3g} ms measured")
    return written(root)


class _Plane:
    """From values to pixels."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.across, self.up = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))

    def x(self, value: float) -> float:
        share = (value - self.across[0]) / (self.across[-1] - self.across[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.up[0]) / (self.up[-1] - self.up[0]) * (HEIGHT - TOP - BOTTOM)

    def axes(self, root: Element, across: str, across_form: Form, up: str, up_form: Form) -> None:
        for value in self.up:
            y = self.y(value)
            line = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y, "stroke": "currentColor"}
            add(root, "line", line | {"stroke-opacity": "0.15"})
            add(root, "text", QUIET | {"x": LEFT - 7, "y": y + 4, "text-anchor": "end"}, up_form(value))
        for value in self.across:
            place = {"x": self.x(value), "y": HEIGHT - BOTTOM + 17, "text-anchor": "middle"}
            add(root, "text", QUIET | place, across_form(value))
        add(root, "text", QUIET | {"x": WIDTH - RIGHT, "y": HEIGHT - 6, "text-anchor": "end"}, across)
        add(root, "text", QUIET | {"x": 2, "y": 14}, up)


def _dot(root: Element, plane: _Plane, one: Tried, form: Form) -> None:
    """A network: blue if the search tried it, gray if random search did; the named ones are larger."""
    x, y = plane.x(one.cost), plane.y(one.accuracy)
    color = {"fill": COLORS[0]} if one.ours else {"fill": "currentColor", "fill-opacity": "0.45"}
    if one.name:
        color = {"fill": COLORS[0] if one.ours else COLORS[1], "stroke": "currentColor"}
    dot = add(root, "circle", {"cx": x, "cy": y, "r": 6 if one.name else 3.4, **color})
    add(dot, "title", {}, f"{one.name or ('the search' if one.ours else 'random search')}: {_point(one, form)}")
    if one.name:
        left = x + 10 + text_width(one.name, 12.5) > WIDTH
        place = {"x": x - 10 if left else x + 10, "y": y + 4, "text-anchor": "end" if left else "start"}
        add(root, "text", place | {"font-size": 12.5}, one.name)


def _words(points: Sequence[Tried], form: Form) -> str:
    named = [f"{one.name}: {_point(one, form)}" for one in points if one.name]
    ours = sum(one.ours for one in points)
    return f"{ours} networks of the search, {len(points) - ours} of random search. {'; '.join(named)}."


def _point(one: Tried, form: Form) -> str:
    return f"{100 * one.accuracy:.1f} % at {form(one.cost)}"
