"""Squeeze-and-excite as a fact: how wide, of what, with which gate."""

from dataclasses import dataclass

from torch import nn

from mobilevision.layers import SqueezeExcite, divisible


@dataclass(frozen=True)
class Gate:
    """Squeeze-and-excite after the depthwise convolution (arXiv:1709.01507).

    The defaults are MobileNetV3's: a quarter of the expanded channels, rounded to a multiple of 8, hard sigmoid.

    Attributes:
        ratio: hidden channels, as a fraction of the expanded channels (or of the block's input, see `of_input`).
        of_input: MnasNet takes the fraction of the block's input channels, MobileNetV3 of the expanded ones.
        multiple: hidden channels are rounded to a multiple of this; 1 rounds to the nearest whole number.
        act: activation between the two layers.
        gate: activation that makes the gate.
    """

    ratio: float = 0.25
    of_input: bool = False
    multiple: int = 8
    act: str = "relu"
    gate: str = "hsigmoid"

    def build(self, cin: int, mid: int) -> nn.Module:
        """The gate for a block with `cin` incoming and `mid` expanded channels. Keeps the shape (N, mid, H, W)."""
        wanted = self.ratio * (cin if self.of_input else mid)
        hidden = round(wanted) if self.multiple == 1 else divisible(wanted, self.multiple)
        return SqueezeExcite(mid, hidden, act=self.act, gate=self.gate)
