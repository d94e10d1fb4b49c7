"""Pictures decoded once, kept as bytes of pixels in one file that is mapped into memory."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mobilevision.data.album import Album
from mobilevision.data.several import in_order
from mobilevision.data.sharding import shrunk
from mobilevision.errors import UsageError
from mobilevision.files import writing

PIXELS, TABLE = ".pixels", ".npy"
ROW = np.dtype([("start", "<i8"), ("height", "<i4"), ("width", "<i4")])


class Cached(Album):
    """An album whose pictures are read from a cache, upright, RGB, and no larger than training needs.

    Args:
        album: the pictures' own files.
        file: the pixels of all pictures, one after the other, each (height, width, 3) uint8.
    """

    def __init__(self, album: Album, file: Path) -> None:
        super().__init__(album.names, album.ends, labels=album.labels, label_ends=album.label_ends, start=album.start)
        self.pixels_file = file

    @cached_property
    def pixels(self) -> np.ndarray:
        """All pixels, mapped: the system reads and drops them as it likes."""
        return np.memmap(self.pixels_file, np.uint8, mode="r")

    @cached_property
    def table(self) -> np.ndarray:
        """Where each picture begins, and its sides."""
        table: np.ndarray = np.load(self.pixels_file.with_suffix(TABLE), mmap_mode="r", allow_pickle=False)
        return table

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("pixels", "table")}

    def open(self, place: int, *, least: int | None = None) -> Image.Image:
        """The picture as it was kept; `least` has had its say when the cache was made."""
        start, height, width = self.table[place].tolist()
        pixels = self.pixels[start : start + height * width * 3]
        return Image.fromarray(pixels.reshape(height, width, 3))


def cached(album: Album, folder: Path, *, side: int) -> Cached:
    """The album with its pictures decoded and resized once, in a file of `folder` that is made unless it is there.

    The file is called after the names, sizes and times of the pictures' files, so one that has changed leads to
    another; those that are no longer good for the album are removed.

    Args:
        album: what to keep.
        folder: of the file; it may hold the caches of several data sets.
        side: pixels that the short side of a larger picture is resized to.

    Raises:
        InputError: if a picture cannot be read.
        UsageError: if there is no room for the file, or the folder cannot be written.
    """
    names, state = _keys(album, side)
    file = folder / f"{names}-{state}{PIXELS}"
    if not _whole(file):
        try:
            for old in folder.glob(f"{names}-*"):
                old.unlink(missing_ok=True)
            _write(album, file, side)
        except OSError as error:
            raise UsageError(
                f"the cache {file} cannot be written: {error.strerror or error}; make room, or leave the cache out"
            ) from error
    return Cached(album, file)


def _keys(album: Album, side: int) -> tuple[str, str]:
    """What names the album at this size, and what names the state its files are in."""
    names, state = hashlib.sha256(f"{side}".encode()), hashlib.sha256()
    for place in range(len(album)):
        file = album.file(place)
        names.update(os.fsencode(file) + b"\0")
        state.update(_stamp(Path(file)))
    return names.hexdigest()[:16], state.hexdigest()[:16]


def _stamp(file: Path) -> bytes:
    """The size and time of a file, or of the shard or data set that holds it."""
    for path in (file, *file.parents):
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        return f"{found.st_size} {found.st_mtime_ns} ".encode()
    return b""


def _whole(file: Path) -> bool:
    """Whether a cache was written to its end."""
    table = file.with_suffix(TABLE)
    if not file.is_file() or not table.is_file():
        return False
    try:
        rows = np.load(table, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError):
        return False
    return rows.dtype == ROW and file.stat().st_size == _bytes(rows)


def _bytes(rows: np.ndarray) -> int:
    return int((rows["height"].astype(np.int64) * rows["width"] * 3).sum())


def _write(album: Album, file: Path, side: int) -> None:
    rows, start = np.zeros(len(album), ROW), 0
    with writing(file) as beside, beside.open("wb") as pixels:
        for place, picture in in_order(range(len(album)), lambda place: shrunk(album.open(place, least=side), side)):
            rows[place] = start, picture.height, picture.width
            start += pixels.write(np.asarray(picture).tobytes())
    with writing(file.with_suffix(TABLE)) as beside:  # last, since it says that all is there
        np.save(beside, rows)
