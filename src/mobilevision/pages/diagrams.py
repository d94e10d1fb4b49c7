"""How sure and how right, and what is left of an accuracy under damage, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mobilevision.pages.charts import COLORS, ticks
from mobilevision.pages.quantities import percent
from mobilevision.pages.svg import Element, add, drawing, text_width, written
from mobilevision.tasks.figures import wilson

WIDTH, HEIGHT = 420.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 24.0, 46.0, 44.0
QUIET: dict[str, object] = {"font-size": 12, "fill-opacity": "0.75"}


class _Plane(NamedTuple):
    """From values to pixels: across `x0` to `x1`, up `y0` to `y1`."""

    x0: float
    x1: float
    y0: float
    y1: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        right = LEFT + (x - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)
        return right, HEIGHT - BOTTOM - (y - self.y0) / (self.y1 - self.y0) * (HEIGHT - TOP - BOTTOM)

    def rows(self, root: Element, values: Sequence[float]) -> None:
        """A line and a share of the vertical axis for each value."""
        for value in values:
            y = self.at(self.x0, value)[1]
            line = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y, "stroke": "currentColor"}
            add(root, "line", line | {"stroke-opacity": "0.15"})
            add(root, "text", QUIET | {"x": LEFT - 8, "y": y + 4, "text-anchor": "end"}, percent(value, digits=0))

    def columns(self, root: Element, values: Mapping[float, str], name: str) -> None:
        """A word below the horizontal axis for each value, and the axis's name."""
        for value, word in values.items():
            x = self.at(value, self.y0)[0]
            add(root, "text", QUIET | {"x": x, "y": HEIGHT - BOTTOM + 18, "text-anchor": "middle"}, word)
        add(root, "text", QUIET | {"x": WIDTH - RIGHT, "y": HEIGHT - 6, "text-anchor": "end"}, name)

    def line(self, root: Element, points: Sequence[tuple[float, float]], facts: Mapping[str, object]) -> None:
        """Straight lines through points."""
        path = " ".join("{:.1f},{:.1f}".format(*self.at(x, y)) for x, y in points)
        add(root, "polyline", {"points": path, "fill": "none", "stroke-linejoin": "round"} | dict(facts))


def reliability(sides: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """How right a network is over how sure it is: on the diagonal it is as right as it is sure.

    Args:
        sides: bins by the name of what they are of; the more answers a bin holds, the larger its point.

    Returns:
        SVG.
    """
    told = "; ".join(
        f"{name}: " + ", ".join(f"{percent(bin_['sure'])} sure, {percent(bin_['right'])} right" for bin_ in bins)
        for name, bins in sides.items()
    )
    root = drawing(WIDTH, HEIGHT, name="chart", title="Reliability diagram", description=told)
    plane, fifths = _Plane(0, 1, 0, 1), [number / 5 for number in range(6)]
    plane.rows(root, fifths)
    plane.columns(root, {value: percent(value, digits=0) for value in fifths}, "how sure")
    plane.line(root, [(0, 0), (1, 1)], {"stroke": "currentColor", "stroke-opacity": "0.5", "stroke-dasharray": "4 4"})
    for number, (name, bins) in enumerate(sides.items()):
        color, most = COLORS[number], max((bin_["count"] for bin_ in bins), default=1)
        for bin_ in bins:
            x, y = plane.at(bin_["sure"], bin_["right"])
            low, high = (plane.at(0, share)[1] for share in wilson(bin_["right"], bin_["count"]))
            _upright(root, x, (low, high), color)
            dot = add(root, "circle", {"cx": x, "cy": y, "r": 2.5 + 5 * (bin_["count"] / most) ** 0.5, "fill": color})
            held = f"{bin_['count']} answers, {percent(bin_['sure'])} sure, {percent(bin_['right'])} right"
            add(dot, "title", {}, f"{name}: {held}")
    _legend(root, list(sides), "how right")
    return written(root)


def endured(plain: Mapping[str, float], damages: Sequence[Mapping[str, Any]]) -> str:
    """The accuracy under each damage over its strength, with 95 % intervals; it begins with pictures as they are.

    Args:
        plain: "top1", "low" and "high" of pictures as they are.
        damages: each with a "name" and "levels" of a "strength" and those three.

    Returns:
        SVG.
    """
    steps = [[plain, *damage["levels"]] for damage in damages]
    names = ["none", *(str(level["strength"]) for level in max(steps, key=len)[1:])]
    up = ticks(min(level["low"] for levels in steps for level in levels), 1)
    plane = _Plane(-0.25, len(names) - 0.75, up[0], up[-1])
    told = "; ".join(f"{damage['name']} to {percent(damage['levels'][-1]['top1'])}" for damage in damages)
    root = drawing(WIDTH, HEIGHT, name="chart", title="Accuracy under damage", description=f"{told}.")
    plane.rows(root, up)
    plane.columns(root, {float(place): name for place, name in enumerate(names)}, "damage")
    for number, (damage, levels) in enumerate(zip(damages, steps, strict=True)):
        color, aside = COLORS[number % len(COLORS)], 0.05 * (number - (len(damages) - 1) / 2)
        points = [(place + aside * bool(place), level["top1"]) for place, level in enumerate(levels)]
        plane.line(root, points, {"stroke": color, "stroke-width": 2})
        for point, level in zip(points, levels, strict=True):
            _whisker(root, plane, point, level, color=color, name=str(damage["name"]))
    _legend(root, [str(damage["name"]) for damage in damages])
    return written(root)


def _whisker(
    root: Element, plane: _Plane, point: tuple[float, float], level: Mapping[str, Any], *, color: str, name: str
) -> None:
    (x, y), low, high = plane.at(*point), plane.at(point[0], level["low"])[1], plane.at(point[0], level["high"])[1]
    _upright(root, x, (low, high), color)
    dot = add(root, "circle", {"cx": x, "cy": y, "r": 3, "fill": color})
    reach = f"{percent(level['low'])} to {percent(level['high'])}"
    add(dot, "title", {}, f"{name}, {level.get('strength', 'none')}: {percent(level['top1'])} ({reach})")


def _upright(root: Element, x: float, ends: tuple[float, float], color: str) -> None:
    """An interval, as a line from one end to the other."""
    line = {"x1": x, "x2": x, "y1": ends[0], "y2": ends[1], "stroke": color, "stroke-width": 1.4}
    add(root, "line", line | {"stroke-opacity": "0.5"})


def _legend(root: Element, names: Sequence[str], up: str = "") -> None:
    x = LEFT
    for number, name in enumerate(names):
        add(root, "rect", {"x": x, "y": 8, "width": 14, "height": 4, "rx": 2, "fill": COLORS[number % len(COLORS)]})
        add(root, "text", {"x": x + 19, "y": 15, "font-size": 12.5}, name)
        x += 36 + text_width(name, 12.5)
    if up:
        add(root, "text", QUIET | {"x": LEFT, "y": TOP - 12}, up)
