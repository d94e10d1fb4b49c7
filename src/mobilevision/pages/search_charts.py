"""What a search tried, and how near its predictions were, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mobilevision.pages import pareto
from mobilevision.pages.plane import COLORS, QUIET, Form, Frame, Plane, linear
from mobilevision.pages.svg import Element, add, polygon, text_width, written

FRAME = Frame(560, 380, left=56, right=26, top=34, bottom=44)
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
    up = linear("accuracy", [one.accuracy for one in points], lambda share: f"{100 * share:.3g} %")
    plane = Plane(FRAME, linear(cost, [target, *(one.cost for one in points)], form), up)
    root = plane.drawing(f"Accuracy against {cost}", _words(points, form))
    quiet = {"stroke": "currentColor", "stroke-opacity": "0.5", "stroke-dasharray": "4 4"}
    plane.line(root, [(target, up.high), (target, up.low)], quiet)
    label = f"target {form(target)}"
    x = min(plane.at(target, up.high)[0], FRAME.width - 2 - text_width(label, 12) / 2)
    add(root, "text", QUIET | {"x": x, "y": FRAME.top - 8, "text-anchor": "middle"}, label)
    best = pareto.front([pareto.Point("", one.cost, one.accuracy) for one in points])
    line = {"stroke": "currentColor", "stroke-opacity": "0.4"}
    plane.line(root, [(one.cost, one.gain) for one in best], line)
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
    every = [value for pair in pairs for value in pair]
    across, up = (linear(f"ms {how}", every, "{:.3g}".format) for how in ("predicted", "measured"))
    plane = Plane(FRAME, across, up)
    root = plane.drawing("Measured against predicted milliseconds", told)
    low, high = across.low, across.high
    band = [(low, low), (low, low * (1 + NEAR)), (high / (1 + NEAR), high), (high, high), (high, high * (1 - NEAR))]
    corners = [plane.at(x, min(y, high)) for x, y in band]
    corners.append(plane.at(max(low / (1 - NEAR), low), low))
    polygon(root, corners, {"fill": COLORS[2], "fill-opacity": "0.16"})
    for predicted, measured in pairs:
        words = f"{predicted:.3g} ms predicted, {measured:.3g} ms measured"
        plane.dot(root, (predicted, measured), {"r": 4, "fill": COLORS[0]}, words)
    return written(root)


def _dot(root: Element, plane: Plane, one: Tried, form: Form) -> None:
    """A network: blue if the search tried it, gray if random search did; the named ones are larger."""
    look = {"r": 3.4, "fill": COLORS[0]} if one.ours else {"r": 3.4, "fill-opacity": "0.45"}
    if one.name:
        look = {"r": 6, "fill": COLORS[0] if one.ours else COLORS[1], "stroke": "currentColor"}
    told = f"{one.name or ('the search' if one.ours else 'random search')}: {_point(one, form)}"
    plane.dot(root, (one.cost, one.accuracy), look, told)
    if one.name:
        x, y = plane.at(one.cost, one.accuracy)
        left = x + 10 + text_width(one.name, 12.5) > FRAME.width
        place = {"x": x - 10 if left else x + 10, "y": y + 4, "text-anchor": "end" if left else "start"}
        add(root, "text", place | {"font-size": 12.5}, one.name)


def _words(points: Sequence[Tried], form: Form) -> str:
    named = [f"{one.name}: {_point(one, form)}" for one in points if one.name]
    ours = sum(one.ours for one in points)
    return f"{ours} networks of the search, {len(points) - ours} of random search. {'; '.join(named)}."


def _point(one: Tried, form: Form) -> str:
    return f"{100 * one.accuracy:.1f} % at {form(one.cost)}"
