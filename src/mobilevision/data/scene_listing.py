"""What a source of boxes or masks lists, before it is split and its labels become numbers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mobilevision.data.dataset import Sample, SetAside, name
from mobilevision.data.listing import SPLITS
from mobilevision.data.scenes import Box, Scenes
from mobilevision.errors import InputError, UsageError


@dataclass(frozen=True)
class Thing:
    """An object in a picture, as its source lists it.

    Attributes:
        label: the name of its class.
        box: where it is.
        outlines: x and y of each corner of each of its contours, in pixels; empty if the source has boxes alone.
        crowd: whether it is many objects.
    """

    label: str
    box: Box
    outlines: tuple[tuple[float, ...], ...] = ()
    crowd: bool = False


@dataclass(frozen=True)
class Entry:
    """A picture as its source lists it.

    Attributes:
        file: where the picture is.
        things: what it shows.
        split: "train", "validation" or "test"; empty if the source does not say.
        size: width and height as the source says; None if it does not.
        mask: where its mask is, if it has one.
    """

    file: Path
    things: tuple[Thing, ...] = ()
    split: str = ""
    size: tuple[int, int] | None = None
    mask: Path | None = None


@dataclass
class SceneListing:
    """All that a source lists.

    Attributes:
        source: where it was read: an absolute path, or the name of a sample.
        root: the folder that the files' names are told from.
        labels: names of the classes, in order.
        entries: the pictures.
        set_aside: files that cannot be used, with the reasons.
        warnings: what a person should know, a sentence each.
        copies: of a file with the bytes of another, that other; a split that is drawn does not part them.
    """

    source: str
    root: Path
    labels: tuple[str, ...] = ()
    entries: list[Entry] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    copies: dict[Path, Path] = field(default_factory=dict)


def split_of(*names: str) -> str:
    """The split that a file's or a folder's name tells, as in "instances_val2017"; "" if none does."""
    for text in names:
        for word in re.split("[^a-z]+", text.lower()):
            if word in SPLITS:
                return SPLITS[word]
    return ""


def divided(listing: SceneListing, made: Callable[[Entry], Sample], *, seed: int, validation: float) -> Scenes:
    """The data set of a listing; where nothing is listed for validation, a part of train is cut off for it.

    A hash of `seed` and the file's name decides who goes: it is the same on every machine, and files that come later
    move few of the others. Copies go the way of the file that they are of.

    Raises:
        UsageError: if `validation` is no share.
        InputError: if nothing is left to train on or to validate with.
    """
    if not 0 <= validation < 1:
        raise UsageError(f"validation {validation} is not a share of the pictures, at least 0 and less than 1")
    parts: dict[str, list[Entry]] = {"": [], "train": [], "validation": [], "test": []}
    for entry in sorted(listing.entries, key=lambda entry: entry.file):
        parts[entry.split].append(entry)
    train = [*parts["train"], *parts[""]]
    if not parts["validation"] and validation > 0:
        train, parts["validation"] = _cut(listing, train, seed=seed, share=validation)
    if not train:
        why = f"; {len(listing.set_aside)} files are set aside, first {_first(listing)}" if listing.set_aside else ""
        raise InputError(f"{listing.source} has no picture left to train on{why}")
    return Scenes(
        source=listing.source,
        root=listing.root,
        labels=listing.labels,
        train=tuple(map(made, train)),
        validation=tuple(map(made, parts["validation"])),
        test=tuple(map(made, parts["test"])),
        set_aside=tuple(listing.set_aside),
        warnings=tuple(listing.warnings),
        seed=seed,
    )


def _cut(listing: SceneListing, train: Sequence[Entry], *, seed: int, share: float) -> tuple[list[Entry], list[Entry]]:
    def lot(entry: Entry) -> bytes:
        file = listing.copies.get(entry.file, entry.file)
        return hashlib.sha256(f"{seed}:{name(file, listing.root)}".encode()).digest()

    lots = list(map(lot, train))
    highest = sorted(lots)[max(1, round(share * len(train))) - 1] if lots else b""
    gone = [entry for entry, drawn in zip(train, lots, strict=True) if drawn <= highest]
    left = [entry for entry, drawn in zip(train, lots, strict=True) if drawn > highest]
    if not left:
        raise InputError(f"{listing.source} has too few pictures ({len(train)}) to keep some for validation; add some")
    return left, gone


def _first(listing: SceneListing) -> str:
    first = listing.set_aside[0]
    return f"{name(first.file, listing.root)}: {first.reason}"
