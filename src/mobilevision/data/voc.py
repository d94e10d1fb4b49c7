"""Pascal VOC's annotation files: one XML file a picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from mobilevision.data.dataset import SetAside
from mobilevision.data.pictures import SUFFIXES, files_under
from mobilevision.data.scene_listing import Entry, SceneListing, Thing, split_of
from mobilevision.errors import InputError
from mobilevision.files import read_text

SETS = Path("ImageSets") / "Main"


def voc_files(path: Path) -> list[Path]:
    """The XML files under a folder."""
    return [file for file in files_under(path) if file.suffix == ".xml"] if path.is_dir() else []


def list_voc(source: str, root: Path, files: list[Path]) -> SceneListing:
    """The pictures of XML files; ImageSets/Main or a folder's name tells the split. The labels are sorted."""
    listing, splits = SceneListing(source, root), _splits(root)
    for file in files:
        split = splits.get(file.stem) or split_of(*file.relative_to(root).parts[:-1])
        try:
            listing.entries.append(_entry(file, split))
        except InputError as error:
            listing.set_aside.append(SetAside(file, str(error)))
    listing.labels = tuple(sorted({thing.label for entry in listing.entries for thing in entry.things}))
    return listing


def _splits(root: Path) -> dict[str, str]:
    """The split of each picture, by the stem of its file."""
    found: dict[str, str] = {}
    for file in sorted((root / SETS).glob("*.txt")):
        if split := split_of(file.stem):
            found |= dict.fromkeys(read_text(file).split(), split)
    return found


def _entry(file: Path, split: str) -> Entry:
    try:
        tree = ElementTree.parse(file).getroot()  # noqa: S314  # expat itself bounds how far entities grow
    except (ElementTree.ParseError, LookupError, ValueError, OSError) as error:  # the middle two: of its encoding
        raise InputError(f"it is not XML: {error}") from error
    picture = _picture(file, tree.findtext("filename") or "")
    size = tree.findtext("size/width"), tree.findtext("size/height")
    things = tuple(_thing(element) for element in tree.iter("object"))
    try:
        sides = (int(size[0]), int(size[1])) if size[0] and size[1] else None
    except ValueError as error:
        raise InputError(f"its size {size} is not a number of pixels") from error
    return Entry(picture, things, split, sides if sides and min(sides) > 0 else None)


def _picture(file: Path, told: str) -> Path:
    folders = [file.parent, file.parent.parent / "JPEGImages", file.parent.parent / "images", file.parent.parent]
    names = [told, *(file.stem + suffix for suffix in SUFFIXES)]
    for folder in folders:
        for name in filter(None, names):
            if (folder / name).is_file():
                return folder / name
    raise InputError(f"there is no picture {told or file.stem} beside it or in JPEGImages")


def _thing(element: ElementTree.Element) -> Thing:
    label = (element.findtext("name") or "").strip()
    if not label:
        raise InputError("it has an object without a name")
    told = [element.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    try:
        left, top, right, bottom = (float(value or "") for value in told)
    except ValueError as error:
        raise InputError(f"its {label} has a box that is no four numbers: {told}") from error
    return Thing(label, (max(0.0, left - 1), max(0.0, top - 1), right, bottom))  # VOC counts pixels from 1
