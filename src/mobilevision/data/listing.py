"""What a source lists, before it is split and turned into numbers: class folders."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from mobilevision.data.dataset import SetAside, printable
from mobilevision.data.pictures import SUFFIXES, files_under, named_as_picture, visible
from mobilevision.errors import InputError

SPLITS = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture as its source lists it; there may be millions, so it is kept short.

    Attributes:
        folder: where the picture is; pictures of one folder share it.
        name: of the file in the folder, as the file system has it: bytes take less memory than text.
        labels: names of what it shows, sorted.
        split: "train", "validation" or "test"; empty if the source does not say.
    """

    folder: str
    name: bytes
    labels: tuple[str, ...]
    split: str = ""

    @classmethod
    def of(cls, file: Path, labels: tuple[str, ...], split: str = "") -> Self:
        """The entry of a file."""
        folder, name = os.path.split(file)
        return cls(sys.intern(folder), os.fsencode(name), labels, split)

    @property
    def path(self) -> str:
        """Where the picture is."""
        return os.path.join(self.folder, os.fsdecode(self.name))  # noqa: PTH118  # a Path takes much more time and memory

    @property
    def file(self) -> Path:
        """Where the picture is."""
        return Path(self.path)

    def told(self, root: Path) -> str:
        """The file's name as seen from `root`, as `mobilevision.data.dataset.name` tells it."""
        above = f"{root}{os.sep}"
        return printable(self.path.removeprefix(above).replace(os.sep, "/"))


@dataclass(frozen=True)
class Listing:
    """All that a source lists.

    Attributes:
        source: where it was read: an absolute path, or the name of a sample.
        root: the folder that the files' names are told from.
        entries: the pictures.
        classes: names of the classes the source has room for, with pictures or without.
        set_aside: files that are no pictures, with the reasons.
        warnings: what a person should know, a sentence each.
    """

    source: str
    root: Path
    entries: tuple[Entry, ...]
    classes: frozenset[str]
    set_aside: tuple[SetAside, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class _Found:
    entries: list[Entry] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    set_aside: list[SetAside] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def list_folder(source: str, root: Path) -> Listing:
    """The pictures of class folders, `root/class/...` or `root/{train,val,test}/class/...`.

    A folder that is called train is a class like any other unless it holds folders itself.

    Raises:
        InputError: if there are no class folders.
    """
    folders = [path for path in visible(root) if path.is_dir()]
    found = _Found()
    if not _has_splits(folders):
        _add_classes(found, root, split="")
    else:
        for folder in folders:
            split = SPLITS.get(folder.name.lower())
            if split is None:
                found.warnings.append(f"the folder {folder.name} is left out: beside train, only val and test are read")
            else:
                _add_classes(found, folder, split=split)
    if not found.classes:
        raise InputError(
            f"{root} has no class folders; put the pictures of each class into a folder of its own, as"
            f" {root}/cat/1.jpg, or give a CSV file with the columns file,label"
        )
    parts = tuple(found.entries), frozenset(found.classes), tuple(found.set_aside), tuple(found.warnings)
    return Listing(source, root, *parts)


def _has_splits(folders: list[Path]) -> bool:
    names = {folder.name.lower() for folder in folders}
    if folders and names <= SPLITS.keys():
        return True
    return any(each.is_dir() for folder in folders if folder.name.lower() == "train" for each in visible(folder))


def _add_classes(found: _Found, folder: Path, *, split: str) -> None:
    for path in visible(folder):
        if path.is_dir():
            found.classes.add(path.name)
            labels = (path.name,)
            for file in files_under(path):
                _add_file(found, file, labels=labels, split=split)
        elif named_as_picture(path):
            found.set_aside.append(SetAside(path, "it lies outside the class folders, so its label is not known"))


def _add_file(found: _Found, file: Path, *, labels: tuple[str, ...], split: str) -> None:
    if not file.is_file():
        found.set_aside.append(SetAside(file, "it is a link that leads nowhere, or no regular file"))
    elif not named_as_picture(file):
        kind = f"a {file.suffix} file" if file.suffix else "a file without a suffix"
        found.set_aside.append(SetAside(file, f"{kind} is not a picture that is read here ({' '.join(SUFFIXES)})"))
    else:
        found.entries.append(Entry.of(file, labels, split))
