"""The first convolution in the form that integer kernels are quick at: four columns of the picture at a time."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.layers import Conv2d

COLUMNS = 4
"""Columns of the picture that become channels."""


def columns_as_channels(network: nn.Module) -> nn.Module:
    """A copy whose first convolution reads four columns at a time, if it is 3x3 with stride 2, as in all of the zoo.

    Args:
        network: as `deployable` gives it.

    Returns:
        A network that differs from it by rounding alone.
    """
    copy = deepcopy(network)
    name, first = next((name, part) for name, part in copy.named_modules() if isinstance(part, nn.Conv2d))
    if isinstance(first, Conv2d) and _fits(first):
        copy.set_submodule(name, ColumnsAsChannels(first))
    return copy


class ColumnsAsChannels(nn.Module):
    """A 3x3 convolution of stride 2 that reads four columns of three channels as one of twelve.

    Integer kernels step through a filter pixel by pixel, and each step has room for 4 to 64 channels, of which a
    picture fills three. With its channels last, a picture is its own (N, H, W / 4, 12) without a move, and two outputs
    that stand side by side are one with twice the channels: 6 steps for two outputs where there were 18, at the price
    of products with zeros. Shape: (N, cin, H, W) -> (N, cout, ceil(H / 2), ceil(W / 2)).

    Args:
        conv: the convolution; a picture whose sides the four columns do not divide still goes through it.
    """

    def __init__(self, conv: Conv2d) -> None:
        super().__init__()
        weight, inputs, outputs = conv.weight, conv.in_channels, conv.out_channels
        self.plain, self.before = conv, 0 if conv.same else 1  # columns to the left of an output's own
        self.wide = Conv2d(
            COLUMNS * inputs, 2 * outputs, (3, 2), (2, 1), bias=False, device=weight.device, dtype=weight.dtype
        )
        with torch.no_grad():
            taps = self.wide.weight.zero_().view(2, outputs, COLUMNS, inputs, 3, 2)
            for output in range(2):
                for tap in range(3):
                    group, column = divmod(2 * output + tap + self.before * (COLUMNS - 1), COLUMNS)
                    taps[output, :, column, :, :, group] = weight[:, :, :, tap]
        self.wide.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach().repeat(2))

    def forward(self, x: Tensor) -> Tensor:
        """As the convolution it was made from."""
        n, _, h, w = x.shape
        if h % 2 or w % COLUMNS:
            plain: Tensor = self.plain(x)
            return plain
        x = x.permute(0, 2, 3, 1).reshape(n, h, w // COLUMNS, -1).permute(0, 3, 1, 2)
        y: Tensor = self.wide(F.pad(x, (self.before, 1 - self.before) * 2))  # (N, 2 * cout, H / 2, W / 4)
        return y.permute(0, 2, 3, 1).reshape(n, h // 2, w // 2, -1).permute(0, 3, 1, 2)


def _fits(conv: Conv2d) -> bool:
    return (
        (conv.kernel_size, conv.stride, conv.dilation, conv.groups) == ((3, 3), (2, 2), (1, 1), 1)
        and conv.padding == (1, 1)
        and conv.in_channels <= COLUMNS
    )
