"""The stopwatch itself, for the process that is timed. Nothing here imports torch."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.runtime import open_file


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
        "laps" in ms, and "busy": processor seconds for each second of the laps, so how many cores were at work.
    """
    runner = open_file(Path(file), threads=threads)
    port = runner.inputs[0]
    shape = [1 if isinstance(side, str) else side for side in port.shape]
    picture = np.random.default_rng(0).standard_normal(shape).astype(port.dtype)
    for _ in range(warmup):
        runner(picture)
    laps, begun, worked = [], time.perf_counter(), time.process_time()
    for _ in range(runs):
        start = time.perf_counter()
        runner(picture)
        laps.append(1e3 * (time.perf_counter() - start))
    return {"laps": laps, "busy": (time.process_time() - worked) / (time.perf_counter() - begun)}
