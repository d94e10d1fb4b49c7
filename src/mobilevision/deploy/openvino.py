"""OpenVINO: an intermediate representation for Intel's processors; image in NCHW, float32, any number at a time.

The file is a folder, because the representation is two files: the graph, model.xml, and its weights, model.bin. Labels
and card stand inside the graph as runtime information under "mobilevision", each a JSON text under its name.

OpenVINO's CPU plugin may compute in bfloat16 where the processor can, whatever the file holds: scores were then seen
to be off by 0.3 % of the largest. It is asked for float32 here by its hint, which does not travel in the file: who runs
it elsewhere and wants the proven numbers sets INFERENCE_PRECISION_HINT to f32 too.
"""

from __future__ import annotations

import json
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilevision.deploy.base import FP16, FP32, INT8, Array, Format, Port, Precision
from mobilevision.deploy.onnx import ONNX
from mobilevision.deploy.openvino_layers import computed, layers
from mobilevision.errors import InputError
from mobilevision.files import writing_folder

if TYPE_CHECKING:
    from torch import nn

    from mobilevision.deploy.ranges import Rounding

GRAPH, PLACE = "model.xml", "mobilevision"

DTYPES = {"f32": "float32", "f16": "float16", "u8": "uint8", "i8": "int8"}


def export(
    network: nn.Module, shape: tuple[int, int, int], card: dict[str, Any], to: Path, precision: Precision
) -> None:
    """Write a network as a folder with an .xml file and a .bin file.

    Args:
        network: gives scores for pictures of shape (N, channels, height, width).
        shape: channels, height and width of a picture.
        card: what the file says of itself, plain JSON.
        to: where to write; an empty folder.
        precision: of `OPENVINO.precisions`.
    """
    import openvino

    from mobilevision.deploy.doors import blank

    pictures = blank(network, 2, shape)  # with one, the tracer would take the batch for a constant
    model = openvino.convert_model(_channels_first(network.eval()), example_input=pictures, input=[-1, *shape])
    _save(model, card, to, half=precision == FP16)


def quantize(network: nn.Module, pictures: Array, card: dict[str, Any], to: Path, how: Rounding) -> dict[int, float]:
    """Write a network in 8 bits: the integers are those of the .onnx file, which OpenVINO reads.

    What the layers are off by is told of that file, as ONNX Runtime computes it.
    """
    import openvino

    assert ONNX.quantize is not None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"integers{ONNX.suffix}"
        off = ONNX.quantize(_channels_first(network), pictures, {}, file, how)
        _save(openvino.convert_model(file), card, to)
    return off


def _channels_first(network: nn.Module) -> nn.Module:
    """A copy with attention and layer norms for maps with their channels first, as OpenVINO holds them."""
    from mobilevision.deploy.attention import FirstChannelNorm, FirstGridAttention, PlainChannelNorm, PlainGridAttention
    from mobilevision.deploy.prepare import reform_

    copy = deepcopy(network)
    reform_(copy, {PlainGridAttention: FirstGridAttention, PlainChannelNorm: FirstChannelNorm})
    return copy


def _save(model: Any, card: dict[str, Any], to: Path, *, half: bool = False) -> None:
    import openvino

    image, scores = model.inputs[0], model.outputs[0]
    image.get_tensor().set_names({"image"})
    scores.get_tensor().set_names({"scores"})
    openvino.layout_helpers.set_layout(image, openvino.Layout("NCHW"))
    for name, value in card.items():
        model.set_rt_info(json.dumps(value, ensure_ascii=False), [PLACE, name])
    openvino.save_model(model, to / GRAPH, compress_to_fp16=half)


def operators(file: Path) -> tuple[str, ...]:
    """The names of a file's operators, in order, for example "Convolution"; see `computed`."""
    import openvino

    return tuple(each.get_type_name() for each in computed(openvino.Core().read_model(file / GRAPH)))


class Runner:
    """A file in OpenVINO's CPU plugin, in float32 whatever the plugin would choose.

    Args:
        file: the folder to run.
        threads: of its one stream.

    Raises:
        InputError: if it is not a whole OpenVINO file.
    """

    def __init__(self, file: Path, threads: int = 1) -> None:
        import openvino

        core = openvino.Core()
        asked = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        try:
            model = core.read_model(file / GRAPH)
            self._compiled = core.compile_model(model, "CPU", asked)
        except RuntimeError as error:
            raise InputError(f"{file} is not a whole OpenVINO file: {_first_line(error)}; export it again") from error
        self._request = self._compiled.create_infer_request()
        self.inputs = (_port(self._compiled.inputs[0], "NCHW"),)
        self.outputs = (_port(self._compiled.outputs[0], ""),)
        self.card = _card(model)

    def __call__(self, pictures: Array) -> Array:
        """Shape: (N, channels, height, width) -> (N, outputs)."""
        scores: Array = self._request.infer([pictures], share_inputs=True)[0]
        return scores.copy()  # the request writes its next scores into the same place


def _card(model: Any) -> dict[str, Any]:
    if not model.has_rt_info([PLACE]):
        return {}
    return {name: json.loads(str(text)) for name, text in model.get_rt_info([PLACE]).value.items()}


def _port(declared: Any, layout: str) -> Port:
    sides = declared.get_partial_shape()
    shape = tuple("batch" if side.is_dynamic else side.get_length() for side in sides)
    kind = declared.get_element_type().get_type_name()
    return Port(declared.get_any_name(), shape, DTYPES.get(kind, kind), layout)


def _first_line(error: Exception) -> str:
    return next((line for line in reversed(str(error).splitlines()) if line.strip()), "unknown reason")


OPENVINO = Format(
    name="openvino",
    suffix=".openvino",
    extra="openvino",
    precisions=(FP32, FP16, INT8),
    exporter=("openvino", *ONNX.exporter, ONNX.runtime),
    runtime="openvino",
    export=export,
    operators=operators,
    runner=Runner,
    quantize=quantize,
    writing=writing_folder,
    note="with INFERENCE_PRECISION_HINT=f32; its default may compute in bfloat16",
    layers=layers,
)
