"""Files that are either whole or not there: atomic writes, locks, hashes."""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mobilevision.errors import InputError, MobilevisionError, UsageError

TAIL = 1 << 16
"""Bytes that are looked through at a time for the end of a line."""


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends without an error, else removed.

    The temporary name keeps the suffix, because some writers look at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o644)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """The same for a folder: an empty temporary one beside `path`, renamed to it when the block ends without an error.

    A folder that is there already makes way at the last moment; it is removed only once the new one has its place.
    """
    with _sheltered(path) as beside:
        yield beside
        _open_to_all(beside)
        old = beside.with_name(f"{path.name}.old")
        if path.exists():
            path.replace(old)
        try:
            beside.replace(path)
        except OSError:
            if old.exists():
                old.replace(path)
            raise


def cache_folder() -> Path:
    """Where what can be made again is kept: what MOBILEVISION_CACHE names, else ~/.cache/mobilevision."""
    return Path(os.environ.get("MOBILEVISION_CACHE") or "~/.cache/mobilevision").expanduser()


def kept_folder(name: str, write: Callable[[Path], None]) -> Path:
    """A folder of the cache, made by `write` at the first call; of two that make it at once the first has its way.

    Raises:
        UsageError: if it cannot be written.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    try:
        with _sheltered(folder) as beside:
            write(beside)
            _open_to_all(beside)
            beside.replace(folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was first, and wrote the same
            raise UsageError(
                f"{folder} cannot be written: {error.strerror or error}; make room, or set MOBILEVISION_CACHE to a "
                "folder that can"
            ) from error
    return folder


@contextmanager
def _sheltered(path: Path) -> Iterator[Path]:
    """An empty folder of the name of `path`, in a temporary one beside it that is removed in the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as shelter:
        beside = Path(shelter) / path.name
        beside.mkdir()
        yield beside


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    for file in files_in(folder):
        file.chmod(0o644)


def read_text(path: Path) -> str:
    """The text of a file that a person or another program wrote.

    Raises:
        InputError: if it cannot be read, or is not in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 (its byte {error.start} is none); save it so") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the old one or the new one, never a part."""
    with writing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON, indented, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def append_json(path: Path, value: Any) -> None:
    """Append a value as one line of JSON; a line that was cut off before is taken away first.

    Raises:
        MobilevisionError: if it cannot be written, for example because the disk is full; the lines before it stay.
    """
    line = memoryview(json.dumps(value, ensure_ascii=False).encode() + b"\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:
        whole = _end_of_lines(file)
        file.truncate(whole)
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError as error:
            file.truncate(whole)
            reason = error.strerror or str(error)
            raise MobilevisionError(
                f"{path} cannot be written: {reason}; all before is kept: make room and give the same command again"
            ) from error


def _end_of_lines(file: io.FileIO) -> int:
    """Where the last whole line ends; no more than the file's tail is read, so that a long file grows no slower."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - TAIL)
        file.seek(start)
        if found := file.read(end - start).rfind(b"\n") + 1:
            return start + found
        end = start
    return 0


def read_json_lines(path: Path) -> list[Any]:
    """The values that `append_json` wrote, in order; a last line that was cut off is left out, no file has none.

    Raises:
        InputError: if a whole line is not JSON.
    """
    text = path.read_bytes() if path.is_file() else b""
    lines = text[: text.rfind(b"\n") + 1].splitlines()
    try:
        return [json.loads(line) for line in lines]
    except ValueError as error:
        raise InputError(f"{path} has a line that is not JSON: {error}; take another file") from error


def sha256(path: Path) -> str:
    """The hash of a file's bytes, as 64 hex digits; of a folder: of its files' names and hashes."""
    if path.is_dir():
        lines = [f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files_in(path)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size(path: Path) -> int:
    """Bytes of a file; of a folder: of all its files."""
    return sum(file.stat().st_size for file in files_in(path))


def files_in(path: Path) -> list[Path]:
    """All files under a folder, by name; of a file, itself."""
    return sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]


def need_place(folder: Path, *, ours: Container[str] = (), remedy: str) -> None:
    """Refuse a folder in which others have files: `writing_folder` would take them away with the rest.

    Args:
        folder: that is going to be written, whether it is there or not.
        ours: names of the files, as seen from it, that may be written over.
        remedy: what to do else, for the error.

    Raises:
        UsageError: if it is a file, or holds one that is not ours.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; {remedy}")
    held = [file.relative_to(folder).as_posix() for file in files_in(folder)] if folder.is_dir() else []
    if others := [name for name in held if name not in ours]:
        raise UsageError(f"{folder} holds something else ({others[0]}), which would be lost; {remedy}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process until the block ends.

    Raises:
        UsageError: if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(f"{folder} is in use by another process; wait for it or choose another folder") from None
    try:
        yield
    finally:
        lock.release()
