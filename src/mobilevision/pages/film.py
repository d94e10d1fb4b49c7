"""Writing a video, frame by frame, so that what was written stays whole when something breaks off."""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image

CODECS = ("libx264", "h264", "mpeg4")  # the first that PyAV has


class Film:
    """A video file that is written beside its place and put there when it is closed, however that comes.

    Args:
        path: the file, .mp4.
        rate: frames a second.
    """

    def __init__(self, path: Path, *, rate: Fraction) -> None:
        self.path, self.rate, self.count = path, rate, 0
        self._beside: Path | None = None
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> Self:
        return self

    def add(self, image: Image.Image) -> None:
        """Write a frame; all have the size of the first, with even sides."""
        import av

        if self._container is None:
            self._open(image)
        frames: Any = av.VideoFrame  # its methods have no types
        frame = frames.from_image(image.resize((self._stream.width, self._stream.height)))
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def _open(self, image: Image.Image) -> None:
        import av

        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{self.path.stem}-", suffix=self.path.suffix, dir=self.path.parent)
        os.close(handle)
        self._beside = Path(name)
        self._container = av.open(name, "w")
        codec = next(each for each in CODECS if each in av.codecs_available)
        self._stream = self._container.add_stream(codec, rate=self.rate)
        self._stream.width, self._stream.height = (max(2, side // 2 * 2) for side in image.size)
        self._stream.pix_fmt = "yuv420p"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beside is None:
            return
        try:
            self._container.mux(self._stream.encode())
            self._container.close()
            self._beside.chmod(0o644)
            self._beside.replace(self.path)
        finally:
            self._beside.unlink(missing_ok=True)
