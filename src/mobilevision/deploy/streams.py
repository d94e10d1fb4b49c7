"""Streams: channels that some convolutions write and others read, so that a factor can travel from one to the other.

Between them stand only layers that treat each channel alone and in proportion: ReLU, pooling, residual sums, gates. So
each channel of a stream can be multiplied by a positive number where it is written and divided by it where it is read,
and the network computes what it did. That is how a constant folds away, and how channels of unlike ranges are made
alike (arXiv:1906.04721, section 4.1).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from mobilevision.blocks.irmb import GridAttention
from mobilevision.deploy.attention import PlainChannelNorm, PlainGridAttention
from mobilevision.deploy.hard import SixHardSigmoid, SixHardSwish
from mobilevision.layers import ChannelNorm, Conv2d

PROPORTIONAL = (nn.ReLU, nn.ReLU6, nn.Identity, nn.Dropout, nn.AdaptiveAvgPool2d, nn.AvgPool2d)
"""Modules that treat each channel alone and in proportion; a ReLU6 does so below 6."""

WHOLE = (Conv2d, ChannelNorm, GridAttention, PlainChannelNorm, PlainGridAttention, SixHardSwish, SixHardSigmoid)
"""Modules of ours that stay one node of a graph."""


@dataclass(eq=False)
class Stream:
    """Channels, from where they are written to where they are read.

    Attributes:
        writers: convolutions whose output, in proportion, it is.
        readers: convolutions that take it in.
        sources: names of modules that are neither: hard swish and hard sigmoid.
        nodes: names of the graph's nodes that carry it.
        clipped: whether a ReLU6 stands in it.
        fixed: whether something reads or writes it that no factor passes.
    """

    writers: list[nn.Conv2d] = field(default_factory=list)
    readers: list[nn.Conv2d] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    clipped: bool = False
    fixed: bool = False

    @property
    def free(self) -> bool:
        """Whether a factor can travel in it."""
        return not self.fixed and bool(self.readers)

    @torch.no_grad()
    def rescale_(self, factor: Tensor | float) -> None:
        """Multiply what is written and divide what is read, by one number or one a channel. Shape: (C,)."""
        for conv in self.writers:
            conv.weight.mul_(_over_outputs(factor))
            if conv.bias is not None:
                conv.bias.mul_(factor)
        for conv in self.readers:
            conv.weight.div_(_over_outputs(factor) if is_depthwise(conv) else _over_inputs(factor))


class Tracer(fx.Tracer):
    """Takes a deployable network apart, down to torch's own layers and those of `WHOLE`."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module stays one node."""
        return isinstance(m, WHOLE) or super().is_leaf_module(m, module_qualified_name)


def traced(network: nn.Module) -> fx.GraphModule:
    """A deployable network as a graph of its layers, which the two share."""
    return fx.GraphModule(network, Tracer().trace(network))


def read_streams(graph: fx.GraphModule) -> list[Stream]:
    """All streams of a network, in the order in which they begin."""
    reader = _Reader(dict(graph.named_modules()))
    for node in graph.graph.nodes:
        reader.read(node)
    return reader.streams


def is_depthwise(conv: nn.Conv2d) -> bool:
    """Whether each channel has a filter of its own."""
    return conv.groups == conv.in_channels == conv.out_channels > 1


