"""What may stand before and behind a network, so that a program needs neither: preprocessing and softmax."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.interface import GIVES, PIXELS, PROBABILITIES, TAKES, WHITE


class Centered(nn.Module):
    """Pixels of any type of numbers, less the mean of each channel.

    Args:
        mean: from 0 to 255. Shape: (channels,).
    """

    shift: Tensor

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", -mean[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        """Keeps the shape."""
        return pixels.to(self.shift.dtype) + self.shift

    def channels_last(self, width: int) -> CenteredRows:
        """The same for pictures of a width with their channels last."""
        return CenteredRows(self.shift.flatten().repeat(width))


class CenteredRows(nn.Module):
    """The same over whole rows of pixels: kernels are slow where the innermost loop is of three channels.

    Args:
        shift: what is added to a row. Shape: (width * channels,).
    """

    shift: Tensor

    def __init__(self, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift)

    def forward(self, pixels: Tensor) -> Tensor:
        """Shape: (N, H, W, channels), both."""
        rows = pixels.flatten(2).to(self.shift.dtype) + self.shift  # (N, H, W * channels)
        return rows.reshape(pixels.shape)


class FromPixels(nn.Module):
    """A network that takes pixels as they are: 0 to 255, of any type of numbers.

    The first convolution takes in the division. What is subtracted stays a step of its own: the convolution pads with
    zeros, which must stand for the mean.

    Args:
        network: whose first convolution reads the picture; a copy is made.
        preprocessing: what it expects of a picture.
    """

    takes = torch.uint8

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = deepcopy(network)
        first = next(part for part in self.network.modules() if isinstance(part, nn.Conv2d))
        mean, std = (WHITE * first.weight.new_tensor(each) for each in (preprocessing.mean, preprocessing.std))
        with torch.no_grad():
            first.weight.div_(std[:, None, None])
        self.door = Centered(mean)
        self.gives = getattr(network, "gives", "scores")

    def forward(self, pixels: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> what the network gives."""
        y: Tensor = self.network(self.door(pixels))
        return y


class Probabilities(nn.Module):
    """A network that tells how likely each class is, not its score."""

    gives = PROBABILITIES

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N, outputs), each row of sum 1."""
        y: Tensor = self.network(x).softmax(1)
        return y


def with_doors(network: nn.Module, card: Mapping[str, Any]) -> nn.Module:
    """The network with the preprocessing and the softmax that a file's card promises."""
    if card.get(GIVES) == PROBABILITIES:
        network = Probabilities(network)
    if card.get(TAKES) == PIXELS:
        network = FromPixels(network, Preprocessing.read(card["preprocessing"]))
    return network


def blank(network: nn.Module, count: int, shape: tuple[int, int, int]) -> Tensor:
    """Empty pictures as a network takes them: bytes, or float32. Shape: (count, channels, height, width)."""
    return torch.zeros(count, *shape, dtype=getattr(network, "takes", torch.float32))
