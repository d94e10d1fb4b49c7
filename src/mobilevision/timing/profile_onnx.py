"""How long each operator of an .onnx file takes, as ONNX Runtime's own profile tells once it has joined some."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.base import Layer
from mobilevision.deploy.onnx_layers import layers
from mobilevision.deploy.runtime import open_file

SIZES = {"float": 4, "int8": 1, "uint8": 1, "int32": 4, "int64": 8, "float16": 2, "bool": 1, "double": 8}
END = "_kernel_time"


def profile(file: Path, threads: int, runs: int) -> list[tuple[Layer, float]]:
    """Every operator that ran, in order, with the median of its times in ms.

    Multiply-accumulates are those that run: where maps are held in blocks of 16 channels, a rest counts as a block.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_profiling = True
    port = open_file(file).inputs[0]
    picture = np.random.default_rng(0).standard_normal([1 if isinstance(n, str) else n for n in port.shape])
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        for _ in range(3 + runs):
            session.run(None, {port.name: picture.astype(port.dtype)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    known = {layer.name: layer.macs for layer in layers(file)}
    laps: dict[str, list[float]] = defaultdict(list)
    about: dict[str, Layer] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(END):
            laps[event["name"]].append(event["dur"] / 1e3)
            about.setdefault(event["name"], _layer(event["name"].removesuffix(END), event["args"], known))
    return [(layer, float(np.median(laps[name][3:]))) for name, layer in about.items()]


def _layer(name: str, args: dict[str, Any], known: dict[str, int]) -> Layer:
    read, made = ([(kind, shape) for each in args[key] for kind, shape in each.items()] for key in PORTS)
    moved = sum(prod(shape) * SIZES.get(kind, 4) for kind, shape in (*read, *made))
    shapes = [shape for kind, shape in read if len(shape) > 1]
    macs = _macs(args["op_name"], shapes, made[0][1] if made else [])
    macs = macs or known.get(name.partition("_token_")[0], 0)  # weights that were packed have no shape any more
    return Layer(name, args["op_name"], macs=macs, bytes=moved, piece="0")


PORTS = ("input_type_shape", "output_type_shape")


def _macs(word: str, read: Sequence[list[int]], made: list[int]) -> int:
    """Multiply-accumulates, from the shapes of all that is read with more than one axis."""
    if "Conv" in word and len(read) > 1:
        return prod(made) * prod(read[1][1:])
    if ("MatMul" in word or "Gemm" in word) and len(read) > 1:
        return prod(made) * read[0][-1]
    return 0
