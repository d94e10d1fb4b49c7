"""Writing shards: pictures resized once, so that every epoch reads and decodes less."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image

from mobilevision.data.album import Sample
from mobilevision.data.content import content
from mobilevision.data.dataset import Data
from mobilevision.data.pictures import decode, named_as_picture
from mobilevision.data.several import in_order
from mobilevision.data.shards import INDEX, SUFFIX
from mobilevision.errors import InputError
from mobilevision.files import need_place, write_json, writing_folder

LARGEST = 100_000_000  # bytes of a shard, from where the next one begins
QUALITY = 95  # of a JPEG; what is lost cannot be seen


class Shards:
    """Writes pictures into shards of a folder, one split after the other.

    Args:
        folder: where the shards go; it is there and empty.
        largest: bytes of a shard, from where the next one begins.
    """

    def __init__(self, folder: Path, *, largest: int = LARGEST) -> None:
        self.folder, self.largest = folder, largest
        self.list: list[dict[str, Any]] = []  # as the index has it
        self.tar: tarfile.TarFile | None = None

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the last shard."""
        self._close()

    def add(self, split: str, files: Mapping[str, bytes]) -> None:
        """Write a picture and what belongs to it.

        Args:
            split: whose shards it goes into.
            files: bytes by suffix, without a dot: the picture's, and for example "cls".
        """
        if self.tar is None or self.list[-1]["split"] != split or self.tar.offset >= self.largest:
            self._begin(split)
        assert self.tar is not None
        number = self.list[-1]["nsamples"]
        for suffix, found in files.items():
            head = tarfile.TarInfo(f"{number:08d}.{suffix}")  # no owner and no time: the same pictures, the same bytes
            head.size = len(found)
            self.tar.addfile(head, io.BytesIO(found))
            self.tar.members.clear()  # type: ignore[attr-defined]  # not declared; else it grows by each picture
        self.list[-1]["nsamples"] = number + 1

    def finish(self, **facts: Any) -> dict[str, Any]:
        """Write the index, and give it back.

        Args:
            facts: what it is to tell beside the shards: the labels, and where the pictures come from.
        """
        self._close()
        index = {**facts, "shardlist": self.list}
        write_json(self.folder / INDEX, index)
        return index

    def _begin(self, split: str) -> None:
        self._close()
        number = sum(each["split"] == split for each in self.list)
        name = f"{split}-{number:05d}{SUFFIX}"
        self.list.append({"url": name, "split": split, "nsamples": 0, "filesize": 0})
        self.tar = tarfile.open(self.folder / name, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 (closed by _close)

    def _close(self) -> None:
        if self.tar is not None:
            self.tar.close()
            self.tar = None
            self.list[-1]["filesize"] = (self.folder / self.list[-1]["url"]).stat().st_size


def shard(data: Data, to: str | Path, *, side: int = 256, largest: int = LARGEST) -> dict[str, Any]:
    """Write a data set as shards into a folder, each picture no larger than training needs.

    A picture whose short side is at most `side` keeps its file as it is; a larger one is resized to it and written as a
    JPEG of quality 95.

    Args:
        data: what to write, with its splits.
        to: the folder; earlier shards in it are replaced.
        side: pixels of the short side.
        largest: bytes of a shard, from where the next one begins.

    Returns:
        The index, as it stands in index.json.

    Raises:
        UsageError: if the folder holds something else.
        InputError: if a picture cannot be read.
    """
    folder = fresh(to)
    with writing_folder(folder) as beside, Shards(beside, largest=largest) as shards:
        for split, samples in data.splits.items():
            for sample, (suffix, found) in in_order(samples, lambda sample: _smaller(sample, side)):
                shards.add(split, {suffix: found, **_classes(sample, data.multilabel)})
        return shards.finish(
            labels=list(data.labels), multilabel=data.multilabel, side=side, source=data.source, digest=data.digest
        )


def fresh(to: str | Path) -> Path:
    """The folder that shards are to be written to.

    Raises:
        UsageError: if it holds something else than shards.
    """
    folder = Path(to).expanduser().absolute()
    need_place(folder, ours=_written(folder), remedy="choose another folder for the shards, or empty it")
    return folder


def _written(folder: Path) -> set[str]:
    """Names of earlier shards and their index, as it tells them; none, if it is no index of ours."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return {INDEX, *(each["url"] for each in index["shardlist"] if index["labels"])}
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def shrunk(picture: Image.Image, side: int) -> Image.Image:
    """The picture with a short side of at most `side` pixels, in its proportions."""
    short = min(picture.size)
    if short <= side:
        return picture
    width, height = (max(side, round(each * side / short)) for each in picture.size)
    return picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def as_jpeg(picture: Image.Image, *, quality: int = QUALITY) -> bytes:
    """The picture as the bytes of a JPEG whose colors are as fine as its light."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def _smaller(sample: Sample, side: int) -> tuple[str, bytes]:
    """The suffix and the bytes of a picture's file."""
    try:
        found = content(sample.file)
        picture = decode(found, least=side)
        with Image.open(io.BytesIO(found)) as image:
            small = min(image.size) <= side
            kind = (image.format or "").lower()
    except OSError as error:
        raise InputError(f"{sample.file} cannot be opened: {error.strerror or error}") from error
    except InputError as error:
        raise InputError(f"{sample.file} cannot be used: {error}") from error
    suffix = {"jpeg": "jpg", "tiff": "tif"}.get(kind, kind)
    return (
        (suffix, found) if small and named_as_picture(Path(f"a.{suffix}")) else ("jpg", as_jpeg(shrunk(picture, side)))
    )


def _classes(sample: Sample, multilabel: bool) -> dict[str, bytes]:
    if multilabel:
        return {"json": json.dumps({"labels": list(sample.labels)}).encode()}
    return {"cls": str(sample.labels[0]).encode()}
