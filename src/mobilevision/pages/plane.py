"""The plane that charts are drawn on: from values to pixels, with the lines and words of both axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mobilevision.pages.svg import Element, add, drawing, text_width

COLORS = ("#4a86d8", "#e0853a", "#27a38d", "#c2609e", "#8a7fd6", "#b59a2f", "#5f7f9a", "#d0604f")
QUIET: dict[str, object] = {"font-size": 12, "fill-opacity": "0.75"}
"""How axes are written, so that they stand behind what is drawn."""

FEWEST = 3  # words of a logarithmic axis

Form = Callable[[float], str]
"""How a value is written."""


class Frame(NamedTuple):
    """A drawing and the margins around its plane, in pixels.

    Attributes:
        width: of the drawing.
        height: of the drawing.
        left: margin.
        right: margin.
        top: margin.
        bottom: margin.
        foot: from the name of the horizontal axis to the drawing's lower edge.
        head: where the name of the vertical axis begins, from the upper left.
    """

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    foot: float = 6.0
    head: tuple[float, float] = (2.0, 14.0)

    @property
    def edge(self) -> float:
        """Where the plane ends at the right."""
        return self.width - self.right

    @property
    def floor(self) -> float:
        """Where the plane ends below."""
        return self.height - self.bottom


class Scale(NamedTuple):
    """The values of an axis.

    Attributes:
        name: what they count, with its unit; "" if that is told elsewhere.
        low: where the axis begins.
        high: where it ends.
        words: what is written beside which values.
        even: makes of a value what the axis spreads evenly: the value itself, or its logarithm.
    """

    name: str
    low: float
    high: float
    words: Mapping[float, str]
    even: Callable[[float], float] = float

    def share(self, value: float) -> float:
        """How far along the axis a value lies, as a share of its length."""
        low, high = self.even(self.low), self.even(self.high)
        return (self.even(value) - low) / (high - low)


def linear(name: str, values: Sequence[float], form: Form) -> Scale:
    """A scale between the round numbers around some values; every round number is written."""
    steps = ticks(min(values), max(values))
    return Scale(name, steps[0], steps[-1], {step: form(step) for step in steps})


def logarithmic(name: str, low: float, high: float, form: Form) -> Scale:
    """A scale on which equal steps are equal factors, from `low`, which is more than 0, to `high`."""
    return Scale(name, low, high, {step: form(step) for step in _round_steps(low, high)}, math.log)


def ticks(low: float, high: float, *, wanted: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that reach from below `low` to above `high`."""
    span = (high - low) or abs(high) or 1.0
    rough = span / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _round_steps(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis: powers of ten; 1, 2 and 5 times these; or, where few of them fit, evenly spread."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    few = [10.0**power for power in powers] if len(powers) > 3 else []
    more = [step * power for power in (10.0**power for power in powers) for step in (1, 2, 5)]
    kept = [[value for value in each if low <= value <= high] for each in (few, more, ticks(low, high))]
    return next((each for each in kept if len(each) >= FEWEST), kept[-1])


class Plane(NamedTuple):
    """A frame with its two scales."""

    frame: Frame
    across: Scale
    up: Scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a value across and a value up meet, in pixels."""
        frame = self.frame
        right = frame.left + self.across.share(x) * (frame.edge - frame.left)
        return right, frame.floor - self.up.share(y) * (frame.floor - frame.top)

    def drawing(self, title: str, description: str) -> Element:
        """A chart of nothing but its axes; a screen reader says the title and the description."""
        frame = self.frame
        root = drawing(frame.width, frame.height, name="chart", title=title, description=description)
        for value, word in self.up.words.items():
            y = self.at(self.across.low, value)[1]
            line = {"x1": frame.left, "x2": frame.edge, "y1": y, "y2": y, "stroke": "currentColor"}
            add(root, "line", line | {"stroke-opacity": "0.15"})
            add(root, "text", QUIET | {"x": frame.left - 7, "y": y + 4, "text-anchor": "end"}, word)
        for value, word in self.across.words.items():
            x = self.at(value, self.up.low)[0]
            add(root, "text", QUIET | {"x": x, "y": frame.floor + 17, "text-anchor": "middle"}, word)
        end = {"x": frame.edge, "y": frame.height - frame.foot, "text-anchor": "end"}
        add(root, "text", QUIET | end, self.across.name)
        if self.up.name:
            add(root, "text", QUIET | {"x": frame.head[0], "y": frame.head[1]}, self.up.name)
        return root

    def line(self, root: Element, points: Sequence[tuple[float, float]], facts: Mapping[str, object]) -> Element:
        """Straight lines from value to value."""
        path = " ".join("{:.1f},{:.1f}".format(*self.at(x, y)) for x, y in points)
        return add(root, "polyline", {"points": path, "fill": "none", "stroke-linejoin": "round"} | dict(facts))

    def dot(self, root: Element, point: tuple[float, float], facts: Mapping[str, object], told: str) -> None:
        """A point that tells of itself under the pointer."""
        x, y = self.at(*point)
        add(add(root, "circle", {"cx": x, "cy": y} | dict(facts)), "title", {}, told)


def legend(root: Element, frame: Frame, names: Sequence[str]) -> None:
    """The names of what is drawn in `COLORS`, above the plane; in rows, where they are many."""
    x, y = frame.left, 15.0
    for number, name in enumerate(names):
        wide = 19 + text_width(name, 12.5)
        if x > frame.left and x + wide > frame.width:
            x, y = frame.left, y + 14
        color = COLORS[number % len(COLORS)]
        add(root, "rect", {"x": x, "y": y - 7, "width": 14, "height": 4, "rx": 2, "fill": color})
        add(root, "text", {"x": x + 19, "y": y, "font-size": 12.5}, name)
        x += wide + 17
