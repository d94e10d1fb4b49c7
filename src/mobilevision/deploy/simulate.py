"""Integers, simulated in torch: what rounding to 8 bits does to each layer, before there is a file."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import torch
from torch import Tensor, fx, nn

from mobilevision.deploy.regions import owners
from mobilevision.deploy.streams import traced
from mobilevision.deploy.tails import Operation

STEPS = 255
"""Steps between the least and the largest of 8 bits."""

CONVOLUTION = "convolution"

CLIPS = (nn.ReLU, nn.ReLU6)
"""Activations that integer kernels take into the layer before them: only what comes out of them is rounded."""


class Watched(fx.Interpreter):
    """Runs a graph, and hands each node that a file would round to a function that may change it."""

    def __init__(self, graph: fx.GraphModule, seen: Callable[[fx.Node, Tensor], Tensor]) -> None:
        super().__init__(graph)
        self.seen = seen

    def run_node(self, n: fx.Node) -> Any:
        """The node's value, as `seen` left it."""
        value = super().run_node(n)
        return self.seen(n, value) if isinstance(value, Tensor) and n.op != "output" else value


def rounded(x: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Numbers as 8 bits hold them: on a grid of 256 from `low` to `high`, stretched so that 0 is on it."""
    low, high = torch.as_tensor(low).clamp(max=0), torch.as_tensor(high).clamp(min=0)
    scale = ((high - low) / STEPS).clamp(min=1e-12)
    zero = (-low / scale).round()
    return (((x / scale).round() + zero).clamp(0, STEPS) - zero) * scale


def rounded_weight(weight: Tensor) -> Tensor:
    """A convolution's weight in 8 bits, with a scale for each output. Shape: (cout, cin, height, width)."""
    scale = weight.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12) / 127
    return (weight / scale).round().clamp(-127, 127) * scale


def rounds(graph: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a file rounds what comes out of a node: not if a clipping activation is all that reads it."""
    readers = list(node.users)
    return not (len(readers) == 1 and readers[0].op == "call_module" and _is(graph, readers[0], CLIPS))


def convolution(graph: fx.GraphModule, node: fx.Node) -> nn.Conv2d | None:
    """The convolution of a node, if it is one."""
    if node.op != "call_module":
        return None
    module = graph.get_submodule(str(node.target))
    return module if isinstance(module, nn.Conv2d) else None


def _is(graph: fx.GraphModule, node: fx.Node, kinds: tuple[type[nn.Module], ...]) -> bool:
    return isinstance(graph.get_submodule(str(node.target)), kinds)


class Ranges:
    """The least and the largest of each channel of each node, over all pictures that were run."""

    def __init__(self, graph: fx.GraphModule) -> None:
        self.graph = graph
        self.low: dict[str, Tensor] = {}
        self.high: dict[str, Tensor] = {}

    @torch.no_grad()
    def see(self, pictures: Tensor, *, batch: int = 16) -> Ranges:
        """Run pictures, a few at a time."""
        for part in torch.split(pictures, batch):
            Watched(self.graph, self.keep).run(part)
        return self

    def keep(self, node: fx.Node, value: Tensor) -> Tensor:
        """Take a node's value in; channels are its second axis, or its only scores."""
        low, high = (value.amin((0, 2, 3)), value.amax((0, 2, 3))) if value.dim() == 4 else (value.min(), value.max())
        self.low[node.name] = torch.minimum(self.low.get(node.name, low), low)
        self.high[node.name] = torch.maximum(self.high.get(node.name, high), high)
        return value

    def rounded(self, node: fx.Node, value: Tensor) -> Tensor:
        """A node's value as a file holds it: one scale for all channels."""
        return rounded(value, self.low[node.name].min(), self.high[node.name].max())


@torch.no_grad()
def sensitivity(network: nn.Module, pictures: Tensor) -> list[dict[str, Any]]:
    """What each convolution loses when its weights and the maps that belong to it alone are rounded, worst first.

    Its maps are those that are computed from it before the next convolution: its output, the activation behind it and
    the sum that it is added to, see `regions`.

    Args:
        network: in the form that `integer_form` gives.
        pictures: a few are enough. Shape: (N, channels, height, width).

    Returns:
        For each: "layer", its name; "place", its position among the convolutions in the order in which they run;
        "divergence", the mean Kullback-Leibler divergence of the probabilities from those in fp32, in nats.
    """
    graph = traced(network)
    ranges = Ranges(graph).see(pictures)
    right = network(pictures).double().log_softmax(1)
    nodes = [node for node in graph.graph.nodes if convolution(graph, node)]
    owned = owners([_operation(graph, node) for node in graph.graph.nodes], (CONVOLUTION,))
    found = []
    for place, node in enumerate(nodes):
        scores = _with_one_rounded(graph, node, {name for name in owned if owned[name] == place}, ranges, pictures)
        lost = (right.exp() * (right - scores.double().log_softmax(1))).sum(1).mean()
        found.append({"layer": str(node.target), "place": place, "divergence": float(lost)})
    return sorted(found, key=lambda each: float(each["divergence"]), reverse=True)


def _with_one_rounded(
    graph: fx.GraphModule, node: fx.Node, owned: Container[str], ranges: Ranges, pictures: Tensor
) -> Tensor:
    """The scores when the weights of a convolution, and the maps called `owned`, are rounded."""
    conv = convolution(graph, node)
    assert conv is not None
    exact = conv.weight.clone()
    conv.weight.copy_(rounded_weight(exact))

    def seen(at: fx.Node, value: Tensor) -> Tensor:
        return ranges.rounded(at, value) if at.name in owned and rounds(graph, at) else value

    scores: Tensor = Watched(graph, seen).run(pictures)
    conv.weight.copy_(exact)
    return scores


def _operation(graph: fx.GraphModule, node: fx.Node) -> Operation:
    kind = CONVOLUTION if convolution(graph, node) else node.op
    return Operation(kind, tuple(each.name for each in node.all_input_nodes), (node.name,))
