"""What is better than what, if more of one thing and less of another are wanted at once; and the picture of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mobilevision.pages.charts import COLORS, ticks
from mobilevision.pages.svg import Element, add, drawing, text_width

WIDTH, HEIGHT = 560.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 18.0, 40.0, 40.0
LETTER = 11.0  # font size of a label
FEWEST = 3  # ticks of an axis


class Point(NamedTuple):
    """Something that costs and is worth something.

    Attributes:
        name: what it is called.
        cost: the less, the better; more than 0.
        gain: the more, the better.
    """

    name: str
    cost: float
    gain: float


class Axis(NamedTuple):
    """What a direction of the picture tells.

    Attributes:
        name: what is counted, with its unit.
        form: how a value is written.
    """

    name: str
    form: Callable[[float], str]


def front(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that no other beats, from the cheapest: none costs less or as much and gains more, or the reverse."""
    return tuple(sorted((one for one in points if not beaten_by(one, points)), key=lambda one: one.cost))


def beaten_by(one: Point, points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that are at least as good as `one` in both ways, and better in one."""
    return tuple(
        other
        for other in points
        if other.cost <= one.cost and other.gain >= one.gain and (other.cost, other.gain) != (one.cost, one.gain)
    )


def scatter(title: str, points: Sequence[Point], *, across: Axis, up: Axis) -> Element:
    """The points with the front through the best of them; costs stand on a logarithmic axis.

    Args:
        title: what the picture shows.
        points: at least one.
        across: what the cost is.
        up: what the gain is.

    Returns:
        A drawing.
    """
    best = front(points)
    told = f"On the front, from the cheapest: {', '.join(one.name for one in best)}."
    root = drawing(WIDTH, HEIGHT, name="chart", title=title, description=told)
    add(root, "text", {"x": LEFT, "y": 18, "font-size": 15, "font-weight": 600}, title)
    plane = _Plane(points)
    plane.axes(root, across, up)
    line = " ".join("{:.1f},{:.1f}".format(*plane.at(one)) for one in best)
    add(root, "polyline", {"points": line, "fill": "none", "stroke": COLORS[0], "stroke-width": 2})
    places = {one: plane.at(one) for one in points}
    for one, at in places.items():
        _mark(root, one, at, on_front=one in best, told=f"{across.form(one.cost)}, {up.form(one.gain)}")
    taken = [_Box(x - 4, x + 4, y - 4, y + 4) for x, y in places.values()]
    for one in dict.fromkeys((*best, *points)):  # the best get their labels first
        _label(root, one.name, places[one], taken)
    return root


class _Plane:
    """From values to pixels."""

    def __init__(self, points: Sequence[Point]) -> None:
        costs, gains = [one.cost for one in points], [one.gain for one in points]
        self.low, self.high = math.log(min(costs) / 1.12), math.log(max(costs) * 1.25)
        self.up = ticks(min(gains), max(gains))

    def at(self, one: Point) -> tuple[float, float]:
        return self.x(one.cost), self.y(one.gain)

    def x(self, cost: float) -> float:
        return LEFT + (math.log(cost) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def y(self, gain: float) -> float:
        share = (gain - self.up[0]) / (self.up[-1] - self.up[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self, root: Element, across: Axis, up: Axis) -> None:
        quiet = {"font-size": 12, "fill-opacity": "0.75"}
        for value in self.up:
            y = self.y(value)
            line = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y, "y2": y, "stroke": "currentColor"}
            add(root, "line", line | {"stroke-opacity": "0.15"})
            add(root, "text", quiet | {"x": LEFT - 6, "y": y + 4, "text-anchor": "end"}, up.form(value))
        for value in round_steps(math.exp(self.low), math.exp(self.high)):
            place = {"x": self.x(value), "y": HEIGHT - BOTTOM + 16, "text-anchor": "middle"}
            add(root, "text", quiet | place, across.form(value))
        add(root, "text", quiet | {"x": WIDTH - RIGHT, "y": HEIGHT - 6, "text-anchor": "end"}, across.name)
        add(root, "text", quiet | {"x": LEFT, "y": 34}, up.name)


def round_steps(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: powers of ten; 1, 2 and 5 times these; or, where few of them fit, evenly spread."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    few = [10.0**power for power in powers] if len(powers) > 3 else []
    more = [step * power for power in (10.0**power for power in powers) for step in (1, 2, 5)]
    kept = [[value for value in each if low <= value <= high] for each in (few, more, ticks(low, high))]
    return next((each for each in kept if len(each) >= FEWEST), kept[-1])


def _mark(root: Element, one: Point, at: tuple[float, float], *, on_front: bool, told: str) -> None:
    x, y = at
    shape = {"cx": x, "cy": y, "r": 4.2 if on_front else 3.2, "fill": COLORS[0] if on_front else "currentColor"}
    dot = add(root, "circle", shape | ({} if on_front else {"fill-opacity": "0.45"}))
    add(dot, "title", {}, f"{one.name}: {told}")


class _Box(NamedTuple):
    """A part of the drawing that is taken, in pixels."""

    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        """Whether they share a place."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def _label(root: Element, name: str, at: tuple[float, float], taken: list[_Box]) -> None:
    """Write a name beside its point, where nothing stands yet; where every place is taken the pointer still tells."""
    x, y = at
    width = text_width(name, LETTER)
    beside, above = (x + 7, x - 7 - width), (x + 4, x - width / 2, x - width - 4)
    spots = [(left, y + rise) for rise in (4,) for left in beside]
    spots += [(left, y + rise) for rise in (-8, 17, -20, 29) for left in above]
    for left, base in spots:
        box = _Box(left, left + width, base - LETTER, base + 3)
        inside = left >= 2 and box.right <= WIDTH - 2 and box.top >= TOP and box.bottom <= HEIGHT - BOTTOM + 4
        if inside and not any(box.meets(other) for other in taken):
            add(root, "text", {"x": left, "y": base, "font-size": LETTER}, name)
            taken.append(box)
            return
