"""The few layers that every block is made of."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mobilevision.layers import POOLS, Conv2d, Residual, chain, conv, divisible


@pytest.mark.parametrize(("channels", "rounded"), [(4, 8), (11.2, 16), (16, 16), (18, 24), (22.4, 24), (67, 64)])
def test_divisible_rounds_to_eights_and_never_more_than_a_tenth_down(channels: float, rounded: int) -> None:
    assert divisible(channels) == rounded
    assert rounded >= 0.9 * channels


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("size", [7, 8, 13, 32])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (5, 2, 1), (3, 1, 2), (5, 1, 1), (1, 2, 1)])
def test_both_paddings_give_the_same_size(same: bool, size: int, kernel: int, stride: int, dilation: int) -> None:
    layer = Conv2d(2, 3, kernel, stride, kernel // 2 * dilation, dilation)
    layer.same = same

    y = layer(torch.randn(1, 2, size, size))

    assert y.shape == (1, 3, -(-size // stride), -(-size // stride))


def test_same_padding_puts_the_odd_pixel_right_and_below() -> None:
    layer = Conv2d(1, 1, 3, 2, 1, bias=False)
    layer.same = True
    x = torch.randn(1, 1, 8, 8)

    by_hand = F.conv2d(F.pad(x, (0, 1, 0, 1)), layer.weight, stride=2)

    assert torch.equal(layer(x), by_hand)


def test_blur_pool_is_a_binomial_filter_that_keeps_every_second_pixel() -> None:
    line = torch.tensor([0.25, 0.5, 0.25])
    weight = (line[:, None] * line).repeat(3, 1, 1, 1)
    x = torch.randn(1, 3, 9, 12)

    by_hand = F.conv2d(x, weight, stride=2, padding=1, groups=3)

    torch.testing.assert_close(POOLS["blur"]()(x), by_hand)


def test_a_pooled_convolution_costs_no_parameters() -> None:
    plain, pooled = conv(4, 8, 3, 2), conv(4, 8, 3, 2, pool="average")

    assert [p.shape for p in plain.parameters()] == [p.shape for p in pooled.parameters()]
    assert pooled(torch.randn(1, 4, 8, 8)).shape == plain(torch.randn(1, 4, 8, 8)).shape


def test_stochastic_depth_drops_whole_samples_in_training_only() -> None:
    layer = Residual(chain(body=nn.Identity()))
    layer.drop = 0.5
    x = torch.ones(1000, 1, 1, 1)

    kept = layer.train()(x)
    values = sorted(set(kept.flatten().tolist()))

    assert values == [1.0, 3.0]  # the input alone, or the input and twice the body
    assert abs(kept.mean().item() - 2) < 0.2
    assert torch.equal(layer.eval()(x), 2 * x)


def test_observing_a_part_does_not_change_the_output() -> None:
    body = chain(a=nn.Conv2d(3, 3, 1), b=nn.Conv2d(3, 3, 1))
    x = torch.randn(1, 3, 4, 4)

    y, seen = Residual(body).observe(x, ("a",))

    assert torch.equal(y, x + body(x))
    assert torch.equal(seen["a"], body.a(x))
