"""What stands behind a file's last convolutions: it is computed in float, since boxes are lost on a grid of 256."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mobilevision.deploy.base import Array
from mobilevision.deploy.flatbuffer import opened

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "Conv", "Gemm")
MOVES = ("RESHAPE", "TRANSPOSE", "Reshape", "Transpose", "Flatten")
"""What changes no value: a tail of these alone costs nothing in 8 bits."""

CLIPS = ("Relu", "Clip")
"""What a runtime computes together with the convolution before it; a .tflite file's convolutions hold theirs."""


class Operation(NamedTuple):
    """An operator of a file.

    Attributes:
        kind: its name in the format.
        reads: names of the tensors it takes.
        makes: names of the tensors it gives.
    """

    kind: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]


def tail(
    operations: Sequence[Operation],
    convolutions: Container[str] = CONVOLUTIONS,
    moves: Container[str] = MOVES,
    clips: Container[str] = CLIPS,
) -> list[Operation]:
    """The operators from which no convolution is reached; none, if all they do is to move values.

    Args:
        operations: in the order in which they run.
        convolutions: kinds of operations that are convolutions.
        moves: kinds of operations that change no value.
        clips: kinds of operations that belong to a convolution if they read what it makes.
    """
    convolved = {name for each in operations if each.kind in convolutions for name in each.makes}
    wanted: set[str] = set()
    behind = []
    for each in reversed(operations):
        clipped = each.kind in clips and each.reads[0] in convolved
        if clipped or each.kind in convolutions or wanted & set(each.makes):
            wanted |= set(each.reads)
        else:
            behind.append(each)
    return behind[::-1] if any(each.kind not in moves for each in behind) else []


def litert_operations(file: Path) -> list[Operation]:
    """The operators of a .tflite file, in order."""
    model, names = opened(file)
    graph = model.Subgraphs(0)

    def called(numbers: Iterable[int]) -> tuple[str, ...]:
        return tuple(graph.Tensors(int(n)).Name().decode() for n in numbers if n >= 0)

    found = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    return [
        Operation(names[each.OpcodeIndex()], called(each.InputsAsNumpy()), called(each.OutputsAsNumpy()))
        for each in found
    ]


def onnx_operations(nodes: Iterable[object]) -> list[Operation]:
    """The nodes of an .onnx graph, in order."""
    return [Operation(n.op_type, tuple(n.input), tuple(n.output)) for n in nodes]  # type: ignore[attr-defined]  # onnx's messages are not typed


def litert_tail(file: Path) -> list[str]:
    """The first tensor that each operator of a .tflite file's tail gives."""
    return [each.makes[0] for each in tail(litert_operations(file))]


def onnx_tail(nodes: Iterable[object]) -> list[str]:
    """The first tensor that each node of an .onnx graph's tail gives."""
    return [each.makes[0] for each in tail(onnx_operations(nodes))]


def spared(run: Iterable[Mapping[str, Array]], names: Sequence[str]) -> Iterator[Mapping[str, Array]]:
    """The tensors of a few pictures after another, without those called `names`: what stays in float needs no range."""
    left = set(names)
    for tensors in run:
        yield {name: values for name, values in tensors.items() if name not in left}
