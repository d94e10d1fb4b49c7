"""From samples to batches, the same ones however many workers make them."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from mobilevision.data.album import Album, Sample
from mobilevision.errors import InputError, UsageError

Transform = Callable[[Image.Image], Tensor]


@dataclass(frozen=True)
class TwoSteps:
    """A transform whose last step draws nothing, so that who gets a batch takes it for all pictures at once.

    Attributes:
        first: from a picture to bytes. Shape: (channels, height, width).
        last: from bytes to what the network sees. Shape: (..., channels, height, width) -> the same.
    """

    first: Transform
    last: Callable[[Tensor], Tensor]

    def __call__(self, picture: Image.Image) -> Tensor:
        """Both steps."""
        return self.last(self.first(picture))


PART = 4096  # places of an order that are numbers of Python at a time: those take five times the memory


class Draw(NamedTuple):
    """What a worker is asked for; it holds all that the result depends on.

    Attributes:
        place: of the sample.
        epoch: counted from 0.
        again: how often the sample was drawn before in this epoch.
    """

    place: int
    epoch: int
    again: int


@dataclass(frozen=True)
class Share:
    """Which part of each batch a process takes, when several train together.

    Attributes:
        number: of the process, from 0.
        of: processes.
    """

    number: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        """Check that there is such a share."""
        if not 0 <= self.number < self.of:
            raise UsageError(f"process {self.number} of {self.of} does not exist; count from 0")


WHOLE = Share()
"""All of each batch: one process."""


class Pass(NamedTuple):
    """One way through the samples.

    Attributes:
        epoch: from 0; order and augmentation follow from it.
        start: batches that are passed over, because they were seen before a stop.
        share: the process's part of each batch.
    """

    epoch: int = 0
    start: int = 0
    share: Share = WHOLE


class Pictures(Dataset[tuple[Tensor, Tensor]]):
    """Samples as tensors.

    Args:
        samples: what to load.
        transform: from a picture to a tensor; may draw from torch's and Python's generators. Of `TwoSteps` the first is
            done here and the last by `finished`, unless there is CUDA.
        outputs: the number of classes.
        seed: what the transform's draws start from.
        multilabel: whether targets are a row of 0 and 1 for each picture instead of a class.
        least: pixels that both sides keep if a large JPEG is decoded smaller; see `open_picture`.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        transform: Transform,
        *,
        outputs: int,
        seed: int = 0,
        multilabel: bool = False,
        least: int | None = None,
    ) -> None:
        self.album = Album.of(samples)
        self.targets = _marks(self.album, outputs) if multilabel else _classes(self.album, outputs)
        steps = TwoSteps(transform, as_it_is)
        if isinstance(transform, TwoSteps) and not torch.cuda.is_available():  # CUDA's are pinned as they are loaded
            steps = transform
        self.transform, self.last = steps.first, steps.last
        self.seed, self.multilabel, self.least = seed, multilabel, least
        self.next = Pass()

    def set_epoch(self, epoch: int, *, start: int = 0, share: Share = WHOLE) -> None:
        """Say which epoch the next pass is, from which batch on, and this process's share of each batch."""
        self.next = Pass(epoch, start, share)

    def __len__(self) -> int:
        return len(self.album)

    def __getitem__(self, draw: Draw | int) -> tuple[Tensor, Tensor]:
        """The picture, (C, H, W), uint8 if it is to be finished, and its target: () int64, or (outputs,) float32."""
        draw = draw if isinstance(draw, Draw) else Draw(draw, self.next.epoch, 0)
        picture = self.album.open(draw.place, least=self.least)
        with drawing(self.seed, *draw):
            tensor = self.transform(picture)
        target = self.targets[draw.place]
        return tensor, target.float() if self.multilabel else target

    def finished(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """A batch, (N, C, H, W) float32 and targets, of what was loaded."""
        pictures, targets = batch
        return self.last(pictures), targets


def as_it_is(pictures: Tensor) -> Tensor:
    """The last step of a transform that has but one."""
    return pictures


class Finishing(DataLoader[Any]):
    """Batches of `Pictures`, finished by who trains: bytes are a quarter of what processes would have to hand over."""

    dataset: Pictures

    def __iter__(self) -> Any:  # torch promises its own iterator, of which nothing but the next batch is asked
        return map(self.dataset.finished, super().__iter__())


class Passed(Protocol):
    """What an order is drawn for: so many samples, from a seed.

    Attributes:
        next: the pass that comes next.
        seed: what the order is drawn from.
    """

    next: Pass
    seed: int

    def __len__(self) -> int:
        """How many samples there are."""


class Order(Sampler[Draw]):
    """The order of an epoch, from the seed and the epoch of `pictures` alone.

    Args:
        pictures: what is drawn from; its epoch when a pass begins holds for the pass.
        shuffle: whether the order changes with each epoch.
        weights: chance of each sample to be drawn, relative to the others; then some come more often than others.

    Attributes:
        repeats: how often each sample that comes does so, one after another; then as many fewer come. Set by who
            trains (repeated augmentation, arXiv:1902.05509).
    """

    repeats = 1

    def __init__(self, pictures: Passed, *, shuffle: bool, weights: Tensor | None = None) -> None:
        self.pictures, self.shuffle, self.weights = pictures, shuffle, weights

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Draw]:
        epoch = self.pictures.next.epoch
        seen: Counter[int] = Counter()
        for part in self._places(seeded(self.pictures.seed, epoch)).split(PART):  # type: ignore[no-untyped-call]  # torch's split is not typed
            for place in part.tolist():
                yield Draw(place, epoch, seen[place])
                if self.weights is not None or self.repeats > 1:  # else none comes again
                    seen[place] += 1

    def _places(self, generator: torch.Generator) -> Tensor:
        return self._once(generator).repeat_interleave(self.repeats)[: len(self)]

    def _once(self, generator: torch.Generator) -> Tensor:
        if self.weights is not None:
            return torch.multinomial(self.weights, len(self), replacement=True, generator=generator)
        return torch.randperm(len(self), generator=generator) if self.shuffle else torch.arange(len(self))


