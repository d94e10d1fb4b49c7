"""What a .pte file holds, operator by operator: what was handed to XNNPACK, and what the runtime's kernels do."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from mobilevision.deploy.base import Layer

BITS = {"fp16": 16, "int8": 8, "qint8": 8, "quint8": 8, "qcint8": 8, "qcint4": 4, "pfp16": 16, "qdint8": 8}
"""Of a number, by the end of XNNPACK's name of it; 32 of others."""


def layers(file: Path) -> tuple[Layer, ...]:
    """The operators of a file in order; the piece of each is the number of the delegate's part that it is in."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    program = deserialize_pte_binary(file.read_bytes()).program
    (plan,) = [each for each in program.execution_plan if each.name == "forward"]
    found: list[Layer] = []
    for place, instruction in enumerate(each.instr_args for chain in plan.chains for each in chain.instructions):
        if hasattr(instruction, "delegate_index"):
            piece = plan.delegates[instruction.delegate_index]
            graph = read_piece(bytes(program.backend_delegate_data[piece.processed.index].data))
            found += _inside(graph, str(instruction.delegate_index))
        elif hasattr(instruction, "op_index"):
            kernel = plan.operators[instruction.op_index]
            word = f"{kernel.name}.{kernel.overload}" if kernel.overload else kernel.name
            found.append(Layer(f"{place} {word}", word, macs=0, bytes=0, piece=""))
    return tuple(found)


def read_piece(piece: bytes) -> dict[str, Any]:
    """The graph that XNNPACK is handed for a piece."""
    from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader, _get_schema_bytes
    from executorch.exir._serialize._flatbuffer import _flatc_decompile

    header = XNNHeader.from_bytes(piece[: XNNHeader.EXPECTED_LENGTH])
    begin = header.flatbuffer_offset
    with tempfile.TemporaryDirectory() as folder:
        schema, graph = Path(folder) / "schema.fbs", Path(folder) / "graph.bin"
        schema.write_bytes(_get_schema_bytes())
        graph.write_bytes(piece[begin : begin + header.flatbuffer_size])
        _flatc_decompile(folder, str(schema), str(graph))
        text = graph.with_suffix(".json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(re.sub(r"(?<=: )(-?)inf\b", r"\1Infinity", text))  # bounds of a plain ReLU
    return read


def _inside(graph: dict[str, Any], piece: str) -> Iterator[Layer]:
    values = {each["id_out"]: each for each in map(_value, graph["xvalues"])}
    for node in graph["xnodes"]:
        about = node["xnode_union"]
        read = [key for name, key in about.items() if name.endswith("_id") and name != "output_id" and key in values]
        yield Layer(
            name=f"{piece}.{about['output_id']} {node['xnode_union_type']}",
            operator=node["xnode_union_type"],
            macs=_macs(node["xnode_union_type"], about, values),
            bytes=sum(_bytes(values[key]) for key in (*read, about["output_id"])),
            piece=piece,
        )


def _value(each: dict[str, Any]) -> dict[str, Any]:
    """A tensor's own facts, which a quantized one holds one level deeper."""
    about: dict[str, Any] = each["xvalue_union"]
    value: dict[str, Any] = about.get("tensor_value", about)
    return value


def _macs(word: str, about: dict[str, Any], values: dict[int, dict[str, Any]]) -> int:
    """Multiply-accumulates of an operator that multiplies matrices or convolves; 0 of others."""
    made = prod(values[about["output_id"]]["dims"])
    if "kernel_height" in about:
        return int(made * about["group_input_channels"] * about["kernel_height"] * about["kernel_width"])
    if word in ("XNNFullyConnected", "XNNBatchMatrixMultiply"):
        return int(made * values[about["input1_id"]]["dims"][-1])
    return 0


def _bytes(value: dict[str, Any]) -> int:
    kind = value["datatype"].removeprefix("xnn_datatype_")
    return int(prod(value["dims"]) * BITS.get(kind, 32)) // 8
