"""A vision transformer (arXiv:2010.11929) as an architecture of this house, of timm's attention and MLP.

It is the benchmarks' own: the house has no block of it, so its JSON cannot be read back.
"""

from dataclasses import dataclass

import torch
from timm.layers import Mlp
from timm.models.vision_transformer import Attention
from torch import Tensor, nn

from mobilevision.architecture import Arch
from mobilevision.blocks import Block, Classifier
from mobilevision.layers import ChannelNorm, Residual, chain

EPSILON, SPREAD = 1e-6, 0.02  # of its layer norms; of the weights that it starts with


class OnTokens(nn.Module):
    """A layer norm and a part that works on tokens, for a map. Keeps the shape (N, C, H, W)."""

    def __init__(self, channels: int, part: nn.Module) -> None:
        super().__init__()
        self.norm, self.part = nn.LayerNorm(channels, eps=EPSILON), part

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        tokens = self.norm(x.flatten(2).transpose(1, 2))  # (N, HW, C)
        return self.part(tokens).transpose(1, 2).reshape(x.shape)


class Positions(nn.Module):
    """Add a learned vector at every place. Keeps the shape (N, C, H, W)."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(SPREAD * torch.randn(1, channels, side, side))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        return x + self.vectors


@dataclass(frozen=True)
class Patches(Block):
    """Squares of the picture as vectors, with their places.

    Attributes:
        side: squares on each side of the picture.
    """

    side: int = 8

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        cut = nn.Conv2d(cin, self.out, self.stride, self.stride)
        return chain(cut=started(cut), places=Positions(self.out, self.side))


@dataclass(frozen=True)
class Attending(Block):
    """Attention among all places.

    Attributes:
        heads: of the attention.
    """

    heads: int = 3

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, out, H, W) -> the same."""
        return Residual(chain(attend=OnTokens(cin, started(Attention(cin, self.heads, qkv_bias=True)))))


@dataclass(frozen=True)
class Thinking(Block):
    """Two layers at every place."""

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, out, H, W) -> the same."""
        return Residual(chain(think=OnTokens(cin, started(Mlp(cin, 4 * cin)))))


@dataclass(frozen=True)
class LastNorm(Block):
    """The norm before the mean."""

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, out, H, W) -> the same."""
        return ChannelNorm(cin, eps=EPSILON)


def vit(*, size: int, patch: int, width: int, depth: int, heads: int) -> Arch:
    """A vision transformer with the mean of all places before the scores.

    Args:
        size: side of its pictures in pixels: its places are learned, so it takes no other.
        patch: side of a square in pixels.
        width: channels.
        depth: blocks, each of attention and MLP.
        heads: of the attention.
    """
    layers = ((Attending(width, heads=heads), Thinking(width)) for _ in range(depth))
    stem = (Patches(width, patch, side=size // patch),)
    return Arch(f"vit_p{patch}_w{width}_d{depth}", (stem, *layers, (LastNorm(width),)), Classifier(), size=size)


def started(part: nn.Module) -> nn.Module:
    """The part with its weights drawn as vision transformers are: normal, biases 0."""
    for each in part.modules():
        if isinstance(each, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(each.weight, std=SPREAD)
            if each.bias is not None:
                nn.init.zeros_(each.bias)
    return part
