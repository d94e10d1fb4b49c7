"""The weights that a training from nothing begins with; a block does not know them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from mobilevision.network import Network


@torch.no_grad()
def fan_out_(network: Network, generator: torch.Generator) -> None:
    """Draw the blocks' weights anew as torchvision's mobile networks do: slopes keep their size on the way back.

    Convolutions are normal with a variance of 2 over outputs times pixels of the filter (arXiv:1502.01852, section 2.2;
    torchvision counts all outputs of a depthwise one too), their biases 0. Norms, layer scales
    and the head, which draws its own, stay as they are made.
    """
    for part in network.stages.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def as_made_(network: Network, generator: torch.Generator) -> None:
    """Leave weights as torch's layers drew them when they were made."""


INITIAL: dict[str, Callable[[Network, torch.Generator], Any]] = {"torch": as_made_, "fan_out": fan_out_}
"""A recipe's word -> what draws the weights."""
