"""A picture's whole way through a file: read and prepared, run, and told as labels, boxes or a mask."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from mobilevision import jobs
from mobilevision.data.pictures import open_picture
from mobilevision.deploy.interface import PIXELS, TAKES
from mobilevision.deploy.load import load_file
from mobilevision.models import Model

PICTURE = "a JPEG of 640x480 pixels"


@dataclass(frozen=True)
class Stages:
    """How long the parts of a picture's way take, medians in ms.

    Attributes:
        picture: what was read.
        pre_ms: reading the file, decoding, resizing and normalizing it.
        inference_ms: the file in its runtime, beside torch in one process, as `predict` runs it.
        post_ms: from scores to what is told: labels, boxes or a mask.
        whole_ms: all of it.
        fps: whole pictures a second, one after another.
    """

    picture: str
    pre_ms: float
    inference_ms: float
    post_ms: float
    whole_ms: float
    fps: float

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def measure(file: Path, *, threads: int, runs: int, warmup: int, seconds: float) -> Stages:
    """Time a picture's whole way in a process of its own.

    Args:
        file: what to time.
        threads: of the runtime, and of what prepares the picture.
        runs: laps that count.
        warmup: laps before, that do not.
        seconds: how long it may take in all.

    Raises:
        MobilevisionError: if the runtime crashes or takes too long; names its log.
    """
    payload = {"file": str(file), "threads": threads, "runs": runs, "warmup": warmup}
    laps = np.array(jobs.call("mobilevision.timing.stages:take", payload, seconds=seconds))  # (runs, 3)
    pre, inference, post = np.median(laps, axis=0).tolist()
    whole = float(np.median(laps.sum(1)))
    return Stages(PICTURE, pre, inference, post, whole, 1e3 / whole)


def take(file: str, threads: int, runs: int, warmup: int) -> list[list[float]]:
    """The job: one picture again and again.

    Returns:
        Laps of preparing, running and telling, in ms. Shape: (runs, 3).
    """
    torch.set_num_threads(threads)
    model = load_file(Path(file), threads=threads)
    prepared, laps = way_in(model), []
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        picture = _photograph(Path(folder) / "picture.jpg")
        for _ in range(warmup + runs):
            times = [time.perf_counter()]
            image = open_picture(picture)
            tensor = prepared(image)[None]
            times.append(time.perf_counter())
            outputs = model.network(tensor)
            times.append(time.perf_counter())
            model.task.decode(outputs, None, files=[str(picture)], sizes=[(image.height, image.width)])
            times.append(time.perf_counter())
            laps.append((1e3 * np.diff(times)).tolist())
    return laps[warmup:]


def way_in(model: Model) -> Callable[[Image.Image], Tensor]:
    """How a picture is made ready for an exported file: as its task does it, or as bytes if it takes those."""
    card: Mapping[str, Any] = model.network.runner.card  # type: ignore[union-attr, assignment]  # `load_file` gave it
    if card.get(TAKES) != PIXELS:
        return model.task.picture(model.preprocessing)
    return lambda image: pil_to_tensor(model.preprocessing.framed(image))


def _photograph(file: Path) -> Path:
    """Soft blotches, which a JPEG holds in about as many bytes as a photograph."""
    blotches = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    Image.fromarray(blotches).resize((640, 480), Image.Resampling.BICUBIC).save(file, quality=90)
    return file
