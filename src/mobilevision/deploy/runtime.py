"""Running an exported file: in a process of its own for proofs and times, here for predictions.

Nothing here imports torch, so that a file's process holds its own runtime alone.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.base import Array, Runner
from mobilevision.deploy.coverage import cover
from mobilevision.deploy.formats import format_of
from mobilevision.deploy.interface import scored, taken
from mobilevision.errors import InputError, UsageError

AXES = {"NCHW": (0, 1, 2, 3), "NHWC": (0, 2, 3, 1)}  # layout -> where its axes are in (N, channels, H, W)
BATCH = 3  # for files that take any number: one would hide a batch that was frozen at 1


def open_file(file: Path, *, threads: int = 1) -> Runner:
    """An exported file in its own runtime.

    Raises:
        UsageError: if it is not there.
        InputError: if it is not whole, or of no known format.
        MissingError: if its runtime is not installed.
    """
    format_ = format_of(file)
    if not file.exists():
        raise UsageError(f"there is no file {file}; export one first")
    format_.need_runtime()
    return format_.runner(file, threads)


def scores(runner: Runner, pictures: Array) -> Array:
    """A file's scores for pictures, in as many runs as it needs.

    Args:
        runner: the file.
        pictures: prepared; or pixels, as bytes, for a file that takes them. Shape: (N, channels, height, width).

    Returns:
        What the file's numbers stand for, where they are integers, and the logarithms of probabilities.
        Shape: (N, outputs).

    Raises:
        InputError: if the pictures are not of the size the file takes.
    """
    port = runner.inputs[0]
    shown = taken(pictures, runner.card).transpose(AXES[port.layout])
    if shown.shape[1:] != port.shape[1:]:
        raise InputError(
            f"pictures of shape {shown.shape[1:]} do not fit the file, which takes {port.shape[1:]}; "
            "prepare them as its facts say"
        )
    step = port.shape[0] if isinstance(port.shape[0], int) else BATCH
    parts = [runner(port.held(shown[i : i + step])) for i in range(0, len(shown), step)]
    return scored(runner.outputs[0].meant(np.concatenate(parts)), runner.card)


def run(file: str, pictures: str, to: str) -> dict[str, Any]:
    """The job of a file's own process: run it on pictures in an .npy file, write its scores to another.

    Returns:
        What the file says of itself: inputs, outputs, card, how often it holds each operator, and its `Coverage`.
    """
    runner, shown = open_file(Path(file)), np.load(pictures)
    parts = [part for part in (shown[:1], shown[1:]) if len(part)]  # one alone too, where a batch can be of any size
    np.save(to, np.concatenate([scores(runner, part) for part in parts]))
    names = format_of(Path(file)).operators(Path(file))
    return {
        "inputs": [port.facts() for port in runner.inputs],
        "outputs": [port.facts() for port in runner.outputs],
        "card": runner.card,
        "operators": {name: names.count(name) for name in sorted(set(names))},
        "coverage": cover(Path(file)),
    }
