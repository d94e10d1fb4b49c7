"""An ONNX file in 8 bits: pairs of QuantizeLinear and DequantizeLinear around what a runtime computes in integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mobilevision.deploy.base import Array
from mobilevision.deploy.ranges import Histogram, Range, estimate

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


def quantize(
    file: Path, pictures: Array, to: Path, *, estimator: Callable[[Histogram], Range], wide: Sequence[int] = ()
) -> None:
    """Write an fp32 .onnx file in 8 bits; image and scores stay float32, so that it is called as before.

    Args:
        file: in fp32.
        pictures: prepared calibration pictures. Shape: (N, channels, height, width).
        to: where to write.
        estimator: of the maps' ranges.
        wide: which convolutions stay in fp32, counted from 0 in the file's order.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import load_model_with_shape_infer

    ranges = estimate(lambda: _tensors(file, pictures), estimator)
    told = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    model = load_model_with_shape_infer(file)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    work = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, told),
        nodes_to_quantize=[],
        nodes_to_exclude=[convolutions[i] for i in wide],
        op_types_to_quantize=list(INTEGER),
        extra_options={},
    )
    work.quantize_model()
    work.model.topological_sort()  # the quantizer appends its pairs at the end, which the format does not allow
    onnx.save(work.model.model, to)


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
