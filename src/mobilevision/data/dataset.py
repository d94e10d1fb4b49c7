"""What a data set is, once it is read: samples in three splits, and what was set aside."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mobilevision.data.album import Album, Sample
from mobilevision.errors import InputError

__all__ = ["Data", "Sample", "SetAside", "name", "printable"]


@dataclass(frozen=True)
class SetAside:
    """A file that is not used.

    Attributes:
        file: where it is.
        reason: why, as the end of a sentence that begins with the file's name and a colon.
    """

    file: Path
    reason: str


@dataclass(frozen=True)
class Data:
    """A data set for classification, ready to train on.

    Attributes:
        source: where it was read: the absolute path of a folder or a CSV file, or the name of a sample; reading it
            again with `seed` gives the same data.
        root: the folder that the files' names are told from.
        labels: names of the classes, sorted.
        train: what weights are fitted to.
        validation: what the best weights are chosen by; never trained on.
        test: what is measured in the end, if there is any.
        set_aside: files that are not used, with the reasons.
        warnings: what a person should know, a sentence each.
        multilabel: whether a picture may have several labels or none.
        seed: what the split was drawn with, where there was none.
        cache: pixels of the short side that larger training pictures were resized to when they were kept decoded;
            0 if they are read from their files.
    """

    source: str
    root: Path
    labels: tuple[str, ...]
    train: Sequence[Sample]
    validation: Sequence[Sample]
    test: Sequence[Sample] = ()
    set_aside: tuple[SetAside, ...] = ()
    warnings: tuple[str, ...] = ()
    multilabel: bool = False
    seed: int = 0
    cache: int = 0

    @property
    def splits(self) -> dict[str, Sequence[Sample]]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def learned(self) -> int:
        """How many classes training pictures have; for vectors whole classes are kept from training."""
        return len({label for sample in self.train for label in sample.labels})

    @property
    def digest(self) -> str:
        """Names the list of files with their labels and splits, wherever the data lies: 64 hex digits."""
        lines = [
            "\t".join([split, self.name(sample.file), *(self.labels[label] for label in sample.labels)])
            for split, samples in self.splits.items()
            for sample in samples
        ]
        return hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()

    def name(self, file: Path) -> str:
        """A file's name as seen from `root`, with forward slashes."""
        return name(file, self.root)

    def counts(self) -> dict[str, dict[str, int]]:
        """Pictures by split and class."""
        counted = {}
        for split, samples in self.splits.items():
            found = Counter(label for sample in samples for label in sample.labels)
            counted[split] = {text: found[label] for label, text in enumerate(self.labels)}
        return counted

    def relabeled(self, labels: Sequence[str]) -> Data:
        """The same pictures with the positions of other `labels`, for a network that was trained on those.

        Pictures of a class that `labels` does not hold are set aside.

        Raises:
            InputError: if no class is among `labels`.
        """
        places = {self.labels.index(text): place for place, text in enumerate(labels) if text in self.labels}
        if not places:
            raise InputError(
                f"{self.source} has none of the labels {', '.join(labels)}; it has {', '.join(self.labels)}"
            )
        unknown = [each for part in self.splits.values() for each in part if not places.keys() >= set(each.labels)]
        gone = tuple(SetAside(sample.file, "its label is not one of the network's") for sample in unknown)

        def kept(samples: Sequence[Sample]) -> Sequence[Sample]:
            known = (sample for sample in samples if places.keys() >= set(sample.labels))
            return Album.of(Sample(each.file, tuple(sorted(places[label] for label in each.labels))) for each in known)

        return replace(
            self,
            labels=tuple(labels),
            train=kept(self.train),
            validation=kept(self.validation),
            test=kept(self.test),
            set_aside=self.set_aside + gone,
        )

    def facts(self) -> dict[str, Any]:
        """As plain JSON, for a run's data.json: counts, what was set aside and why, warnings, seed, digest."""
        return {
            "source": self.source,
            "root": printable(str(self.root)),
            "labels": list(self.labels),
            "multilabel": self.multilabel,
            "seed": self.seed,
            "cache": self.cache,
            "digest": self.digest,
            "pictures": {split: len(samples) for split, samples in self.splits.items()},
            "counts": self.counts(),
            "set_aside": [{"file": self.name(each.file), "reason": each.reason} for each in self.set_aside],
            "warnings": list(self.warnings),
        }


def name(file: Path, root: Path) -> str:
    """A file's name as seen from `root`, with forward slashes; whole if it lies elsewhere."""
    return printable((file.relative_to(root) if file.is_relative_to(root) else file).as_posix())


def printable(text: str) -> str:
    """A file's name with the bytes that are no text shown as they are, so that it can be written anywhere."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
