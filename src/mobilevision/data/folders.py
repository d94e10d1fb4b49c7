"""Reading a data set: class folders, a CSV file, shards, a data set on disk, or a sample that comes with a package."""

from collections.abc import Callable
from pathlib import Path

from mobilevision.data.dataset import Data, Sample, SetAside
from mobilevision.data.listing import Listing, list_folder
from mobilevision.data.samples import PREFIX, sample_folder
from mobilevision.data.shard_listing import PREFIX as PREFIX_OF_SHARDS
from mobilevision.data.shard_listing import list_shards
from mobilevision.data.shards import is_sharded
from mobilevision.data.split import divide
from mobilevision.data.stored import is_stored
from mobilevision.data.stored_listing import list_stored
from mobilevision.data.table import list_table
from mobilevision.errors import UsageError

FOLDERS: tuple[tuple[Callable[[Path], bool], Callable[[str, Path], Listing]], ...] = (
    (is_sharded, list_shards),
    (is_stored, list_stored),
    (Path.is_dir, list_folder),
)
"""What a folder may be, and how it is listed then; the first that holds."""

__all__ = ["Data", "Sample", "SetAside", "list_source", "read_data"]


def read_data(source: str | Path, *, seed: int = 0, validation: float = 0.2) -> Data:
    """The data set at `source`, as it is listed; no picture is opened (`mobilevision.data.check` opens them all).

    Args:
        source: a folder of class folders, with or without train, val and test above them; a CSV file
            (`mobilevision.data.table`); a folder of shards (`mobilevision.data.shards`), with `shards:` before it if it
            has no index of ours; a folder that `datasets` has saved; or `sample:digits`.
        seed: what a split is drawn with where there is none.
        validation: share of the training pictures that is cut off where there is no validation split.

    Raises:
        UsageError: if there is no such source.
        InputError: if it holds nothing to train on, or fewer than two classes.
    """
    return divide(list_source(source), seed=seed, validation=validation)


def list_source(source: str | Path) -> Listing:
    """What `source` lists, before any split.

    Raises:
        UsageError: if there is no such source.
        InputError: if it is no data set.
        MissingError: if it is a sample whose package is not installed.
    """
    text = str(source)
    if text.startswith(PREFIX):
        return list_folder(text, sample_folder(text.removeprefix(PREFIX)))
    path = Path(source).expanduser().absolute()  # so that a run can be measured again from elsewhere
    if text.startswith(PREFIX_OF_SHARDS):
        folder = Path(text.removeprefix(PREFIX_OF_SHARDS)).expanduser().absolute()
        return list_shards(f"{PREFIX_OF_SHARDS}{folder}", folder)
    for there, reader in FOLDERS:
        if path.is_dir() and there(path):
            return reader(str(path), path)
    if path.is_file():
        return list_table(str(path), path)
    raise UsageError(f"there is no data at {source}; give a folder of class folders, a CSV file, or sample:digits")
