"""EdgeTPU: a .tflite file of integers alone, from the image to the scores, for Coral's compiler.

It is opened, run and timed as any .tflite file. The first convolution stays as the network has it: the wider one that
a CPU's integer kernels step through faster costs two reshapes, and an array of multipliers has no such steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilevision.deploy.associated import attach, read_card
from mobilevision.deploy.base import INT8, Array, Precision, through_file
from mobilevision.deploy.flatbuffer import opened
from mobilevision.deploy.litert import LITERT, convert, operators
from mobilevision.deploy.litert_int8 import rounded
from mobilevision.deploy.ranges import Rounding
from mobilevision.deploy.takes import INSTEAD, NO, YES, taken, word
from mobilevision.errors import ShortfallError

if TYPE_CHECKING:
    from torch import nn

TARGET = "EdgeTPU"
INNER = 3
"""Axes of a map that may be longer than 1: the last ones."""

SCORED = "classify"
"""The task whose files end in scores, so that another network may be taken whole."""


def export(
    network: nn.Module, shape: tuple[int, int, int], card: dict[str, Any], to: Path, precision: Precision
) -> None:
    """Write a network in fp32, in the form that `quantize` rounds; see `litert.export`."""
    convert(network, shape, to)
    attach(to, card)


def quantize(file: Path, pictures: Array, to: Path, how: Rounding) -> dict[int, float]:
    """Write an fp32 .tflite file in integers alone; see `litert_int8.rounded`.

    Raises:
        ShortfallError: if the accelerator is not known to take all of it.
    """
    task = read_card(file).get("task", SCORED)
    check_operators(operators(file), task)  # before the calibration, which takes longer
    off = rounded(file, pictures, to, how)
    check_operators(operators(to), task)
    check_tensors(to)
    return off


def check_operators(names: Sequence[str], task: str = SCORED) -> None:
    """Refuse operators that are not known to be taken.

    Args:
        names: of a file's operators.
        task: what the file is for. Boxes, masks and vectors end in operators that are not taken, behind any network.

    Raises:
        ShortfallError: with the operators, and what to use instead.
    """
    answers = {name: taken(name, TARGET) for name in sorted(set(names))}
    left = {name: answer for name, answer in answers.items() if answer != YES}
    if not left:
        return
    words = [f"{name} (not taken)" if answer == NO else f"{name} (in no list)" for name, answer in left.items()]
    known = [word(name) for name in left if word(name) in INSTEAD] if task == SCORED else []
    instead = dict.fromkeys(INSTEAD[each] for each in known)
    remedy = f"use {', or '.join(instead)}" if instead else "export to litert, whose files may hold any operator"
    raise ShortfallError(f"the {TARGET} is not known to take {', '.join(words)} of this network; {remedy}")


def check_tensors(file: Path) -> None:
    """Refuse floats, free sides and batches.

    Raises:
        ShortfallError: with the first tensor that the accelerator does not take.
    """
    from ai_edge_litert.schema_py_generated import TensorType

    model, _ = opened(file)
    graph = model.Subgraphs(0)
    for tensor in (graph.Tensors(i) for i in range(graph.TensorsLength())):
        name, sides = tensor.Name().decode(), tensor.ShapeAsNumpy().tolist() if tensor.ShapeLength() else []
        constant = bool(model.Buffers(tensor.Buffer()).DataLength() or model.Buffers(tensor.Buffer()).Size())
        if tensor.Type() not in (TensorType.INT8, TensorType.INT32):
            raise ShortfallError(f"{name} stays in floats, which the {TARGET} has not; export to litert instead")
        if not constant and max([1, *sides[:-INNER]]) > 1:
            raise ShortfallError(f"{name} has the sides {sides}, and the {TARGET} takes three that are longer than 1")
        if tensor.ShapeSignatureLength() and (tensor.ShapeSignatureAsNumpy() < 0).any():
            raise ShortfallError(f"{name} has a free side, and the {TARGET} takes constant shapes alone")


EDGETPU = replace(
    LITERT,
    name="edgetpu",
    suffix=".edgetpu.tflite",
    precisions=(INT8,),
    export=export,
    quantize=through_file(export, quantize),
    note="on this CPU, not on an EdgeTPU",
    lacks=dict.fromkeys(("fp32", "fp16"), "an EdgeTPU computes with 8-bit integers alone"),
    closed={
        "pixels": "its file takes a picture in integers already",
        "softmax": "its file gives scores in integers, and 256 steps of a probability tell less",
    },
    remains=(
        "not compiled here: an EdgeTPU runs what Coral's edgetpu_compiler makes of this file, which was proven and "
        "timed on a CPU"
    ),
)
"""A .tflite file still, so it is read as one: nothing tells the two apart but what is in them."""
