"""An ONNX file in 8 bits: pairs of QuantizeLinear and DequantizeLinear around what a runtime computes in integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.base import Array
from mobilevision.deploy.ranges import LOOK, Rounding, errors, told
from mobilevision.deploy.regions import region
from mobilevision.deploy.tails import CLIPS, onnx_operations, onnx_tail, spared

INTEGER = (
    "Conv",
    "Add",
    "Mul",
    "MatMul",
    "Gemm",
    "GlobalAveragePool",
    "ReduceMean",
    "AveragePool",
    "Clip",
    "Relu",
    "Softmax",
    "Concat",
    "Sigmoid",
    "Reshape",
    "Transpose",
    "Flatten",
    "Slice",
    "Split",
)

READ = "_DequantizeLinear_Output"
"""How the quantizer ends the name of a tensor as it is read again."""


def quantize(file: Path, pictures: Array, to: Path, how: Rounding) -> dict[int, float]:
    """Write an fp32 .onnx file in 8 bits; image and scores stay float32, so that it is called as before.

    Args:
        file: in fp32.
        pictures: prepared calibration pictures. Shape: (N, channels, height, width).
        to: where to write.
        how: what tells the ranges.

    Returns:
        What each convolution is off by in the file, see `Quantize`.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

    model = load_model_with_shape_infer(file)
    last = onnx_tail(model.graph.node)
    behind = [node.name for node in model.graph.node if node.output[0] in last]
    wide = region(onnx_operations(model.graph.node), ("Conv",), how.wide)
    ranges = told(lambda: spared(_tensors(file, pictures), last), how)
    asked = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    readers = {name: node for node in model.graph.node for name in node.input}
    made = [node.output[0] for node in convolutions]
    outputs = [readers[name].output[0] if _clips(readers.get(name)) else name for name in made]
    work = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, asked),
        nodes_to_quantize=[],
        nodes_to_exclude=[*(model.graph.node[i].name for i in wide), *behind],
        op_types_to_quantize=list(INTEGER),
        extra_options={},
    )
    work.quantize_model()
    work.model.topological_sort()  # the quantizer appends its pairs at the end, which the format does not allow
    onnx.save(work.model.model, to)
    return errors(_tensors(file, pictures[:LOOK]), _meant(_tensors(to, pictures[:LOOK])), outputs)


def _meant(found: Iterator[Mapping[str, Array]]) -> Iterator[Mapping[str, Array]]:
    """The tensors of a file in 8 bits as those see them that read them: what rounding clips has been clipped."""
    for tensors in found:
        yield {**tensors, **{name.removesuffix(READ): value for name, value in tensors.items() if name.endswith(READ)}}


def _clips(node: Any) -> bool:
    """Whether a runtime computes a node together with the convolution that it reads."""
    return node is not None and node.op_type in CLIPS


def _tensors(file: Path, pictures: Array) -> Iterator[Mapping[str, Array]]:
    """All float tensors of a file that are not constant, by name, for a few pictures after another."""
    import onnx
    import onnxruntime

    model = onnx.load(file)
    known = {each.name for each in model.graph.output}
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    floats = [each for each in inferred if each.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    made = {name for node in model.graph.node for name in node.output if node.op_type != "Constant"}
    model.graph.output.extend(each for each in floats if each.name in made - known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0].name
    names = [each.name for each in session.get_outputs()]
    for i in range(0, len(pictures), 4):
        part = pictures[i : i + 4]
        yield {image: part, **dict(zip(names, session.run(names, {image: part}), strict=True))}
