"""Looking at every picture of a data set before anything is trained on it."""

import hashlib
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mobilevision.data.content import content
from mobilevision.data.dataset import Data, SetAside, name
from mobilevision.data.folders import list_source
from mobilevision.data.listing import Entry, Listing
from mobilevision.data.pictures import decode
from mobilevision.data.several import in_order
from mobilevision.data.split import divide, shown
from mobilevision.errors import InputError

IMBALANCE = 5  # times as many pictures in the largest class as in the smallest, from where it is worth a word
SMALL = 64  # pixels; a JPEG is decoded no larger than it must to see that all of it is there
DIGEST = 16  # bytes of a hash
NONE = bytes(DIGEST)  # in place of a hash that is not known
RANKS = {"train": 0, "": 0, "validation": 1, "test": 2}  # of two splits, the first keeps a picture that is in both


def check(source: str | Path, *, seed: int = 0, validation: float = 0.2) -> Data:
    """The data set at `source` with every picture opened, and everything bad set aside with its reason.

    Set aside are files that cannot be read (not a picture, cut off, empty, too large), pictures whose very bytes lie
    under different labels (all of them: which is right is not known), pictures of validation that train has too, and
    of test that train or validation has (the copy there; train keeps its own), and pictures of classes that train
    does not have. Copies within a split are kept, and a split that is drawn never parts them. Warnings tell of these,
    of classes without pictures and of imbalance.

    Args:
        source: as for `read_data`.
        seed: as for `read_data`.
        validation: as for `read_data`.

    Raises:
        UsageError: if there is no such source.
        InputError: if nothing is left to train on, or fewer than two classes.
    """
    listing, contents = opened(source)
    data = divide(listing, seed=seed, validation=validation, contents=contents)
    return replace(data, warnings=(*data.warnings, *_imbalance(data)))


def opened(source: str | Path) -> tuple[Listing, dict[Entry, bytes]]:
    """What `source` lists without everything bad, before any split, and the hashes of files that have copies.

    Raises:
        UsageError: if there is no such source.
        InputError: if it is no data set.
    """
    listing = list_source(source)
    digests, unread = bytearray(), []
    with warnings.catch_warnings(action="ignore"):  # Pillow warns of much that does no harm; what does is a reason
        for entry, (digest, reason) in in_order(listing.entries, _look):
            digests += digest
            if reason:
                unread.append(SetAside(entry.file, reason))
    contents = _copied(listing.entries, bytes(digests))
    listing = _without(listing, unread)
    listing = _without(listing, _conflicts(listing, contents))
    listing = _without(listing, _leaks(listing, contents))
    return replace(listing, warnings=(*listing.warnings, *_copies(listing, contents))), contents


def _look(entry: Entry) -> tuple[bytes, str]:
    """The hash of the file's bytes and, if it cannot be used, the reason."""
    try:
        found = content(entry.file)
        decode(found, least=SMALL)
    except OSError as error:
        return NONE, f"it cannot be opened: {error.strerror or error}"
    except InputError as error:
        return NONE, str(error)
    return hashlib.blake2b(found, digest_size=DIGEST).digest(), ""


def _without(listing: Listing, bad: Sequence[SetAside]) -> Listing:
    if not bad:
        return listing
    files = {each.file for each in bad}
    entries = tuple(entry for entry in listing.entries if entry.file not in files)
    return replace(listing, entries=entries, set_aside=(*listing.set_aside, *bad))


def _copied(entries: Sequence[Entry], digests: bytes) -> dict[Entry, bytes]:
    """The hashes of the pictures that are not the only ones of their hash; those that were not read have none."""
    each = np.frombuffer(digests, np.dtype(f"V{DIGEST}"))
    order = np.argsort(each, kind="stable")
    same = each[order][1:] == each[order][:-1]
    places = np.union1d(order[1:][same], order[:-1][same]).tolist()
    return {entries[place]: each[place].tobytes() for place in places if each[place].tobytes() != NONE}


def _alike(listing: Listing, contents: Mapping[Entry, bytes]) -> list[list[Entry]]:
    """Pictures of the same bytes, those of train first."""
    groups: dict[bytes, list[Entry]] = defaultdict(list)
    copied = [entry for entry in listing.entries if entry in contents]
    for entry in sorted(copied, key=lambda entry: (RANKS[entry.split], entry.file)):
        groups[contents[entry]].append(entry)
    return [group for group in groups.values() if len(group) > 1]


def _conflicts(listing: Listing, contents: Mapping[Entry, bytes]) -> list[SetAside]:
    bad = []
    for group in _alike(listing, contents):
        kinds = sorted({" and ".join(entry.labels) or "no label" for entry in group})
        if len(kinds) > 1:
            names = shown([name(entry.file, listing.root) for entry in group])
            reason = f"the same picture lies under different labels ({', '.join(kinds)}): {names}; keep the right one"
            bad += [SetAside(entry.file, reason) for entry in group]
    return bad


def _leaks(listing: Listing, contents: Mapping[Entry, bytes]) -> list[SetAside]:
    return [
        SetAside(entry.file, f"it is a copy of {name(group[0].file, listing.root)}, which is kept")
        for group in _alike(listing, contents)
        for entry in group
        if RANKS[entry.split] > RANKS[group[0].split]
    ]


def _copies(listing: Listing, contents: Mapping[Entry, bytes]) -> list[str]:
    copies = [name(entry.file, listing.root) for group in _alike(listing, contents) for entry in group[1:]]
    if not copies:
        return []
    return [f"{len(copies)} copies of other pictures in the same split count more than once: {shown(copies)}"]


def _imbalance(data: Data) -> list[str]:
    counts = Counter(data.counts()["train"])
    (most, large), (fewest, small) = counts.most_common()[0], counts.most_common()[-1]
    if large < IMBALANCE * small:
        return []
    return [
        f"the classes are not balanced: {most} has {large} pictures to train on and {fewest} has {small};"
        " ask for balanced sampling or class weights, or add pictures"
    ]
