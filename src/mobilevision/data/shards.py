"""Tar files of pictures with their labels, as WebDataset has them; a picture's file is `shard.tar/000001.jpg`.

Members whose names differ in what follows the first dot belong together: `000001.jpg`, and its class in `000001.cls`
(a number) or its classes in `000001.json` ({"labels": [numbers]}). `index.json` beside the shards holds the classes'
names, and how many pictures and bytes each shard has.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from mobilevision.errors import InputError, UsageError

SUFFIX, INDEX = ".tar", "index.json"


class Member(NamedTuple):
    """A file in a shard: its name, and where its bytes are."""

    name: str
    start: int
    size: int


def is_sharded(folder: Path) -> bool:
    """Whether the folder holds shards with our index."""
    return (folder / INDEX).is_file() and any(folder.glob(f"*{SUFFIX}"))


def read_index(folder: Path) -> dict[str, Any]:
    """The facts of a folder of shards, each of which is there and as long as it was written.

    Raises:
        UsageError: if there are no shards.
        InputError: if the index cannot be used, or a shard is cut short or not there.
    """
    path = folder / INDEX
    if not path.is_file():
        shards = sorted(folder.glob(f"*{SUFFIX}"))
        if not shards:
            raise UsageError(f"there are no shards in {folder}; give a folder of {SUFFIX} files")
        return {"labels": [], "shardlist": [{"url": shard.name} for shard in shards]}
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        shards_told = [(each["url"], each["filesize"], each["nsamples"], each["split"]) for each in index["shardlist"]]
        [str(label) for label in index["labels"]]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not an index of shards ({error!r}); write the shards again") from error
    for url, size, *_ in shards_told:
        _check_shard(folder, url, size)
    return index


def read_member(shard: Path, name: str) -> bytes:
    """The bytes of a member.

    Raises:
        InputError: if there is no such member, or the shard is cut short.
    """
    stat = shard.stat()
    return _contents(shard, stat.st_size, stat.st_mtime_ns).read(name)


def members(shard: Path) -> Iterator[Member]:
    """The files in a shard, in order; nothing is kept in memory.

    Raises:
        InputError: if it is cut short, is no tar file, or a path leads out of it.
    """
    try:
        with tarfile.open(shard, "r:") as tar:
            while (found := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # not declared; else it grows by each picture
                path = PurePosixPath(found.name)
                if path.is_absolute() or ".." in path.parts or not (found.isfile() or found.isdir()):
                    raise InputError(
                        f"{shard} holds {found.name!r}, which leads out of it or is no file; take it from who made it"
                    )
                if found.isfile():
                    yield Member(found.name, found.offset_data, found.size)
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"{shard} is cut short or no tar file: {error}; copy or write it again") from error
    except OSError as error:
        raise InputError(f"{shard} cannot be read: {error.strerror or error}") from error


class _Contents:
    """The names and places of a shard's members, 30 bytes each."""

    def __init__(self, path: Path) -> None:
        found = sorted(members(path))
        self.path = path
        self.names = np.array([os.fsencode(each.name) for each in found])
        self.places = np.array([(each.start, each.size) for each in found], np.int64).reshape(-1, 2)

    def read(self, name: str) -> bytes:
        wanted = os.fsencode(name)
        at = int(np.searchsorted(self.names, wanted)) if len(self.names) else 0
        if at == len(self.names) or self.names[at] != wanted:
            raise InputError(f"{self.path} holds no {name}; it is not the shard that was listed")
        start, size = self.places[at].tolist()
        with self.path.open("rb") as file:
            file.seek(start)
            content = file.read(size)
        if len(content) < size:
            raise InputError(f"{self.path} is cut short within {name}; copy or write it again")
        return content


@lru_cache(maxsize=256)
def _contents(path: Path, size: int, changed: int) -> _Contents:
    return _Contents(path)


def _check_shard(folder: Path, url: str, size: int) -> None:
    path = folder / url
    if Path(url).name != url:
        raise InputError(f"{folder / INDEX} names {url!r}, which is not a file beside it; write the shards again")
    if not path.is_file():
        raise InputError(f"{path} is not there, but {INDEX} tells of it; copy or write it again")
    if path.stat().st_size != size:
        raise InputError(
            f"{path} has {path.stat().st_size:,} bytes of {size:,}: it is cut short or changed; copy or write it again"
        )
