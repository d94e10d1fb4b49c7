"""Reading and checking pictures with masks: pairs of pictures and index masks, COCO's contours, or a sample."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mobilevision.data.coco import coco_files, list_coco
from mobilevision.data.dataset import SetAside
from mobilevision.data.pictures import files_under, named_as_picture
from mobilevision.data.samples import PREFIX
from mobilevision.data.scene_check import Look, looked, repeated
from mobilevision.data.scene_listing import Entry, SceneListing, divided, split_of
from mobilevision.data.scenes import UNKNOWN, Box, MaskSample, Outline, Scenes
from mobilevision.data.shapes import shapes_folder
from mobilevision.errors import InputError, UsageError
from mobilevision.files import read_text

PICTURES, MASKS = ("images", "JPEGImages", "image", "img"), ("masks", "SegmentationClass", "mask", "labels")
NAMES = "classes.txt"
BACKGROUND = "background"


def read_masks(source: str | Path, *, seed: int = 0, validation: float = 0.2) -> Scenes:
    """The pictures with masks at `source`, as they are listed; none is opened (`check_masks` opens them all).

    Args:
        source: a folder with `images` and `masks` and, in both or above them, train, val and test: a mask is a PNG of
            the name and size of its picture whose values are numbers of classes, 255 for pixels that nobody has
            decided; `classes.txt` names the classes, one a line from number 0. Or COCO's JSON with contours, which are
            drawn on a background. Or `sample:shapes`.
        seed: what a split is drawn with where there is none.
        validation: share of the training pictures that is cut off where there is no validation split.

    Raises:
        UsageError: if there is no such source.
        InputError: if it is none of these, or holds nothing to train on.
    """
    return _divided(list_masks(source), seed=seed, validation=validation)


def check_masks(source: str | Path, *, seed: int = 0, validation: float = 0.2) -> Scenes:
    """As `read_masks`, with every picture and mask opened.

    Set aside are pictures that cannot be read, whose mask cannot be read, has another size or a number without a name,
    and of pictures that lie in two splits the copy in the later one.

    Raises:
        UsageError: if there is no such source.
        InputError: if it is no data of this kind, or holds nothing to train on.
    """
    listing = list_masks(source)
    seen = looked(listing)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tasks = [(entry, look, listing.labels) for entry, look in zip(listing.entries, seen.looks, strict=True)]
        found = list(pool.map(lambda task: _numbers(*task), tasks))
    bad = {each[0].file: told for each, told in zip(tasks, found, strict=True) if isinstance(told, str)}
    listing = repeated(seen)
    listing.set_aside += [SetAside(file, reason) for file, reason in bad.items()]
    listing.entries = [entry for entry in listing.entries if entry.file not in bad]
    held = {each[0].file: told for each, told in zip(tasks, found, strict=True) if not isinstance(told, str)}
    listing.warnings += _absences(listing, held)
    return _divided(listing, seed=seed, validation=validation)


def list_masks(source: str | Path) -> SceneListing:
    """What `source` lists, before any check.

    Raises:
        UsageError: if there is no such source.
        InputError: if it is no data of this kind.
    """
    text = str(source)
    root = shapes_folder() if text == f"{PREFIX}shapes" else Path(source).expanduser().absolute()
    told = text if text.startswith(PREFIX) else str(root)
    if not root.exists():
        raise UsageError(f"there is no data at {source}; give a folder of pictures with masks, or sample:shapes")
    if root.is_dir() and (pairs := _pairs(root)):
        return _list_pairs(told, root, pairs)
    if files := coco_files(root):
        listing = list_coco(told, root if root.is_dir() else root.parent, files)
        listing.labels = (BACKGROUND, *(label for label in listing.labels if label != BACKGROUND))
        bare = {entry.file: bare for entry in listing.entries if (bare := _without_contour(entry))}
        listing.set_aside += [SetAside(file, f"its {label} has no contour of corners") for file, label in bare.items()]
        listing.entries = [entry for entry in listing.entries if entry.file not in bare]
        return listing
    raise InputError(
        f"{source} has no masks that are read here: folders {PICTURES[0]} and {MASKS[0]} with {NAMES}, or COCO's JSON"
    )


def _without_contour(entry: Entry) -> str:
    """The label of an object that has a box alone, or a contour in run lengths; "" if there is none."""
    return next((thing.label for thing in entry.things if not thing.outlines and not thing.crowd), "")


def _pairs(root: Path) -> list[tuple[Path, Path]]:
    """The folders of pictures under `root`, each with that of its masks."""
    found = []
    for folder in [root, *sorted(path for path in root.iterdir() if path.is_dir() and split_of(path.name))]:
        pictures = next((folder / name for name in PICTURES if (folder / name).is_dir()), None)
        masks = next((folder / name for name in MASKS if (folder / name).is_dir()), None)
        if pictures and masks and any(file.suffix == ".png" for file in files_under(masks)):
            found.append((pictures, masks))
    return found


def _list_pairs(source: str, root: Path, pairs: Sequence[tuple[Path, Path]]) -> SceneListing:
    listing = SceneListing(source, root, _labels(root / NAMES))
    for pictures, masks in pairs:
        left = {file.relative_to(masks).with_suffix(""): file for file in files_under(masks) if file.suffix == ".png"}
        for picture in filter(named_as_picture, files_under(pictures)):
            mask = left.pop(picture.relative_to(pictures).with_suffix(""), None)
            split = split_of(*picture.relative_to(root).parts[:-1])
            if mask is None:
                listing.set_aside.append(SetAside(picture, f"it has no mask of its name in {masks.name}"))
            else:
                listing.entries.append(Entry(picture, (), split, mask=mask))
        listing.set_aside += [
            SetAside(file, f"it has no picture of its name in {pictures.name}") for file in left.values()
        ]
    return listing


def _labels(file: Path) -> tuple[str, ...]:
    if not file.is_file():
        raise InputError(f"{file} is not there; name the masks' classes in it, one a line, from number 0")
    names = tuple(line.strip() for line in read_text(file).splitlines() if line.strip())
    if not 2 <= len(names) <= UNKNOWN:
        raise InputError(f"{file} names {len(names)} classes; 2 to {UNKNOWN} are needed, the background among them")
    if len(set(names)) < len(names):
        raise InputError(f"{file} names two classes alike; give each a name of its own")
    return names


def _divided(listing: SceneListing, *, seed: int, validation: float) -> Scenes:
    return divided(listing, lambda entry: sample_of(entry, listing.labels), seed=seed, validation=validation)


def sample_of(entry: Entry, labels: Sequence[str]) -> MaskSample:
    """The sample of an entry; all of a crowd's box is of nobody's class, under the other objects."""
    crowds = [Outline(UNKNOWN, _corners(thing.box)) for thing in entry.things if thing.crowd]
    single = [
        Outline(labels.index(thing.label), points)
        for thing in entry.things
        for points in thing.outlines
        if not thing.crowd
    ]
    known = tuple(sorted({outline.label for outline in single}))
    return MaskSample(entry.file, known, entry.mask, (*crowds, *single))


def _corners(box: Box) -> tuple[float, ...]:
    left, top, right, bottom = box
    return left, top, right, top, right, bottom, left, bottom


def _numbers(entry: Entry, look: Look, labels: Sequence[str]) -> frozenset[int] | str:
    """The numbers of the classes in a mask, or the reason why it cannot be used."""
    try:
        there = frozenset(np.unique(np.asarray(sample_of(entry, labels).draw(look.size))).tolist()) - {UNKNOWN}
    except InputError as error:
        return str(error)
    unknown = sorted(number for number in there if number >= len(labels))
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        told = ", ".join(map(str, unknown[:5])) + more
        return f"its mask has the numbers {told}, and {len(labels)} classes are named, from 0"
    return there


def _absences(listing: SceneListing, held: dict[Path, frozenset[int]]) -> list[str]:
    there = frozenset().union(*(held[entry.file] for entry in listing.entries if entry.split in ("", "train")))
    none = [label for place, label in enumerate(listing.labels) if place not in there]
    return [f"no mask to train on has a pixel of {', '.join(none)}; add pictures"] if none else []
