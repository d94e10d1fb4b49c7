"""How long each operator of a .pte file takes, as ExecuTorch's event trace and XNNPACK's own counters in it tell."""

from __future__ import annotations

import tempfile
from collections import defaultdict, deque
from pathlib import Path

import numpy as np

from mobilevision.deploy.base import Layer
from mobilevision.deploy.executorch_layers import layers
from mobilevision.deploy.runtime import open_file

FAMILIES = {  # how XNNPACK's names of what ran begin -> the operators of the file that become such
    "Convolution": ("XNNConv2d", "XNNDepthwiseConv2d", "XNNFullyConnected", "XNNConvTranspose2d"),
    "Fully Connected": ("XNNConv2d", "XNNDepthwiseConv2d", "XNNFullyConnected", "XNNConvTranspose2d"),
    "Batch Matrix Multiply": ("XNNBatchMatrixMultiply",),
}


def profile(file: Path, threads: int, runs: int) -> list[tuple[Layer, float]]:
    """Every operator that ran, in order, with the median of its times in ms.

    What ran is joined with the file's operators by kind and order; bytes are known of those that do arithmetic.
    """
    port = open_file(file, threads=threads).inputs[0]  # sizes the pool of threads, before anything runs
    import torch
    from executorch.devtools import Inspector
    from executorch.extension.pybindings.portable_lib import _load_for_executorch

    program, picture = (
        _load_for_executorch(str(file), enable_etdump=True),
        torch.randn(*map(int, port.shape)).to(getattr(torch, port.dtype)),
    )
    for _ in range(3 + runs):
        program.forward((picture,))
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.etdump"
        program.write_etdump_result_to_file(str(trace))
        blocks = Inspector(etdump_path=str(trace)).event_blocks
    waiting: defaultdict[str, deque[Layer]] = defaultdict(deque)
    for layer in layers(file):
        waiting[next((name for name, words in FAMILIES.items() if layer.operator in words), "")].append(layer)
    waiting["Fully Connected"] = waiting["Convolution"]
    found = []
    for event in (each for block in blocks if block.name == "Execute" for each in block.events):
        plain = event.name.startswith("native_call_")
        if event.perf_data is not None and (event.is_delegated_op or plain):
            kind = next((name for name in FAMILIES if event.name.startswith(name)), "")
            known = waiting[kind].popleft() if kind and waiting[kind] else None
            layer = Layer(
                event.name.removeprefix("native_call_"),
                event.name.partition(" (")[0].removeprefix("native_call_"),
                macs=known.macs if known else 0,
                bytes=known.bytes if known else 0,
                piece="" if plain else "0",
            )
            found.append((layer, float(np.median(event.perf_data.raw[3:]))))
    return found
