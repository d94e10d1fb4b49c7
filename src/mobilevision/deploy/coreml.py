"""Core ML: .mlpackage folders for iOS 17, macOS 14 and later; image in NCHW, one picture at a time.

In fp16 the weights, what is computed and the image and scores themselves are float16, which the Neural Engine asks for;
in fp32 a file runs on Apple's CPUs and GPUs alone. In int8 every map passes through 8 bits and weights are held in
them, while image, scores and what is in between are float16; whether a device then computes in integers is its choice.
Labels and card stand inside as user-defined metadata, each a JSON text under its name.

Core ML runs on Apple's systems only. Elsewhere the file is opened as they would open it, and its program is computed
operation by operation from the weights in it (see `mil`): that shows graph, weights, shapes and labels, but not the
runtime.
"""

from __future__ import annotations

import json
import shutil
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilevision.deploy.base import FP16, FP32, INT8, Array, Format, Port, Precision, card_of
from mobilevision.errors import InputError
from mobilevision.files import writing_folder

if TYPE_CHECKING:
    from torch import nn

    from mobilevision.deploy.ranges import Rounding

ON_A_MAC = sys.platform == "darwin"
MODEL = Path("Data") / "com.apple.CoreML"
DTYPES = {65552: "float16", 65568: "float32"}  # Core ML's numbers of its types
NOTED = "com.github.apple.coremltools."  # what the converter says of itself, with the day


def export(
    network: nn.Module, shape: tuple[int, int, int], card: dict[str, Any], to: Path, precision: Precision
) -> None:
    """Write a network as an .mlpackage.

    Args:
        network: gives scores for pictures of shape (N, channels, height, width).
        shape: channels, height and width of a picture.
        card: what the file says of itself, plain JSON.
        to: where to write; a folder, of which nothing is kept.
        precision: of `COREML.precisions`.
    """
    _write(network.eval(), shape, card, to, half=precision == FP16)


def quantize(network: nn.Module, pictures: Array, card: dict[str, Any], to: Path, how: Rounding) -> dict[int, float]:
    """Write a network in 8 bits, as torchao's PT2E converts it; what is in between is float16.

    What a layer is off by is not told: Core ML would have to run the file for it.
    """
    from mobilevision.deploy.rounding import integer_program

    channels, height, width = pictures.shape[1:]
    _write(integer_program(network, pictures, how), (channels, height, width), card, to, half=True)
    return {}


def _write(network: nn.Module, shape: tuple[int, int, int], card: dict[str, Any], to: Path, *, half: bool) -> None:
    import coremltools as ct
    import torch

    program = torch.export.export(network, (torch.zeros(1, *shape),)).run_decompositions({})
    kind = np.float16 if half else np.float32
    model = ct.convert(
        program,
        inputs=[ct.TensorType(name="image", shape=(1, *shape), dtype=kind)],
        outputs=[ct.TensorType(name="scores", dtype=kind)],
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
        skip_model_load=True,
    )
    for name in [each for each in model.user_defined_metadata if each.startswith(NOTED)]:
        del model.user_defined_metadata[name]
    for name, value in card.items():
        model.user_defined_metadata[name] = json.dumps(value, ensure_ascii=False)
    shutil.rmtree(to)  # the writer wants the place empty; an earlier try in 8 bits may stand there
    model.save(str(to))
    (to / MODEL / "model.mlmodel").write_bytes(model.get_spec().SerializeToString(deterministic=True))
    tidy(to)


def tidy(package: Path) -> None:
    """Leave only what belongs to the package, the same for the same network: no random names, no traces."""
    for stray in package.glob("executorch_debug_*"):
        stray.unlink()
    path = package / "Manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    fixed = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])) for old, item in _items(manifest).items()}
    manifest["itemInfoEntries"] = {fixed[old]: item for old, item in _items(manifest).items()}
    manifest["rootModelIdentifier"] = fixed[manifest["rootModelIdentifier"]]
    path.write_text(json.dumps(manifest, indent=4, sort_keys=True), encoding="utf-8")


def _items(manifest: dict[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = manifest["itemInfoEntries"]
    return found


def operators(file: Path) -> tuple[str, ...]:
    """The types of a file's operations, in order, for example "conv"; constants are none."""
    from mobilevision.deploy import mil

    _, program = _opened(file)
    return mil.names(program)


class Runner:
    """An .mlpackage in Core ML on a Mac; elsewhere its program, computed operation by operation.

    Args:
        file: the folder to run.
        threads: Core ML chooses for itself; on other systems they are torch's.

    Raises:
        InputError: if it is not a whole .mlpackage.
    """

    def __init__(self, file: Path, threads: int = 1) -> None:
        spec, program = _opened(file)
        self.inputs = tuple(_port(each, "NCHW") for each in spec.description.input)
        self.outputs = tuple(_port(each, "") for each in spec.description.output)
        self.card = card_of(spec.description.metadata.userDefined)
        self._scores = _in_core_ml(file) if ON_A_MAC else _by_itself(program)

    def __call__(self, pictures: Array) -> Array:
        """Shape: (1, channels, height, width) -> (1, outputs)."""
        scores: Array = self._scores(pictures)
        return scores


def _in_core_ml(file: Path) -> Any:
    import coremltools as ct

    model = ct.models.MLModel(str(file))
    return lambda pictures: model.predict({"image": pictures})["scores"]


def _by_itself(program: Any) -> Any:
    import torch

    from mobilevision.deploy import mil

    return lambda pictures: mil.compute(program, torch.from_numpy(pictures)).numpy()


def _opened(file: Path) -> tuple[Any, Any]:
    """The specification and the program."""
    import coremltools as ct
    from google.protobuf.message import DecodeError

    from mobilevision.deploy import mil

    try:
        spec = ct.utils.load_spec(str(file))
        return spec, mil.read(spec, file / MODEL / "weights")
    except (OSError, RuntimeError, ValueError, DecodeError) as error:
        raise InputError(f"{file} is not a whole .mlpackage: {error}; export it again") from error


def _port(declared: Any, layout: str) -> Port:
    about = declared.type.multiArrayType
    return Port(declared.name, tuple(about.shape), DTYPES.get(about.dataType, str(about.dataType)), layout)


COREML = Format(
    name="coreml",
    suffix=".mlpackage",
    extra="coreml",
    precisions=(FP32, FP16, INT8),
    exporter=("coremltools", "torchao"),
    runtime="coremltools",
    export=export,
    operators=operators,
    runner=Runner,
    quantize=quantize,
    writing=writing_folder,
    closed={"pixels": "Core ML has no arrays of bytes"},
    note="" if ON_A_MAC else "the program in the file was computed operation by operation instead",
    away="" if ON_A_MAC else "Core ML runs on Apple's systems only",
)