class _Reader:
    """Walks a graph and gathers streams; `homes` tells in which streams a node is: a product of two is in both.

    A convolution that runs over several maps, as a detector's towers do, has one set of weights for all of them: what
    it reads is one stream, and so is what it writes.
    """

    def __init__(self, modules: dict[str, nn.Module]) -> None:
        self.modules = modules
        self.streams: list[Stream] = []
        self.homes: dict[fx.Node, list[Stream]] = {}
        self.first: dict[nn.Conv2d, fx.Node] = {}

    def read(self, node: fx.Node) -> None:
        """Put a node where it belongs."""
        given = [each for each in node.all_input_nodes if each in self.homes]
        if node.op == "call_module":
            self._module(node, given, self.modules[str(node.target)])
        elif node.target in (getattr, "size"):
            return  # a shape is no values
        elif node.target in WAYS and given:
            WAYS[node.target](self, node, given)
        else:
            self._barrier(node, given)

    def same(self, node: fx.Node, given: Sequence[fx.Node]) -> None:
        """The node treats each channel alone and in proportion."""
        self._enter(node, self.homes[given[0]])

    def sum(self, node: fx.Node, given: Sequence[fx.Node]) -> None:
        """Both summands must be in one stream, and in none beside it."""
        if len(given) < 2 or any(len(self.homes[each]) > 1 for each in given):
            self._barrier(node, given)
            return
        self._enter(node, [self._merged(self.homes[given[0]][0], self.homes[given[1]][0])])

    def product(self, node: fx.Node, given: Sequence[fx.Node]) -> None:
        """A factor of either passes."""
        if len(given) < 2 or set(self.homes[given[0]]) & set(self.homes[given[1]]):
            self._barrier(node, given)
            return
        self._enter(node, self.homes[given[0]] + self.homes[given[1]])

    def _module(self, node: fx.Node, given: Sequence[fx.Node], module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d) and (module.groups == 1 or is_depthwise(module)):
            self._convolution(node, given[0], module)
        elif isinstance(module, PROPORTIONAL):
            self.same(node, given)
            for stream in self.homes[node]:
                stream.clipped |= isinstance(module, nn.ReLU6)
        elif isinstance(module, nn.Hardswish | nn.Hardsigmoid):
            self._fix(given)
            self._enter(node, [self._new(sources=[str(node.target)])])
        else:
            self._barrier(node, given)

    def _convolution(self, node: fx.Node, given: fx.Node, conv: nn.Conv2d) -> None:
        first = self.first.setdefault(conv, node)
        if first is node:
            for stream in self.homes[given]:
                stream.readers.append(conv)
            self._enter(node, [self._new(writers=[conv])])
            return
        before = self.homes[first.all_input_nodes[0]]
        if len(before) == len(self.homes[given]) == 1:
            self._merged(before[0], self.homes[given][0])
        else:
            self._fix([*first.all_input_nodes, given])
        self._enter(node, self.homes[first])

    def _barrier(self, node: fx.Node, given: Sequence[fx.Node]) -> None:
        self._fix(given)
        self._enter(node, [self._new(fixed=True)])

    def _fix(self, given: Sequence[fx.Node]) -> None:
        for each in given:
            for stream in self.homes[each]:
                stream.fixed = True

    def _new(self, **facts: Any) -> Stream:
        self.streams.append(Stream(**facts))
        return self.streams[-1]

    def _enter(self, node: fx.Node, homes: list[Stream]) -> None:
        self.homes[node] = homes
        for stream in homes:
            stream.nodes.append(node.name)

    def _merged(self, one: Stream, other: Stream) -> Stream:
        if one is other:
            return one
        for name in ("writers", "readers", "sources", "nodes"):
            getattr(one, name).extend(getattr(other, name))
        one.clipped |= other.clipped
        one.fixed |= other.fixed
        self.streams.remove(other)
        for node, homes in self.homes.items():
            self.homes[node] = [one if each is other else each for each in homes]
        return one


WAYS: dict[Any, Callable[[_Reader, fx.Node, Sequence[fx.Node]], None]] = {
    operator.add: _Reader.sum,
    operator.mul: _Reader.product,
    "mean": _Reader.same,
    F.adaptive_avg_pool2d: _Reader.same,
}
"""What the functions of a graph do to streams; any other ends them."""


def _over_outputs(factor: Tensor | float) -> Tensor | float:
    return factor[:, None, None, None] if isinstance(factor, Tensor) else factor


def _over_inputs(factor: Tensor | float) -> Tensor | float:
    return factor[:, None, None] if isinstance(factor, Tensor) else factor
