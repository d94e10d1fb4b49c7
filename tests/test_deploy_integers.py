"""What is rewritten for integer kernels computes what was trained."""

import pytest
import torch
from torch import nn

from mobilevision.blocks.irmb import GridAttention
from mobilevision.deploy.attention import PlainChannelNorm, PlainGridAttention
from mobilevision.deploy.integers import integer_form
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.streams import read_streams, traced
from mobilevision.layers import ChannelNorm
from test_deploy_prepare import HYBRIDS, NAMES, trained


@pytest.mark.parametrize(("window", "size"), [(7, (14, 14)), (7, (7, 7)), (3, (7, 5)), (3, (9, 6))])
def test_plain_grid_attention_computes_the_same(window: int, size: tuple[int, int]) -> None:
    attention = GridAttention(16, 8, window).double()
    x = torch.randn(2, 16, *size).double()
    assert torch.allclose(PlainGridAttention(attention)(x), attention(x), rtol=0, atol=1e-12)


def test_a_plain_channel_norm_computes_the_same() -> None:
    norm = ChannelNorm(12, eps=1e-6).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(2, 12, 3, 5).double()
    assert torch.allclose(PlainChannelNorm(norm)(x), norm(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [*NAMES, *HYBRIDS, "mobilenetv3_large_050"])
def test_the_integer_form_computes_the_same_without_a_hard_swish(name: str) -> None:
    network = deployable(trained(name)).double()
    x = torch.randn(2, 3, 64, 64).double()
    with torch.no_grad():
        scores, rewritten = network(x), integer_form(network)(x)
    assert (rewritten - scores).abs().max() <= 1e-12 * scores.abs().max()
    assert not [part for part in integer_form(network).modules() if isinstance(part, nn.Hardswish | nn.Hardsigmoid)]


def clipped(network: nn.Module) -> set[nn.Module]:
    """The convolutions that a ReLU and nothing else reads: a factor passes it, so each writes a stream of its own."""
    graph = traced(network)
    nodes = [node for node in graph.graph.nodes if node.op == "call_module"]
    relus = [node for node in nodes if isinstance(graph.get_submodule(node.target), nn.ReLU)]
    made = [node.args[0] for node in relus if len(node.args[0].users) == 1]
    found = {graph.get_submodule(node.target) for node in made if node.op == "call_module"}
    assert len(found) == len(relus) > 0
    return found


@pytest.mark.parametrize("name", ["mobilenetv1_025", "mobilenetv3_small_050", "mobilenetv4_hybrid_medium_075"])
def test_a_factor_for_each_channel_travels_in_every_free_stream(name: str) -> None:
    network = integer_form(deployable(trained(name))).double()
    for part in list(network.named_modules()):
        if isinstance(part[1], nn.ReLU6):
            network.set_submodule(part[0], nn.ReLU())  # in proportion below 6 only
    x = torch.randn(2, 3, 64, 64).double()
    with torch.no_grad():
        before = network(x)
        streams = [stream for stream in read_streams(traced(network)) if stream.free and stream.writers]
        for stream in streams:
            stream.rescale_(torch.rand(stream.writers[0].out_channels).double() + 0.5)
        after = network(x)
    assert {conv for stream in streams for conv in stream.writers} >= clipped(network)
    assert (after - before).abs().max() <= 1e-10 * before.abs().max()
