"""From a listing to a data set: who trains, who validates, and which number each label has."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobilevision.data.album import Album
from mobilevision.data.dataset import Data, Sample, SetAside, name
from mobilevision.data.listing import Entry, Listing
from mobilevision.errors import InputError, UsageError

SHOWN = 5  # of a long list of names or reasons


def divide(
    listing: Listing, *, seed: int = 0, validation: float = 0.2, contents: Mapping[Entry, bytes] | None = None
) -> Data:
    """The data set of a listing; where nothing is listed for validation, a part of train is cut off for it.

    The cut is stratified by class, and a hash of `seed` and the file's name decides who goes: it is the same on every
    machine, and files that come later move few of the others. The test split is left alone.

    Args:
        listing: the pictures.
        seed: another one cuts elsewhere.
        validation: share of each class's pictures to cut off; 0 for none.
        contents: a hash of the bytes of each file that has copies; files of the same bytes then go the same way.

    Raises:
        UsageError: if `validation` is no share.
        InputError: if nothing is left to train on or to validate with.
    """
    if not 0 <= validation < 1:
        raise UsageError(f"validation {validation} is not a share of the pictures, at least 0 and less than 1")
    multilabel = any(len(entry.labels) > 1 for entry in listing.entries)
    entries, dropped = _labelled(listing.entries, multilabel)
    parts = {split: [entry for entry in entries if entry.split == split] for split in ("validation", "test")}
    train = [entry for entry in entries if entry.split not in parts]
    del entries
    labels = tuple(sorted({label for entry in train for label in entry.labels}))
    _demand_classes(listing, labels)
    if not parts["validation"] and validation > 0:
        train, parts["validation"] = _Cut(listing.root, seed, contents or {}).cut(train, validation)
        if not parts["validation"]:
            raise InputError(
                f"{listing.source} has too few pictures to keep some for validation; add some to each class"
            )
    places = {label: place for place, label in enumerate(labels)}
    validating = _samples(parts["validation"], places)
    return Data(
        source=listing.source,
        root=listing.root,
        labels=labels,
        train=_samples(train, places),
        validation=validating,
        test=_samples(parts["test"], places),
        set_aside=(*listing.set_aside, *dropped),
        warnings=(*listing.warnings, *_absences(listing, labels, validating)),
        multilabel=multilabel,
        seed=seed,
    )


def shown(names: Sequence[str]) -> str:
    """The first few of a list, and how many there are beyond."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _labelled(entries: Sequence[Entry], multilabel: bool) -> tuple[list[Entry], list[SetAside]]:
    trained = {label for entry in entries if entry.split in ("", "train") for label in entry.labels}
    kept, dropped = [], []
    for entry in entries:
        unknown = [label for label in entry.labels if label not in trained]
        if unknown:
            reason = f"there is no picture of {shown(unknown)} to train on, only for {entry.split}"
            dropped.append(SetAside(entry.file, reason))
        elif not entry.labels and not multilabel:
            dropped.append(SetAside(entry.file, "it has no label"))
        else:
            kept.append(entry)
    return kept, dropped


def _samples(entries: Sequence[Entry], places: Mapping[str, int]) -> Album:
    return Album.of_files((entry.path, sorted(places[label] for label in entry.labels)) for entry in entries)


def _demand_classes(listing: Listing, labels: Sequence[str]) -> None:
    if len(labels) > 1:
        return
    why = f"; {len(listing.set_aside)} files are set aside, first {_first(listing)}" if listing.set_aside else ""
    if not labels:
        raise InputError(f"{listing.source} has no picture left to train on{why}")
    raise InputError(
        f"{listing.source} has pictures of one class only, {labels[0]}, and two are needed to tell apart{why};"
        " if the class folders lie deeper, give the folder that holds them"
    )


def _first(listing: Listing) -> str:
    first = listing.set_aside[0]
    return f"{name(first.file, listing.root)}: {first.reason}"


def _absences(listing: Listing, labels: Sequence[str], validation: Sequence[Sample]) -> list[str]:
    warnings = []
    empty = sorted(listing.classes - set(labels))
    if empty:
        warnings.append(
            f"no picture to train on for {shown(empty)}: left out of the classes; add pictures or remove it"
        )
    present = {label for sample in validation for label in sample.labels}
    unseen = [label for place, label in enumerate(labels) if place not in present]
    if unseen and validation:
        warnings.append(f"no picture to validate with for {shown(unseen)}: its accuracy cannot be told; add pictures")
    return warnings


@dataclass(frozen=True)
class _Cut:
    root: Path
    seed: int
    contents: Mapping[Entry, bytes]

    def cut(self, train: Sequence[Entry], share: float) -> tuple[list[Entry], list[Entry]]:
        """What stays in train, and the share that is cut off; each label keeps a picture in train."""
        left = Counter(label for entry in train for label in entry.labels)
        counts, alike = dict(left), self._alike(train)
        groups = [entry for entry in train if entry not in alike or alike[entry][0] is entry]  # told by their first
        sizes: Counter[str] = Counter()
        for entry in groups:
            sizes[_rarest(entry, counts)] += len(alike.get(entry, (entry,)))
        wanted = {stratum: max(1, round(size * share)) for stratum, size in sizes.items()}
        gone: set[Entry] = set()
        for number in np.argsort(np.fromiter(map(self._lot, groups), np.uint64, len(groups)), kind="stable"):
            group, stratum = alike.get(groups[number], (groups[number],)), _rarest(groups[number], counts)
            taken = Counter(label for entry in group for label in entry.labels)
            if wanted[stratum] > 0 and all(left[label] > count for label, count in taken.items()):
                wanted[stratum] -= len(group)
                left -= taken
                gone.update(group)
        return [each for each in train if each not in gone], [each for each in train if each in gone]

    def _alike(self, train: Sequence[Entry]) -> dict[Entry, list[Entry]]:
        """For each picture of which there are copies, all of them."""
        by_content: dict[bytes, list[Entry]] = {}
        for entry in train if self.contents else ():
            if entry in self.contents:
                by_content.setdefault(self.contents[entry], []).append(entry)
        return {entry: group for group in by_content.values() for entry in group}

    def _lot(self, entry: Entry) -> int:
        lot = hashlib.sha256(f"{self.seed}:{entry.told(self.root)}".encode()).digest()
        return int.from_bytes(lot[:8], "big")


def _rarest(entry: Entry, counts: Mapping[str, int]) -> str:
    return min(entry.labels, key=lambda text: (counts[text], text), default="")
