"""Two files against each other: their laps alternate, so that whatever else the machine does falls on both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision import jobs
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.base import Array
from mobilevision.deploy.formats import format_of
from mobilevision.timing.clock import DRAWS, LEAST, check, machine

ROUNDS = 8
"""Turns of each file, where two runtimes would clash in one process; an even number, so that each begins as often."""


@dataclass(frozen=True)
class Comparison:
    """How long one file takes beside another.

    Attributes:
        file: the file's name.
        against: the other's.
        ratio: the file's median by the other's; below 1 it is faster.
        low: lower end of the ratio's 95 % bootstrap interval.
        high: upper end.
        median_ms: the file's median, in ms.
        against_ms: the other's median, in ms.
        runs: laps of each.
        threads: that each runtime was allowed.
        alternating: "laps", in one process, or "rounds" of processes where the formats differ.
        machine: the processor and its number of cores.
        runtimes: what ran the file, and the other.
    """

    file: str
    against: str
    ratio: float
    low: float
    high: float
    median_ms: float
    against_ms: float
    runs: int
    threads: int
    alternating: str
    machine: str
    runtimes: tuple[str, str]

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"runtimes": list(self.runtimes)}


def compare(
    file: Artifact | str | Path,
    against: Artifact | str | Path,
    *,
    threads: int = 1,
    runs: int = 4 * LEAST,
    warmup: int = 10,
    seconds: float = 900,
) -> Comparison:
    """Time two files in turns on the same picture.

    Args:
        file: an exported file with its facts beside it.
        against: another.
        threads: that each runtime may use.
        runs: laps of each, at least 50.
        warmup: laps before, that do not count.
        seconds: how long one process may take.

    Raises:
        UsageError: if there is no such file, or the numbers make no sense on this machine.
        InputError: if a file is not the one that was proven.
        MissingError: if a runtime is not installed, or cannot be on this machine.
        MobilevisionError: if a runtime crashes or takes too long; names its log.
    """
    files = [each if isinstance(each, Artifact) else Artifact.open(each) for each in (file, against)]
    check(threads, runs, warmup)
    formats = [format_of(each.path) for each in files]
    for format_ in formats:
        format_.need_runtime()
        format_.need_device()
    together = formats[0] == formats[1]
    payload = {"files": [str(each.path) for each in files], "threads": threads, "runs": runs, "warmup": warmup}
    blocks = _by_laps(payload, seconds) if together else _by_rounds(payload, seconds)
    ratio, low, high = interval(blocks)
    ours, theirs = np.median(blocks, axis=(0, 2)).tolist()
    return Comparison(
        file=files[0].path.name,
        against=files[1].path.name,
        ratio=ratio,
        low=low,
        high=high,
        median_ms=ours,
        against_ms=theirs,
        runs=blocks.shape[0] * blocks.shape[2],
        threads=threads,
        alternating="laps" if together else "rounds",
        machine=machine(),
        runtimes=(formats[0].runtime_version, formats[1].runtime_version),
    )


def interval(blocks: Array, *, seed: int = 0) -> tuple[float, float, float]:
    """The ratio of two medians, with the ends of its 95 % bootstrap interval.

    Blocks are drawn, with all laps in them: neighbors in time are alike, and drawing single laps would make the
    interval too narrow.

    Args:
        blocks: times of both files. Shape: (blocks, 2, laps).
        seed: of the draws.
    """
    drawn = np.random.default_rng(seed).integers(0, len(blocks), (DRAWS, len(blocks)))
    medians = np.array([np.median(blocks[each], axis=(0, 2)) for each in drawn])  # (DRAWS, 2)
    low, high = np.percentile(medians[:, 0] / medians[:, 1], (2.5, 97.5)).tolist()
    ours, theirs = np.median(blocks, axis=(0, 2)).tolist()
    return ours / theirs, low, high


def _by_laps(payload: dict[str, Any], seconds: float) -> Array:
    """Both files in one process. Shape: (blocks, 2, 10)."""
    taken = jobs.call("mobilevision.timing.laps:alternate", payload, seconds=seconds)
    laps = np.array(taken)  # (2, runs)
    whole = laps.shape[1] // 10
    return laps[:, : whole * 10].reshape(2, whole, 10).swapaxes(0, 1)


def _by_rounds(payload: dict[str, Any], seconds: float) -> Array:
    """Each file in processes of its own, in turns that begin with one or the other. Shape: (ROUNDS, 2, laps)."""
    share = {"threads": payload["threads"], "runs": -(-payload["runs"] // ROUNDS), "warmup": payload["warmup"]}
    blocks: list[list[list[float]]] = []
    for turn in range(ROUNDS):
        laps: list[list[float]] = [[], []]
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            call = {"file": payload["files"][which], **share}
            laps[which] = jobs.call("mobilevision.timing.laps:take", call, seconds=seconds)["laps"]
        blocks.append(laps)
    return np.array(blocks)
