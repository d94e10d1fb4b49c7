"""The bytes of a picture's file, also where the file is inside another one."""

from pathlib import Path

from mobilevision.data.shards import SUFFIX, read_member
from mobilevision.data.stored import is_stored, read_row


def content(path: Path) -> bytes:
    """The bytes of a file, of a member of a shard (`shard.tar/000001.jpg`), or of a row of a data set on disk.

    Raises:
        OSError: if there is no such file, or it cannot be read.
        InputError: if the shard is cut short, or the data set does not hold the row.
        MissingError: if the package that reads data sets is not installed.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        for above in path.parents:
            if above.suffix == SUFFIX and above.is_file():
                return read_member(above, path.relative_to(above).as_posix())
        if is_stored(path.parent):
            return read_row(path.parent, path.name)
        raise
