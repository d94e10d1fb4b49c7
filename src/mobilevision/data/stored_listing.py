"""What a data set on disk lists."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mobilevision.data.listing import SPLITS, Entry, Listing
from mobilevision.data.stored import ONE, columns, inner, open_rows

Labels = Callable[[Any], tuple[str, ...]]
"""How a cell is told as names of classes."""


def list_stored(source: str, folder: Path) -> Listing:
    """The rows of a data set on disk: its column of pictures, and its column of classes.

    The classes are a column of `ClassLabel`, of a sequence of them, or one called label or labels.

    Raises:
        InputError: if it cannot be read, or has no such columns.
        MissingError: if `datasets` is not installed.
    """
    entries: list[Entry] = []
    classes: set[str] = set()
    warnings = []
    for name, place in _splits(folder):
        split = SPLITS.get(name.lower()) if name else ""
        if split is None:
            warnings.append(f"the split {name} is left out: beside train, only validation and test are read")
            continue
        rows, (_, column) = open_rows(place), columns(place)
        labels_of, names = _labels(rows.features[column])
        classes |= names
        for number, value in enumerate(rows.with_format(None)[column]):
            entries.append(Entry.of(place / str(number), labels_of(value), split))
    return Listing(source, folder, tuple(entries), frozenset(classes), warnings=tuple(warnings))


def _splits(folder: Path) -> Iterator[tuple[str, Path]]:
    if (folder / ONE).is_file():
        yield "", folder
    else:
        yield from ((each.name, each) for each in sorted(folder.iterdir()) if (each / ONE).is_file())


def _labels(kind: Any) -> tuple[Labels, set[str]]:
    """How a cell of classes is told by name, and which names there are."""
    names = getattr(inner(kind), "names", None)

    def told(value: Any) -> str:
        return str(value) if names is None else names[value]

    def labels(value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        return tuple(sorted({told(each) for each in values if each is not None and each != -1}))

    return labels, set(names or ())
