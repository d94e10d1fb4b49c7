"""The stopwatch itself, for the process that is timed. Nothing here imports torch."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.base import Array, Runner
from mobilevision.deploy.runtime import open_file
from mobilevision.timing.energy import counters


def take(file: str, threads: int, runs: int, warmup: int) -> dict[str, Any]:
    """The job: run a file on one picture again and again.

    A lap is a whole run: the picture copied in, computed, the scores copied out. Noise is as good as a photograph here:
    what the networks do does not depend on values.

    Args:
        file: what to time.
        threads: of the runtime.
        runs: laps that count.
        warmup: laps before, that do not.

    Returns:
        "laps" in ms; "busy": processor seconds for each second of the laps, so how many cores were at work; "peak_mb":
        the most memory that the process had, in megabytes; "joules": what the processor took for all laps, other work
        on the machine included, None where it does not tell; "trouble": why.
    """
    meter = counters()
    runner = open_file(Path(file), threads=threads)
    picture = _noise(runner)
    for _ in range(warmup):
        runner(picture)
    laps, begun, worked, taken = [], time.perf_counter(), time.process_time(), meter.read()
    for _ in range(runs):
        start = time.perf_counter()
        runner(picture)
        laps.append(1e3 * (time.perf_counter() - start))
    busy = (time.process_time() - worked) / (time.perf_counter() - begun)
    joules = meter.joules(taken, meter.read())
    return {"laps": laps, "busy": busy, "peak_mb": peak_mb(), "joules": joules, "trouble": meter.trouble}


def alternate(files: Sequence[str], threads: int, runs: int, warmup: int) -> list[list[float]]:
    """The job: run several files of one format in turns, each turn in the other order.

    Returns:
        Laps of each file, in ms.
    """
    runners = [open_file(Path(file), threads=threads) for file in files]
    pictures = [_noise(runner) for runner in runners]
    laps: list[list[float]] = [[] for _ in files]
    order = list(range(len(files)))
    for turn in range(warmup + runs):
        for which in order if turn % 2 == 0 else order[::-1]:
            start = time.perf_counter()
            runners[which](pictures[which])
            laps[which].append(1e3 * (time.perf_counter() - start))
    return [each[warmup:] for each in laps]


def peak_mb() -> float:
    """The most memory this process had so far, in megabytes (10^6 bytes); 0 where the system does not tell.

    Linux is asked by its status file: what `getrusage` tells there may be of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), 0.0)
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def _noise(runner: Runner) -> Array:
    """A picture that fits."""
    port = runner.inputs[0]
    shape = [1 if isinstance(side, str) else side for side in port.shape]
    return port.held(np.random.default_rng(0).standard_normal(shape))
