"""Pictures with boxes or masks as a report shows them: what was found beside what is true, each drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from mobilevision.data.pictures import open_picture
from mobilevision.errors import MobilevisionError
from mobilevision.pages.annotated import annotated, boxed, shade_of
from mobilevision.tasks.detect import Detections
from mobilevision.tasks.segment import Segmentation, unrolled

SIDE = 320  # pixels; drawn at half of that on a sharp screen
CROWD = 5  # boxes whose names have room in so small a picture


class Shown(NamedTuple):
    """A picture with what was found and what is true, both drawn.

    Attributes:
        file: its name.
        found: a data URI.
        truth: a data URI.
        kinds: the labels that are drawn in either.
    """

    file: str
    found: str
    truth: str
    kinds: frozenset[str]


def legend(shown: Sequence[Shown]) -> list[tuple[str, str]]:
    """The labels that are drawn, by name, each with its color."""
    return [(label, shade_of(label)) for label in sorted(frozenset[str]().union(*(one.kinds for one in shown)))]


def shown_scenes(metrics: Mapping[str, Any], labels: list[str]) -> list[Shown]:
    """The pictures that an evaluation kept; those that cannot be opened or drawn any more are left out."""
    return [one for facts in metrics.get("shown") or [] if (one := _shown(facts, labels)) is not None]


def _shown(facts: Mapping[str, Any], labels: list[str]) -> Shown | None:
    file = str(facts.get("file", ""))
    try:
        picture = open_picture(file, least=SIDE)
        picture.thumbnail((SIDE, SIDE))
        found, truth = (_told(side, labels) for side in (facts, facts["truth"] | {"scores": ()}))
        drawn = _drawn(found, picture), _drawn(truth, picture)
    except (MobilevisionError, KeyError):
        return None
    return Shown(file.rpartition("/")[2], *drawn, _kinds(found) | _kinds(truth))


def _kinds(told: Detections | Segmentation) -> frozenset[str]:
    if isinstance(told, Detections):
        return frozenset(told.labels)
    there = np.unique(told.mask.numpy()).tolist()
    return frozenset(told.labels[number] for number in there if number)  # 0 is the background


def _told(facts: Mapping[str, Any], labels: list[str]) -> Detections | Segmentation:
    """What a network said, or what is true, from plain JSON."""
    if "runs" in facts:
        return Segmentation("", tuple(labels), unrolled(facts["runs"], facts["size"]))
    boxes = tuple((box[0], box[1], box[2], box[3]) for box in facts["boxes"])
    return Detections("", tuple(facts["labels"]), tuple(facts["scores"]), boxes)


def _drawn(told: Detections | Segmentation, picture: Image.Image) -> str:
    out = io.BytesIO()
    if isinstance(told, Detections) and len(told.boxes) > CROWD:
        image = boxed(told, picture)
    else:
        image = annotated(told, picture)
    image.save(out, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
