"""How sure and how right, and what is left of an accuracy under damage, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mobilevision.pages.plane import COLORS, Frame, Plane, Scale, legend, linear
from mobilevision.pages.quantities import percent
from mobilevision.pages.svg import Element, written
from mobilevision.tasks.figures import wilson

FRAME = Frame(420, 300, left=52, right=24, top=46, bottom=44, head=(52, 34))
INTERVAL = {"stroke-width": 1.4, "stroke-opacity": "0.5"}


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
    fifths = {number / 5: percent(number / 5, digits=0) for number in range(6)}
    plane = Plane(FRAME, Scale("how sure", 0, 1, fifths), Scale("how right", 0, 1, fifths))
    root = plane.drawing("Reliability diagram", told)
    plane.line(root, [(0, 0), (1, 1)], {"stroke": "currentColor", "stroke-opacity": "0.5", "stroke-dasharray": "4 4"})
    for number, (name, bins) in enumerate(sides.items()):
        color, most = COLORS[number], max((bin_["count"] for bin_ in bins), default=1)
        for bin_ in bins:
            sure, right, count = bin_["sure"], bin_["right"], bin_["count"]
            plane.line(root, [(sure, end) for end in wilson(right, count)], INTERVAL | {"stroke": color})
            dot = {"r": 2.5 + 5 * (count / most) ** 0.5, "fill": color}
            held = f"{name}: {count} answers, {percent(sure)} sure, {percent(right)} right"
            plane.dot(root, (sure, right), dot, held)
    legend(root, FRAME, list(sides))
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
    least = min(level["low"] for levels in steps for level in levels)
    across = Scale("damage", -0.25, len(names) - 0.75, dict(enumerate(names)))
    plane = Plane(FRAME, across, linear("", [least, 1], lambda share: percent(share, digits=0)))
    told = "; ".join(f"{damage['name']} to {percent(damage['levels'][-1]['top1'])}" for damage in damages)
    root = plane.drawing("Accuracy under damage", f"{told}.")
    for number, (damage, levels) in enumerate(zip(damages, steps, strict=True)):
        color, aside = COLORS[number % len(COLORS)], 0.05 * (number - (len(damages) - 1) / 2)
        points = [(place + aside * bool(place), level["top1"]) for place, level in enumerate(levels)]
        plane.line(root, points, {"stroke": color, "stroke-width": 2})
        for point, level in zip(points, levels, strict=True):
            _whisker(root, plane, point, level, color=color, name=str(damage["name"]))
    legend(root, FRAME, [str(damage["name"]) for damage in damages])
    return written(root)


def _whisker(
    root: Element, plane: Plane, point: tuple[float, float], level: Mapping[str, Any], *, color: str, name: str
) -> None:
    plane.line(root, [(point[0], level[end]) for end in ("low", "high")], INTERVAL | {"stroke": color})
    reach = f"{percent(level['low'])} to {percent(level['high'])}"
    told = f"{name}, {level.get('strength', 'none')}: {percent(level['top1'])} ({reach})"
    plane.dot(root, point, {"r": 3, "fill": color}, told)
