"""A Core ML program computed operation by operation, where Core ML itself is not.

This reads what is in the file, graph and weights, and computes it in torch in float32, each result rounded to the type
that the file declares for it. It shows that the file holds the network; it does not show how Apple's runtime rounds,
what its Neural Engine takes, or how fast it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mobilevision.errors import MissingError

Values = dict[str, Any]
"""An operation's inputs by their names: tensors, and constants as Python numbers, lists and texts."""


def read(spec: Any, weights: Path) -> Any:
    """The program in a Core ML specification, with its weights.

    Args:
        spec: of a model whose type is "mlProgram".
        weights: the folder of its weights.
    """
    from coremltools.converters.mil.frontend.milproto.load import load

    return load(spec, specification_version=spec.specificationVersion, file_weights_dir=str(weights))


def names(program: Any) -> tuple[str, ...]:
    """The types of a program's operations, in order; constants are none, and so is what is told once of them."""
    kinds = (each.op_type for each in program.functions["main"].operations)
    return tuple(kind for kind in kinds if not kind.startswith("const"))


@torch.no_grad()
def compute(program: Any, image: Tensor) -> Tensor:
    """The program's first output, in float32.

    Args:
        program: what `read` gave.
        image: its first input.

    Raises:
        MissingError: if it has an operation that is not known here.
    """
    main = program.functions["main"]
    found: dict[str, Any] = {next(iter(main.inputs)): image.float()}
    for operation in main.operations:
        if operation.op_type == "const":
            continue
        if operation.op_type not in OPERATIONS:
            raise MissingError(f"the operation {operation.op_type!r} can only be computed by Core ML; run it on a Mac")
        given = {name: _value(each, found) for name, each in operation.inputs.items() if each is not None}
        results = OPERATIONS[operation.op_type](given)
        results = [results] if isinstance(results, Tensor) else list(results)
        for place, result in zip(operation.outputs, results, strict=True):
            found[place.name] = _rounded(result, place)
    scores: Tensor = found[main.outputs[0].name]
    return scores


def _value(given: Any, found: dict[str, Any]) -> Any:
    """What an operation is handed: a result, or a constant."""
    if isinstance(given, (list, tuple)):
        return [_value(each, found) for each in given]
    if given.val is None:
        return found[given.name]
    constant = given.val
    if getattr(constant, "ndim", 0) == 0:
        return constant.item() if hasattr(constant, "item") else constant
    numbers = constant.dtype.kind == "f" or (constant.dtype.itemsize == 1 and constant.dtype.kind in "iu")
    return torch.from_numpy(constant.copy()).float() if numbers else constant.tolist()


def _rounded(result: Tensor, place: Any) -> Tensor:
    from coremltools.converters.mil.mil import types

    return result.half().float() if place.dtype == types.fp16 else result


def conv(v: Values) -> Tensor:
    """Convolution with padding as (top, bottom, left, right)."""
    if v["pad_type"] != "custom" and v["pad_type"] != "valid":
        raise MissingError(f"the padding {v['pad_type']!r} can only be computed by Core ML; run it on a Mac")
    top, bottom, left, right = v["pad"] if v["pad_type"] == "custom" else (0, 0, 0, 0)
    x = F.pad(v["x"], (left, right, top, bottom))
    return F.conv2d(x, v["weight"], v.get("bias"), v["strides"], 0, v["dilations"], v["groups"])


def quantize(v: Values) -> Tensor:
    """Numbers as integers: on a grid of 256, what is beyond it becomes its ends."""
    kind = torch.iinfo(getattr(torch, v["output_dtype"]))
    steps: Tensor = (v["input"] / v["scale"]).round() + (v.get("zero_point") or 0)
    return steps.clamp(kind.min, kind.max)


def dequantize(v: Values) -> Tensor:
    """What integers stand for."""
    meant: Tensor = (v["input"] - (v.get("zero_point") or 0)) * v["scale"]
    return meant


def constexpr_affine_dequantize(v: Values) -> Tensor:
    """What constant integers stand for, with a scale for each place of an axis."""
    held = v["quantized_data"]
    shape = [-1 if axis == v["axis"] % held.ndim else 1 for axis in range(held.ndim)]
    scale, zero = (torch.as_tensor(v[name]).float().reshape(shape) for name in ("scale", "zero_point"))
    meant: Tensor = (held - zero) * scale
    return meant


