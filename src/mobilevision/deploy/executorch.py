"""ExecuTorch: .pte files for PyTorch's own runtime on phones; image in NCHW, float32, one picture at a time.

What XNNPACK takes is handed to it in pieces. Labels and card stand inside as constant methods, as ExecuTorch holds
facts of a model: "labels" gives a list of texts, "card" one JSON text; a program that does not ask them sees nothing.

The runtime has one pool of threads for the whole process, at first as many as the processor has cores, and does not
look at torch's number. The pool can only be changed before the first program is opened: after that it was seen to
hang. So the first runner of a process sets it, and a later one that wants another number is refused.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilevision.deploy.base import FP32, INT8, Array, Format, Port, Precision
from mobilevision.deploy.executorch_layers import layers, read_piece
from mobilevision.errors import InputError, UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mobilevision.deploy.ranges import Rounding

DTYPES = {0: "uint8", 1: "int8", 5: "float16", 6: "float32"}  # PyTorch's numbers of its types


def export(
    network: nn.Module, shape: tuple[int, int, int], card: dict[str, Any], to: Path, precision: Precision
) -> None:
    """Write a network as a .pte file.

    Args:
        network: gives scores for pictures of shape (N, channels, height, width).
        shape: channels, height and width of a picture.
        card: what the file says of itself, plain JSON; `card["labels"]` becomes a method of its own.
        to: where to write.
        precision: of `EXECUTORCH.precisions`.
    """
    from mobilevision.deploy.doors import blank

    _write(taken_whole(network.eval()), blank(network, 1, shape), card, to)


def quantize(network: nn.Module, pictures: Array, card: dict[str, Any], to: Path, how: Rounding) -> dict[int, float]:
    """Write a network in 8 bits, as torchao's PT2E converts it; what a layer is off by is not told."""
    from mobilevision.deploy.doors import blank
    from mobilevision.deploy.rounding import integer_program

    channels, height, width = pictures.shape[1:]
    program = integer_program(taken_whole(network.eval()), pictures, how)
    _write(program, blank(network, 1, (channels, height, width)), card, to)
    return {}


def _write(network: nn.Module, picture: Tensor, card: dict[str, Any], to: Path) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(network, (picture,))
    told = {"card": json.dumps(card, ensure_ascii=False), "labels": list(card["labels"])}
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()], constant_methods=told)
    to.write_bytes(lowered.to_executorch().buffer)


def taken_whole(network: nn.Module) -> nn.Module:
    """A copy that XNNPACK takes right: it has no mean over channels, and no norms behind convolutions."""
    from copy import deepcopy

    from torch.nn import BatchNorm2d

    from mobilevision.blocks.retinanet import Tower
    from mobilevision.deploy.attention import ConvolutionalChannelNorm, PlainChannelNorm
    from mobilevision.deploy.prepare import FoldedTower, norm_as_convolution, reform_

    copy = deepcopy(network)
    reform_(
        copy,
        {PlainChannelNorm: ConvolutionalChannelNorm, Tower: FoldedTower, BatchNorm2d: norm_as_convolution},
    )
    return copy


def operators(file: Path) -> tuple[str, ...]:
    """The names of a file's operators, in order.

    Those that XNNPACK takes begin with "XNN", for example "XNNConv2d", and each piece of them with a "XnnpackBackend";
    those of the runtime's own kernels read as "aten::add.out".
    """
    from executorch.exir._serialize._program import deserialize_pte_binary

    program = deserialize_pte_binary(file.read_bytes()).program
    (plan,) = [each for each in program.execution_plan if each.name == "forward"]
    names: list[str] = []
    for instruction in (each.instr_args for chain in plan.chains for each in chain.instructions):
        if hasattr(instruction, "delegate_index"):
            piece = plan.delegates[instruction.delegate_index]
            graph = read_piece(bytes(program.backend_delegate_data[piece.processed.index].data))
            names += [piece.id, *(each["xnode_union_type"] for each in graph["xnodes"])]
        elif hasattr(instruction, "op_index"):
            kernel = plan.operators[instruction.op_index]
            names.append(f"{kernel.name}.{kernel.overload}" if kernel.overload else kernel.name)
    return tuple(names)


class Runner:
    """A .pte file in ExecuTorch's runtime, on the CPU.

    Args:
        file: what to run.
        threads: of the process's one pool.

    Raises:
        UsageError: if the process has opened one with another number of threads.
        InputError: if it is not a whole .pte file.
    """

    def __init__(self, file: Path, threads: int = 1) -> None:
        _size_pool(threads)
        from executorch.runtime import Runtime

        try:
            self._program = Runtime.get().load_program(file)
            self._forward = self._program.load_method("forward")
        except RuntimeError as error:
            raise InputError(f"{file} is not a whole .pte file: {error}; export it again") from error
        about = self._forward.metadata
        self.inputs = (_port("image", about.input_tensor_meta(0), "NCHW"),)
        self.outputs = (_port("scores", about.output_tensor_meta(0), ""),)
        self.card = self._card()

    def __call__(self, pictures: Array) -> Array:
        """Shape: (1, channels, height, width) -> (1, outputs)."""
        import torch

        scores: Array = self._forward.execute([torch.from_numpy(pictures)])[0].numpy()
        return scores

    def _card(self) -> dict[str, Any]:
        if "card" not in self._program.method_names:
            return {}
        card: dict[str, Any] = json.loads(self._program.load_method("card").execute([])[0])
        return card


def _size_pool(threads: int) -> None:
    """Give the process's pool its threads, if no program can have been opened yet."""
    fresh = "executorch.runtime" not in sys.modules
    from executorch.extension.pybindings.portable_lib import _threadpool_get_thread_count, _unsafe_reset_threadpool

    if fresh:
        _unsafe_reset_threadpool(threads)
    found = _threadpool_get_thread_count()
    if found != threads:
        raise UsageError(
            f"ExecuTorch runs on {found} threads in this process and cannot change to {threads}; use another process"
        )


def _port(name: str, about: Any, layout: str) -> Port:
    return Port(name, tuple(about.sizes()), DTYPES.get(about.dtype(), str(about.dtype())), layout)


EXECUTORCH = Format(
    name="executorch",
    suffix=".pte",
    extra="executorch",
    precisions=(FP32, INT8),
    exporter=("executorch", "torchao"),
    runtime="executorch",
    export=export,
    operators=operators,
    runner=Runner,
    quantize=quantize,
    note="its XNNPACK delegate",
    delegate="XNNPACK",
    layers=layers,
    hard_swish=True,
    lacks={
        "fp16": (
            "ExecuTorch 1.5.1 holds a convolution's weights for XNNPACK in float32 whatever the network has, so a file "
            "in fp16 was as large as one in fp32, and its scores further off than fp16 may be"
        )
    },
)
