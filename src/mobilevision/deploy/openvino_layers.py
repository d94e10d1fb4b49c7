"""What an OpenVINO file holds, operator by operator."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from mobilevision.deploy.base import Layer

ENDS = {"Parameter", "Result"}


def computed(model: Any) -> list[Any]:
    """The operators of a model that work on the picture, in order: what is told once of constants is none."""
    live: set[str] = set()
    for each in model.get_ordered_ops():
        read = {port.get_source_output().get_node().get_friendly_name() for port in each.inputs()}
        if each.get_type_name() == "Parameter" or live & read:
            live.add(each.get_friendly_name())
    found = [each for each in model.get_ordered_ops() if each.get_friendly_name() in live]
    return [each for each in found if each.get_type_name() not in ENDS]


def layers(file: Path) -> tuple[Layer, ...]:
    """The operators of a file in order, for one picture; the CPU plugin takes all of them."""
    import openvino

    model = openvino.Core().read_model(file / "model.xml")
    image = model.inputs[0]
    model.reshape({image: list(_shape(image))})
    return tuple(
        Layer(
            name=each.get_friendly_name(),
            operator=each.get_type_name(),
            macs=_macs(each),
            bytes=sum(_bytes(port) for port in (*each.inputs(), *each.outputs())),
            piece="0",
        )
        for each in computed(model)
    )


def _macs(operator: Any) -> int:
    """Multiply-accumulates of an operator that multiplies matrices or convolves; 0 of others."""
    word = operator.get_type_name()
    shapes = [_shape(port) for port in operator.inputs()]
    made = prod(_shape(operator.output(0))) if operator.get_output_size() else 0
    if word == "Convolution":  # weights: out, in, height, width
        return int(made * prod(shapes[1][1:]))
    if word == "GroupConvolution":  # weights: groups, out, in, height, width
        return int(made * prod(shapes[1][2:]))
    if word == "MatMul":
        turned = operator.get_attributes().get("transpose_a", False)
        return int(made * shapes[0][-2 if turned else -1])
    return 0


def _bytes(port: Any) -> int:
    return int(prod(_shape(port)) * port.get_element_type().size)


def _shape(port: Any) -> tuple[int, ...]:
    """The sides of what goes through; one that only a picture tells, as how many boxes are chosen, counts as 1."""
    return tuple(side.get_length() if side.is_static else 1 for side in port.get_partial_shape())
