"""A LiteRT file in 8 bits: weights with a scale for each output, maps with a scale and a zero for each tensor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.associated import attach, read_card
from mobilevision.deploy.base import Array, Port
from mobilevision.deploy.ranges import LOOK, Rounding, errors, told
from mobilevision.deploy.regions import region
from mobilevision.deploy.tails import litert_operations, litert_tail, spared

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")

DOORS = ((".*", "INPUT"), (".*", "OUTPUT"))
"""Image and scores."""

FLOAT = (
    # names of tensors, operator
    (".*", "BATCH_MATMUL"),
    (".*", "SOFTMAX"),
    (".*", "GELU"),
    (".*", "RSQRT"),
    (".*ChannelNorm.*", "*"),  # a layer norm's squares would lose what it is to even out
)
"""What LiteRT's XNNPACK delegate has no integer kernel for, of what the zoo's networks are made of.

In 8 bits each would end a piece of the delegate and go to a slow kernel. Between a DEQUANTIZE and a QUANTIZE it stays
in the piece, and loses nothing; a GELU between two maps of 8 bits even becomes a table.
"""


def quantize(file: Path, pictures: Array, to: Path, how: Rounding) -> dict[int, float]:
    """Write an fp32 .tflite file in 8 bits; image and scores stay float32, so that it is called as before.

    Args:
        file: in fp32.
        pictures: prepared calibration pictures. Shape: (N, channels, height, width).
        to: where to write.
        how: what tells the ranges.

    Returns:
        What each convolution is off by in the file, see `Quantize`.
    """
    operations, behind = litert_operations(file), litert_tail(file)
    wide = [operations[i].makes[0] for i in region(operations, CONVOLUTIONS, how.wide)]
    floats = ((f"^{re.escape(output)};", "*") for output in (*wide, *behind))
    return rounded(file, pictures, to, how, floats=(*DOORS, *FLOAT, *floats), spare=behind)


def rounded(
    file: Path,
    pictures: Array,
    to: Path,
    how: Rounding,
    *,
    floats: Sequence[tuple[str, str]] = (),
    spare: Sequence[str] = (),
) -> dict[int, float]:
    """Write an fp32 .tflite file in 8 bits, from the image to the scores.

    The quantizer's own calibration is not used: it takes a moving average of each picture's extremes, which the last
    few pictures decide.

    Args:
        file: in fp32.
        pictures: prepared calibration pictures. Shape: (N, channels, height, width).
        to: where to write.
        how: what tells the ranges.
        floats: what stays in float32: names of tensors, as a regular expression, and operator.
        spare: tensors that need no range.

    Returns:
        What each convolution is off by in the file, see `Quantize`.
    """
    from ai_edge_quantizer import quantizer, recipe

    shown = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    ranges = told(lambda: spared(_tensors(file, shown), spare), how)
    work = quantizer.Quantizer(str(file))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    for tensors, operator in floats:
        work.update_quantization_recipe(tensors, operator, algorithm_key="no_quantize")
    asked = {name: {"min": _corner(low), "max": _corner(high)} for name, (low, high) in ranges.items()}
    work.quantize(asked, enable_progress_report=False).export_model(str(to), overwrite=True)
    attach(to, read_card(file))  # the quantizer writes the flatbuffer alone
    return errors(_tensors(file, shown[:LOOK]), _tensors(to, shown[:LOOK]), _convolutions(file))


def port(details: dict[str, Any], *, name: str = "", layout: str = "") -> Port:
    """A tensor as LiteRT's interpreter tells of it."""
    scale, zero = details["quantization"]
    shape, kind = tuple(int(side) for side in details["shape"]), details["dtype"].__name__
    return Port(name or details["name"], shape, kind, layout, float(scale), int(zero))


def _tensors(file: Path, pictures: Array) -> Iterator[Mapping[str, Array]]:
    """All tensors of a file that are not constant, as what they stand for, by name, for one picture after another."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    work = Interpreter(
        model_path=str(file),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    work.allocate_tensors()
    image, door = work.get_input_details()[0]["index"], port(work.get_input_details()[0])
    made = {index for each in work._get_ops_details() for index in each["outputs"]} | {image}
    kinds = (np.float32, np.int8)
    maps = [each for each in work.get_tensor_details() if each["dtype"] in kinds and each["index"] in made]
    for picture in pictures:
        work.set_tensor(image, door.held(picture[None]))
        work.invoke()
        yield {each["name"]: port(each).meant(work.get_tensor(each["index"])) for each in maps}


def _convolutions(file: Path) -> list[str]:
    """The output tensors of a file's convolutions, in their order."""
    return [each.makes[0] for each in litert_operations(file) if each.kind in CONVOLUTIONS]


def _corner(value: float) -> Array:
    return np.full((1, 1, 1, 1), value, np.float32)
