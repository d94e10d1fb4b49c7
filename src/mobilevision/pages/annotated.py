"""Pictures with what was found drawn on them, by supervision."""

from __future__ import annotations

import warnings
import zlib
from functools import cache, singledispatch
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from mobilevision.errors import missing_extra
from mobilevision.tasks.base import Told
from mobilevision.tasks.classify import Prediction
from mobilevision.tasks.detect import Detections
from mobilevision.tasks.segment import Segmentation

COLORS = 21  # of supervision's palette
OPACITY = 0.45


@singledispatch
def annotated(told: Told, image: Image.Image) -> Image.Image:
    """A copy of the picture with what was said of it drawn on it.

    Raises:
        MissingError: if supervision is not installed.
    """
    return titled(image, [told.words()])


@annotated.register
def _(told: Prediction, image: Image.Image) -> Image.Image:
    return titled(image, [f"{label} {score:.2f}" for label, score in zip(told.labels, told.scores, strict=True)][:3])


@annotated.register
def _(told: Detections, image: Image.Image) -> Image.Image:
    scene = boxed(told, image)
    if not told.boxes:
        return scene
    scores = [f" {score:.2f}" for score in told.scores] or [""] * len(told.labels)  # what is true has none
    names = [label + score for label, score in zip(told.labels, scores, strict=True)]
    drawn: Image.Image = (
        _supervision()
        .LabelAnnotator(text_scale=0.35 * max(1, _thick(image) / 2), text_padding=2, smart_position=True)
        .annotate(scene, _placed(told, image), labels=names)
    )
    return drawn


def boxed(told: Detections, image: Image.Image) -> Image.Image:
    """A copy of the picture with the boxes alone, in the colors of their labels.

    Raises:
        MissingError: if supervision is not installed.
    """
    scene = image.convert("RGB")
    if not told.boxes:
        return scene
    drawn: Image.Image = _supervision().BoxAnnotator(thickness=_thick(image)).annotate(scene, _placed(told, image))
    return drawn


def _placed(told: Detections, image: Image.Image) -> Any:
    """The boxes as supervision has them, in pixels."""
    return _supervision().Detections(
        xyxy=np.array(told.boxes, dtype=np.float32) * (image.width, image.height, image.width, image.height),
        class_id=np.array([color_of(label) for label in told.labels]),
    )


def _thick(image: Image.Image) -> int:
    return max(1, round(min(image.width, image.height) / 240))


@annotated.register
def _(told: Segmentation, image: Image.Image) -> Image.Image:
    sv, scene = _supervision(), image.convert("RGB")
    mask = np.asarray(Image.fromarray(told.mask.numpy()).resize(image.size, Image.Resampling.NEAREST))
    there = [number for number in np.unique(mask).tolist() if number]  # 0 is the background
    if not there:
        return scene
    masks = np.stack([mask == number for number in there])
    found = sv.Detections(
        xyxy=sv.mask_to_xyxy(masks).astype(np.float32),
        mask=masks,
        class_id=np.array([color_of(told.labels[number]) for number in there]),
    )
    drawn: Image.Image = sv.MaskAnnotator(opacity=OPACITY).annotate(scene, found)
    return drawn


def titled(image: Image.Image, lines: list[str]) -> Image.Image:
    """A copy of the picture with lines of text in its upper left corner."""
    from PIL import ImageDraw, ImageFont

    scene = image.convert("RGB")
    font, pen = ImageFont.load_default(max(10, scene.height // 24)), ImageDraw.Draw(scene)
    text, margin = "\n".join(lines), max(2, scene.height // 100)
    pen.rectangle(pen.multiline_textbbox((margin, margin), text, font=font), fill=(0, 0, 0))
    pen.multiline_text((margin, margin), text, font=font, fill=(255, 255, 255))
    return scene


def color_of(label: str) -> int:
    """The number of a label's color, the same in every picture and run."""
    return zlib.crc32(label.encode()) % COLORS


def shade_of(label: str) -> str:
    """A label's color as a page writes it.

    Raises:
        MissingError: if supervision is not installed.
    """
    shade: str = _supervision().ColorPalette.DEFAULT.by_idx(color_of(label)).as_hex()
    return shade


@cache
def _supervision() -> ModuleType:
    try:
        with warnings.catch_warnings(action="ignore"):  # it tells that it does without OpenCV
            import supervision
    except ImportError as error:
        raise missing_extra("supervision", "detect") from error
    found: Any = supervision
    module: ModuleType = found
    return module
