"""Where a network looked, laid over the picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from mobilevision.data.pictures import open_picture
from mobilevision.data.preprocessing import Preprocessing

SIDE = 168  # pixels of the longer side
WARM, HOT = (255, 176, 0), (215, 25, 28)
COVER = 0.7  # of the hottest place's color; the rest is the picture


def seen(path: str | Path, preprocessing: Preprocessing) -> Image.Image:
    """The part of a picture that a network sees, larger than it sees it.

    Raises:
        InputError: if it cannot be read; says why.
    """
    height, width = preprocessing.size
    larger = SIDE / max(height, width)
    size = (max(1, round(height * larger)), max(1, round(width * larger)))
    return replace(preprocessing, size=size).framed(open_picture(path)).convert("RGB")


def overlaid(picture: Image.Image, rows: Sequence[Sequence[float]]) -> str:
    """A picture, greyed, with a map of 0 to 1 over it in warm colors, as a JPEG data URI."""
    heat = Image.fromarray(np.asarray(rows, dtype=np.float32)).resize(picture.size, Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(heat), 0, 1)[..., None]
    grey = np.asarray(picture.convert("L"), dtype=np.float32)[..., None]
    color = np.asarray(WARM, np.float32) * (1 - share) + np.asarray(HOT, np.float32) * share
    mixed = grey * (1 - COVER * share) + color * COVER * share
    return as_uri(Image.fromarray(mixed.round().astype(np.uint8)))


def as_uri(picture: Image.Image) -> str:
    """A picture as a JPEG data URI, some 6 kB."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=78, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
