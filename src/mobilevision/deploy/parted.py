"""Wide 1x1 convolutions in parts, for runtimes that go through all weights for every few pixels."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn

from mobilevision.deploy.boxes import Raw

Part = TypeVar("Part", bound=nn.Module)

WIDE = 2**20
"""Bytes of weights from which on a layer is parted: half of what a large core's second cache holds."""

PARTS = 3


class Parted(nn.Module):
    """A 1x1 convolution as several beside each other, each of which has some of the outputs.

    The weights of one stay in the cache while all pixels pass.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert conv.bias is not None
        size = -(-conv.out_channels // PARTS)
        pairs = zip(torch.split(conv.weight.detach(), size), torch.split(conv.bias.detach(), size), strict=True)
        self.parts = nn.ModuleList(_convolution(*pair) for pair in pairs)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> (N, outputs, H, W)."""
        return torch.cat([part(x) for part in self.parts], 1)


def parted(network: Part) -> Part:
    """A copy whose detector has its wide layers in parts; other networks as they are.

    Args:
        network: as `deployable` gives it.
    """
    heads = [name for name, part in network.named_modules() if isinstance(part, Raw)]
    if not heads:
        return network
    copy = deepcopy(network)
    for name, layer in list(copy.named_modules()):
        if isinstance(layer, nn.Conv2d) and _is_wide(layer) and name.startswith(heads[0]):
            copy.set_submodule(name, Parted(layer))
    return copy


def _is_wide(layer: nn.Conv2d) -> bool:
    fits = layer.kernel_size == (1, 1) and layer.bias is not None
    return fits and layer.weight.numel() * layer.weight.element_size() >= WIDE


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 1).to(weight)
    conv.weight, conv.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())
    return conv
