"""What an .onnx file holds, operator by operator."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from mobilevision.deploy.base import Layer

Shape = tuple[int, ...]


def layers(file: Path) -> tuple[Layer, ...]:
    """The operators of a file in order, for one picture; ONNX Runtime's own kernels take all of them."""
    import onnx

    model = onnx.load(file)
    for port in (*model.graph.input, *model.graph.output):
        for side in port.type.tensor_type.shape.dim:
            if side.dim_param:
                side.dim_value = 1
    del model.graph.value_info[:]  # their number of pictures is free
    known = _shapes(onnx.shape_inference.infer_shapes(model, data_prop=True).graph)
    return tuple(
        Layer(
            name=node.name,
            operator=node.op_type,
            macs=_macs(node, [known[name][0] for name in (*node.input, *node.output) if name in known]),
            bytes=sum(prod(shape) * size for shape, size in (known.get(n, ((0,), 0)) for n in _tensors(node))),
            piece="0",
        )
        for node in model.graph.node
    )


def _tensors(node: Any) -> list[str]:
    return [name for name in (*node.input, *node.output) if name]


def _shapes(graph: Any) -> dict[str, tuple[Shape, int]]:
    """Shape and bytes a number of every tensor that is known."""
    import onnx

    size = {
        kind: onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize
        for kind in onnx.helper.get_all_tensor_dtypes()
        if kind
    }
    found = {each.name: (tuple(each.dims), size[each.data_type]) for each in graph.initializer}
    for each in (*graph.input, *graph.output, *graph.value_info):
        about = each.type.tensor_type
        found[each.name] = (tuple(side.dim_value for side in about.shape.dim), size[about.elem_type])
    return found


def _macs(node: Any, shapes: Sequence[Shape]) -> int:
    """Multiply-accumulates of an operator that multiplies matrices or convolves; 0 of others."""
    made = prod(shapes[-1]) if shapes else 0
    if node.op_type == "Conv":
        return made * prod(shapes[1][1:])
    if node.op_type == "ConvTranspose":
        return prod(shapes[0]) * prod(shapes[1][1:])
    if node.op_type == "MatMul":
        return made * shapes[0][-1]
    if node.op_type == "Gemm":
        turned = any(each.name == "transA" and each.i for each in node.attribute)
        return made * shapes[0][0 if turned else 1]
    return 0
