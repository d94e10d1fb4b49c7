"""EMO's attention and layer norm, written with as few transposes and reshapes as they can be."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.blocks.irmb import GridAttention
from mobilevision.layers import ChannelNorm, Conv2d


class PlainGridAttention(nn.Module):
    """A `GridAttention` that reads a map as phones hold it, channels last. Keeps the shape (N, C, H, W).

    Queries and keys have a convolution each, so that nothing is cut out of a map, and one transpose each makes queries,
    keys and values the rows of their own grid and head; one brings the result back. A grid that spans the whole map
    needs no more; else one before and one after gather the rows of each grid. No tensor has more than five axes: Core
    ML allows no more.
    """

    def __init__(self, attention: GridAttention) -> None:
        super().__init__()
        self.head, self.window, self.temperature = attention.head, attention.window, attention.temperature
        self.query, self.key = (_part(attention.qk, i) for i in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        (n, c, h, w), side = x.shape, self.window
        x, rows, cols = _whole_grids(x, side)
        if rows > 1:  # the rows of a grid, which are `rows` apart, side by side
            x = x.permute(0, 2, 3, 1).reshape(n, side, rows, -1).transpose(1, 2)
            x = x.reshape(n * rows, side, side * cols, c).permute(0, 3, 1, 2)

        q, k, v = (self._grids(part) for part in (self.query(x), self.key(x), x))
        near = torch.bmm(q * self.temperature, k.transpose(1, 2)).softmax(-1)  # (grids * heads, pixels, pixels)
        y = torch.bmm(near, v).reshape(n * rows, -1, side * side, self.head).transpose(1, 2)

        if rows > 1:
            y = y.reshape(n, rows, side, -1).transpose(1, 2)
        y = y.reshape(n, rows * side, cols * side, c).permute(0, 3, 1, 2)
        return _cut(y, h, w)

    def _grids(self, x: Tensor) -> Tensor:
        """Shape: (N * rows, C, side, side * cols) -> (grids * heads, pixels, head)."""
        pixels = self.window**2
        x = x.permute(0, 2, 3, 1).reshape(x.shape[0], pixels, -1, self.head)  # (N * rows, pixels, cols * heads, head)
        return x.transpose(1, 2).reshape(-1, pixels, self.head)


class FirstGridAttention(nn.Module):
    """A `PlainGridAttention` for runtimes that hold a map with its channels first. Keeps the shape (N, C, H, W).

    Both products take and give pixels as columns, so that nothing is moved but pixels into their grids, by one permute,
    and back, by another; a grid that spans the whole map needs none. Those tensors have six axes.
    """

    def __init__(self, attention: PlainGridAttention) -> None:
        super().__init__()
        self.head, self.window, self.temperature = attention.head, attention.window, attention.temperature
        self.query, self.key = attention.query, attention.key

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        (n, c, h, w), side = x.shape, self.window
        x, rows, cols = _whole_grids(x, side)
        if rows > 1 or cols > 1:  # the pixels of a grid, which are `rows` and `cols` apart, side by side
            x = x.reshape(n, c, side, rows, side, cols).permute(0, 3, 5, 1, 2, 4).reshape(-1, c, side, side)

        parts = (self.query(x) * self.temperature, self.key(x), x)
        y = self.mixed(*(part.reshape(-1, c // self.head, self.head, side**2) for part in parts))

        if rows > 1 or cols > 1:
            y = y.reshape(n, rows, cols, c, side, side).permute(0, 3, 4, 1, 5, 2)
        return _cut(y.reshape(n, c, rows * side, cols * side), h, w)

    def mixed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attention within each grid. Shape: three of (grids, heads, head, pixels) -> the same."""
        near = (q.transpose(2, 3) @ k).softmax(-1)  # (grids, heads, pixels, pixels)
        return v @ near.transpose(2, 3)


class PlainChannelNorm(nn.Module):
    """A `ChannelNorm` spelled out: converters write a layer norm with reshapes around it. Keeps the shape."""

    def __init__(self, norm: ChannelNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        x = x.permute(0, 2, 3, 1)  # (N, H, W, C)
        far = x - x.mean(-1, keepdim=True)
        near = torch.rsqrt((far * far).mean(-1, keepdim=True) + self.eps)
        return (far * near * self.weight + self.bias).permute(0, 3, 1, 2)


class FirstChannelNorm(nn.Module):
    """A `PlainChannelNorm` over channels that stand first. Keeps the shape (N, C, H, W)."""

    def __init__(self, norm: PlainChannelNorm) -> None:
        super().__init__()
        self.eps = norm.eps
        self.weight, self.bias = (nn.Parameter(each.detach()[:, None, None]) for each in (norm.weight, norm.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        far = x - self.mean_of(x)
        y: Tensor = far * torch.rsqrt(self.mean_of(far * far) + self.eps) * self.weight + self.bias
        return y

    def mean_of(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> (N, 1, H, W)."""
        return x.mean(1, keepdim=True)


class ConvolutionalChannelNorm(FirstChannelNorm):
    """A `FirstChannelNorm` whose means are 1x1 convolutions to one channel.

    For runtimes whose delegate takes means over height and width alone.
    """

    def __init__(self, norm: PlainChannelNorm) -> None:
        super().__init__(norm)
        channels = norm.weight.shape[0]
        self.mean = Conv2d(channels, 1, 1, bias=False, device=norm.weight.device, dtype=norm.weight.dtype)
        nn.init.constant_(self.mean.weight, 1 / channels)

    def mean_of(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> (N, 1, H, W)."""
        y: Tensor = self.mean(x)
        return y


def _whole_grids(x: Tensor, side: int) -> tuple[Tensor, int, int]:
    """A map padded with zeros to whole grids, and how many there are down and across."""
    h, w = x.shape[2:]
    down, right = -h % side, -w % side
    if down or right:
        x = F.pad(x, (0, right, 0, down))
    return x, (h + down) // side, (w + right) // side


def _cut(x: Tensor, h: int, w: int) -> Tensor:
    """A map without what `_whole_grids` added; nothing is written into a file where that was nothing."""
    return x if x.shape[2:] == (h, w) else x[:, :, :h, :w]


def _part(conv: Conv2d, i: int) -> Conv2d:
    """One half of a 1x1 convolution's outputs."""
    outputs = conv.out_channels // 2
    part = Conv2d(conv.in_channels, outputs, 1, device=conv.weight.device, dtype=conv.weight.dtype)
    chosen = slice(i * outputs, (i + 1) * outputs)
    part.weight, part.bias = nn.Parameter(conv.weight[chosen].clone()), None
    if conv.bias is not None:
        part.bias = nn.Parameter(conv.bias[chosen].clone())
    return part
