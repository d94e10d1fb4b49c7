"""The stopwatch for rows, for the process that is timed. Nothing here imports torch.

A row stands inside a network: what it reads was written there by the row before. So a lap is the computation alone,
without the copies into and out of the runtime that a picture and its scores need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mobilevision.deploy.base import Array
from mobilevision.deploy.formats import format_of
from mobilevision.deploy.runtime import open_file
from mobilevision.errors import MobilevisionError

Lap = Callable[[], Any]

LEAST = 10
"""Laps below which a median says too little."""
PATIENCE = 4
"""How many times the laps that are wanted may be run to get them undisturbed."""
DISTURBED, TICK = 0.05, 5e-6
"""Share of a lap, and seconds, for which its thread may have waited."""
OWN, ALL = 1 << 24, 1 << 26
"""Bytes that are gone through to empty a core's own caches, the largest of which have 4 MB, and shared ones too."""
LINES = np.ones(ALL, np.int8)
"""What is gone through."""


class Ready(NamedTuple):
    """A file that is ready to run.

    Attributes:
        run: computes.
        feed: writes what comes in anew, as the row before it does in a network.
        settle: what comes before a lap: the caches are brought to where they are in every lap of every file.
    """

    run: Lap
    feed: Lap
    settle: Lap


def rows(files: Sequence[str], threads: int, runs: int, warmup: int, *, cold: bool = True) -> list[list[float]]:
    """The job: run several files of rows in turns.

    Args:
        files: what to time, of one format.
        threads: of the runtime.
        runs: laps of each that count.
        warmup: laps of each before, that do not.
        cold: whether a row's weights have left the core's own caches before every lap, as they have in a network, where
            other rows ran since; what comes in is in them.

    Returns:
        Laps of each file, in ms.
    """
    ready = READY.get(format_of(Path(files[0])).name, any_runner)
    made = [ready(Path(file), threads) for file in files]
    return in_turns([colder(each) for each in made] if cold else made, runs=runs, warmup=warmup, alone=threads == 1)


def networks(files: Sequence[str], threads: int, runs: int, warmup: int) -> list[list[float]]:
    """The job: run several files of whole networks in turns; arguments and result are those of `rows`.

    A lap has what `bench` times: the picture copied in, computed, the scores copied out. But `bench` runs one file
    again and again: a network whose weights stay in the shared cache is then quicker. How much of them stays differs
    from file to file and with what else the machine does, so that no sum of rows can tell it.
    """
    return in_turns([any_runner(Path(file), threads) for file in files], runs=runs, warmup=warmup, alone=threads == 1)


def colder(ready: Ready) -> Ready:
    """The same file, whose weights leave the caches whenever it is fed."""

    def feed() -> None:
        LINES[:OWN].max()
        ready.feed()

    return ready._replace(feed=feed)


def from_afar(run: Lap, feed: Lap) -> Ready:
    """A file that ran once since all caches were emptied, as in an app that does other work between two pictures.

    What runs in turns with it would empty them more or less, by how much that is.
    """

    def settle() -> None:
        LINES.max()
        run()

    return Ready(run, feed, settle)


def in_turns(ready: Sequence[Ready], *, runs: int, warmup: int, alone: bool) -> list[list[float]]:
    """Laps of each, in ms; each turn goes the other way round.

    Laps in which the system gave the core to another process do not count either, so that a machine that is at work
    beside makes the timing longer, not the times.

    Args:
        ready: what to run.
        runs: laps of each that count.
        warmup: turns before, that do not.
        alone: whether all the work is done in this thread, so that its processor time tells of disturbances.

    Raises:
        MobilevisionError: if `PATIENCE` times as many turns leave too few laps.
    """
    laps: list[list[float]] = [[] for _ in ready]
    order = list(range(len(ready)))
    for turn in range(warmup + PATIENCE * runs):
        for which in order if turn % 2 == 0 else order[::-1]:
            if len(laps[which]) < runs:
                ms = lap(ready[which], alone=alone)
                if ms is not None and turn >= warmup:
                    laps[which].append(ms)
        if all(len(each) == runs for each in laps):
            break
    if (fewest := min(map(len, laps))) < LEAST:
        raise MobilevisionError(
            f"other processes disturbed all but {fewest} of {PATIENCE * runs} laps; time when the machine is quieter"
        )
    return laps


def lap(ready: Ready, *, alone: bool) -> float | None:
    """Milliseconds of one run, or None if it was disturbed."""
    run = ready.run
    ready.settle()
    ready.feed()
    start, worked = time.perf_counter(), time.thread_time()
    run()
    worked, wall = time.thread_time() - worked, time.perf_counter() - start
    return None if alone and wall - worked > DISTURBED * wall + TICK else 1e3 * wall


def litert(file: Path, threads: int) -> Ready:
    """A .tflite file whose input stays where it is."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file), num_threads=threads)
    interpreter.allocate_tensors()
    given = [(each["index"], _noise(each["shape"], each["dtype"])) for each in interpreter.get_input_details()]

    def feed() -> None:
        for port, values in given:
            interpreter.set_tensor(port, values)

    feed()
    return from_afar(interpreter.invoke, feed)


def onnx(file: Path, threads: int) -> Ready:
    """An .onnx file whose input and output stay where they are."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    binding, given = session.io_binding(), []
    for port in session.get_inputs():
        values = _noise([1 if isinstance(side, str) else side for side in port.shape], np.float32)
        given.append((onnxruntime.OrtValue.ortvalue_from_numpy(values), values))
        binding.bind_ortvalue_input(port.name, given[-1][0])
    for port in session.get_outputs():
        binding.bind_output(port.name, "cpu")

    def feed() -> None:
        for held, values in given:
            held.update_inplace(values)

    return from_afar(lambda: session.run_with_iobinding(binding), feed)


def any_runner(file: Path, threads: int) -> Ready:
    """A file of another format, with the copies that its runner makes."""
    runner = open_file(file, threads=threads)
    shape = [1 if isinstance(side, str) else side for side in runner.inputs[0].shape]
    picture = _noise(shape, np.dtype(runner.inputs[0].dtype))
    return from_afar(lambda: runner(picture), lambda: None)


READY: dict[str, Callable[[Path, int], Ready]] = {"litert": litert, "onnx": onnx}
"""Ready to run, by format."""


def _noise(shape: Any, dtype: Any) -> Array:
    return np.random.default_rng(0).standard_normal(tuple(shape)).astype(dtype)
