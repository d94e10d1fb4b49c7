"""Predicting whatever can be looked at: pictures, folders, videos, a camera."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mobilevision.data.video import CAMERA, Video, is_video, open_video
from mobilevision.errors import UsageError
from mobilevision.models import Model, pictures_of
from mobilevision.pages.predictions import Album
from mobilevision.tasks.base import Told

EVERY = 1.0  # seconds between two lines that tell the speed
SHOWN = 20  # frames of a video that are told in words; the files have them all


@dataclass
class Seen:
    """What came out.

    Attributes:
        told: each prediction as plain JSON.
        lines: each picture, and some frames, in words.
        saved: the files that were written.
        speeds: of each video or camera: "source", "frames", "frames_per_second".
    """

    told: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    saved: list[str] = field(default_factory=list)
    speeds: list[dict[str, Any]] = field(default_factory=list)


def check_sources(sources: Sequence[str]) -> None:
    """Refuse what is not there.

    Raises:
        UsageError: with what is missing.
    """
    for source in sources:
        if not source.startswith(CAMERA) and not Path(source).exists():
            raise UsageError(f"there is no picture {source}; give a picture, a folder, a video, or camera:0")


def watch(
    model: Model, sources: Sequence[str], *, topk: int | None, frames: int | None, kinds: Sequence[str], folder: Path
) -> Seen:
    """Predict each source, and write what is asked for; what came before a failure is written too.

    Args:
        model: what predicts.
        sources: files, folders or cameras.
        topk: labels or boxes of each at most; None has the task's usual number.
        frames: of a video at most; None has all.
        kinds: what to save.
        folder: where.

    Raises:
        InputError: if a picture cannot be read, or a video breaks off.
        MissingError: if a camera or a package is not there.
    """
    seen = Seen()
    album = Album(folder, kinds, task=model.task)
    with album:
        for source in sources:
            if is_video(source):
                _video(model, open_video(source), album, seen, topk=topk, frames=frames)
            else:
                for image, told in model.each(pictures_of(source), topk=topk):
                    album.add(image, told)
                    seen.lines.append(_line(told))
    seen.told, seen.saved = [told.facts() for told in album.told], album.saved
    return seen


def _video(model: Model, video: Video, album: Album, seen: Seen, *, topk: int | None, frames: int | None) -> None:
    pace = Pace(video.name)
    try:
        with album.film(video):
            for image, told in model.each(_counted(video, frames), topk=topk, batch=1):
                album.add(image, told, speed=pace.step())
                if pace.count <= SHOWN:
                    seen.lines.append(_line(told))
    except KeyboardInterrupt:
        if not video.name.startswith(CAMERA):  # a camera has no other end
            raise
    finally:
        album.filmed()
    seen.lines.append(f"{video.name}  {pace.count} frames, {pace.speed:.1f} FPS")
    seen.speeds.append({"source": video.name, "frames": pace.count, "frames_per_second": pace.speed})


def _counted(video: Video, frames: int | None) -> Iterator[Any]:
    return islice(video.frames(), frames)


def _line(told: Told) -> str:
    return f"{told.file}  {told.words()}"


class Pace:
    """How fast frames go by, told on stderr every second."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self.begun = self.last = time.perf_counter()

    @property
    def speed(self) -> float:
        """Frames a second since the beginning: reading, predicting and writing."""
        return self.count / max(time.perf_counter() - self.begun, 1e-9)

    def step(self) -> float:
        """Count a frame; gives the speed."""
        self.count += 1
        if time.perf_counter() - self.last >= EVERY:
            self.last = time.perf_counter()
            print(f"{self.name}: frame {self.count}, {self.speed:.1f} FPS", file=sys.stderr, flush=True)
        return self.speed
