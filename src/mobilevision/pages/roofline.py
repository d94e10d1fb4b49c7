"""The universal roofline: which network is best on which hardware (arXiv:2404.10518, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.cost import Row, roofline, walk
from mobilevision.errors import UsageError
from mobilevision.pages.operators import Spent
from mobilevision.pages.pareto import FRAME, Axis, Point, front, scatter
from mobilevision.pages.report import TEMPLATES, environment
from mobilevision.pages.svg import drawing, written
from mobilevision.weights.published import published_for

RIDGES = tuple(float(ridge) for ridge in range(501))
"""Multiply-accumulates a byte, from 0 (arithmetic alone) to 500, as the paper sweeps them."""

SHOWN = {0.0: "arithmetic alone", 30.0: "phones' processors", 120.0: "their accelerators", 500.0: "bytes above all"}
"""The ridge points that the picture shows, and what is near them."""


@dataclass(frozen=True)
class Candidate:
    """A network as the sweep sees it.

    Attributes:
        name: what it is called.
        size: side of its images, in pixels.
        rows: what it computes.
        top1: percent of ImageNet-1k's validation pictures that published weights name right; None if none are.
        source: which weights; "" if none.
    """

    name: str
    size: int
    rows: tuple[Row, ...]
    top1: float | None = None
    source: str = ""


@dataclass(frozen=True)
class Sweep:
    """Networks over all ridge points.

    Attributes:
        candidates: the networks.
        ridges: multiply-accumulates that the hardware can do while it moves a byte.
        times: of each network at each ridge point, in multiply-accumulates at peak, by name.
    """

    candidates: tuple[Candidate, ...]
    ridges: tuple[float, ...]
    times: dict[str, tuple[float, ...]]

    def ranked(self, ridge: float) -> list[str]:
        """The names at a ridge point, the fastest first."""
        at = self.ridges.index(ridge)
        return sorted(self.times, key=lambda name: self.times[name][at])

    def points(self, at: int) -> list[Point]:
        """The networks with an accuracy, at a place of `ridges`."""
        return [Point(one.name, self.times[one.name][at], one.top1) for one in self.candidates if one.top1 is not None]

    def best(self, name: str) -> list[tuple[float, float]]:
        """The ranges of ridge points, first and last, where no network is as fast and more accurate, or the reverse."""
        on = [any(point.name == name for point in front(self.points(at))) for at in range(len(self.ridges))]
        groups = groupby(zip(self.ridges, on, strict=True), key=lambda pair: pair[1])
        spans = [[ridge for ridge, _ in group] for is_on, group in groups if is_on]
        return [(span[0], span[-1]) for span in spans]

    def facts(self) -> list[dict[str, Any]]:
        """As plain JSON, a network each, the one that is best over the widest range first."""
        rows = [
            {
                "name": one.name,
                "size": one.size,
                "macs": round(self.times[one.name][0]),
                "top1": one.top1,
                "weights": one.source,
                "best_at": self.best(one.name),
                "place": {f"{ridge:g}": self.ranked(ridge).index(one.name) + 1 for ridge in SHOWN},
            }
            for one in self.candidates
        ]
        return sorted(rows, key=lambda row: -sum(last - first + 1 for first, last in row["best_at"]))


def sweep(candidates: Sequence[Candidate], *, bytes_per_number: int = 1) -> Sweep:
    """Time networks on every ideal hardware.

    Args:
        candidates: at least one, each of another name.
        bytes_per_number: of weights and activations on the device; int8 has 1.

    Raises:
        UsageError: if there is none, or two of one name.
    """
    names = [one.name for one in candidates]
    if not names:
        raise UsageError("there is no network to compare; give some names")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{twice[0]} is asked for twice; give each network once")
    times = {
        one.name: tuple(roofline(one.rows, ridge=ridge, bytes_per_number=bytes_per_number) for ridge in RIDGES)
        for one in candidates
    }
    return Sweep(tuple(candidates), RIDGES, times)


def candidate(arch: Arch, *, size: int | None = None) -> Candidate:
    """A network with the accuracy of its usual published weights, at the size these are for.

    Args:
        arch: the network.
        size: side of the images, in pixels; another than the weights' leaves it without an accuracy.
    """
    usual = next((one for one in published_for(arch.name) if one.classes == 1000 and one.top1 is not None), None)
    if usual is None or size not in (None, usual.preprocessing.size[0]):
        side = size or arch.size
        return Candidate(arch.name, side, tuple(walk(arch, side)))
    side = usual.preprocessing.size[0]
    return Candidate(arch.name, side, tuple(walk(arch, side)), usual.top1, usual.name)


def drawn(found: Sweep) -> str:
    """The fronts at four ridge points, as one drawing in SVG."""
    across, up = (
        Axis("time, MACs at peak", lambda cost: f"{cost / 1e9:g} G"),
        Axis("top-1, %", lambda gain: f"{gain:g}"),
    )
    told = "Accuracy over the time on ideal hardware, at four ridge points."
    wide, high = FRAME.width, FRAME.height
    root = drawing(2 * wide, 2 * high, name="chart", title="The universal roofline", description=told)
    for number, (ridge, what) in enumerate(SHOWN.items()):
        panel = scatter(f"Ridge {ridge:g}: {what}", found.points(found.ridges.index(ridge)), across=across, up=up)
        panel.attrib |= {"x": f"{number % 2 * wide:g}", "y": f"{number // 2 * high:g}"}
        panel.attrib |= {"width": f"{wide:g}", "height": f"{high:g}"}
        root.append(panel)
    return written(root)


def page(found: Sweep, *, measured: Sequence[Spent] = ()) -> str:
    """The drawing and the table as one HTML page that needs nothing else.

    Args:
        found: the networks on every ideal hardware.
        measured: files with the time of every operator on this machine, whose own roofline stands beside.
    """
    return (
        environment()
        .get_template("roofline.html.jinja")
        .render(
            drawing=drawn(found) if found.points(0) else "",
            rows=found.facts(),
            measured=[each for each in measured if each.drawing],
            ridges=[f"{ridge:g}" for ridge in SHOWN],
            style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        )
    )
