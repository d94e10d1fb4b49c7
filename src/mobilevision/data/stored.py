"""Data sets that Hugging Face's `datasets` has saved on disk; a picture's file is `folder/split/row`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from mobilevision.errors import InputError, missing_extra

MANY, ONE = "dataset_dict.json", "state.json"  # what `save_to_disk` leaves in a folder of splits, and in one of rows


def is_stored(folder: Path) -> bool:
    """Whether `save_to_disk` has written the folder."""
    return any((folder / name).is_file() for name in (MANY, ONE))


def read_row(folder: Path, name: str) -> bytes:
    """The file of the picture in a row.

    Raises:
        InputError: if there is no such row, or its picture is elsewhere.
        MissingError: if `datasets` is not installed.
    """
    rows, (column, _) = open_rows(folder), columns(folder)
    if not name.isdecimal() or int(name) >= len(rows):
        raise InputError(f"{folder} has no row {name}; it has {len(rows)}")
    found = rows[int(name)][column]
    if found["bytes"] is None:
        raise InputError(f"the picture lies outside the data set, at {found['path']}; save the data set with its files")
    content: bytes = found["bytes"]
    return content


@lru_cache(maxsize=8)
def open_rows(folder: Path) -> Any:
    """A split, its file mapped into memory, its pictures left as they are."""
    try:
        import datasets
    except ModuleNotFoundError:
        raise missing_extra("datasets", "datasets") from None
    try:
        rows = datasets.load_from_disk(str(folder))
        column = next((name for name, kind in rows.features.items() if isinstance(kind, datasets.Image)), None)
        return rows if column is None else rows.cast_column(column, datasets.Image(decode=False))
    except (OSError, ValueError, LookupError, datasets.exceptions.DatasetsError) as error:
        raise InputError(f"{folder} cannot be read as a data set on disk: {error}; save it again") from error


@lru_cache(maxsize=8)
def columns(folder: Path) -> tuple[str, str]:
    """The column of pictures and that of classes."""
    import datasets

    features = open_rows(folder).features
    pictures = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    classes = [name for name, kind in features.items() if isinstance(inner(kind), datasets.ClassLabel)]
    classes += [name for name in features if name in ("label", "labels")]
    if not pictures or not classes:
        raise InputError(
            f"{folder} has the columns {', '.join(features)}; a column of pictures and one of classes are needed"
        )
    return pictures[0], classes[0]


def inner(kind: Any) -> Any:
    """What a column holds, or what its sequences hold."""
    return getattr(kind, "feature", kind)
