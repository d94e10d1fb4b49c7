"""LiteRT: .tflite files for Android, iOS and boards; image in NHWC, float32, one picture at a time.

Labels and card stand inside as TensorFlow Lite's associated files do: a zip archive after the flatbuffer. An
interpreter does not look beyond the flatbuffer, and any unzip program lists them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilevision.deploy.associated import attach, read_card
from mobilevision.deploy.base import FP16, FP32, INT8, Array, Format, Precision, through_file
from mobilevision.deploy.flatbuffer import opened
from mobilevision.deploy.litert_int8 import port, quantize
from mobilevision.deploy.litert_layers import layers
from mobilevision.deploy.litert_open import interpreter
from mobilevision.errors import ShortfallError

if TYPE_CHECKING:
    from torch import nn


def export(
    network: nn.Module, shape: tuple[int, int, int], card: dict[str, Any], to: Path, precision: Precision
) -> None:
    """Write a network as a .tflite file, in the form that this runtime is fastest with.

    Args:
        network: gives scores for pictures of shape (N, channels, height, width).
        shape: channels, height and width of a picture.
        card: what the file says of itself, plain JSON; `card["labels"]` becomes labels.txt.
        to: where to write.
        precision: of `LITERT.precisions`; with int8 the file is in fp32 still, in the form that `quantize` rounds.

    Raises:
        ShortfallError: see `convert`.
    """
    from mobilevision.deploy.stem import columns_as_channels

    convert(columns_as_channels(network) if precision == INT8 else network, shape, to)
    if precision == FP16:
        halve(to)
    attach(to, card)


def convert(network: nn.Module, shape: tuple[int, int, int], to: Path) -> None:
    """Write a network as it is, in fp32, with nothing attached.

    Raises:
        ShortfallError: if the converter left a transpose between the image and the first layer.
    """
    import litert_torch

    from mobilevision.deploy.doors import blank
    from mobilevision.deploy.prepare import ChannelsLast

    channels, height, width = shape
    image = blank(network, 1, (height, width, channels))
    litert_torch.convert(ChannelsLast(network, width=width).eval(), sample_kwargs={"image": image}).export(str(to))
    if "TRANSPOSE" in _readers(to):
        raise ShortfallError("the converter left a TRANSPOSE at the image; another litert-torch may not: try 0.10")


def halve(file: Path) -> None:
    """Hold the weights of a float32 file in float16, each with a DEQUANTIZE that delegates fold away; biases stay."""
    from ai_edge_quantizer import qtyping, quantizer
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    work = quantizer.Quantizer(str(file))
    work.update_quantization_recipe(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        algorithm_key=AlgorithmName.FLOAT_CASTING,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=half, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
        ),
    )
    work.quantize().export_model(str(file), overwrite=True)


def operators(file: Path) -> tuple[str, ...]:
    """The names of a file's operators, in order, for example "CONV_2D"."""
    model, names = opened(file)
    graph = model.Subgraphs(0)
    return tuple(names[graph.Operators(i).OpcodeIndex()] for i in range(graph.OperatorsLength()))


def _readers(file: Path) -> set[str]:
    """The operators that read the image itself."""
    model, names = opened(file)
    graph = model.Subgraphs(0)
    found = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    return {names[each.OpcodeIndex()] for each in found if graph.Inputs(0) in each.InputsAsNumpy()}


class Runner:
    """A .tflite file in LiteRT's interpreter, on the CPU.

    Args:
        file: what to run.
        threads: of the interpreter and its XNNPACK delegate.

    Raises:
        InputError: if it is not a whole .tflite file.
        ShortfallError: if XNNPACK refuses it.
    """

    def __init__(self, file: Path, threads: int = 1) -> None:
        self._interpreter = interpreter(file, threads)
        names: dict[str, list[str]] = next(iter(self._interpreter.get_signature_list().values()), {})
        self._image, *_ = self._interpreter.get_input_details()
        self._scores, *_ = self._interpreter.get_output_details()
        self.inputs = (port(self._image, name=next(iter(names.get("inputs", [])), ""), layout="NHWC"),)
        self.outputs = (port(self._scores, name=next(iter(names.get("outputs", [])), "")),)
        self.card = read_card(file)

    def __call__(self, pictures: Array) -> Array:
        """Shape: (1, height, width, channels) -> (1, outputs)."""
        self._interpreter.set_tensor(self._image["index"], pictures)
        self._interpreter.invoke()
        scores: Array = self._interpreter.get_tensor(self._scores["index"])
        return scores


LITERT = Format(
    name="litert",
    suffix=".tflite",
    extra="litert",
    precisions=(FP32, FP16, INT8),
    exporter=("litert-torch", "ai-edge-quantizer"),
    runtime="ai-edge-litert",
    export=export,
    operators=operators,
    runner=Runner,
    quantize=through_file(export, quantize),
    delegate="XNNPACK",
    layers=layers,
)
