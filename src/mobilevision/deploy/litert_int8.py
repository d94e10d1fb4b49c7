"""A LiteRT file in 8 bits: weights with a scale for each output, maps with a scale and a zero for each tensor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mobilevision.deploy.associated import attach, read_card
from mobilevision.deploy.base import Array
from mobilevision.deploy.flatbuffer import opened
from mobilevision.deploy.ranges import Histogram, Range, estimate


def quantize(
    file: Path, pictures: Array, to: Path, *, estimator: Callable[[Histogram], Range], wide: Sequence[int] = ()
) -> None:
    """Write an fp32 .tflite file in 8 bits; image and scores stay float32, so that it is called as before.

    The quantizer's own calibration is not used: it takes a moving average of each picture's extremes, which the last
    few pictures decide.

    Args:
        file: in fp32.
        pictures: prepared calibration pictures. Shape: (N, channels, height, width).
        to: where to write.
        estimator: of the maps' ranges.
        wide: which convolutions stay in fp32, counted from 0 in the file's order.
    """
    from ai_edge_quantizer import quantizer, recipe

    shown = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    ranges = estimate(lambda: _tensors(file, shown), estimator)
    work = quantizer.Quantizer(str(file))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    for door in ("INPUT", "OUTPUT"):
        work.update_quantization_recipe(".*", door, algorithm_key="no_quantize")
    for output in _convolutions(file, wide):
        work.update_quantization_recipe(f"^{re.escape(output)}", "*", algorithm_key="no_quantize")
    told = {name: {"min": _corner(low), "max": _corner(high)} for name, (low, high) in ranges.items()}
    work.quantize(told, enable_progress_report=False).export_model(str(to), overwrite=True)
    attach(to, read_card(file))  # the quantizer writes the flatbuffer alone


def _tensors(file: Path, pictures: Array) -> Iterator[Mapping[str, Array]]:
    """All float tensors of a file that are not constant, by name, for one picture after another."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    work = Interpreter(
        model_path=str(file),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    work.allocate_tensors()
    image = work.get_input_details()[0]["index"]
    made = {index for each in work._get_ops_details() for index in each["outputs"]} | {image}
    maps = [each for each in work.get_tensor_details() if each["dtype"] is np.float32 and each["index"] in made]
    for picture in pictures:
        work.set_tensor(image, picture[None])
        work.invoke()
        yield {each["name"]: work.get_tensor(each["index"]) for each in maps}


def _convolutions(file: Path, wide: Sequence[int]) -> list[str]:
    """The output tensors of some of a file's convolutions."""
    if not wide:
        return []
    model, names = opened(file)
    graph = model.Subgraphs(0)
    found = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    convolutions = [each for each in found if names[each.OpcodeIndex()] in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    return [graph.Tensors(convolutions[i].Outputs(0)).Name().decode() for i in wide]


def _corner(value: float) -> Array:
    return np.full((1, 1, 1, 1), value, np.float32)
