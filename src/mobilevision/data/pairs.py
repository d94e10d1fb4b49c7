"""What a CSV file of pairs lists: two pictures a row, and whether both show the same."""

from collections.abc import Sequence
from pathlib import Path

from mobilevision.data.dataset import SetAside
from mobilevision.data.listing import Entry, Listing
from mobilevision.errors import InputError

FIRST, SECOND, SAME = COLUMNS = ("first", "second", "same")
Row = dict[str, str]


def has_pairs(columns: Sequence[str]) -> bool:
    """Whether a table with these columns is one of pairs."""
    return set(COLUMNS) <= {column.lower() for column in columns}


def list_pairs(source: str, path: Path, rows: Sequence[Row]) -> Listing:
    """The pictures of a table of pairs, in classes: what is the same as a third is the same as each other.

    A class is called after the first of its files by name. Pictures that no row says are the same are taken for
    different ones.

    Args:
        source: what the listing is called.
        path: the table, whose folder files are told from.
        rows: its rows: `first` and `second` are files, `same` is 1 or 0.

    Raises:
        InputError: if a row names fewer than two pictures, says neither, or says of two pictures that they differ where
            others make them the same.
    """
    told = [_told({key.lower(): cell.strip() for key, cell in row.items()}, path) for row in rows]
    files = sorted({file for first, second, _ in told for file in (first, second)})
    leader = {file: file for file in files}

    def lead(file: str) -> str:
        while leader[file] != file:
            file = leader[file]
        return file

    for first, second, same in told:
        if same:
            one, other = sorted((lead(first), lead(second)))
            leader[other] = one
    for first, second, same in told:
        if not same and lead(first) == lead(second):
            raise InputError(f"{path} says that {first} and {second} differ, and other rows make them the same")
    there = {file for file in files if (path.parent / file).is_file()}
    return Listing(
        source,
        path.parent,
        tuple(Entry.of(path.parent / file, (lead(file),), "") for file in files if file in there),
        frozenset(lead(file) for file in files),
        tuple(
            SetAside(path.parent / file, f"{path.name} lists it, but there is no such file")
            for file in files
            if file not in there
        ),
    )


def _told(row: Row, path: Path) -> tuple[str, str, bool]:
    if row.get(SAME) not in ("0", "1"):
        raise InputError(
            f"{path} has {row.get(SAME, '')!r} in the column {SAME}; put 1 where both show the same, else 0"
        )
    if not row.get(FIRST) or not row.get(SECOND):
        raise InputError(f"{path} has a row without two pictures: {','.join(row.values())}; name both")
    return row[FIRST], row[SECOND], row[SAME] == "1"
