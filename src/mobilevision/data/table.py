"""What a CSV file lists: a picture a row, with one label, several, or a column of 0 and 1 for each."""

import csv
from collections.abc import Callable
from pathlib import Path

from mobilevision.data.dataset import SetAside
from mobilevision.data.listing import SPLITS, Entry, Listing
from mobilevision.data.pairs import has_pairs, list_pairs
from mobilevision.data.pictures import named_as_picture
from mobilevision.errors import InputError

SEPARATOR = ";"  # between the labels of one cell
LABELLED = ("label", "class", "tag")  # what the name of a column that holds labels begins with
Row = dict[str, str]


def list_table(source: str, path: Path) -> Listing:
    """The pictures of a CSV file, whose names are told from the file's own folder.

    The first column is the file. A column named `split` may say train, val or test. Columns whose name begins with
    label, class or tag hold labels, several separated by `;`; if there is none, every other column is a label of its
    own, with 1 where it holds and 0 or nothing where not. Rows of the same file are added up. Without a header, the
    columns are the file and labels. Columns `first`, `second` and `same` make it a table of pairs, see `list_pairs`.

    Raises:
        InputError: if the file is no such table.
    """
    columns, rows = _read(path)
    if has_pairs(columns):
        return list_pairs(source, path, rows)
    named = [column for column in columns[1:] if column.lower().startswith(LABELLED)]
    marked = [column for column in columns[1:] if column.lower() != "split" and column]
    labels_of = _cells(named) if named else _marks(marked, path)
    split_column = next((column for column in columns if column.lower() == "split"), "")
    if not marked:
        raise InputError(f"{path} has no column of labels; give the columns file,label")
    seen: dict[str, tuple[set[str], set[str]]] = {}
    for row in rows:
        labels, splits = seen.setdefault(row[columns[0]].strip(), (set(), set()))
        labels |= labels_of(row)
        splits.add(_split(row.get(split_column, ""), path))
    return _listing(source, path, seen, set() if named else set(marked))


def _listing(source: str, path: Path, seen: dict[str, tuple[set[str], set[str]]], classes: set[str]) -> Listing:
    root = path.parent
    entries, set_aside = [], []
    for name, (labels, splits) in seen.items():
        file = root / name
        if not name or not file.is_file():
            set_aside.append(SetAside(file, f"{path.name} lists it, but there is no such file"))
        elif len(splits) > 1:
            set_aside.append(SetAside(file, f"{path.name} puts it into two splits"))
        else:
            entries.append(Entry.of(file, tuple(sorted(labels)), next(iter(splits))))
    used = {label for labels, _ in seen.values() for label in labels}
    return Listing(source, root, tuple(entries), frozenset(classes | used), tuple(set_aside))


def _read(path: Path) -> tuple[list[str], list[Row]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, strict=True) if any(cell.strip() for cell in line)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8: {error}; save it so") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not lines:
        raise InputError(f"{path} is empty; give a header file,label and a row for each picture")
    widest = max(len(line) for line in lines)
    if named_as_picture(Path(lines[0][0].strip())):  # no header
        lines.insert(0, ["file", *(f"label{place}" for place in range(1, widest))])
    columns = [cell.strip() for cell in lines[0]]
    if len(set(columns)) < len(columns) or widest > len(columns):
        raise InputError(f"{path} needs one name for each column, all different; its header is {','.join(columns)}")
    return columns, [dict(zip(columns, line, strict=False)) for line in lines[1:]]


def _cells(columns: list[str]) -> Callable[[Row], set[str]]:
    def labels(row: Row) -> set[str]:
        parts = (part.strip() for column in columns for part in row.get(column, "").split(SEPARATOR))
        return {part for part in parts if part}

    return labels


def _marks(columns: list[str], path: Path) -> Callable[[Row], set[str]]:
    def labels(row: Row) -> set[str]:
        found = set()
        for column in columns:
            mark = row.get(column, "").strip()
            if mark not in ("", "0", "1"):
                raise InputError(
                    f"{path} has {mark!r} in the column {column}; name a column of labels `label`,"
                    " or put 1 or 0 into a column for each label"
                )
            if mark == "1":
                found.add(column)
        return found

    return labels


def _split(cell: str, path: Path) -> str:
    word = cell.strip().lower()
    if word and word not in SPLITS:
        raise InputError(f"{path} names the split {cell!r}; use train, val or test")
    return SPLITS.get(word, "")
