"""A small set of pictures with boxes and masks, drawn here: for tests and first tries of detectors and segmenters."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from mobilevision.files import kept_folder

LABELS = ("circle", "square", "triangle")
SIDE = 96  # pixels
COUNTS = {"train": 160, "val": 40}
MOST = 4  # shapes in one picture
RADIUS = (9.0, 22.0)  # pixels, of a shape
EDITION = "1"  # part of the folder's name: another drawing needs another

Points = list[float]
Rng = np.random.Generator


def shapes_folder() -> Path:
    """The folder of the sample, drawn at the first call: circles, squares and triangles on a soft background.

    It has `train.json` and `val.json` with boxes and contours in COCO's form, and `images`, `masks` and `classes.txt`.
    It lies in the folder that the environment variable MOBILEVISION_CACHE names, else in ~/.cache/mobilevision.

    Raises:
        UsageError: if the folder cannot be written.
    """
    return kept_folder(f"samples/shapes-{EDITION}", lambda folder: write_shapes(folder, COUNTS))


def write_shapes(folder: Path, counts: dict[str, int], *, seed: int = 0) -> None:
    """Draw so many pictures for each split into `folder`."""
    rng = np.random.default_rng(seed)
    (folder / "classes.txt").write_text("\n".join(("background", *LABELS)) + "\n", encoding="utf-8")
    for split, count in counts.items():
        for kind in ("images", "masks"):
            (folder / kind / split).mkdir(parents=True)
        images: list[dict[str, Any]] = []
        rows: list[dict[str, Any]] = []
        for place in range(count):
            file, things = f"images/{split}/{place:04}.png", _things(rng)
            picture, mask = _drawn(rng, things)
            picture.save(folder / file)
            mask.save(folder / "masks" / split / f"{place:04}.png")
            images.append({"id": place, "file_name": file, "width": SIDE, "height": SIDE})
            rows += [_row(len(rows) + n, place, *thing) for n, thing in enumerate(things)]
        names = [{"id": place + 1, "name": label} for place, label in enumerate(LABELS)]
        facts = {"images": images, "annotations": rows, "categories": names}
        (folder / f"{split}.json").write_text(json.dumps(facts), encoding="utf-8")


def _things(rng: Rng) -> list[tuple[int, Points]]:
    """A few shapes that do not touch: the number of the label, from 0, and x and y of each corner."""
    found: list[tuple[int, Points]] = []
    taken: list[tuple[float, float, float]] = []
    for _ in range(int(rng.integers(1, MOST + 1))):
        radius = float(rng.uniform(*RADIUS))
        x, y = (float(rng.uniform(radius, SIDE - radius)) for _ in range(2))
        if all(math.hypot(x - a, y - b) > radius + r for a, b, r in taken):
            label = int(rng.integers(len(LABELS)))
            taken.append((x, y, radius))
            found.append((label, CORNERS[label](x, y, radius, float(rng.uniform(0, 2 * math.pi)))))
    return found


def _circle(x: float, y: float, radius: float, turn: float) -> Points:
    return _polygon(32, x, y, radius, turn)


def _square(x: float, y: float, radius: float, turn: float) -> Points:
    return _polygon(4, x, y, radius, math.pi / 4 + (turn - math.pi) / 20)  # nearly upright


def _triangle(x: float, y: float, radius: float, turn: float) -> Points:
    return _polygon(3, x, y, radius, turn)


CORNERS: tuple[Callable[[float, float, float, float], Points], ...] = (_circle, _square, _triangle)


def _polygon(corners: int, x: float, y: float, radius: float, turn: float) -> Points:
    angles = [turn + 2 * math.pi * n / corners for n in range(corners)]
    return [round(side, 2) for a in angles for side in (x + radius * math.cos(a), y + radius * math.sin(a))]


def _drawn(rng: Rng, things: list[tuple[int, Points]]) -> tuple[Image.Image, Image.Image]:
    """The picture and its mask."""
    coarse = Image.fromarray(rng.integers(90, 166, (6, 6, 3), dtype=np.uint8))
    picture = coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    mask = Image.new("L", (SIDE, SIDE))
    for label, points in things:
        dark = bool(rng.integers(2))
        color = tuple(int(value) for value in (rng.integers(0, 70, 3) if dark else rng.integers(186, 256, 3)))
        ImageDraw.Draw(picture).polygon(points, fill=color)
        ImageDraw.Draw(mask).polygon(points, fill=label + 1)
    noisy = np.asarray(picture, dtype=np.int16) + rng.integers(-12, 13, (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), mask


def _row(number: int, image: int, label: int, points: Points) -> dict[str, Any]:
    left, top, right, bottom = min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])
    box = [left, top, round(right - left, 2), round(bottom - top, 2)]
    return {
        "id": number + 1,
        "image_id": image,
        "category_id": label + 1,
        "bbox": box,
        "area": round(box[2] * box[3], 2),
        "iscrowd": 0,
        "segmentation": [points],
    }
