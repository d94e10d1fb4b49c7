"""YOLO's annotation files: one text file a picture, one box a line, in fractions of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from mobilevision.data.dataset import SetAside
from mobilevision.data.jpeg import DAMAGE
from mobilevision.data.pictures import FORMATS, files_under, named_as_picture
from mobilevision.data.scene_listing import Entry, SceneListing, Thing, split_of
from mobilevision.errors import InputError
from mobilevision.files import read_text

NAMES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")


def yolo_names(path: Path) -> Path | None:
    """The file that names the classes under a folder, if there is one and text files to go with it."""
    if not path.is_dir():
        return None
    return next((path / name for name in NAMES if (path / name).is_file()), None)


def list_yolo(source: str, root: Path, names: Path) -> SceneListing:
    """The pictures under `root`, each with the text file that has its name; a folder's name tells the split.

    The text lies beside its picture, or in a folder `labels` where the picture lies in `images`. A picture whose file
    is empty or absent is background.

    Raises:
        InputError: if the classes have no names.
    """
    listing = SceneListing(source, root, _labels(names))
    for picture in filter(named_as_picture, files_under(root)):
        split = split_of(*picture.relative_to(root).parts[:-1])
        try:
            listing.entries.append(_entry(picture, split, listing.labels))
        except InputError as error:
            listing.set_aside.append(SetAside(picture, str(error)))
    return listing


def _labels(file: Path) -> tuple[str, ...]:
    text = read_text(file)
    if file.suffix != ".yaml":
        named: Any = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        try:
            facts = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"{file} is not YAML: {error}") from error
        named = facts.get("names") if isinstance(facts, dict) else None
        named = [named[place] for place in sorted(named)] if isinstance(named, dict) else named
    if not isinstance(named, list) or not named or not all(str(each).strip() for each in named):
        raise InputError(f"{file} names no classes; give a list of names in the order of their numbers")
    return tuple(map(str, named))


def text_of(picture: Path) -> Path:
    """Where the boxes of a picture are."""
    parts = list(picture.with_suffix(".txt").parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
        return Path(*parts)
    return picture.with_suffix(".txt")


def _entry(picture: Path, split: str, labels: Sequence[str]) -> Entry:
    file = text_of(picture)
    lines = read_text(file).splitlines() if file.is_file() else []
    size = _size(picture)
    things = tuple(_thing(line, size, labels) for line in lines if line.strip())
    return Entry(picture, things, split, size)


def _size(picture: Path) -> tuple[int, int]:
    """Width and height of the upright picture, from the start of its file."""
    try:
        with Image.open(picture, formats=FORMATS) as image:
            turned = image.getexif().get(0x0112, 1) >= 5
            return (image.height, image.width) if turned else (image.width, image.height)
    except DAMAGE as error:
        raise InputError(f"it cannot be read: {error}") from error


def _thing(line: str, size: tuple[int, int], labels: Sequence[str]) -> Thing:
    try:
        number, *rest = line.split()
        label, (x, y, width, height) = int(number), map(float, rest[:4])
    except ValueError as error:
        raise InputError(f"its line {line.strip()[:60]!r} is not a class and four fractions") from error
    if not 0 <= label < len(labels):
        raise InputError(f"it has an object of class {label}, and {len(labels)} are named")
    box = ((x - width / 2) * size[0], (y - height / 2) * size[1], (x + width / 2) * size[0], (y + height / 2) * size[1])
    return Thing(labels[label], box)