class Batches(Sampler[list[Draw]]):
    """An order cut into batches, of which a process takes its share, from the pass's start on.

    All shares of a batch together are that batch of a single process, whatever the number of processes.

    Args:
        order: what is cut.
        size: samples in a batch, of all processes together.
        whole: whether a last batch that is not full is left out.
    """

    def __init__(self, order: Order, *, size: int, whole: bool) -> None:
        self.order, self.size, self.whole = order, size, whole

    def __len__(self) -> int:
        """Batches in an epoch, those before the pass's start too."""
        return len(self.order) // self.size if self.whole else -(-len(self.order) // self.size)

    def __iter__(self) -> Iterator[list[Draw]]:
        _, start, share = self.order.pictures.next
        if self.size % share.of or (share.of > 1 and not self.whole):
            raise UsageError(
                f"{share.of} processes cannot share batches of {self.size} of {len(self.order)} pictures evenly;"
                f" use a multiple of {share.of} that is no larger"
            )
        draws = iter(self.order)
        for number in range(len(self)):
            batch = list(islice(draws, self.size))
            if number >= start:
                yield batch[share.number :: share.of]


def loader(
    samples: Sequence[Sample],
    *,
    transform: Transform,
    outputs: int,
    batch: int,
    shuffle: bool = False,
    seed: int = 0,
    workers: int = 0,
    balanced: bool = False,
    multilabel: bool = False,
    least: int | None = None,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches of (pictures, targets).

    Call `loader.dataset.set_epoch(epoch)` before each pass; with `start` it goes on in the middle of the epoch, with
    `share` it gives this process's part of each batch. The order and what the transform draws follow from the seed,
    the epoch and the sample, not from the workers, the processes or what was drawn elsewhere. When shuffling, a last
    batch that is not full is left out, unless it is the only one: batch norm cannot learn from one picture.

    Args:
        samples: what to load.
        transform: from a picture to a tensor.
        outputs: the number of classes.
        batch: pictures in a batch, of all processes together.
        shuffle: for training.
        seed: another one gives other draws.
        workers: processes that load; 0 loads in this one.
        balanced: draw each class equally often, with replacement.
        multilabel: whether targets are rows of 0 and 1.
        least: pixels that both sides of a picture need; lets large JPEGs be decoded faster, for training only.

    Returns:
        Batches of pictures (N, C, H, W) and of targets: (N,) int64, or (N, outputs) float32 for several labels.

    Raises:
        InputError: if there are no samples.
    """
    if not samples:
        raise InputError("there are no pictures to load; check the data first")
    pictures = Pictures(samples, transform, outputs=outputs, seed=seed, multilabel=multilabel, least=least)
    order = Order(pictures, shuffle=shuffle, weights=sample_weights(samples, outputs) if balanced else None)
    return served(pictures, order, batch=batch, workers=workers)


def served(
    pictures: Dataset[Any],
    order: Order,
    *,
    batch: int,
    workers: int = 0,
    collate: Callable[[list[Any]], Any] | None = None,
) -> DataLoader[Any]:
    """A data set's batches in an order; see `loader`.

    Args:
        pictures: gives a sample for a draw.
        order: of the draws.
        batch: samples in a batch, of all processes together.
        workers: processes that load.
        collate: makes a batch of samples; None stacks them.
    """
    varied = order.shuffle or order.weights is not None
    batches = Finishing if isinstance(pictures, Pictures) else DataLoader
    return batches(
        pictures,
        batch_sampler=Batches(order, size=batch, whole=varied and len(order) >= batch),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        collate_fn=collate,
        generator=torch.Generator().manual_seed(order.pictures.seed),  # else each pass would draw from torch's own
    )


def class_weights(samples: Sequence[Sample], outputs: int) -> Tensor:
    """What a loss multiplies each class by so that all count alike; 1 everywhere if they are balanced.

    Shape: (outputs,), float32. A class without samples has 1.
    """
    counts = _counts(samples, outputs)
    present = counts > 0
    return torch.where(present, counts[present].mean() / counts.clamp(min=1), 1.0).float()


def sample_weights(samples: Sequence[Sample], outputs: int) -> Tensor:
    """How often to draw each sample so that all classes come equally often; of several labels the rarest decides.

    Shape: (samples,). A sample without labels counts as a class of its own kind.
    """
    counts = _counts(samples, outputs).tolist()
    blank = sum(not sample.labels for sample in samples)
    rarest = [min((counts[label] for label in sample.labels), default=blank) for sample in samples]
    return 1 / torch.tensor(rarest, dtype=torch.float64)


@contextmanager
def drawing(*key: int) -> Iterator[None]:
    """Within the block, torch and Python draw from `key` alone; afterwards they go on as if nothing had been drawn."""
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    number = _number(*key)
    torch.default_generator.manual_seed(number)  # torch.manual_seed would reseed the devices too
    random.seed(number)
    try:
        yield
    finally:
        torch.set_rng_state(torch_state)
        random.setstate(python_state)


def _number(*key: int) -> int:
    """A number of 63 bits that differs wherever `key` does."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


def seeded(*key: int) -> torch.Generator:
    """A generator that draws from `key` alone."""
    return torch.Generator().manual_seed(_number(*key))


def _classes(album: Album, outputs: int) -> Tensor:
    wrong = np.flatnonzero(np.diff(album.label_ends) != 1)
    if not len(wrong):
        wrong = np.flatnonzero((album.labels < 0) | (album.labels >= outputs))
    if len(wrong):
        sample = album[int(wrong[0])]
        raise InputError(f"{sample.file} has labels {sample.labels}; one below {outputs} is needed")
    return torch.from_numpy(album.labels).long()


def _marks(album: Album, outputs: int) -> Tensor:
    places = np.repeat(np.arange(len(album)), np.diff(album.label_ends))  # of each label's sample
    wrong = places[(album.labels < 0) | (album.labels >= outputs)]
    if len(wrong):
        sample = album[int(wrong[0])]
        raise InputError(f"{sample.file} has labels {sample.labels}; all must be below {outputs}")
    marks = torch.zeros(len(album), outputs, dtype=torch.bool)
    marks[torch.from_numpy(places), torch.from_numpy(album.labels).long()] = True
    return marks


def _counts(samples: Sequence[Sample], outputs: int) -> Tensor:
    labels = torch.from_numpy(Album.of(samples).labels).long()
    return torch.bincount(labels, minlength=outputs).double()
