"""Learning from replicas in set proportions, without the teacher (arXiv:2404.10518, section 8)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mobilevision.compress.replicas import SOFT
from mobilevision.compress.wrapped import Wrapped
from mobilevision.data.album import Album, Sample
from mobilevision.data.augment import Augment
from mobilevision.data.content import content
from mobilevision.data.loaders import WHOLE, Draw, Order, Pass, Share, Transform, drawing, seeded, served
from mobilevision.data.pictures import open_picture
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.shard_listing import list_shards
from mobilevision.data.shards import read_index
from mobilevision.errors import InputError, UsageError


@dataclass(frozen=True, eq=False)
class Replicas:
    """A set of replicas, and its part in the mixture.

    Attributes:
        folder: of the shards.
        ratio: how many of it come for those of the other sets.
        album: the replicas.
        told: what the index says of teacher, temperature and form.
    """

    folder: Path
    ratio: float
    album: Album
    told: dict[str, Any]


def open_replicas(text: str, labels: Sequence[str]) -> tuple[Replicas, ...]:
    """The sets of an option such as "D1:1,D2:1,D3:2": folders with their ratios.

    Raises:
        UsageError: if there is no such folder, or a ratio is no number above 0.
        InputError: if a folder holds no replicas, a shard is damaged, or the teacher had other classes.
    """
    sets = []
    for each in text.split(","):
        folder, colon, ratio = each.strip().rpartition(":")
        if not colon:
            folder, ratio = ratio, "1"
        try:
            share = float(ratio)
        except ValueError:
            share = 0.0
        if not 0 < share < float("inf"):
            raise UsageError(f"{ratio!r} is no ratio; give folders with numbers above 0, as D1:1,D2:2")
        sets.append(_opened(Path(folder).expanduser().absolute(), share, labels))
    return tuple(sets)


@dataclass(frozen=True)
class Replayed(Wrapped):
    """A task whose student learns what a teacher once said of replicas; it is evaluated on the data as it is.

    An epoch has as many pictures as the data's training split. Replicas of a set all come before one comes again.

    Attributes:
        sets: the replicas.
    """

    sets: tuple[Replicas, ...]

    def facts(self) -> dict[str, Any]:
        """The student's task as plain JSON, and the sets."""
        sets = [{"folder": str(each.folder), "ratio": each.ratio, **each.told} for each in self.sets]
        return super().facts() | {"distilled": sets}

    def training(self, preprocessing: Preprocessing, augment: Augment) -> Any:
        """Replicas are varied already; they are only mirrored."""
        still = replace(augment, area=(1.0, 1.0), ratio=(1.0, 1.0), policy="none", color=0.0, erase=0.0)
        return super().training(preprocessing, still)

    def batches(
        self,
        samples: Sequence[Sample],
        *,
        transform: Transform,
        batch: int,
        shuffle: bool = False,
        seed: int = 0,
        workers: int = 0,
        balanced: bool = False,
        least: int | None = None,
    ) -> DataLoader[Any]:
        """For training (`shuffle`) the mixture; else the samples, as the student's task has them."""
        if not shuffle:
            return super().batches(samples, transform=transform, batch=batch, seed=seed, workers=workers)
        replicas = MixedReplicas(self.sets, transform, seed=seed, count=len(samples))
        return served(replicas, MixedOrder(replicas), batch=batch, workers=workers)

    def loss(self, outputs: Any, targets: Any, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
        """As the student's task; the teacher's probabilities are soft already and not smoothed."""
        return self.task.loss(outputs, targets)


class MixedReplicas(Dataset[tuple[Tensor, Tensor]]):
    """Replicas of several sets with the teacher's probabilities, counted through.

    Args:
        sets: the replicas.
        transform: from a picture to a tensor.
        seed: what is drawn from.
        count: pictures in an epoch.
    """

    def __init__(self, sets: Sequence[Replicas], transform: Transform, *, seed: int, count: int) -> None:
        self.albums = [each.album for each in sets]
        self.ratios = [each.ratio for each in sets]
        self.transform, self.seed, self.count = transform, seed, count
        self.starts = np.cumsum([0, *map(len, self.albums)])
        self.next = Pass()

    def set_epoch(self, epoch: int, *, start: int = 0, share: Share = WHOLE) -> None:
        """Say which epoch the next pass is, from which batch on, and this process's share of each batch."""
        self.next = Pass(epoch, start, share)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """The picture, (C, H, W) float32, and the teacher's probabilities, (classes,) float32."""
        file = self.file(draw.place)
        picture, said = open_picture(file), read_soft(file)
        with drawing(self.seed, *draw):
            return self.transform(picture), said

    def file(self, place: int) -> Path:
        """The file of the replica at a place."""
        number = int(np.searchsorted(self.starts, place, side="right")) - 1
        return Path(self.albums[number].file(place - int(self.starts[number])))


class MixedOrder(Order):
    """The order of an epoch of a mixture: each set's share of the pictures to within one, in a drawn order.

    Args:
        replicas: what is drawn from.
    """

    def __init__(self, replicas: MixedReplicas) -> None:
        super().__init__(replicas, shuffle=True)
        self.replicas = replicas

    def __iter__(self) -> Iterator[Draw]:
        epoch = self.replicas.next.epoch
        parts = [self._next(number, epoch, count) for number, count in enumerate(self.counts())]
        places = torch.cat(parts)
        seen: Counter[int] = Counter()
        for place in places[torch.randperm(len(places), generator=seeded(self.replicas.seed, epoch))].tolist():
            yield Draw(place, epoch, seen[place])
            seen[place] += 1

    def counts(self) -> list[int]:
        """How many of each set come in an epoch."""
        ratios = self.replicas.ratios
        ends = [round(len(self) * sum(ratios[: i + 1]) / sum(ratios)) for i in range(len(ratios))]
        return [end - start for start, end in zip([0, *ends], ends, strict=False)]

    def _next(self, number: int, epoch: int, count: int) -> Tensor:
        """The next of a set: it is gone through again and again, each time in another order."""
        size, steps = len(self.replicas.albums[number]), torch.arange(epoch * count, (epoch + 1) * count)
        rounds = steps // size
        found = torch.empty_like(steps)
        for each in sorted(set(rounds.tolist())):
            order = torch.randperm(size, generator=seeded(self.replicas.seed, number, each))
            here = rounds == each
            found[here] = order[steps[here] % size]
        return found + int(self.replicas.starts[number])


def read_soft(file: Path) -> Tensor:
    """The teacher's probabilities of a replica. Shape: (classes,), float32.

    Raises:
        InputError: if they are not there.
    """
    soft = file.with_suffix(f".{SOFT}")
    try:
        said = np.load(io.BytesIO(content(soft)), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{soft} does not hold what the teacher said: {error}; prepare the replicas again") from error
    values: Tensor = torch.from_numpy(said.astype(np.float32))
    return values / values.sum()  # half precision loses some


def _opened(folder: Path, ratio: float, labels: Sequence[str]) -> Replicas:
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; write replicas with: mobilevision distill prepare")
    index = read_index(folder)
    if "soft" not in index:
        raise InputError(f"{folder} holds no replicas with a teacher's word; use mobilevision distill prepare")
    if tuple(index["labels"]) != tuple(labels):
        raise InputError(
            f"the replicas in {folder} are of the classes {', '.join(index['labels'])} and the student is to learn"
            f" {', '.join(labels)}; prepare them again with this data"
        )
    entries = list_shards(str(folder), folder).entries
    return Replicas(folder, ratio, Album.of(Sample(entry.file, ()) for entry in entries), index["soft"])
