"""How long each operator of a .tflite file takes, cut out and run alone: in Python the runtime tells no times.

Alone, an operator finds its map in the cache and pays for a call of its own, and what XNNPACK would join across two
operators (a border into a convolution) stays apart. So the sum may be a little more, or less, than the whole.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.base import Layer
from mobilevision.deploy.litert_layers import layers


def profile(file: Path, threads: int, runs: int) -> list[tuple[Layer, float]]:
    """Every operator that has something to do when a picture comes, with the median of its times in ms."""
    from ai_edge_litert import schema_py_generated as schema

    content = file.read_bytes()
    whole = schema.ModelT.InitFromPackedBuf(content, 0)
    for buffer in whole.buffers:
        if buffer.size:  # the quantizer keeps numbers behind the flatbuffer
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    graph, found = whole.subgraphs[0], []
    makers = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    for operator, layer in zip(graph.operators, layers(file), strict=True):
        needed = _needed(operator, makers, graph)
        moving = [i for i in operator.inputs if i >= 0 and _moves(i, makers, graph)]
        if moving:
            found.append((layer, _timed(_cut(schema, whole, needed, moving, operator), threads, runs)))
    return found


def _moves(tensor: int, makers: dict[int, Any], graph: Any) -> bool:
    """Whether a tensor depends on the picture."""
    if tensor in graph.inputs:
        return True
    maker = makers.get(tensor)
    return maker is not None and any(_moves(i, makers, graph) for i in maker.inputs if i >= 0)


def _needed(operator: Any, makers: dict[int, Any], graph: Any) -> list[Any]:
    """The operator, after those that make its constants, such as weights that are widened from float16."""
    before = [
        each
        for i in operator.inputs
        if i >= 0 and i in makers and not _moves(i, makers, graph)
        for each in _needed(makers[i], makers, graph)
    ]
    return [*before, operator]


def _cut(schema: Any, whole: Any, operators: list[Any], inputs: list[int], last: Any) -> bytes:
    """A .tflite file of some operators of another."""
    import flatbuffers

    graph = whole.subgraphs[0]
    used = sorted({i for each in operators for i in (*each.inputs, *each.outputs) if i >= 0})
    place = {tensor: number for number, tensor in enumerate(used)} | {-1: -1}
    buffers, tensors = [schema.BufferT()], []
    for i in used:
        tensor = _copied(graph.tensors[i])
        buffer = whole.buffers[tensor.buffer]
        tensor.buffer = len(buffers) if buffer.data is not None else 0
        buffers += [buffer] if buffer.data is not None else []
        tensors.append(tensor)
    part = schema.SubGraphT()
    part.tensors, part.operators = tensors, [_moved(each, place) for each in operators]
    part.inputs, part.outputs = [place[i] for i in inputs], [place[i] for i in last.outputs]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, whole.operatorCodes, [part], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _copied(thing: Any) -> Any:
    copy = type(thing)()
    copy.__dict__.update(thing.__dict__)
    return copy


def _moved(operator: Any, place: dict[int, int]) -> Any:
    """The operator where its tensors have other numbers."""
    copy = _copied(operator)
    copy.inputs, copy.outputs = [place[i] for i in operator.inputs], [place[i] for i in operator.outputs]
    return copy


def _timed(content: bytes, threads: int, runs: int) -> float:
    from ai_edge_litert.interpreter import Interpreter

    work = Interpreter(model_content=content, num_threads=threads)
    work.allocate_tensors()
    noise = np.random.default_rng(0)
    for port in work.get_input_details():
        work.set_tensor(port["index"], noise.uniform(-3, 3, port["shape"]).astype(port["dtype"]))
    laps = []
    for _ in range(3 + runs):
        start = time.perf_counter()
        work.invoke()
        laps.append(1e3 * (time.perf_counter() - start))
    return float(np.median(laps[3:]))
