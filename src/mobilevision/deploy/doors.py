"""What may stand before and behind a network, so that a program needs neither: preprocessing and softmax."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from mobilevision.data.preprocessing import Preprocessing

WHITE = 255.0


class FromPixels(nn.Module):
    """A network that takes pixels as they are: 0 to 255, of any type of numbers.

    The first convolution takes in the division. What is subtracted stays a step of its own: the convolution pads with
    zeros, which must stand for the mean.

    Args:
        network: whose first convolution reads the picture; a copy is made.
        preprocessing: what it expects of a picture.
    """

    mean: Tensor

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = deepcopy(network)
        first = next(part for part in self.network.modules() if isinstance(part, nn.Conv2d))
        mean, std = (WHITE * first.weight.new_tensor(each) for each in (preprocessing.mean, preprocessing.std))
        with torch.no_grad():
            first.weight.div_(std[:, None, None])
        self.register_buffer("mean", mean[:, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> what the network gives."""
        y: Tensor = self.network(pixels.to(self.mean.dtype) - self.mean)
        return y


class Probabilities(nn.Module):
    """A network that tells how likely each class is, not its score."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N, outputs), each row of sum 1."""
        y: Tensor = self.network(x).softmax(1)
        return y
