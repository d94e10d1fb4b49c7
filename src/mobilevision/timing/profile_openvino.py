"""How long each operator of an OpenVINO file takes, as its CPU plugin's own counters tell: after it has joined some."""

from __future__ import annotations

from collections import defaultdict
from math import prod
from pathlib import Path

import numpy as np

from mobilevision.deploy.base import Layer
from mobilevision.deploy.openvino_layers import layers


def profile(file: Path, threads: int, runs: int) -> list[tuple[Layer, float]]:
    """Every operator that ran, in order, with the median of its times in ms; the counters tell whole microseconds."""
    import openvino

    core = openvino.Core()
    asked = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERF_COUNT": True,
    }
    model = core.read_model(file / "model.xml")
    image = model.inputs[0]
    model.reshape({image: [side.get_length() if side.is_static else 1 for side in image.get_partial_shape()]})
    compiled = core.compile_model(model, "CPU", asked)
    request = compiled.create_infer_request()
    kind = model.inputs[0].get_element_type().to_dtype()
    picture = np.random.default_rng(0).standard_normal(list(model.inputs[0].get_shape())).astype(kind)
    laps: dict[str, list[float]] = defaultdict(list)
    for _ in range(3 + runs):
        request.infer([picture])
        for each in request.get_profiling_info():
            if each.status == each.Status.EXECUTED:
                laps[each.node_name].append(1e3 * each.real_time.total_seconds())
    macs = {layer.name: layer.macs for layer in layers(file)}
    found = []
    for each in compiled.get_runtime_model().get_ordered_ops():
        name, about = each.get_friendly_name(), each.get_rt_info()
        if name in laps:
            joined = str(about["originalLayersNames"].value).split(",")
            moved = sum(
                prod(port.get_shape()) * port.get_element_type().size for port in (*each.inputs(), *each.outputs())
            )
            layer = Layer(
                name, str(about["layerType"].value), macs=sum(macs.get(n, 0) for n in joined), bytes=moved, piece="0"
            )
            found.append((layer, float(np.median(laps[name][-runs:]))))
    return found
