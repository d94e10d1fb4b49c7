"""ONNX: .onnx files for ONNX Runtime and many others; image in NCHW, float32, any number of pictures at a time.

Labels and card stand inside as metadata properties, each a JSON text under its name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilevision.deploy.base import FP16, FP32, INT8, Array, Format, Port, Precision, card_of, through_file
from mobilevision.deploy.onnx_int8 import quantize
from mobilevision.deploy.onnx_layers import layers
from mobilevision.errors import InputError

if TYPE_CHECKING:
    from torch import nn

OPSET = 20
"""Version of the operators: the first in which GELU is one, and runtimes since 2024 read."""

DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8", "tensor(int8)": "int8"}


def export(
    network: nn.Module, shape: tuple[int, int, int], card: dict[str, Any], to: Path, precision: Precision
) -> None:
    """Write a network as an .onnx file.

    Args:
        network: gives scores for pictures of shape (N, channels, height, width).
        shape: channels, height and width of a picture.
        card: what the file says of itself, plain JSON.
        to: where to write.
        precision: of `ONNX.precisions`.
    """
    import onnx
    import torch

    from mobilevision.deploy.doors import blank
    from mobilevision.deploy.suppress import operator_form, write_operator_

    pictures = blank(network, 2, shape)  # with one, the tracer would take the batch for a constant
    program = torch.onnx.export(
        operator_form(network).eval(),
        (pictures,),
        dynamo=True,
        input_names=["image"],
        output_names=[getattr(network, "gives", "scores")],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    forget_origin_(model)
    write_operator_(model)
    if precision == FP16:
        halve_(model)
    onnx.helper.set_model_props(model, {name: json.dumps(value, ensure_ascii=False) for name, value in card.items()})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, to)


def halve_(model: Any) -> None:
    """Hold weights in float16, each with a Cast that runtimes fold when they load; biases and other small ones stay."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph, casts = model.graph, []
    for held in graph.initializer:
        if held.data_type != TensorProto.FLOAT or len(held.dims) < 2:
            continue
        name, half = held.name, numpy_helper.to_array(held).astype(np.float16)
        held.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [held.name], [name], f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def forget_origin_(model: Any) -> None:
    """Take out what the exporter noted for debugging: it holds paths of this machine, and differs from run to run."""
    graph = model.graph
    for noted in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del noted.metadata_props[:]
        noted.doc_string = ""


def operators(file: Path) -> tuple[str, ...]:
    """The names of a file's operators, in order, for example "Conv"."""
    import onnx

    return tuple(node.op_type for node in onnx.load(file, load_external_data=False).graph.node)


class Runner:
    """An .onnx file in ONNX Runtime, on the CPU.

    Args:
        file: what to run.
        threads: within an operator; operators run one after another.

    Raises:
        InputError: if it is not a whole .onnx file.
    """

    def __init__(self, file: Path, threads: int = 1) -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as faults

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        unfit = (faults.Fail, faults.InvalidArgument, faults.InvalidGraph, faults.InvalidProtobuf, faults.NoSuchFile)
        try:
            self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except unfit as error:
            raise InputError(f"{file} is not a whole .onnx file: {error}; export it again") from error
        self.inputs = tuple(_port(each, "NCHW") for each in self._session.get_inputs())
        self.outputs = tuple(_port(each, "") for each in self._session.get_outputs())
        self.card = card_of(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, pictures: Array) -> Array:
        """Shape: (N, channels, height, width) -> (N, outputs)."""
        scores: Array = self._session.run([self.outputs[0].name], {self.inputs[0].name: pictures})[0]
        return scores


def _port(declared: Any, layout: str) -> Port:
    return Port(declared.name, tuple(declared.shape), DTYPES.get(declared.type, declared.type), layout)


ONNX = Format(
    name="onnx",
    suffix=".onnx",
    extra="onnx",
    precisions=(FP32, FP16, INT8),
    exporter=("onnx", "onnxscript"),
    runtime="onnxruntime",
    export=export,
    operators=operators,
    runner=Runner,
    quantize=through_file(export, quantize),
    layers=layers,
    channels_last=False,
)
