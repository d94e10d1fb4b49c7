"""Reading and checking pictures with boxes: COCO JSON, Pascal VOC XML, YOLO text, or a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mobilevision.data.coco import coco_files, list_coco
from mobilevision.data.dataset import SetAside
from mobilevision.data.samples import PREFIX
from mobilevision.data.scene_check import looked, repeated
from mobilevision.data.scene_listing import Entry, SceneListing, Thing, divided
from mobilevision.data.scenes import BoxSample, Scenes
from mobilevision.data.shapes import shapes_folder
from mobilevision.data.voc import list_voc, voc_files
from mobilevision.data.yolo import list_yolo, yolo_names
from mobilevision.errors import InputError, UsageError

HELD = 0.5  # share of a box that must lie within the picture
SLACK = 1.0  # pixels that a box may reach beyond without a word
MANY = 1000  # boxes in one picture, from where it is worth a word


def read_boxes(source: str | Path, *, seed: int = 0, validation: float = 0.2) -> Scenes:
    """The pictures with boxes at `source`, as they are listed; no picture is opened (`check_boxes` opens them all).

    Boxes that reach beyond their picture are cut at its border. Set aside are pictures that are not there, and those
    with an object of no named class, a box that is inverted, or one that lies outside.

    Args:
        source: a folder with COCO's JSON files (train, val, test), or one such file; with Pascal VOC's XML files; with
            YOLO's text files and a data.yaml or classes.txt; or `sample:shapes`.
        seed: what a split is drawn with where there is none.
        validation: share of the training pictures that is cut off where there is no validation split.

    Raises:
        UsageError: if there is no such source.
        InputError: if it is none of these, or holds nothing to train on.
    """
    return _divided(_sound(list_boxes(source)), seed=seed, validation=validation)


def check_boxes(source: str | Path, *, seed: int = 0, validation: float = 0.2) -> Scenes:
    """As `read_boxes`, with every picture opened.

    Set aside are also pictures that cannot be read or are of another size than the annotations say, and of pictures
    that lie in two splits the copy in the later one.

    Raises:
        UsageError: if there is no such source.
        InputError: if it is no data of this kind, or holds nothing to train on.
    """
    listing = _sound(list_boxes(source))
    seen = looked(listing)
    return _divided(repeated(seen), seed=seed, validation=validation)


def list_boxes(source: str | Path) -> SceneListing:
    """What `source` lists, before any check.

    Raises:
        UsageError: if there is no such source.
        InputError: if it is no data of this kind.
    """
    text = str(source)
    root = shapes_folder() if text == f"{PREFIX}shapes" else Path(source).expanduser().absolute()
    told = text if text.startswith(PREFIX) else str(root)
    if not root.exists():
        raise UsageError(f"there is no data at {source}; give a folder of pictures with boxes, or sample:shapes")
    folder = root if root.is_dir() else root.parent
    if files := coco_files(root):
        return list_coco(told, folder, files)
    if files := voc_files(root):
        return list_voc(told, folder, files)
    if names := yolo_names(root):
        return list_yolo(told, folder, names)
    raise InputError(
        f"{source} has no boxes that are read here: COCO's JSON, Pascal VOC's XML, or YOLO's text with a data.yaml"
    )


def _divided(listing: SceneListing, *, seed: int, validation: float) -> Scenes:
    places = {label: place for place, label in enumerate(listing.labels)}

    def made(entry: Entry) -> BoxSample:
        crowd = tuple(thing.crowd for thing in entry.things)
        labels = tuple(places[thing.label] for thing in entry.things)
        return BoxSample(entry.file, labels, tuple(thing.box for thing in entry.things), crowd if any(crowd) else ())

    data = divided(listing, made, seed=seed, validation=validation)
    return replace(data, warnings=(*data.warnings, *_absences(data)))


def _absences(data: Scenes) -> list[str]:
    """What a person should know of the classes and of pictures without boxes.

    Raises:
        InputError: if there are no boxes to train on.
    """
    counts, warnings = data.counts(), []
    if not any(counts["train"].values()):
        raise InputError(f"{data.source} has no box to train on; draw some, or give other annotations")
    for split, what in (("train", "to train on"), ("validation", "to validate with")):
        if none := [label for label, count in counts[split].items() if not count]:
            warnings.append(f"there is no box of {', '.join(none)} {what}; add pictures")
    blank = sum(not sample.labels for sample in data.train)
    if blank:
        warnings.append(f"{blank} pictures to train on have no boxes and count as background")
    return warnings


def _sound(listing: SceneListing) -> SceneListing:
    """The listing with boxes within their pictures; pictures with a box that cannot be so are set aside."""
    kept, cut, empty = [], 0, 0
    for entry in listing.entries:
        try:
            things = [_within(thing, entry.size) for thing in entry.things]
        except InputError as error:
            listing.set_aside.append(SetAside(entry.file, str(error)))
            continue
        full = [thing for thing in things if thing.box[0] < thing.box[2] and thing.box[1] < thing.box[3]]
        cut += sum(_beyond(thing, entry.size) for thing in entry.things)
        empty += len(things) - len(full)
        if len(full) > MANY:
            listing.warnings.append(f"{entry.file.name} has {len(full)} boxes; a detector tells 300 at most")
        kept.append(replace(entry, things=tuple(full)))
    if cut:
        listing.warnings.append(f"{cut} boxes reach beyond their picture and are cut at its border")
    if empty:
        listing.warnings.append(f"{empty} boxes have no width or no height and are left out")
    listing.entries = kept
    return listing


def _beyond(thing: Thing, size: tuple[int, int] | None) -> bool:
    left, top, right, bottom = thing.box
    if size is None:
        return False
    return min(left, top) < -SLACK or right > size[0] + SLACK or bottom > size[1] + SLACK


def _within(thing: Thing, size: tuple[int, int] | None) -> Thing:
    """The object with its box cut at the picture's border.

    Raises:
        InputError: if the box is inverted, or lies outside by more than half.
    """
    left, top, right, bottom = thing.box
    if not all(abs(side) < float("inf") for side in thing.box):
        raise InputError(f"its {thing.label} has a box that is no four numbers: {_told(thing.box)}")
    if right < left or bottom < top:
        raise InputError(f"its {thing.label} has an inverted box: {_told(thing.box)} (left, top, right, bottom)")
    if size is None:
        return thing
    width, height = size
    box = (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
    held = max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
    if held < HELD * (right - left) * (bottom - top):
        raise InputError(f"its {thing.label} lies outside the {width} x {height} pixels: {_told(thing.box)}")
    return replace(thing, box=box)


def _told(box: Sequence[float]) -> str:
    return ", ".join(f"{side:g}" for side in box)
