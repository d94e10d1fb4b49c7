"""Looking at every picture with boxes or masks before anything is trained on it."""

from __future__ import annotations

import hashlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from mobilevision.data.check import RANKS
from mobilevision.data.dataset import SetAside, name
from mobilevision.data.pictures import decode
from mobilevision.data.scene_listing import Entry, SceneListing
from mobilevision.errors import InputError


class Look(NamedTuple):
    """What opening a picture told.

    Attributes:
        digest: the hash of the file's bytes.
        size: width and height of the upright picture; (0, 0) if it cannot be read.
        reason: why it cannot be used; "" if it can.
    """

    digest: str
    size: tuple[int, int]
    reason: str


@dataclass(frozen=True)
class Seen:
    """A listing whose pictures were all opened; those that cannot be used are set aside.

    Attributes:
        listing: what is left.
        looks: what opening told, by the file's place in the listing.
    """

    listing: SceneListing
    looks: list[Look]


def looked(listing: SceneListing) -> Seen:
    """Open every picture; set aside those that cannot be read or are not of the size that the annotations say."""
    # Pillow warns of much that does no harm; what does comes as a reason. Decoding and hashing let other threads run.
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(os.cpu_count()) as pool:
        looks = list(pool.map(_look, listing.entries))
    pairs = list(zip(listing.entries, looks, strict=True))
    listing.set_aside += [SetAside(entry.file, look.reason) for entry, look in pairs if look.reason]
    listing.entries = [entry for entry, look in pairs if not look.reason]
    return Seen(listing, [look for look in looks if not look.reason])


def repeated(seen: Seen) -> SceneListing:
    """Set aside the copies of a picture in later splits: of train, validation and test, the first keeps it.

    Those in the same split are kept, and noted, so that they go the same way.
    """
    listing, first = seen.listing, dict[str, Entry]()
    pairs = sorted(zip(listing.entries, seen.looks, strict=True), key=lambda pair: (RANKS[pair[0].split], pair[0].file))
    kept = []
    for entry, look in pairs:
        other = first.setdefault(look.digest, entry)
        if RANKS[entry.split] > RANKS[other.split]:
            reason = f"it is a copy of {name(other.file, listing.root)}, which is kept"
            listing.set_aside.append(SetAside(entry.file, reason))
        else:
            kept.append(entry)
            if other is not entry:
                listing.copies[entry.file] = other.file
    if listing.copies:
        count = len(listing.copies)
        listing.warnings.append(f"{count} copies of other pictures in the same split count more than once")
    listing.entries = kept
    return listing


def _look(entry: Entry) -> Look:
    try:
        content = entry.file.read_bytes()
        size = decode(content).size
    except OSError as error:
        return Look("", (0, 0), f"it cannot be opened: {error.strerror or error}")
    except InputError as error:
        return Look("", (0, 0), str(error))
    if entry.size and entry.size != size:
        told = f"it has {size[0]} x {size[1]} pixels upright, its annotations say {entry.size[0]} x {entry.size[1]}"
        return Look("", size, told)
    return Look(hashlib.sha256(content).hexdigest(), size, "")
