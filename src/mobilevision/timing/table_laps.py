"""The stopwatch for rows, for the process that is timed. Nothing here imports torch.

A row stands inside a network: what it reads was written there by the row before. So a lap is the computation alone,
without the copies into and out of the runtime that a picture and its scores need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.base import Array
from mobilevision.deploy.formats import format_of
from mobilevision.deploy.runtime import open_file

Lap = Callable[[], Any]


def rows(files: Sequence[str], threads: int, runs: int, warmup: int) -> list[list[float]]:
    """The job: run several files of rows in turns.

    Args:
        files: what to time, of one format.
        threads: of the runtime.
        runs: laps of each that count.
        warmup: laps of each before, that do not.

    Returns:
        Laps of each file, in ms.
    """
    ready = READY.get(format_of(Path(files[0])).name, any_runner)
    return in_turns([ready(Path(file), threads) for file in files], runs=runs, warmup=warmup)


def networks(files: Sequence[str], threads: int, runs: int, warmup: int) -> list[list[float]]:
    """The job: run several files of whole networks in turns; arguments and result are those of `rows`.

    A lap is what `bench` times: the picture copied in, computed, the scores copied out.
    """
    return in_turns([any_runner(Path(file), threads) for file in files], runs=runs, warmup=warmup)


def in_turns(ready: Sequence[Lap], *, runs: int, warmup: int) -> list[list[float]]:
    """Laps of each, in ms; each turn goes the other way round, and a lap comes after one that does not count."""
    laps: list[list[float]] = [[] for _ in ready]
    order = list(range(len(ready)))
    for turn in range(warmup + runs):
        for which in order if turn % 2 == 0 else order[::-1]:
            ready[which]()  # the others' data has left the caches, which a network run again and again would not see
            start = time.perf_counter()
            ready[which]()
            laps[which].append(1e3 * (time.perf_counter() - start))
    return [each[warmup:] for each in laps]


def litert(file: Path, threads: int) -> Lap:
    """A .tflite file whose input stays where it is."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file), num_threads=threads)
    interpreter.allocate_tensors()
    for each in interpreter.get_input_details():
        interpreter.set_tensor(each["index"], _noise(each["shape"], each["dtype"]))
    invoke: Lap = interpreter.invoke
    return invoke


def onnx(file: Path, threads: int) -> Lap:
    """An .onnx file whose input and output stay where they are."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for port in session.get_inputs():
        shape = [1 if isinstance(side, str) else side for side in port.shape]
        binding.bind_ortvalue_input(port.name, onnxruntime.OrtValue.ortvalue_from_numpy(_noise(shape, np.float32)))
    for port in session.get_outputs():
        binding.bind_output(port.name, "cpu")
    return lambda: session.run_with_iobinding(binding)


def any_runner(file: Path, threads: int) -> Lap:
    """A file of another format, with the copies that its runner makes."""
    runner = open_file(file, threads=threads)
    shape = [1 if isinstance(side, str) else side for side in runner.inputs[0].shape]
    picture = _noise(shape, np.dtype(runner.inputs[0].dtype))
    return lambda: runner(picture)


READY: dict[str, Callable[[Path, int], Lap]] = {"litert": litert, "onnx": onnx}
"""Ready to run, by format."""


def _noise(shape: Any, dtype: Any) -> Array:
    return np.random.default_rng(0).standard_normal(tuple(shape)).astype(dtype)