def pad(v: Values) -> Tensor:
    """Padding of the last axes: (begin, end) of each, the first axis first."""
    pairs = [v["pad"][i : i + 2] for i in range(0, len(v["pad"]), 2)]
    return F.pad(v["x"], [side for pair in reversed(pairs) for side in pair], value=v.get("constant_val", 0.0))


def slice_by_index(v: Values) -> Tensor:
    """A part of each axis; masked begins and ends reach to the border, squeezed axes are indexed."""
    rank = v["x"].ndim
    masks = {name: v.get(name) or [False] * rank for name in ("begin_mask", "end_mask", "squeeze_mask")}
    strides = v.get("stride") or [1] * rank
    index: list[slice | int] = []
    for axis, (begin, end, stride) in enumerate(zip(v["begin"], v["end"], strides, strict=True)):
        if masks["squeeze_mask"][axis]:
            index.append(begin)
        else:
            first = None if masks["begin_mask"][axis] else begin
            index.append(slice(first, None if masks["end_mask"][axis] else end, stride))
    return v["x"][tuple(index)]  # type: ignore[no-any-return]  # a program's values are of any type


def split(v: Values) -> Sequence[Tensor]:
    """Parts along an axis, of given sizes or equal."""
    sizes = v.get("split_sizes") or v["x"].shape[v["axis"]] // v["num_splits"]
    return torch.split(v["x"], sizes, v["axis"])


def matmul(v: Values) -> Tensor:
    """Product of the last two axes."""
    x, y = (v[name].mT if v.get(f"transpose_{name}") else v[name] for name in "xy")
    return torch.as_tensor(x @ y)


def layer_norm(v: Values) -> Tensor:
    """Normalization over any axes; the compiler moves them off the end where that saves a transpose."""
    x, axes = v["x"], [axis % v["x"].ndim for axis in v["axes"]]
    spread, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    scale, shift = (v[name].reshape(shape) if v.get(name) is not None else None for name in ("gamma", "beta"))
    out: Tensor = (x - mean) * torch.rsqrt(spread + v["epsilon"])
    out = out if scale is None else out * scale
    return out if shift is None else out + shift


def _with_axes(shape: Sequence[int], axes: Sequence[int]) -> list[int]:
    """A shape with an axis of one wherever `axes`, counted in the result, asks for it."""
    rank = len(shape) + len(axes)
    new, old = {axis % rank for axis in axes}, iter(shape)
    return [1 if axis in new else next(old) for axis in range(rank)]


def gelu(v: Values) -> Tensor:
    """GELU, exact or by tanh."""
    return F.gelu(v["x"], approximate="none" if v["mode"] == "EXACT" else "tanh")


OPERATIONS: dict[str, Callable[[Values], Tensor | Sequence[Tensor]]] = {
    "add": lambda v: v["x"] + v["y"],
    "cast": lambda v: v["x"],
    "clip": lambda v: v["x"].clamp(v["alpha"], v["beta"]),
    "concat": lambda v: torch.cat(v["values"], v["axis"]),
    "constexpr_affine_dequantize": constexpr_affine_dequantize,
    "conv": conv,
    "dequantize": dequantize,
    "expand_dims": lambda v: v["x"].reshape(_with_axes(v["x"].shape, v["axes"])),
    "gelu": gelu,
    "layer_norm": layer_norm,
    "matmul": matmul,
    "mul": lambda v: v["x"] * v["y"],
    "pad": pad,
    "quantize": quantize,
    "reduce_mean": lambda v: v["x"].mean(v["axes"], keepdim=v["keep_dims"]),
    "relu": lambda v: v["x"].relu(),
    "relu6": lambda v: F.relu6(v["x"]),
    "reshape": lambda v: v["x"].reshape(v["shape"]),
    "sigmoid": lambda v: v["x"].sigmoid(),
    "sigmoid_hard": lambda v: (v["alpha"] * v["x"] + v["beta"]).clamp(0, 1),
    "silu": lambda v: F.silu(v["x"]),
    "slice_by_index": slice_by_index,
    "squeeze": lambda v: v["x"].squeeze(tuple(v["axes"])) if v.get("axes") else v["x"].squeeze(),
    "softmax": lambda v: v["x"].softmax(v["axis"]),
    "split": split,
    "sub": lambda v: v["x"] - v["y"],
    "thresholded_relu": lambda v: v["x"].where(v["x"] >= v["alpha"], 0),
    "transpose": lambda v: v["x"].permute(v["perm"]),
}
"""What is known here, by Core ML's names."""
