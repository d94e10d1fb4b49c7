"""Before rounding: channels of unlike ranges made alike, and the shift that rounding causes taken back."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, fx, nn

from mobilevision.deploy.simulate import Ranges, Watched, convolution, rounded_weight, rounds
from mobilevision.deploy.streams import Stream, is_depthwise, read_streams, traced

MOST = 64.0
"""The largest factor: a channel that is nearly silent on the pictures seen may not be so on others."""

CEILING = 6 / 1.2
"""Up to where a channel is raised below a ReLU6, which clips at 6: pictures not yet seen may reach further."""


@torch.no_grad()
def equalize_(network: nn.Module, pictures: Tensor) -> int:
    """Give the channels of each stream like ranges, without a change in the scores (arXiv:1906.04721, section 4.1).

    All channels of a map share one scale in a file, so a channel with a tenth of the map's range keeps a tenth of its
    levels. Weights have a scale for each output, so what writes a channel does not mind a factor, nor does a
    depthwise filter that reads it; a full convolution that reads it does, and there the factor is the geometric mean
    of what the channel and the weights ask for. A channel behind a ReLU6 is raised to where it would clip and no
    further; one that clips is left alone.

    Args:
        network: in the form that `integer_form` gives; changed in place.
        pictures: calibration pictures, which tell the ranges. Shape: (N, channels, height, width).

    Returns:
        How many streams were changed.
    """
    graph = traced(network)
    ranges = Ranges(graph).see(pictures)
    changed = 0
    for stream in read_streams(graph):
        if stream.free and stream.writers and not stream.sources:
            stream.rescale_(factors(stream, ranges))
            changed += 1
    return changed


def factors(stream: Stream, ranges: Ranges) -> Tensor:
    """What to multiply each channel of a stream by. Shape: (C,)."""
    reach = torch.stack([torch.maximum(-ranges.low[node], ranges.high[node]) for node in _maps(stream, ranges)])
    reach = reach.amax(0).clamp(min=1e-9)
    wanted = (reach.max() / reach).clamp(max=MOST)
    mixing = [conv for conv in stream.readers if not is_depthwise(conv)]
    if mixing:
        asked = torch.stack([_need(conv) for conv in mixing]).amax(0)
        wanted = (wanted * asked).sqrt()
        wanted = (wanted / (wanted * reach).max() * reach.max()).clamp(1 / MOST, MOST)
    if stream.clipped:
        wanted = torch.where(reach < CEILING, torch.minimum(wanted.clamp(min=1), CEILING / reach), 1.0)
    return wanted


@torch.no_grad()
def correct_(network: nn.Module, pictures: Tensor) -> None:
    """Take back the shift that rounding causes in each channel's mean (arXiv:1906.04721, section 4.2).

    The network is run twice over the same pictures: as it is, and rounded. In the second run each convolution's bias
    is corrected as soon as its output is there, so that the layers behind it see what they will see in the file. One
    that runs over several maps is left alone: each map's shift is another.

    Args:
        network: in the form that `integer_form` gives; its biases are changed in place.
        pictures: calibration pictures. Shape: (N, channels, height, width).
    """
    graph = traced(network)
    means: dict[str, Tensor] = {}
    ranges = Ranges(graph)

    def note(node: fx.Node, value: Tensor) -> Tensor:
        if convolution(graph, node):
            means[node.name] = value.mean((0, 2, 3))
        return ranges.keep(node, value)

    Watched(graph, note).run(pictures)
    runs = Counter(convolution(graph, node) for node in graph.graph.nodes)
    exact = {conv: conv.weight.clone() for conv in network.modules() if isinstance(conv, nn.Conv2d)}
    for conv in exact:
        if conv.bias is None:  # EMO's last projections have neither bias nor norm
            conv.bias = nn.Parameter(torch.zeros_like(conv.weight[:, 0, 0, 0]))
        conv.weight.copy_(rounded_weight(conv.weight))

    def correct(node: fx.Node, value: Tensor) -> Tensor:
        conv = convolution(graph, node)
        if conv and runs[conv] == 1:
            shift = means[node.name] - value.mean((0, 2, 3))
            conv.bias.add_(shift)  # type: ignore[union-attr]  # each convolution was given a bias above
            value = value + shift[:, None, None]
        return ranges.rounded(node, value) if rounds(graph, node) else value

    Watched(graph, correct).run(pictures)
    for conv, weight in exact.items():
        conv.weight.copy_(weight)


def _maps(stream: Stream, ranges: Ranges) -> list[str]:
    """The nodes whose range counts: those that a file holds."""
    nodes = {node.name: node for node in ranges.graph.graph.nodes}
    held = [name for name in stream.nodes if name in ranges.low and rounds(ranges.graph, nodes[name])]
    return held or [name for name in stream.nodes if name in ranges.low]


def _need(conv: nn.Conv2d) -> Tensor:
    """How far each input's weights reach, as a share of the largest weight of the same output. Shape: (cin,)."""
    weight = conv.weight.abs().amax((2, 3))  # (cout, cin)
    share = (weight / weight.amax(1, keepdim=True).clamp(min=1e-12)).amax(0)
    return share / share.max().clamp(min=1e-12)
