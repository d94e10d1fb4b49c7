"""Plain, separable and fused convolution blocks, and the norm that stands alone."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from mobilevision.blocks.base import Block
from mobilevision.layers import ChannelNorm, chain, conv, depthwise, divisible


@dataclass(frozen=True)
class Conv(Block):
    """Convolution, batch norm, activation: the stem of every family, and the first stages of MobileNetV4-conv-small.

    Attributes:
        bias: whether the convolution has a bias before its norm (EMO's stem).
    """

    kernel: int = 3
    act: str = "relu"
    bias: bool = False

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        return conv(cin, self.out, self.kernel, self.stride, dilation=self.dilation, act=self.act, bias=self.bias)


@dataclass(frozen=True)
class LastConv(Conv):
    """The 1x1 convolution that widens the last map for the classifier's mean (MobileNetV2, table 2, last conv).

    It belongs to the classifier more than to the backbone: other heads stand on the map before it. MobileNetV3 moved
    it behind the mean, where it is `Classifier.hidden`.
    """

    kernel: int = 1
    tapped: ClassVar[bool] = False


@dataclass(frozen=True)
class Separable(Block):
    """Depthwise, then pointwise, each with norm and activation: MobileNetV1's block (arXiv:1704.04861, figure 3)."""

    kernel: int = 3
    act: str = "relu"

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        return chain(
            depthwise=depthwise(cin, self.kernel, self.stride, dilation=self.dilation, act=self.act),
            pointwise=conv(cin, self.out, act=self.act),
        )


@dataclass(frozen=True)
class FusedInverted(Block):
    """A full convolution that expands, then a linear projection: FusedIB of MobileNetV4 (arXiv:2003.02838).

    Attributes:
        expand: width inside the block, as a multiple of the incoming channels.
        pool: "" strides the convolution; "average" and "blur" pool after it (anti-aliasing).
    """

    kernel: int = 3
    expand: float = 4
    act: str = "relu"
    pool: str = ""

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        mid = divisible(cin * self.expand)
        body = chain(
            expand=conv(cin, mid, self.kernel, self.stride, dilation=self.dilation, act=self.act, pool=self.pool),
            project=conv(mid, self.out),
        )
        return self.skip(cin, body)


@dataclass(frozen=True)
class Norm(Block):
    """A layer norm over channels, alone: EMO ends its last stage with one. `out` must be the incoming channels."""

    tapped: ClassVar[bool] = False

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, C, H, W) -> the same."""
        return ChannelNorm(cin, eps=1e-6)
