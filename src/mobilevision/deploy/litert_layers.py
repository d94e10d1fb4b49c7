"""What a .tflite file holds, operator by operator, and which of them XNNPACK takes."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from mobilevision.deploy.base import Layer
from mobilevision.deploy.flatbuffer import opened
from mobilevision.deploy.litert_open import interpreter

DELEGATE = "DELEGATE"


def layers(file: Path) -> tuple[Layer, ...]:
    """The operators of a file in order; the piece of each is the number of the delegate's part that it is in."""
    model, names = opened(file)
    graph, inside = model.Subgraphs(0), _pieces(file)
    found = []
    for place in range(graph.OperatorsLength()):
        operator = graph.Operators(place)
        word, output = names[operator.OpcodeIndex()], graph.Tensors(operator.Outputs(0))
        tensors = [graph.Tensors(i) for i in (*_read(operator), *operator.OutputsAsNumpy())]
        found.append(
            Layer(
                name=f"{place} {_short(output.Name().decode())}",
                operator=word,
                macs=_macs(word, operator, graph),
                bytes=sum(map(_bytes, tensors)),
                piece=inside.get(place, ""),
            )
        )
    return tuple(found)


def _short(name: str) -> str:
    """The last two of the modules that a tensor's name lists."""
    parts = name.partition(";")[0].split("/")[-2:]
    return "/".join(part.rpartition(".")[2] for part in parts)


def _pieces(file: Path) -> dict[int, str]:
    """The piece that each delegated operator is in: what leads from a piece's outputs back to its inputs."""
    nodes = interpreter(file)._get_ops_details()
    makers = {tensor: node for node in nodes if node["op_name"] != DELEGATE for tensor in node["outputs"]}
    found: dict[int, str] = {}
    for number, piece in enumerate(node for node in nodes if node["op_name"] == DELEGATE):
        given, todo = set(piece["inputs"]), list(piece["outputs"])
        while todo:
            tensor = todo.pop()
            maker = makers.get(tensor)
            if tensor not in given and maker is not None and maker["index"] not in found:
                found[maker["index"]] = str(number)
                todo.extend(maker["inputs"])
    return found


def _macs(word: str, operator: Any, graph: Any) -> int:
    """Multiply-accumulates of an operator that multiplies matrices or convolves; 0 of others."""
    read, made = _read(operator), prod(graph.Tensors(operator.Outputs(0)).ShapeAsNumpy().tolist())
    shapes = [graph.Tensors(i).ShapeAsNumpy().tolist() for i in read if graph.Tensors(i).ShapeLength()]
    if word == "CONV_2D":
        return int(made * prod(shapes[1][1:]))
    if word == "DEPTHWISE_CONV_2D":
        return int(made * prod(shapes[1][1:3]))
    if word == "FULLY_CONNECTED":
        return int(made * shapes[1][-1])
    if word == "TRANSPOSE_CONV":  # shape of the output, weights, map
        return int(prod(shapes[2]) * prod(shapes[1][:3]))
    if word == "BATCH_MATMUL":
        from ai_edge_litert.schema_py_generated import BatchMatMulOptionsT

        options = BatchMatMulOptionsT.InitFromObj(_options(operator))
        return int(made * shapes[0][-2 if options.adjX else -1])
    return 0


def _options(operator: Any) -> Any:
    from ai_edge_litert.schema_py_generated import BatchMatMulOptions

    found, table = BatchMatMulOptions(), operator.BuiltinOptions()
    found.Init(table.Bytes, table.Pos)
    return found


def _read(operator: Any) -> list[int]:
    """The tensors that an operator reads; one that is left out has the number -1."""
    return [i for i in operator.InputsAsNumpy().tolist() if i >= 0]


def _bytes(tensor: Any) -> int:
    from ai_edge_litert.schema_py_generated import TensorType

    sizes = {TensorType.INT8: 1, TensorType.UINT8: 1, TensorType.BOOL: 1, TensorType.FLOAT16: 2, TensorType.INT16: 2}
    wide = {TensorType.INT64: 8, TensorType.FLOAT64: 8}
    return int(prod(tensor.ShapeAsNumpy().tolist() if tensor.ShapeLength() else [1])) * (sizes | wide).get(
        tensor.Type(), 4
    )
