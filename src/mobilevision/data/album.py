"""Many samples in little memory."""

from __future__ import annotations

import itertools
import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from mobilevision.data.pictures import open_picture


@dataclass(frozen=True)
class Sample:
    """A picture and what it shows.

    Attributes:
        file: where the picture is.
        labels: positions in `Data.labels`, ascending; exactly one unless the data has several labels a picture.
    """

    file: Path
    labels: tuple[int, ...]


class Album(Sequence[Sample]):
    """Samples as arrays: their names and 20 bytes each, which worker processes share untouched.

    It is read like a tuple of samples, each of which is made when it is asked for.

    Args:
        names: of the files, one after the other, less what all begin with.
        ends: where each name ends; one more than samples, the first 0. int64.
        labels: of the samples, one after the other. int32.
        label_ends: where the labels of each sample end, as `ends`. int64.
        start: what all names begin with.
    """

    def __init__(
        self, names: bytes, ends: np.ndarray, *, labels: np.ndarray, label_ends: np.ndarray, start: bytes = b""
    ) -> None:
        self.names, self.ends, self.labels, self.label_ends, self.start = names, ends, labels, label_ends, start

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Album:
        """The album of some samples; an album is given back as it is."""
        if isinstance(samples, Album):
            return samples
        return cls.of_files((sample.file, sample.labels) for sample in samples)

    @classmethod
    def of_files(cls, files: Iterable[tuple[str | Path, Sequence[int]]]) -> Album:
        """The album of some files with their labels."""
        names, ends, labels, label_ends = bytearray(), array("q", [0]), array("i"), array("q", [0])
        start: bytes | None = None
        for file, marks in files:
            name = os.fsencode(file)
            if start is None:
                start = name
            elif not name.startswith(start):  # characters, not folders, are what is saved
                start = os.path.commonprefix([start, name]) or b""  # noqa: RUF071  # no path is cut
            names += name
            ends.append(len(names))
            labels.extend(marks)
            label_ends.append(len(labels))
        shared = len(start or b"")
        for number, (a, b) in enumerate(itertools.pairwise(ends)):  # in place: there may be millions
            names[a - shared * number : b - shared * (number + 1)] = names[a + shared : b]
        del names[ends[-1] - shared * (len(ends) - 1) :]
        cut = np.array(ends)
        cut -= shared * np.arange(len(ends))
        return cls(bytes(names), cut, labels=np.array(labels), label_ends=np.array(label_ends), start=start or b"")

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, place: int) -> Sample: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Sample, ...]: ...

    def __getitem__(self, place: int | slice) -> Sample | tuple[Sample, ...]:
        """A sample, or a tuple of some."""
        if isinstance(place, slice):
            return tuple(self[each] for each in range(*place.indices(len(self))))
        place = range(len(self))[place]
        labels = self.labels[self.label_ends[place] : self.label_ends[place + 1]]
        return Sample(Path(self.file(place)), tuple(labels.tolist()))

    def __add__(self, other: Sequence[Sample]) -> tuple[Sample, ...]:
        return (*self, *other)

    def __radd__(self, other: Sequence[Sample]) -> tuple[Sample, ...]:
        return (*other, *self)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Sequence)
            and len(self) == len(other)
            and all(a == b for a, b in zip(self, other, strict=True))
        )

    def __hash__(self) -> int:
        return hash(tuple(self))

    def file(self, place: int) -> str:
        """The name of a sample's file."""
        return os.fsdecode(self.start + self.names[self.ends[place] : self.ends[place + 1]])

    def open(self, place: int, *, least: int | None = None) -> Image.Image:
        """The picture of a sample, upright and RGB; `least` is that of `open_picture`.

        Raises:
            InputError: if it cannot be read.
        """
        return open_picture(self.file(place), least=least)
