"""The inverted residual of MobileNetV2, MnasNet and MobileNetV3."""

from dataclasses import dataclass

from torch import nn

from mobilevision.blocks.base import Block
from mobilevision.blocks.gate import Gate
from mobilevision.layers import chain, conv, depthwise, divisible


@dataclass(frozen=True)
class Inverted(Block):
    """Expand, filter depthwise, project without activation (arXiv:1801.04381, figure 3d).

    Attributes:
        kernel: side of the depthwise filter, in pixels.
        expand: width inside the block, as a multiple of the incoming channels; 1 drops the expansion.
        se: the squeeze-and-excite gate after the depthwise convolution, if there is one.
        residual: whether the input is added where the shapes allow it.
    """

    kernel: int = 3
    expand: float = 6
    se: Gate | None = None
    act: str = "relu6"
    residual: bool = True

    @property
    def expansion(self) -> str:
        """The expanding layer comes before the stride, if it is there."""
        return "expand" if self.expand != 1 else ""

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        mid = cin if self.expand == 1 else divisible(cin * self.expand)
        body = chain(
            expand=conv(cin, mid, act=self.act) if self.expand != 1 else None,
            depthwise=depthwise(mid, self.kernel, self.stride, dilation=self.dilation, act=self.act),
            gate=self.se.build(cin, mid) if self.se else None,
            project=conv(mid, self.out),
        )
        return self.skip(cin, body) if self.residual else body
