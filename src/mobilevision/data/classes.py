"""Pictures in classes for vectors: whole classes are kept from training, since a vector is asked of new ones."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mobilevision.data.album import Album
from mobilevision.data.check import opened
from mobilevision.data.dataset import Data, Sample
from mobilevision.data.folders import list_source
from mobilevision.data.listing import Entry, Listing
from mobilevision.data.split import shown
from mobilevision.errors import InputError, UsageError

VALIDATION, TEST = 0.1, 0.3  # shares of the classes that are kept from training
LEAST = 2  # classes of a split: among pictures of one class all that is found is right


def read_classes(source: str | Path, *, seed: int = 0) -> Data:
    """The classes at `source`, as they are listed; no picture is opened (`check_classes` opens them all).

    Where the source names no splits, the last classes by name are kept for the test and those before them for
    validation (see `divide_classes`), so that both measure classes that training never saw. Splits that it names, by
    folders or in a column, stand as they are and may have classes of their own; only if it names none for validation,
    the last classes of train make one.

    Args:
        source: as for `mobilevision.data.folders.read_data`, one label a picture.
        seed: of no meaning for the split, which is that of the names.

    Raises:
        UsageError: if there is no such source.
        InputError: if it holds nothing to train on, or a picture has several labels.
    """
    return divide_classes(list_source(source), seed=seed)


def check_classes(source: str | Path, *, seed: int = 0) -> Data:
    """As `read_classes`, with every picture opened; what is set aside is what `mobilevision.data.check` sets aside."""
    listing, _ = opened(source)
    return divide_classes(listing, seed=seed)


def divide_classes(listing: Listing, *, seed: int = 0, validation: float = VALIDATION, test: float = TEST) -> Data:
    """The data set of a listing, split by classes; its labels are those of train, sorted, and then the others.

    Args:
        listing: the pictures.
        seed: is only noted.
        validation: share of the classes, rounded down, but at least two.
        test: share of the classes, rounded down; none, if that is fewer than two.

    Raises:
        UsageError: if a share is none.
        InputError: if fewer than two classes are left to train on, or a picture has several labels.
    """
    if several := [entry for entry in listing.entries if len(entry.labels) != 1]:
        raise InputError(
            f"{several[0].file} has {len(several[0].labels)} labels; vectors are learned from pictures with one each"
        )
    parts = _parts(listing, _share(validation), _share(test))
    trained = sorted({entry.labels[0] for entry in parts["train"]})
    if len(trained) < 2:
        raise InputError(
            f"{listing.source} has {len(trained)} classes to train on, and two are needed to tell apart; add classes, "
            "or keep fewer from training"
        )
    others = sorted({entry.labels[0] for part in parts.values() for entry in part} - set(trained))
    labels = (*trained, *others)
    places = {label: place for place, label in enumerate(labels)}
    samples = {
        name: Album.of(Sample(entry.file, (places[entry.labels[0]],)) for entry in part) for name, part in parts.items()
    }
    data = Data(
        source=listing.source,
        root=listing.root,
        labels=labels,
        train=samples["train"],
        validation=samples["validation"],
        test=samples["test"],
        set_aside=listing.set_aside,
        warnings=listing.warnings,
        seed=seed,
    )
    return replace(data, warnings=(*data.warnings, *_alone(data)))


def _parts(listing: Listing, validation: float, test: float) -> dict[str, list[Entry]]:
    """The entries of each split: as the source names them, or the last classes by name."""
    named = {entry.split for entry in listing.entries} & {"validation", "test"}
    if named:
        parts: dict[str, list[Entry]] = {"train": [], "validation": [], "test": []}
        for entry in listing.entries:
            parts[entry.split or "train"].append(entry)
        if not parts["validation"]:  # something must tell which weights are best
            count = _count(parts["train"], validation)
            parts["train"], parts["validation"] = _last(parts["train"], max(count, LEAST))
        return parts
    tested, validated = _count(listing.entries, test), _count(listing.entries, validation)
    rest, testing = _last(listing.entries, tested if tested >= LEAST else 0)
    train, validating = _last(rest, max(validated, LEAST))
    return {"train": train, "validation": validating, "test": testing}


def _count(entries: Sequence[Entry], share: float) -> int:
    """A share of the classes, rounded down; what is whole but for binary fractions counts as whole."""
    return int(share * len({entry.labels[0] for entry in entries}) + 1e-9)


def _last(entries: Sequence[Entry], count: int) -> tuple[list[Entry], list[Entry]]:
    """The entries without those of the last classes by name, and those."""
    names = sorted({entry.labels[0] for entry in entries})
    gone = set(names[len(names) - min(count, len(names)) :])
    parts: dict[bool, list[Entry]] = {False: [], True: []}
    for entry in entries:
        parts[entry.labels[0] in gone].append(entry)
    return parts[False], parts[True]


def _share(share: float) -> float:
    if not 0 <= share < 1:
        raise UsageError(f"{share} is not a share of the classes, at least 0 and less than 1")
    return share


def _alone(data: Data) -> list[str]:
    """What is to be said of classes that have one picture in a split: nothing can be found for it."""
    warnings = []
    for split, samples in data.splits.items():
        counts = Counter(sample.labels[0] for sample in samples)
        lone = sorted(data.labels[label] for label, count in counts.items() if count == 1)
        if lone:
            warnings.append(f"{len(lone)} classes of {split} have one picture and no partner: {shown(lone)}; add some")
    return warnings
