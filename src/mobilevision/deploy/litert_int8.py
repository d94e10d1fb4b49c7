"""A LiteRT file in 8 bits: weights with a scale for each output, maps with a scale and a zero for each tensor."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision.deploy.associated import attach, read_card
from mobilevision.deploy.base import Array
from mobilevision.deploy.flatbuffer import opened
from mobilevision.deploy.ranges import LOOK, Rounding, errors, told
from mobilevision.deploy.tails import litert_tail, spared


def quantize(file: Path, pictures: Array, to: Path, how: Rounding) -> dict[int, float]:
    """Write an fp32 .tflite file in 8 bits; image and scores stay float32, so that it is called as before.

    The quantizer's own calibration is not used: it takes a moving average of each picture's extremes, which the last
    few pictures decide.

    Args:
        file: in fp32.
        pictures: prepared calibration pictures. Shape: (N, channels, height, width).
        to: where to write.
        how: what tells the ranges.

    Returns:
        What each convolution is off by in the file, see `Quantize`.
    """
    from ai_edge_quantizer import quantizer, recipe

    shown = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    behind = litert_tail(file)
    ranges = told(lambda: spared(_tensors(file, shown), behind), how)
    work = quantizer.Quantizer(str(file))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    for door in ("INPUT", "OUTPUT"):
        work.update_quantization_recipe(".*", door, algorithm_key="no_quantize")
    convolutions = _convolutions(file)
    for output in (convolutions[i] for i in how.wide):
        work.update_quantization_recipe(f"^{re.escape(output)}", "*", algorithm_key="no_quantize")
    for output in behind:
        work.update_quantization_recipe(f"^{re.escape(output)};", "*", algorithm_key="no_quantize")
    asked = {name: {"min": _corner(low), "max": _corner(high)} for name, (low, high) in ranges.items()}
    work.quantize(asked, enable_progress_report=False).export_model(str(to), overwrite=True)
    attach(to, read_card(file))  # the quantizer writes the flatbuffer alone
    return errors(_tensors(file, shown[:LOOK]), _tensors(to, shown[:LOOK]), convolutions)


def _tensors(file: Path, pictures: Array) -> Iterator[Mapping[str, Array]]:
    """All tensors of a file that are not constant, as what they stand for, by name, for one picture after another."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    work = Interpreter(
        model_path=str(file),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    work.allocate_tensors()
    image = work.get_input_details()[0]["index"]
    made = {index for each in work._get_ops_details() for index in each["outputs"]} | {image}
    kinds = (np.float32, np.int8)
    maps = [each for each in work.get_tensor_details() if each["dtype"] in kinds and each["index"] in made]
    for picture in pictures:
        work.set_tensor(image, picture[None])
        work.invoke()
        yield {each["name"]: _meant(work.get_tensor(each["index"]), each) for each in maps}


def _meant(values: Array, details: dict[str, Any]) -> Array:
    """What the numbers of a tensor stand for."""
    if values.dtype == np.float32:
        return values
    scale, zero = details["quantization"]
    meant: Array = (values.astype(np.float32) - zero) * scale
    return meant


def _convolutions(file: Path) -> list[str]:
    """The output tensors of a file's convolutions, in their order."""
    model, names = opened(file)
    graph = model.Subgraphs(0)
    found = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    convolutions = [each for each in found if names[each.OpcodeIndex()] in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    return [graph.Tensors(each.Outputs(0)).Name().decode() for each in convolutions]


def _corner(value: float) -> Array:
    return np.full((1, 1, 1, 1), value, np.float32)
