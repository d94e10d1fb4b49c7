"""Timing exported files: median, p10 and p90 of whole runs, with threads and machine named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision import jobs
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.formats import SUFFIXES, format_of
from mobilevision.errors import InputError, UsageError
from mobilevision.run import Run, processor
from mobilevision.timing.stages import Stages, measure

LEAST = 50
"""Runs below which a p10 and a p90 say too little."""
DRAWS = 2000
"""Samples of a bootstrap."""


@dataclass(frozen=True)
class Timing:
    """How long one picture takes, in ms.

    Attributes:
        file: the file's name.
        median_ms: half of the runs were faster.
        p10_ms: a tenth of the runs were faster.
        p90_ms: a tenth of the runs were slower.
        low_ms: lower end of the median's 95 % bootstrap interval.
        high_ms: upper end.
        runs: how many were timed, after the warm-up.
        threads: that the runtime was allowed.
        busy: cores that were at work on average; about `threads` or less.
        peak_mb: memory of the whole process at its highest, runtime and file included, in megabytes (10^6 bytes).
        energy_mj: millijoules that the processor took for a run, other work on the machine included; None where it does
            not tell.
        energy_note: why it does not.
        stages: a picture's whole way, of which the median is the middle part without torch beside it.
        machine: the processor and its number of cores.
        runtime: what ran the file.
    """

    file: str
    median_ms: float
    p10_ms: float
    p90_ms: float
    low_ms: float
    high_ms: float
    runs: int
    threads: int
    busy: float
    peak_mb: float
    energy_mj: float | None
    energy_note: str
    stages: Stages
    machine: str
    runtime: str

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def bench(
    file: Artifact | str | Path, *, threads: int = 1, runs: int = LEAST, warmup: int = 10, seconds: float = 600
) -> Timing:
    """Time a file on one picture, in its own runtime and a process of its own; the result joins the file's facts.

    A picture's whole way is timed in a second process, because it needs torch, which the first is kept free of.

    Args:
        file: an exported file with its facts beside it.
        threads: that the runtime may use.
        runs: how many to time, at least 50.
        warmup: runs before, that do not count.
        seconds: how long it may take in all.

    Raises:
        UsageError: if there is no such file, or the numbers make no sense on this machine.
        InputError: if the file is not the one that was proven.
        MissingError: if its runtime is not installed, with the pip command.
        MobilevisionError: if the runtime crashes or takes too long; names its log.
    """
    artifact = file if isinstance(file, Artifact) else Artifact.open(file)
    check(threads, runs, warmup)
    format_ = format_of(artifact.path)
    format_.need_runtime()
    format_.need_device()
    payload = {"file": str(artifact.path), "threads": threads, "runs": runs, "warmup": warmup}
    taken = jobs.call("mobilevision.timing.laps:take", payload, seconds=seconds)
    p10, median, p90 = np.percentile(taken["laps"], (10, 50, 90)).tolist()
    low, high = median_interval(taken["laps"])
    timing = Timing(
        file=artifact.path.name,
        median_ms=median,
        p10_ms=p10,
        p90_ms=p90,
        low_ms=low,
        high_ms=high,
        runs=runs,
        threads=threads,
        busy=taken["busy"],
        peak_mb=taken["peak_mb"],
        energy_mj=None if taken["joules"] is None else 1e3 * taken["joules"] / runs,
        energy_note=taken["trouble"],
        stages=measure(artifact.path, threads=threads, runs=runs, warmup=warmup, seconds=seconds),
        machine=machine(),
        runtime=format_.runtime_version,
    )
    artifact.with_facts(timing=timing.facts())
    return timing


def bench_run(run: Run | str | Path, *, threads: int = 1, runs: int = LEAST, warmup: int = 10) -> list[Timing]:
    """Time every file of a run whose runtime can be on this machine, one after another.

    A file that is cut short or not of this run any more is left out with a warning.

    Raises:
        InputError: if there are none.
        MissingError: if none of their runtimes can be here.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    return bench_all(files_of(run.folder), threads=threads, runs=runs, warmup=warmup)


def bench_all(files: Sequence[Artifact], *, threads: int = 1, runs: int = LEAST, warmup: int = 10) -> list[Timing]:
    """Time files one after another; see `bench`."""
    return [bench(file, threads=threads, runs=runs, warmup=warmup) for file in files]


def files_of(source: Path) -> list[Artifact]:
    """An exported file, or all files of a run whose runtime can be on this machine (all, if none can).

    A run's file that is cut short or not of the run any more is left out with a warning.

    Raises:
        UsageError: if there is no such file or run.
        InputError: if the file is not the one that was proven, or the run has none.
    """
    if not source.is_dir() or source.suffix in SUFFIXES:
        return [Artifact.open(source)]
    found = Artifact.of(Run.open(source))
    if not found:
        raise InputError(f"{source} has no exported files of its weights; export one first")
    return [artifact for artifact in found if not format_of(artifact.path).away] or found


def threads_here(word: str) -> int:
    """The number that "all" or a number means on this machine; errors are those of `threads_named`."""
    return threads_named(word) or cores()


def threads_named(word: str) -> int | None:
    """The number that "all" (None) or a number means.

    Raises:
        UsageError: if it is neither.
    """
    if word == "all":
        return None
    if not word.isdecimal() or int(word) < 1:
        raise UsageError(f"--threads {word!r} is no number of threads; give a number, or all")
    return int(word)


def median_interval(laps: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The ends of a median's 95 % bootstrap interval, in ms.

    Five neighbors are drawn together: they are alike, and drawing single laps would make the interval too narrow.

    Args:
        laps: in the order they were run, in ms.
        seed: of the draws.
    """
    blocks = np.array_split(np.array(laps), max(1, len(laps) // 5))
    drawn = np.random.default_rng(seed).integers(0, len(blocks), (DRAWS, len(blocks)))
    medians = [np.median(np.concatenate([blocks[i] for i in each])) for each in drawn]
    low, high = np.percentile(medians, (2.5, 97.5)).tolist()
    return low, high


def machine() -> str:
    """The processor and its number of cores."""
    return f"{processor()}, {cores()} cores"


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check(threads: int, runs: int, warmup: int) -> None:
    """Refuse numbers that make no sense.

    Raises:
        UsageError: if the machine has fewer cores than `threads`, or too few laps are asked for.
    """
    if not 1 <= threads <= cores():
        raise UsageError(f"{threads} threads cannot be timed here; this machine has {cores()} cores")
    if runs < LEAST or warmup < 1:
        raise UsageError(f"{runs} runs after {warmup} to warm up say too little; time at least {LEAST} after 1")
