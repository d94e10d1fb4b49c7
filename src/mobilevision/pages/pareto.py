"""What is better than what, if more of one thing and less of another are wanted at once; and the picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mobilevision.pages.plane import COLORS, Form, Frame, Plane, linear, logarithmic
from mobilevision.pages.svg import Element, add, text_width

FRAME = Frame(560, 400, left=56, right=18, top=40, bottom=40, head=(56, 34))
LETTER = 11.0  # font size of a label


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
    form: Form


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
    costs = [one.cost for one in points]
    cost = logarithmic(across.name, min(costs) / 1.12, max(costs) * 1.25, across.form)
    plane = Plane(FRAME, cost, linear(up.name, [one.gain for one in points], up.form))
    root = plane.drawing(title, told)
    add(root, "text", {"x": FRAME.left, "y": 18, "font-size": 15, "font-weight": 600}, title)
    plane.line(root, [(one.cost, one.gain) for one in best], {"stroke": COLORS[0], "stroke-width": 2})
    for one in dict.fromkeys(points):
        look = {"r": 4.2, "fill": COLORS[0]} if one in best else {"r": 3.2, "fill-opacity": "0.45"}
        plane.dot(root, (one.cost, one.gain), look, f"{one.name}: {across.form(one.cost)}, {up.form(one.gain)}")
    places = {one: plane.at(one.cost, one.gain) for one in (*best, *points)}  # the best get their labels first
    taken = [_Box(x - 4, x + 4, y - 4, y + 4) for x, y in places.values()]
    for one, place in places.items():
        _label(root, one.name, place, taken)
    return root


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
        inside = left >= 2 and box.right <= FRAME.width - 2 and box.top >= FRAME.top and box.bottom <= FRAME.floor + 4
        if inside and not any(box.meets(other) for other in taken):
            add(root, "text", {"x": left, "y": base, "font-size": LETTER}, name)
            taken.append(box)
            return
