"""COCO's annotation files: boxes and contours as JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobilevision.data.dataset import SetAside
from mobilevision.data.pictures import files_under
from mobilevision.data.scene_listing import Entry, SceneListing, Thing, split_of
from mobilevision.errors import InputError

KEYS = ("images", "annotations", "categories")


def coco_files(path: Path) -> list[Path]:
    """The annotation files at `path`: itself, or the JSON files under a folder that are of this kind."""
    if path.is_file():
        return [path] if path.suffix == ".json" else []
    return [file for file in files_under(path) if file.suffix == ".json" and _looks_right(file)]


def list_coco(source: str, root: Path, files: list[Path]) -> SceneListing:
    """The pictures of annotation files; the name of a file or of its folder tells the split.

    Raises:
        InputError: if a file is no such JSON, or files differ in their categories.
    """
    listing = SceneListing(source, root)
    named: dict[str, dict[int, str]] = {}
    for file in files:
        facts = _read(file)
        names = _names(facts, file)
        named[file.name] = names
        if names != next(iter(named.values())):
            first = next(iter(named))
            raise InputError(f"{file} has other categories than {first}; give all files the same list")
        split = split_of(file.stem, file.parent.name) if len(files) > 1 else ""
        _add(listing, file, facts, split=split, names=names)
    ordered = sorted(next(iter(named.values())).items())
    listing.labels = tuple(text for _, text in ordered)
    return listing


def _looks_right(file: Path) -> bool:
    with file.open("rb") as opened:
        start = opened.read(65536)
    return any(f'"{key}"'.encode() in start for key in KEYS)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file} is not JSON: {error}") from error
    if not isinstance(facts, dict) or not all(isinstance(facts.get(key), list) for key in KEYS):
        raise InputError(f"{file} is not an annotation file of COCO: it needs lists called {', '.join(KEYS)}")
    return facts


def _names(facts: Mapping[str, Any], file: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for category in facts["categories"]:
        if not isinstance(category, dict) or "id" not in category or not str(category.get("name") or "").strip():
            raise InputError(f"{file} has a category without an id or a name: {category}; name every category")
        names[category["id"]] = str(category["name"])
    if not names:
        raise InputError(f"{file} has no categories; name what its boxes hold")
    if len(set(names.values())) < len(names):
        raise InputError(f"{file} has two categories of one name; give each a name of its own")
    return names


def _add(listing: SceneListing, file: Path, facts: Mapping[str, Any], *, split: str, names: Mapping[int, str]) -> None:
    rows: dict[Any, list[Any]] = defaultdict(list)
    for row in facts["annotations"]:
        rows[row.get("image_id") if isinstance(row, dict) else None].append(row)
    for image in facts["images"]:
        if not isinstance(image, dict) or "file_name" not in image or "id" not in image:
            raise InputError(f"{file} has an image without an id or a file_name: {str(image)[:80]}")
        picture = _picture(file, str(image["file_name"]))
        of_it = rows.pop(image["id"], [])
        if not picture.is_file():
            listing.set_aside.append(SetAside(picture, f"{file.name} lists it, but it is not there"))
            continue
        try:
            things = tuple(_thing(row, names) for row in of_it)
        except InputError as error:
            listing.set_aside.append(SetAside(picture, str(error)))
            continue
        listing.entries.append(Entry(picture, things, split, _size(image)))
    if rows:
        listing.warnings.append(f"{file.name} has boxes of {len(rows)} images that it does not list; they are left out")


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _picture(file: Path, told: str) -> Path:
    """The picture's file: beside the annotations, in a folder of images, or in one that is called as they are."""
    folders = [file.parent, file.parent / "images", file.parent.parent, file.parent.parent / "images"]
    named = file.stem.removeprefix("instances_")
    folders += [folder / named for folder in list(folders)]
    return next((folder / told for folder in folders if (folder / told).is_file()), file.parent / told)


def _thing(row: Mapping[str, Any], names: Mapping[int, str]) -> Thing:
    if row.get("category_id") not in names:
        raise InputError(f"it has an object of category {row.get('category_id')}, which has no name")
    outlines = row.get("segmentation") if isinstance(row.get("segmentation"), list) else []
    try:
        left, top, width, height = map(float, row["bbox"])
        points = tuple(tuple(map(float, part)) for part in outlines or [])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"it has a box that is no list of four numbers: {row.get('bbox')}") from error
    if any(len(part) < 6 or len(part) % 2 for part in points):
        raise InputError("it has a contour that is no list of x and y of at least three corners")
    box = (left, top, left + width, top + height)
    return Thing(names[row["category_id"]], box, points, bool(row.get("iscrowd", 0)))
