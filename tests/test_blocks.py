"""Every kind of block: shapes, residuals, and the Meta Mobile Block's instances."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mobilevision.blocks import (
    IRMB,
    UIB,
    Block,
    Conv,
    Filter,
    FusedInverted,
    Gate,
    GridThenFilter,
    Inverted,
    LastConv,
    MetaBlock,
    MobileMQA,
    Norm,
    Operator,
    SelfAttention,
    Separable,
)
from mobilevision.cost import cost
from mobilevision.errors import UsageError
from mobilevision.layers import ChannelNorm, Residual

BLOCKS: tuple[Block, ...] = (
    Conv(16),
    LastConv(24),
    Separable(16, 2),
    FusedInverted(16, 2),
    FusedInverted(16, 2, pool="blur"),
    Norm(8),
    Inverted(8, se=Gate()),
    Inverted(16, 2, expand=1, se=Gate(of_input=True, multiple=1, gate="sigmoid")),
    UIB(8, start=3, middle=5),
    UIB(16, 2, start=5, middle=0, scale=1e-5),
    UIB(16, 2, start=5, middle=3, pool="average"),
    UIB(8, start=0, middle=0, expand=2),
    MobileMQA(8, heads=2, dim=4, kv_stride=2),
    IRMB(8, head=4, window=3, norm="layer", act="gelu", expand=2.5),
    IRMB(16, 2, expand=4),
    MetaBlock(8, expand=6, operator=Filter()),
    MetaBlock(8, expand=1, operator=SelfAttention(4), norm="layer", act=""),
    MetaBlock(8, expand=4, operator=GridThenFilter(4, window=3), norm="layer", act="silu"),
)


def moved(module: nn.Module, shape: tuple[int, ...] = (4, 8, 11, 9)) -> nn.Module:
    """The module with batch-norm statistics as a pass over noise leaves them: fresh ones would prove nothing."""
    module.train()(torch.randn(*shape))
    return module.eval()


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_gives_its_channels_and_its_stride(block: Block) -> None:
    y = moved(block.build(8))(torch.randn(2, 8, 12, 10))

    assert y.shape == (2, block.out, 12 // block.stride, 10 // block.stride)


@pytest.mark.parametrize("block", [b for b in BLOCKS if getattr(b, "pool", "") != "average"], ids=str)
def test_odd_sizes_are_rounded_up(block: Block) -> None:
    y = moved(block.build(8))(torch.randn(2, 8, 11, 9))

    assert y.shape == (2, block.out, -(-11 // block.stride), -(-9 // block.stride))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_what_meta_counts_is_what_the_real_module_has(block: Block) -> None:
    module = block.build(8)
    facts = cost(block, (8, 12, 12))

    assert facts.params == sum(p.numel() for p in module.parameters())
    assert facts.shape == tuple(moved(module)(torch.randn(1, 8, 12, 12)).shape[1:])


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_exports_and_the_export_computes_the_same(block: Block) -> None:
    module, x = moved(block.build(8)), torch.randn(1, 8, 12, 12)

    exported = torch.export.export(module, (x,)).module()

    torch.testing.assert_close(exported(x), module(x))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_gradients_reach_every_parameter(block: Block) -> None:
    module = block.build(8)

    module(torch.randn(2, 8, 12, 12)).square().sum().backward()

    assert all(p.grad is not None for p in module.parameters())


@pytest.mark.parametrize(
    "block", [Inverted(8), UIB(8), FusedInverted(8), MobileMQA(8, heads=2, dim=4), IRMB(8)], ids=str
)
def test_the_input_is_added_only_where_shapes_allow_it(block: Block) -> None:
    assert isinstance(block.build(8), Residual)
    assert not isinstance(block.build(16), Residual)


def test_a_dilated_filter_reaches_further_and_costs_the_same() -> None:
    near, far = Inverted(8), Inverted(8, dilation=2)
    x = torch.randn(1, 8, 9, 9, requires_grad=True)

    far.build(8).eval()(x)[0, 0, 4, 4].backward()

    assert x.grad is not None
    assert x.grad[0, :, 2, 4].abs().sum() > 0  # two pixels up
    assert x.grad[0, :, 3, 4].abs().sum() == 0  # but not one
    assert cost(near, (8, 9, 9)) == cost(far, (8, 9, 9))


@pytest.mark.parametrize(
    ("start", "middle", "variant"), [(0, 0, "FFN"), (0, 3, "IB"), (5, 0, "ConvNext"), (3, 5, "ExtraDW")]
)
def test_uib_derives_the_name_of_its_variant(start: int, middle: int, variant: str) -> None:
    assert UIB(8, start=start, middle=middle).variant == variant


def test_a_strided_uib_without_a_depthwise_convolution_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a depthwise convolution"):
        UIB(8, 2, start=0, middle=0).build(8)


@pytest.mark.parametrize(
    ("exp", "squeeze"),
    [(16, 8), (72, 24), (96, 24), (120, 32), (144, 40), (240, 64), (288, 72), (480, 120), (576, 144), (672, 168)],
)
def test_mobilenetv3_gates_have_the_published_widths(exp: int, squeeze: int) -> None:
    gate = Gate().build(8, exp)

    assert gate.squeeze.conv.out_channels == squeeze


def test_one_query_attends_to_one_shared_key_and_value_as_the_paper_writes_it() -> None:
    attention = moved(MobileMQA(8, heads=2, dim=4, scale=0).build(8)).body.attention
    x = torch.randn(1, 8, 5, 4)

    heads = attention.query(x).view(1, 2, 4, 20).transpose(2, 3)  # (N, heads, HW, dim)
    k, v = (part(x).flatten(2).transpose(1, 2)[:, None] for part in (attention.key, attention.value))
    mixed = (heads @ k.transpose(2, 3) / 2).softmax(-1) @ v
    by_hand = attention.project(mixed.transpose(2, 3).reshape(1, 8, 5, 4))

    torch.testing.assert_close(attention(x), by_hand)


def test_grid_attention_mixes_pixels_one_grid_step_apart_and_no_others() -> None:
    block = IRMB(8, head=4, window=3, norm="", expand=0).build(8).eval()
    x = torch.randn(1, 8, 6, 6, requires_grad=True)  # 3 x 3 windows whose pixels are 2 apart

    block.body.far(x)[0, :, 0, 0].sum().backward()

    assert x.grad is not None
    touched = x.grad.abs().sum((0, 1)) > 0
    assert touched[::2, ::2].all()
    assert touched.sum() == 9


def weights(module: nn.Module) -> Iterator[Tensor]:
    return (value for name, value in module.state_dict().items() if "num_batches" not in name)


def copy_(target: nn.Module, source: nn.Module) -> None:
    for mine, other in zip(weights(target), weights(source), strict=True):
        mine.copy_(other.reshape(mine.shape))


class TransformerHalf(nn.Module):
    """x + layer(norm(x)) over a sequence of pixels, in plain torch."""

    def __init__(self, norm: nn.Module, first: nn.Linear, last: nn.Linear, head: int) -> None:
        super().__init__()
        self.norm, self.first, self.last, self.head = norm, first, last, head

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(x.flatten(2).transpose(1, 2))  # (N, HW, C)
        if self.head:
            q, k, v = (t.unflatten(-1, (-1, self.head)).transpose(1, 2) for t in self.first(tokens).chunk(3, dim=-1))
            wide = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        else:
            wide = nn.functional.gelu(self.first(tokens))
        return x + self.last(wide).transpose(1, 2).view_as(x)


def test_the_inverted_residual_is_an_instance_of_the_meta_mobile_block() -> None:
    known, meta = Inverted(8, expand=6).build(8), MetaBlock(8, expand=6, operator=Filter(3)).build(8)
    moved(known)
    copy_(meta, known)
    x = torch.randn(1, 8, 7, 7)

    torch.testing.assert_close(meta.eval()(x), known(x))


def test_self_attention_is_an_instance_of_the_meta_mobile_block() -> None:
    meta = MetaBlock(8, expand=1, operator=SelfAttention(4), norm="layer", act="").build(8)
    known = TransformerHalf(nn.LayerNorm(8, eps=1e-6), nn.Linear(8, 24), nn.Linear(8, 8, bias=False), head=4)
    copy_(meta, known)
    x = torch.randn(2, 8, 5, 6)

    torch.testing.assert_close(meta(x), known(x))


def test_the_feed_forward_is_an_instance_of_the_meta_mobile_block() -> None:
    meta = MetaBlock(8, expand=4, operator=Operator(), norm="layer", act="gelu").build(8)
    known = TransformerHalf(nn.LayerNorm(8, eps=1e-6), nn.Linear(8, 32), nn.Linear(32, 8, bias=False), head=0)
    copy_(meta, known)
    x = torch.randn(2, 8, 5, 6)

    torch.testing.assert_close(meta(x), known(x))


@pytest.mark.parametrize("stride", [1, 2])
def test_the_irmb_is_an_instance_of_the_meta_mobile_block(stride: int) -> None:
    operator = GridThenFilter(head=4, window=3, kernel=5)
    known = IRMB(8, stride, kernel=5, expand=3, head=4, window=3, norm="layer", act="gelu").build(8)
    meta = MetaBlock(8, stride, expand=3, operator=operator, norm="layer", act="gelu").build(8)
    moved(known)
    copy_(meta, known)
    x = torch.randn(1, 8, 7, 8)

    torch.testing.assert_close(meta.eval()(x), known(x))


def test_channel_norm_is_a_layer_norm_over_channels() -> None:
    x = torch.randn(2, 8, 3, 4)

    torch.testing.assert_close(ChannelNorm(8)(x)[1, :, 2, 3], nn.LayerNorm(8)(x[1, :, 2, 3]))


def test_equal_fields_make_equal_blocks_and_hashes() -> None:
    assert Inverted(8, se=Gate()) == Inverted(8, se=Gate())
    assert len({Inverted(8, se=Gate()), Inverted(8, se=Gate()), replace(Inverted(8), se=None)}) == 2
