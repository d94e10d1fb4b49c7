"""What an architecture costs, row by row: shapes, parameters, multiply-accumulates, bytes, time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from mobilevision.architecture import Arch, Place, Tap
from mobilevision.blocks import Block, Head
from mobilevision.errors import InputError, UsageError

Shape = tuple[int, ...]
"""(channels, height, width), without the batch."""

Key = tuple[Block | Head, tuple[Any, ...]]
"""A block and the shape it works on, or a head and the shapes of its maps: what a cost or a time belongs to."""

FLOAT_BYTES, MILLION = 4, 1e6
LAYERS = {"convolution", "addmm", "mm"}  # operations with weights; other products are attention's
MOVES = {"add", "mul", "mean", "_softmax", "native_layer_norm", "avg_pool2d", "upsample_bilinear2d", "cat"}
"""Operations without multiply-accumulates that must read and write whole maps all the same."""


class Operation(NamedTuple):
    """One convolution, linear layer or attention product, or one that only moves numbers.

    The latter are sums of branches, gates, pools, softmax, norms over channels, joined and resized maps: a roofline
    sees them. Batch norms, activations and scales are fused into the operation before and are none.

    Attributes:
        name: torch's name of the operation.
        macs: multiply-accumulates; 0 where it only moves numbers.
        weights: numbers of its weight (an attention product has none).
        activations: numbers it reads and writes.
    """

    name: str
    macs: int
    weights: int
    activations: int


@dataclass(frozen=True)
class Cost:
    """What one row costs, for one picture.

    Attributes:
        shape: what comes out, (channels, height, width); of a classifier, (outputs,).
        params: trainable numbers.
        macs: multiply-accumulates of convolutions and linear layers.
        attention_macs: multiply-accumulates of the products of queries, keys and values, which are not in `macs`.
        weight_bytes: bytes of the parameters as float32.
        activation_bytes: bytes of the maps that its operations read and write, as float32.
        operations: what it does, in order.
    """

    shape: Shape
    params: int
    macs: int
    attention_macs: int
    weight_bytes: int
    activation_bytes: int
    operations: tuple[Operation, ...] = field(default=(), repr=False)


class Row(NamedTuple):
    """One block where it stands: the line that every count, table and picture is made from.

    The head's row is the last; its `shape` is that of its map, or the tuple of its maps' shapes if it has several.
    """

    place: Place
    block: Block | Head
    shape: tuple[Any, ...]
    cost: Cost


@cache
def cost(block: Block, shape: Shape) -> Cost:
    """What one block costs on an input of `shape` (channels, height, width)."""
    module = _on_meta(block, shape[0])
    return _cost(module, *_ran(module, shape, block))


@cache
def head_cost(head: Head, taps: tuple[Tap, ...], shapes: tuple[Shape, ...], outputs: int) -> Cost:
    """What a head costs on maps of `shapes`, with as many `outputs` as its task asks."""
    with torch.device("meta"):
        module = head.build(taps, outputs).eval()
    return _cost(module, *_ran(module, shapes, head))


def walk(arch: Arch, size: int | tuple[int, int] | None = None, outputs: int = 1000, *, channels: int = 3) -> list[Row]:
    """The rows of an architecture, from the image to the head.

    Args:
        arch: what to walk.
        size: side of the image in pixels, or (height, width); default is the architecture's own.
        outputs: what the head gives, for a classifier the number of classes.
        channels: channels of the image.

    Raises:
        UsageError: if the image is empty, or too small for the network.
    """
    height, width = size if isinstance(size, tuple) else (size or arch.size,) * 2
    if min(height, width) < 1:
        raise UsageError(f"an image of {height}x{width} pixels is empty; give a positive size")
    rows: list[Row] = []
    shape: Shape = (channels, height, width)
    for place, block in arch.places():
        rows.append(Row(place, block, shape, cost(block, shape)))
        shape = rows[-1].cost.shape
    taps = arch.head.taps(arch)
    maps = tuple(_tap_shape(rows, tap) for tap in taps)
    facts = head_cost(arch.head, taps, maps, outputs)
    rows.append(Row((len(arch.stages), 0), arch.head, maps[0] if len(maps) == 1 else maps, facts))
    return rows


def params(arch: Arch, outputs: int = 1000) -> int:
    """Trainable numbers of the whole network."""
    return sum(row.cost.params for row in walk(arch, outputs=outputs))


def macs(arch: Arch, size: int | tuple[int, int] | None = None, outputs: int = 1000) -> int:
    """Multiply-accumulates of convolutions and linear layers for one picture; attention products are not in it."""
    return sum(row.cost.macs for row in walk(arch, size, outputs))


class Totals(NamedTuple):
    """What the rows of a network come to.

    Attributes:
        predicted: the sum of their times or other costs.
        weights: of all of them, in millions.
        macs: multiply-accumulates, those of attention too, in millions.
        rows: how many there are.
    """

    predicted: float
    weights: float = 0.0
    macs: float = 0.0
    rows: int = 0


class Line(NamedTuple):
    """measured = intercept + slope x predicted + far x weights + work x macs + each x rows; by itself, no correction.

    A row alone is called like a network, which is called once for all of its rows, and its map and weights are
    elsewhere in the memory than a network's, which has more of them than caches hold.

    Attributes:
        intercept: in the unit of the cost.
        slope: a factor.
        far: in the unit of the cost, for a million weights.
        work: the same, for a million multiply-accumulates.
        each: the same, for a row; less than 0 if a row alone pays for what a network pays once.
    """

    intercept: float = 0.0
    slope: float = 1.0
    far: float = 0.0
    work: float = 0.0
    each: float = 0.0

    def __call__(self, predicted: float, weights: float = 0.0, macs: float = 0.0, rows: int = 0) -> float:
        """The cost that is to be expected in a measurement; arguments are those of `Totals`."""
        known = self.intercept + self.slope * predicted
        return known + self.far * weights + self.work * macs + self.each * rows


STRAIGHT = Line()
"""No correction."""


@dataclass(frozen=True)
class Table:
    """Times of single rows, measured in one runtime on one machine.

    Attributes:
        times: milliseconds of a block (or head) on a shape.
        runtime: what ran them, for example "litert".
        precision: "fp32", "fp16" or "int8".
        threads: how many threads ran.
        machine: what they ran on.
        line: from the sum of rows to a network's milliseconds, fitted on whole networks.
        error: mean relative error of that line on networks that were not fitted, as a fraction.
    """

    times: Mapping[Key, float] = field(hash=False)
    runtime: str = "torch"
    precision: str = "fp32"
    threads: int = 1
    machine: str = ""
    line: Line = STRAIGHT
    error: float = math.nan


def latency(arch: Arch, table: Table, *, size: int | None = None, outputs: int = 1000) -> float:
    """Milliseconds of the whole network, predicted from the times of its rows.

    Raises:
        InputError: if the table lacks a row.
    """
    return table.line(*totals(arch, table, size=size, outputs=outputs))


def totals(arch: Arch, table: Table, *, size: int | None = None, outputs: int = 1000) -> Totals:
    """What the rows of a network come to, in milliseconds of a table; errors are those of `latency`."""
    total, weights, macs_ = 0.0, 0, 0
    rows = walk(arch, size, outputs)
    for row in rows:
        time = table.times.get((row.block, row.shape))  # one look, because hashing a block takes most of the time
        if time is None:
            raise InputError(f"the table of {table.runtime} has no time for {row.block} on {row.shape}; measure it")
        total += time
        weights += row.cost.params
        macs_ += row.cost.macs + row.cost.attention_macs
    return Totals(total, weights / MILLION, macs_ / MILLION, len(rows))


def roofline(rows: Iterable[Row], *, ridge: float, bytes_per_number: int = 1) -> float:
    """The time of a network on ideal hardware, in multiply-accumulates at peak (arXiv:2404.10518, section 3).

    Every operation takes the longer of its arithmetic and its memory traffic; `ridge` 0 counts arithmetic alone.

    Args:
        rows: what `walk` gave.
        ridge: the hardware's ridge point: multiply-accumulates it can do while it moves one byte.
        bytes_per_number: of weights and activations on the device; int8 has 1.
    """
    total = 0.0
    for row in rows:
        for operation in row.cost.operations:
            moved = (operation.weights + operation.activations) * bytes_per_number
            total += max(operation.macs, moved * ridge)
    return total


def _on_meta(block: Block, channels: int) -> nn.Module:
    with torch.device("meta"):
        return block.build(channels).eval()


def _ran(module: nn.Module, shape: Any, what: object) -> tuple[Any, tuple[Operation, ...]]:
    """Run a module on the meta device: what came out, and the operations on the way."""
    with torch.device("meta"), torch.no_grad():
        several = isinstance(shape[0], tuple)
        x: Any = [torch.empty(1, *one) for one in shape] if several else torch.empty(1, *shape)
        with _Recorder() as recorder:
            try:
                out = module(x)
            except RuntimeError as error:
                raise UsageError(f"{what} cannot take a map of {shape}; give a larger image: {error}") from error
    return out, tuple(recorder.operations)


def _cost(module: nn.Module, out: Any, found: Sequence[Operation]) -> Cost:
    count = sum(p.numel() for p in module.parameters())
    return Cost(
        shape=_shape(out),
        params=count,
        macs=sum(op.macs for op in found if op.name in LAYERS),
        attention_macs=sum(op.macs for op in found if op.name not in LAYERS),
        weight_bytes=FLOAT_BYTES * count,
        activation_bytes=FLOAT_BYTES * sum(op.activations for op in found),
        operations=tuple(found),
    )


def _shape(out: Any) -> Shape:
    if isinstance(out, Tensor):
        return tuple(out.shape[1:])
    parts = out.values() if isinstance(out, dict) else out
    return next(_shape(part) for part in parts)


def _tap_shape(rows: Sequence[Row], tap: Tap) -> Shape:
    """The shape of the map at `tap`; a part of a block that comes before the stride has the size of the input."""
    row = next(row for row in rows if row.place == tap.place)
    if not tap.point:
        return row.cost.shape
    assert isinstance(row.block, Block)
    with torch.device("meta"), torch.no_grad():
        module: Any = row.block.build(row.shape[0]).eval()
        seen = module.observe(torch.empty(1, *row.shape), (tap.point,))[1]
    return tuple(seen[tap.point].shape[1:])


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its hook untyped
    """Writes down every operation that torch's own flop counter knows, and those that move whole maps."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        name = packet.__name__
        if packet in flop_registry:
            tensors = [arg for arg in args if isinstance(arg, Tensor)]
            macs_ = flop_registry[packet](*args, **(kwargs or {}), out_val=out) // 2
            weight = _weight(name, tensors)
            moved = sum(t.numel() for t in tensors if t is not weight and t.dim() > 1) + out.numel()
            self.operations.append(Operation(name, macs_, weight.numel() if weight is not None else 0, moved))
        elif name in MOVES and (moved := _moved(name, args, out)):
            self.operations.append(Operation(name, 0, 0, moved))
        return out


def _moved(name: str, args: Sequence[Any], out: Any) -> int:
    """Numbers that an operation without weights reads and writes; 0 if it is a scale or a shift, fused elsewhere."""
    result: Tensor = out[0] if isinstance(out, tuple) else out
    read: Sequence[Any] = args[0] if name == "cat" else args[:1]
    if name in ("add", "mul"):
        read = [arg for arg in args if isinstance(arg, Tensor) and arg.dim() == result.dim()]
        if len(read) < 2:
            return 0
    return sum(tensor.numel() for tensor in (*read, result))


def _weight(name: str, tensors: Sequence[Tensor]) -> Tensor | None:
    """Which argument is the weight: addmm takes (bias, x, weight), the others (x, weight)."""
    if name not in LAYERS:
        return None
    return tensors[2] if name == "addmm" else tensors[1]
