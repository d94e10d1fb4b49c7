"""What runs on a board: it is sent there alone, so it imports nothing of ours, and nothing but a runtime and numpy.

python3 board.py FILE FORMAT THREADS RUNS WARMUP, in the folder that holds FILE; prints JSON as its last line.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from importlib import import_module, metadata
from pathlib import Path
from typing import Any


def open_litert(file: str, threads: int) -> Any:
    """A .tflite file, in LiteRT or in the older TensorFlow Lite runtime."""
    package = "ai-edge-litert"
    try:
        interpreter = import_module("ai_edge_litert.interpreter")
    except ImportError:
        interpreter, package = import_module("tflite_runtime.interpreter"), "tflite-runtime"
    work = interpreter.Interpreter(model_path=file, num_threads=threads)
    work.allocate_tensors()
    image = work.get_input_details()[0]

    def run(picture: Any) -> None:
        work.set_tensor(image["index"], picture)
        work.invoke()
        work.get_tensor(work.get_output_details()[0]["index"])

    return run, list(image["shape"]), image["dtype"], package


def open_onnx(file: str, threads: int) -> Any:
    """An .onnx file in ONNX Runtime."""
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    kind = {"tensor(uint8)": "uint8", "tensor(int8)": "int8", "tensor(float16)": "float16"}.get(image.type, "float32")
    return lambda picture: session.run(None, {image.name: picture}), image.shape, kind, "onnxruntime"


def open_openvino(file: str, threads: int) -> Any:
    """An OpenVINO folder in its CPU plugin, in float32."""
    core = import_module("openvino").Core()
    asked = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
    compiled = core.compile_model(core.read_model(file + "/model.xml"), "CPU", asked)
    request, sides = compiled.create_infer_request(), compiled.inputs[0].get_partial_shape()
    shape = [1 if side.is_dynamic else side.get_length() for side in sides]
    return lambda picture: request.infer([picture]), shape, compiled.inputs[0].get_element_type().to_dtype(), "openvino"


OPENERS = {"litert": open_litert, "onnx": open_onnx, "openvino": open_openvino}
PACKAGES = {"litert": "ai-edge-litert", "onnx": "onnxruntime", "openvino": "openvino"}


def measure(file: str, form: str, threads: int, runs: int, warmup: int) -> dict[str, Any]:
    """Laps of one picture of noise in ms, and where they were run."""
    try:
        numpy = import_module("numpy")
        run, shape, kind, package = OPENERS[form](file, threads)
    except ImportError:
        return {"missing": PACKAGES[form]}
    sides = [side if isinstance(side, int) or hasattr(side, "__index__") else 1 for side in shape]
    picture = numpy.random.default_rng(0).standard_normal([int(side) for side in sides]).astype(kind)
    laps = []
    for _ in range(warmup + runs):
        start = time.perf_counter()
        run(picture)
        laps.append(1e3 * (time.perf_counter() - start))
    resource, unit = import_module("resource"), 1 if sys.platform == "darwin" else 1024
    return {
        "laps": laps[warmup:],
        "threads": threads,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
        "machine": f"{platform.node()}, {platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "runtime": f"{package} {metadata.version(package)}",
    }


if __name__ == "__main__":
    name, form, threads, runs, warmup = sys.argv[1:]
    folder = globals().get("FOLDER", ".")
    told = measure(str(Path(folder) / name), form, int(threads) or os.cpu_count() or 1, int(runs), int(warmup))
    print(json.dumps(told))
