"""A network as a picture: one box a block, drawn from the rows that its costs come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from typing import NamedTuple

from mobilevision.architecture import Arch
from mobilevision.cost import Row, walk
from mobilevision.pages import quantities
from mobilevision.pages.svg import Element, add, drawing, mixed, polygon, text_width, written
from mobilevision.pages.words import Kind, describe, kind

WIDTH, HEIGHT = 1000.0, 500.0
LEFT, RIGHT, TOP = 26.0, 26.0, 22.0
FLOOR = 372.0  # where the boxes stand
TALLEST = 286.0  # the box of the image
ACROSS, UP = 0.30, 0.17  # how far the depth of a box goes right and up, as shares of its side
BLOCK_GAP, STAGE_GAP, GROUP_GAP = 2.5, 9.0, 20.0
THICKEST = 4.2  # widest box, in pixels for one square root of a channel
COST = 40.0  # longest bar of a block's share of the MACs
HILLS = (("#8fc0a0", (0.62, 0.40, 0.52, 0.72)), ("#4f8f6b", (0.86, 0.84, 0.62, 0.58)))  # color, heights of the curve
NARROW = "(max-width: 560px)"

STYLE = f"""
.mv-network {{ color: #1f2733; width: 100%; height: auto; display: block }}
.mv-network .narrow {{ display: none }}
@media (prefers-color-scheme: dark) {{ .mv-network {{ color: #e3e8ef }} }}
@media {NARROW} {{
  .mv-network .wide {{ display: none }}
  .mv-network .narrow {{ display: inline }}
}}
@media print {{ .mv-network {{ color: #1f2733 }} }}
"""


class Size(NamedTuple):
    """How a label is written where there is room, or on a phone, whose screen shrinks the drawing to a third."""

    name: str
    title: float
    text: float
    line: float


WIDE = Size("wide", 22, 15, 25)
PHONE = Size("narrow", 33, 27, 39)


@dataclass(frozen=True)
class Group:
    """Rows in a line whose maps have one size.

    Attributes:
        side: height and width of the maps, in pixels.
        stages: the rows, by stage.
    """

    side: tuple[int, int]
    stages: tuple[tuple[Row, ...], ...]

    @property
    def label(self) -> str:
        """The size of the maps: one number for a square."""
        height, width = self.side
        return f"{height}" if height == width else f"{height}x{width}"


def picture(arch: Arch, size: int | tuple[int, int] | None = None, *, outputs: int = 1000) -> str:
    """The network as a drawing that stands alone.

    A box is a block: as tall and deep as the map it gives is high and wide, as thick as it has channels (all three by
    their square root), in the color of its kind. Under it hangs its share of the multiply-accumulates. The drawing
    follows the light or dark of the page and writes larger, fewer words on a narrow screen.

    Args:
        arch: what to draw.
        size: side of the image in pixels, or (height, width); default is the architecture's own.
        outputs: what the head gives, for a classifier the number of classes.

    Returns:
        The text of an SVG file.

    Raises:
        UsageError: if the image is too small for the network.
    """
    rows = walk(arch, size, outputs)
    image = rows[0].shape[1:]
    root = drawing(WIDTH, HEIGHT, name="mv-network", title=f"The network {arch.name}", description=_told(arch, rows))
    add(root, "style", {}, STYLE)
    groups = [*_groups(rows), _head(rows[-1])]
    line = _Line(root, TALLEST / sqrt(max(image)), max(row.cost.macs + row.cost.attention_macs for row in rows))
    left = _image(root, line.scale, image)
    line.draw(groups, left)
    _titles(root, arch, rows)
    _margin(root)
    return written(root)


def _groups(rows: Sequence[Row]) -> list[Group]:
    """The blocks, by the size of their maps and then by stage; the head apart."""
    found = []
    for side, same in groupby(rows[:-1], key=lambda row: row.cost.shape[1:]):
        stages = tuple(tuple(stage) for _, stage in groupby(same, key=lambda row: row.place[0]))
        found.append(Group((side[0], side[1]), stages))
    return found


def _head(row: Row) -> Group:
    """The head: as large as the map it gives or, if it gives boxes, as the finest it reads; a vector is one pixel."""
    gives, reads = row.cost.shape, _maps(row)
    side = {3: gives[1:], 2: reads[0][1:]}.get(len(gives), (1, 1))
    return Group((side[0], side[1]), ((row,),))


def _maps(row: Row) -> tuple[tuple[int, ...], ...]:
    """The shapes of what a row reads; a head may read several maps."""
    return row.shape if isinstance(row.shape[0], tuple) else (row.shape,)


class _Line:
    """Boxes from left to right on one floor."""

    def __init__(self, root: Element, scale: float, costliest: int) -> None:
        self.root, self.scale, self.costliest = root, scale, costliest
        self.thickness = THICKEST

    def draw(self, groups: Sequence[Group], left: float) -> None:
        """Draw every group, as thick as the paper allows."""
        room = WIDTH - RIGHT - left - ACROSS * self.scale
        self.thickness = _fitting(groups, room)
        x = left
        for group in groups:
            end = self._group(group, x)
            x = end + GROUP_GAP

    def _group(self, group: Group, left: float) -> float:
        x = left + (_group_width(group, self.thickness) - _boxes_width(group, self.thickness)) / 2
        for stage in group.stages:
            start = x
            x += (_stage_width(stage, self.thickness) - _stage_boxes(stage, self.thickness)) / 2
            for row in stage:
                self._box(row, x, group.side)
                x += _thick(row, self.thickness) + BLOCK_GAP
            x = start + _stage_width(stage, self.thickness)
            self._channels(stage, start, x)
            x += STAGE_GAP
        end = left + _group_width(group, self.thickness)
        self._side(group, left, end)
        return end

    def _box(self, row: Row, x: float, side: tuple[int, int]) -> None:
        wide, high = _thick(row, self.thickness), self.scale * sqrt(side[0])
        dx, dy = (share * self.scale * sqrt(side[1]) for share in (ACROSS, UP))
        color = kind(row.block).color
        box = add(self.root, "g", {"class": "block"})
        add(box, "title", {}, _hint(row))
        top, right = FLOOR - high, x + wide
        deep = [(right, FLOOR), (right + dx, FLOOR - dy), (right + dx, top - dy), (right, top)]
        over = [(x, top), (x + dx, top - dy), (right + dx, top - dy), (right, top)]
        polygon(box, deep, {"fill": mixed(color, "#000000", 0.28)})
        polygon(box, over, {"fill": mixed(color, "#ffffff", 0.42)})
        add(box, "rect", {"x": x, "y": top, "width": wide, "height": high, "fill": color})
        share = (row.cost.macs + row.cost.attention_macs) / max(1, self.costliest)
        bar = {"x": x, "y": FLOOR + 6, "width": wide, "height": max(1.0, COST * share)}
        add(box, "rect", bar | {"fill": color, "fill-opacity": "0.55"})

    def _channels(self, stage: Sequence[Row], left: float, right: float) -> None:
        middle, y = (left + right) / 2, FLOOR + 6 + COST + 20
        facts = {"x": middle, "y": y, "font-size": 13, "text-anchor": "middle", "class": "wide"}
        add(self.root, "text", facts, _stage_label(stage))

    def _side(self, group: Group, left: float, right: float) -> None:
        y = FLOOR + 6 + COST + 30
        line = {"x": left, "y": y, "width": right - left, "height": 2, "rx": 1, "fill-opacity": "0.35"}
        add(self.root, "rect", line)
        for size, drop in ((WIDE, 21.0), (PHONE, 31.0)):
            facts = {"x": (left + right) / 2, "y": y + drop, "font-size": size.text + 1, "font-weight": "600"}
            add(self.root, "text", facts | {"text-anchor": "middle", "class": size.name}, group.label)


def _thick(row: Row, thickness: float) -> float:
    return max(2.0, thickness * sqrt(_channels_of(row)))


def _channels_of(row: Row) -> int:
    """Channels of a block's map; a head is as thick as the map it stands on."""
    return row.cost.shape[0] if len(row.cost.shape) == 3 else _maps(row)[0][0]


def _stage_boxes(stage: Sequence[Row], thickness: float) -> float:
    return sum(_thick(row, thickness) for row in stage) + BLOCK_GAP * (len(stage) - 1)


def _stage_label(stage: Sequence[Row]) -> str:
    gives = stage[-1].cost.shape
    return f"{gives[0]} boxes" if len(gives) == 2 else str(gives[0])


def _stage_width(stage: Sequence[Row], thickness: float) -> float:
    return max(_stage_boxes(stage, thickness), text_width(_stage_label(stage), 13))


def _boxes_width(group: Group, thickness: float) -> float:
    return sum(_stage_width(stage, thickness) for stage in group.stages) + STAGE_GAP * (len(group.stages) - 1)


def _group_width(group: Group, thickness: float) -> float:
    return max(_boxes_width(group, thickness), text_width(group.label, PHONE.text + 3) - GROUP_GAP / 2)


def _fitting(groups: Sequence[Group], room: float) -> float:
    """The greatest thickness at which all groups fit into `room` pixels, found by halving."""
    low, high = 0.0, 2 * THICKEST
    for _ in range(30):
        middle = (low + high) / 2
        needed = sum(_group_width(group, middle) for group in groups) + GROUP_GAP * (len(groups) - 1)
        low, high = (middle, high) if needed <= room else (low, middle)
    return min(low, THICKEST)


def _image(root: Element, scale: float, side: tuple[int, int]) -> float:
    """The image, as a photograph that stands in front of the network; returns where the first block begins."""
    high, (dx, dy) = scale * sqrt(side[0]), (share * scale * sqrt(side[1]) for share in (ACROSS, UP))
    photo = add(root, "g", {"transform": f"matrix(1 {-dy / dx:.3f} 0 1 {LEFT} {FLOOR - high:.1f})"})
    add(photo, "title", {}, f"the image, {side[0]} x {side[1]} pixels")
    add(photo, "rect", {"width": dx, "height": high, "fill": "#bcdcf2"})
    add(photo, "circle", {"cx": dx * 0.68, "cy": high * 0.27, "r": dx * 0.13, "fill": "#f7d26a"})
    for color, (first, second, third, last) in HILLS:
        curve = f"C{dx * 0.3:.1f} {high * second:.1f} {dx * 0.6:.1f} {high * third:.1f} {dx:.1f} {high * last:.1f}"
        add(photo, "path", {"d": f"M0 {high * first:.1f} {curve} V{high:.1f} H0 Z", "fill": color})
    add(photo, "rect", {"width": dx, "height": high, "fill": "none", "stroke": "#8a99ad", "stroke-width": "1.5"})
    return LEFT + dx + 16


def _titles(root: Element, arch: Arch, rows: Sequence[Row]) -> None:
    """The name, the counts, and the legend, above the small boxes at the right."""
    left = 352.0
    for size in (WIDE, PHONE):
        part = add(root, "g", {"class": size.name})
        y = TOP + size.title * 0.8
        add(part, "text", {"x": left, "y": y, "font-size": size.title, "font-weight": "650"}, arch.name)
        y += size.line * 1.05
        add(part, "text", {"x": left, "y": y, "font-size": size.text, "fill-opacity": "0.72"}, _counts(rows))
        _legend(part, size, _kinds(rows), (left, y + size.line * 1.25))


def _legend(part: Element, size: Size, kinds: Sequence[Kind], corner: tuple[float, float]) -> None:
    """The kinds in lines of as many as fit."""
    x, y = corner
    for one in kinds:
        wide = size.text * 1.2 + text_width(one.name, size.text) + size.text * 0.9
        if x + wide > WIDTH + size.text * 0.5 and x > corner[0]:
            x, y = corner[0], y + size.line
        box = size.text * 0.86
        add(part, "rect", {"x": x, "y": y - box, "width": box, "height": box, "rx": 3, "fill": one.color})
        add(part, "text", {"x": x + size.text * 1.2, "y": y, "font-size": size.text}, one.name)
        x += wide


def _kinds(rows: Iterable[Row]) -> list[Kind]:
    return list(dict.fromkeys(kind(row.block) for row in rows))


def _margin(root: Element) -> None:
    """What the numbers under the boxes are."""
    y = FLOOR + 6
    for text, drop in (("share of MACs", 11.0), ("channels", COST + 20), ("side, pixels", COST + 50)):
        facts = {"x": LEFT, "y": y + drop, "font-size": 12.5, "fill-opacity": "0.65", "class": "wide"}
        add(root, "text", facts, text)


def _hint(row: Row) -> str:
    """What a pointer that rests on a box is told."""
    out = "x".join(str(side) for side in row.cost.shape)
    cost = f"{quantities.count(row.cost.params)} parameters, {quantities.count(row.cost.macs)} MACs"
    return f"{row.place[0]}.{row.place[1]} {describe(row.block)}: {out}, {cost}"


def _counts(rows: Sequence[Row]) -> str:
    params, macs = (sum(getattr(row.cost, name) for row in rows) for name in ("params", "macs"))
    side = "x".join(str(side) for side in rows[0].shape[1:])
    return f"{side} px, {quantities.count(params)} parameters, {quantities.count(macs)} MACs"


def _told(arch: Arch, rows: Sequence[Row]) -> str:
    """The drawing in words."""
    sides = ", ".join(f"{group.label} pixels ({sum(map(len, group.stages))} blocks)" for group in _groups(rows))
    kinds = ", ".join(one.name for one in _kinds(rows))
    return f"{arch.name}: {_counts(rows)}. Boxes from the image to the head; maps of {sides}. Kinds: {kinds}."
