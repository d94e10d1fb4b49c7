"""The inverted residual mobile block of EMO: a Meta Mobile Block with attention and a depthwise convolution."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.blocks.base import Block
from mobilevision.blocks.gate import Gate
from mobilevision.errors import UsageError
from mobilevision.layers import ACTIVATIONS, Chain, ChannelNorm, Conv2d, Residual, chain, depthwise

NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm2d, "layer": ChannelNorm}


@dataclass(frozen=True)
class IRMB(Block):
    """Norm, mix pixels far apart, widen, mix pixels nearby, project (arXiv:2301.01146, figure 2c).

    The order is that of the authors' released code: attention acts on the narrow map, before it is widened.

    Attributes:
        kernel: side of the depthwise filter, in pixels.
        expand: width inside the block, as a multiple of the incoming channels, rounded down; 0 does not widen at all.
        head: channels of one attention head; 0 has no attention.
        window: side of the grid of pixels that attention mixes.
        se: the squeeze-and-excite gate after the depthwise convolution, if there is one.
        norm: "batch", "layer" or "" (none), applied first. The depthwise convolution always has batch norm and SiLU.
        act: activation of the widened map.
        residual: whether the input is added where the shapes allow it.
    """

    kernel: int = 3
    expand: float = 4
    head: int = 0
    window: int = 7
    se: Gate | None = None
    norm: str = "batch"
    act: str = "silu"
    residual: bool = True

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        mid = int(cin * (self.expand or 1))
        near = chain(
            depthwise=depthwise(mid, self.kernel, self.stride, dilation=self.dilation, act="silu"),
            gate=self.se.build(cin, mid) if self.se else None,
        )
        body = chain(
            norm=NORMS[self.norm](cin, eps=1e-6) if self.norm else None,
            far=GridAttention(cin, self.head, self.window) if self.head else None,
            widen=chain(conv=Conv2d(cin, mid, 1), act=ACTIVATIONS[self.act]()) if self.expand else None,
            near=self._skip(cin, near),
            project=Conv2d(mid, self.out, 1, bias=False),
        )
        return self._skip(cin, body)

    def _skip(self, cin: int, body: Chain) -> nn.Module:
        adds = self.residual and self.stride == 1 and cin == self.out
        return Residual(body) if adds else body


class GridAttention(nn.Module):
    """Self-attention among pixels that stand one grid step apart. Keeps the shape (N, C, H, W).

    A map of `window * rows` x `window * cols` pixels (padded with zeros to that) holds rows x cols grids of
    window x window pixels; the pixels of one grid are `rows` and `cols` apart, so that each grid spans the image.
    The value is the input itself. No tensor has more than five axes: Core ML allows no more.
    """

    def __init__(self, channels: int, head: int, window: int) -> None:
        super().__init__()
        if channels % head:
            raise UsageError(f"heads of {head} channels do not divide {channels} channels; choose a divisor")
        self.head, self.window, self.temperature = head, window, head**-0.5
        self.qk = Conv2d(channels, 2 * channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        (n, c, h, w), side = x.shape, self.window
        x = F.pad(x, (0, -w % side, 0, -h % side))
        rows, cols = x.shape[2] // side, x.shape[3] // side

        # (N, C, side * rows, side * cols) -> (N * rows * cols, C, side, side)
        x = x.reshape(n, c, side, rows, -1).movedim(3, 1).reshape(n * rows, c, side, -1)
        x = x.reshape(n * rows, c, side, side, cols).movedim(4, 1).reshape(-1, c, side, side)

        q, k = self.qk(x).chunk(2, dim=1)
        q, k, v = (t.reshape(-1, c // self.head, self.head, side * side) for t in (q, k, x))
        near = ((q * self.temperature).transpose(2, 3) @ k).softmax(-1)  # (grids, heads, pixels, pixels)
        y: Tensor = (near @ v.transpose(2, 3)).transpose(2, 3)  # (grids, heads, head, pixels)

        # and back, row of grids by row
        y = y.reshape(n * rows, cols, c, side, side).movedim(1, 4).reshape(n, rows, c, side, -1)
        y = y.movedim(1, 3).reshape(n, c, side * rows, side * cols)
        return y[:, :, :h, :w]
