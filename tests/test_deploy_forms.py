"""The forms that runtimes are quick at compute what they were made from."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mobilevision import zoo
from mobilevision.blocks.irmb import GridAttention
from mobilevision.deploy.attention import (
    ConvolutionalChannelNorm,
    FirstChannelNorm,
    FirstGridAttention,
    PlainChannelNorm,
    PlainGridAttention,
)
from mobilevision.deploy.base import INT8, Format
from mobilevision.deploy.executorch import EXECUTORCH
from mobilevision.deploy.integers import form_for
from mobilevision.deploy.litert import LITERT
from mobilevision.deploy.litert_layers import layers as litert_layers
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.ranges import Rounding, minmax
from mobilevision.deploy.stem import ColumnsAsChannels, columns_as_channels
from mobilevision.layers import ChannelNorm, Conv2d
from mobilevision.network import Network


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("sides", [(16, 24), (18, 20), (15, 16), (16, 14)])
def test_a_convolution_that_reads_four_columns_computes_the_same(
    same: bool, bias: bool, sides: tuple[int, int]
) -> None:
    conv = Conv2d(3, 8, 3, 2, 1, bias=bias).double()
    conv.same = same
    x = torch.randn(2, 3, *sides).double()

    torch.testing.assert_close(ColumnsAsChannels(conv)(x), conv(x))


@pytest.mark.parametrize("name", ["mobilenetv1_025", "mobilenetv3_small_050", "mobilenetv4_conv_small_035", "emo_1m"])
def test_the_first_convolution_of_every_family_reads_four_columns(name: str) -> None:
    network = deployable(Network(zoo.arch(name), 4).eval())
    x = torch.randn(1, 3, 64, 64)

    wide = columns_as_channels(network)

    assert sum(isinstance(part, ColumnsAsChannels) for part in wide.modules()) == 1
    assert not any(isinstance(part, ColumnsAsChannels) for part in network.modules())  # left as it was
    with torch.no_grad():
        assert (wide(x) - network(x)).abs().max() <= 1e-5 * network(x).abs().max()


def test_a_first_convolution_of_another_kind_is_left_alone() -> None:
    network = torch.nn.Sequential(Conv2d(3, 8, 5, 2, 2))

    assert not any(isinstance(part, ColumnsAsChannels) for part in columns_as_channels(network).modules())


@pytest.mark.parametrize(("side", "height", "width"), [(7, 14, 21), (7, 7, 7), (3, 7, 8), (4, 8, 4)])
def test_grid_attention_with_fewer_moves_computes_the_same(side: int, height: int, width: int) -> None:
    attention = GridAttention(12, 4, side).double()
    x = torch.randn(2, 12, height, width).double()

    plain = PlainGridAttention(attention)
    torch.testing.assert_close(plain(x), attention(x))
    torch.testing.assert_close(FirstGridAttention(plain)(x), attention(x))


@pytest.mark.parametrize("form", [ConvolutionalChannelNorm, FirstChannelNorm])
def test_a_layer_norm_in_another_form_computes_the_same(form: type[torch.nn.Module]) -> None:
    norm = ChannelNorm(12, eps=1e-6).double()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 12, 5, 6).double()

    torch.testing.assert_close(form(PlainChannelNorm(norm))(x), norm(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["emo_1m", "mobilenetv4_hybrid_medium_075"])
def test_an_int8_tflite_of_every_kind_of_attention_is_one_piece_of_the_delegate(name: str, tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")

    file = written(LITERT, name, tmp_path)

    assert {layer.piece for layer in litert_layers(file)} == {"0"}


@pytest.mark.slow
def test_executorch_takes_a_hard_swish_whole_and_moves_no_map_to_meet_a_number(tmp_path: Path) -> None:
    pytest.importorskip("executorch")

    names = EXECUTORCH.operators(written(EXECUTORCH, "mobilenetv3_small_050", tmp_path))

    network = Network(zoo.arch("mobilenetv3_small_050"), 4)
    swishes = sum(isinstance(part, nn.Hardswish) for part in network.modules())
    gates = sum(isinstance(part, nn.Hardsigmoid) for part in network.modules())
    assert names.count("XNNHardswish") == swishes
    assert names.count("XNNStaticTranspose") <= 2 + 2 * gates  # the door's, the pool's, and numbers that gates add


def written(format_: Format, name: str, folder: Path) -> Path:
    """A network of the zoo in 8 bits."""
    torch.manual_seed(0)
    assert format_.quantize is not None
    file, pictures = folder / f"network{format_.suffix}", np.random.default_rng(0).standard_normal((2, 3, 64, 64))
    network = form_for(Network(zoo.arch(name), 4).eval(), format_, INT8)
    format_.quantize(network, pictures.astype(np.float32), {"labels": []}, file, Rounding(minmax))
    return file
