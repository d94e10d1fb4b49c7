"""The frames of videos and cameras, one after another, by PyAV."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from mobilevision.errors import InputError, MissingError, missing_extra

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".gif")
CAMERA = "camera:"
"""What a camera's name begins with: "camera:0" is the first."""

USUAL = Fraction(30)
"""Frames a second of a source that does not tell."""

DEVICES = {  # system -> FFmpeg's name for its cameras, and what a number becomes
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}"),
    "win32": ("dshow", "video={}"),
}


@dataclass(frozen=True)
class Video:
    """A video or a camera that can be opened.

    Attributes:
        name: the file, or "camera:" with a number.
        rate: frames a second.
    """

    name: str
    rate: Fraction

    def frames(self) -> Iterator[tuple[str, Image.Image]]:
        """Each frame with its name: the source's and the frame's number, from 0.

        Raises:
            InputError: where the video breaks off, after the frames before that; tells how many there were.
        """
        import av

        number = 0
        with _opened(self.name) as container:
            try:
                for frame in container.decode(video=0):
                    yield f"{self.name}#{number:06}", frame.to_image()
                    number += 1
            except av.FFmpegError as error:
                raise InputError(f"{self.name} breaks off after {number} frames: {error.strerror or error}") from error
        if not number:
            raise InputError(f"{self.name} holds no frame; give another video")


def is_video(source: str | Path) -> bool:
    """Whether a name is that of a video file or of a camera."""
    return str(source).startswith(CAMERA) or Path(source).suffix.lower() in SUFFIXES


def open_video(source: str | Path) -> Video:
    """A video file or a camera, opened once to see that it can be.

    Raises:
        InputError: if there is no video in the file.
        MissingError: if PyAV is not installed, or the camera is not there.
    """
    with _opened(str(source)) as container:
        if not container.streams.video:
            raise InputError(f"{source} holds no video; give another file")
        return Video(str(source), container.streams.video[0].average_rate or USUAL)


def _opened(name: str) -> Any:
    try:
        import av
    except ImportError as error:
        raise missing_extra("av", "video") from error
    camera = name.startswith(CAMERA)
    try:
        if not camera:
            return av.open(name)
        kind, path = DEVICES[sys.platform]
        return av.open(path.format(name.removeprefix(CAMERA)), format=kind)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        if camera:
            raise MissingError(
                f"there is no {name.replace(':', ' ')} here ({reason}); plug one in, or give a video"
            ) from error
        raise InputError(f"{name} cannot be read as a video: {reason}; is it whole?") from error
