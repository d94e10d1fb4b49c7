"""Where an exported file's time goes, operator by operator, under the roof of the machine that ran it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mobilevision.cost import Row
from mobilevision.pages import quantities
from mobilevision.pages.facts import Missing, RunFacts
from mobilevision.pages.plane import COLORS, Frame, Plane, logarithmic
from mobilevision.pages.svg import Element, add, text_width, written

SLOWEST = 8
"""Operators that are listed."""

FRAME = Frame(560, 380, left=58, right=18, top=54, bottom=44, head=(4, 42))
BOUNDS = {"compute": COLORS[0], "memory": COLORS[1]}
DASHES = {"stroke-dasharray": "5 4"}
LEAST, MOST = 3.0, 14.0  # radius of an operator that takes no time, and of one that takes all

TOLD = ("file", "how", "threads", "runs", "machine", "whole", "layers")
OPERATOR = ("name", "operator", "ms", "macs", "bytes", "bound", "achieved")
"""What `bench --layers` says of a file, and of an operator."""

Operator = Mapping[str, Any]


class Spent(NamedTuple):
    """A file's time.

    Attributes:
        facts: what `bench --layers` left beside the file.
        drawing: every operator that multiplies as a point under the machine's roof, as SVG; "" if there is none.
        slowest: the operators that take the most.
        rows: ms of each row of the network; None where operators and rows cannot be told to be the same.
    """

    facts: Mapping[str, Any]
    drawing: str
    slowest: Sequence[Operator]
    rows: list[float] | None


def spent(facts: RunFacts, rows: Sequence[Row], missing: list[Missing]) -> list[Spent]:
    """The time of each file of a run that was timed operator by operator.

    Args:
        facts: what the run holds.
        rows: of its network.
        missing: told which file's times cannot be read.
    """
    found = []
    for file in facts.artifacts:
        if "layers" not in file:
            continue
        try:
            found.append(_spent(file, rows))
        except (KeyError, TypeError, ValueError, AttributeError):
            command = f"mobilevision bench {facts.quoted} --layers"
            missing.append(Missing(f"The times of the operators of {file['file']} are not whole.", command))
    return found


def _spent(file: Mapping[str, Any], rows: Sequence[Row]) -> Spent:
    told = {name: file["layers"][name] for name in TOLD} | {"precision": file.get("precision", "")}
    layers = [{name: layer[name] for name in OPERATOR} for layer in told["layers"]]
    slowest = sorted(layers, key=lambda layer: -float(layer["ms"]))[:SLOWEST]
    return Spent(told, roofs(told), slowest, by_row(rows, layers))


def by_row(rows: Sequence[Row], layers: Sequence[Operator]) -> list[float] | None:
    """The time of each row of a network, in ms, from that of its file's operators.

    Operators run in the order of the rows, and a row's multiply-accumulates tell where it ends; one that multiplies
    nothing belongs to the row before it, so that a row of nothing else has no time. None where the counts do not meet,
    as in files in 8 bits with another stem.
    """
    times, at = [], 0
    for row in rows:
        wanted, done, ms = row.cost.macs + row.cost.attention_macs, 0, 0.0
        while at < len(layers) and (done < wanted or not layers[at]["macs"]):
            done, ms, at = done + layers[at]["macs"], ms + layers[at]["ms"], at + 1
        if done != wanted:
            return None
        times.append(ms)
    return times if at == len(layers) else None


def roofs(facts: Mapping[str, Any]) -> str:
    """The machine's roofline: how fast each operator multiplies, over how much it multiplies for a byte.

    The flat roof is the machine's best matrix product, the slopes the bytes a second of its nearest cache and of its
    memory, all measured in the same run.

    Args:
        facts: as `Breakdown.facts` gives them, with the file's "precision".

    Returns:
        SVG, or "" if no operator has both multiply-accumulates and bytes.
    """
    points = [layer for layer in facts["layers"] if layer["macs"] and layer["bytes"] and layer["ms"]]
    if not points:
        return ""
    machine = facts["machine"]
    peak = machine["gmacs_int8" if facts["precision"] == "int8" else "gmacs"]
    speeds = [speed for _, speed in machine["bandwidth"]]
    told = f"{len(points)} operators; the roof is at {peak:.0f} billion multiply-accumulates a second."
    plane = _plane(points, peak)
    root = plane.drawing(f"The machine's roofline for {facts['file']}", told)
    for speed, name in ((max(speeds), "nearest cache"), (speeds[-1], "memory")):
        _roof(root, plane, speed, peak, name)
    for layer in sorted(points, key=lambda layer: -layer["ms"]):  # small ones above
        _point(root, plane, layer, facts["whole"]["ms"])
    _legend(root)
    return written(root)


def _plane(points: Sequence[Operator], peak: float) -> Plane:
    """Room for every operator and for the flat roof."""
    across, up = [layer["macs"] / layer["bytes"] for layer in points], [_speed(layer) for layer in points]
    return Plane(
        FRAME,
        logarithmic("multiply-accumulates a byte", min(across) / 1.6, max(across) * 1.6, "{:g}".format),
        logarithmic("billions of them a second", min(up) / 1.8, max(peak, *up) * 1.5, "{:g}".format),
    )


def _roof(root: Element, plane: Plane, speed: float, peak: float, name: str) -> None:
    """A slope of so many billion bytes a second, up to the flat roof."""
    left, right, low = plane.across.low, plane.across.high, plane.up.low
    corner = min(max(peak / speed, left), right)
    ends = [(x, max(min(peak, speed * x), low)) for x in (max(left, low / speed), corner, right) if x <= right]
    dashes = {} if name == "memory" else DASHES
    line = plane.line(root, ends, {"stroke": "currentColor", "stroke-opacity": "0.6", "stroke-width": 1.6} | dashes)
    add(line, "title", {}, f"{name}: {speed:.0f} GB a second")


def _point(root: Element, plane: Plane, layer: Operator, whole: float) -> None:
    share = layer["ms"] / whole if whole else 0.0
    color = {"fill": BOUNDS.get(layer["bound"], COLORS[6]), "fill-opacity": "0.62"}
    told = f"{layer['operator']}: {quantities.milliseconds(layer['ms'])}, {layer['achieved']:.0%} of what is possible"
    place = (layer["macs"] / layer["bytes"], _speed(layer))
    plane.dot(root, place, color | {"r": LEAST + (MOST - LEAST) * math.sqrt(share)}, told)


def _speed(layer: Operator) -> float:
    """Billions of multiply-accumulates a second."""
    return float(layer["macs"] / layer["ms"] / 1e6)


def _legend(root: Element) -> None:
    x, quiet = FRAME.left, {"stroke": "currentColor", "stroke-opacity": "0.6", "stroke-width": 1.6}
    for name, color in (("bound by compute", BOUNDS["compute"]), ("by memory", BOUNDS["memory"])):
        add(root, "circle", {"cx": x + 5, "cy": 16, "r": 5, "fill": color, "fill-opacity": "0.62"})
        x = _named(root, name, x + 15)
    for name, dashes in (("memory's speed", {}), ("cache's speed", DASHES)):
        add(root, "line", quiet | dashes | {"x1": x, "x2": x + 22, "y1": 16, "y2": 16})
        x = _named(root, name, x + 28)


def _named(root: Element, name: str, x: float) -> float:
    """Write a name of the legend; where the next entry begins."""
    add(root, "text", {"x": x, "y": 20, "font-size": 12.5}, name)
    return x + text_width(name, 12.5) + 16
