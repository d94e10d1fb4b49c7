"""The few layers every block is made of: convolution, gate, residual, channel scale."""

from collections import OrderedDict
from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hswish": nn.Hardswish,
    "hsigmoid": nn.Hardsigmoid,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
}
Seen = dict[str, Tensor]  # part of a block, by name -> what came out of it


def divisible(channels: float, by: int = 8) -> int:
    """The multiple of `by` nearest to `channels`, never more than 10 % below it (MobileNetV2's rounding)."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded if rounded >= 0.9 * channels else rounded + by


class Conv2d(nn.Conv2d):
    """A convolution that keeps the size at stride 1 and gives ceil(size / stride) otherwise.

    `same` decides where a stride above 1 puts the padding: False is torch's way, alike on all sides; True is
    TensorFlow's "SAME", with the odd pixel at the right and at the bottom. Output sizes are the same in both.
    """

    same = False

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride))."""
        if not self.same or self.stride == (1, 1):
            return super().forward(x)
        return F.conv2d(
            F.pad(x, self._same_padding(x)), self.weight, self.bias, self.stride, 0, self.dilation, self.groups
        )

    def _same_padding(self, x: Tensor) -> list[int]:
        padding: list[int] = []
        for axis in (1, 0):  # F.pad names the last axis first
            size, stride = x.shape[2 + axis], self.stride[axis]
            reach = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
            short = max(0, (-(-size // stride) - 1) * stride + reach - size)
            padding += [short // 2, short - short // 2]
        return padding


def average_pool() -> nn.Module:
    """The mean of every 2 x 2 pixels. Shape: (N, C, H, W) -> (N, C, H // 2, W // 2)."""
    return nn.AvgPool2d(2)


def blur_pool() -> nn.Module:
    """Smooth with (1, 2, 1) x (1, 2, 1) / 16, then keep every second pixel (arXiv:1904.11486).

    The filter is that of two 2 x 2 means, one after the other. Shape: (N, C, H, W) -> (N, C, ceil(H / 2), ceil(W / 2)).
    """
    return nn.Sequential(nn.AvgPool2d(2, 1, 1), nn.AvgPool2d(2))


POOLS: dict[str, Callable[[], nn.Module]] = {"average": average_pool, "blur": blur_pool}


class Chain(nn.Sequential):
    """Named parts that run one after another."""

    def observe(self, x: Tensor, points: Collection[str]) -> tuple[Tensor, Seen]:
        """The output, and what came out of the parts called `points` on the way."""
        seen: Seen = {}
        for name, part in self._modules.items():
            assert part is not None
            x = part(x)
            if name in points:
                seen[name] = x
        return x, seen


def chain(**parts: nn.Module | None) -> Chain:
    """The parts in order, by name; a part that is None is left out."""
    return Chain(OrderedDict((name, part) for name, part in parts.items() if part is not None))


def conv(
    cin: int,
    cout: int,
    kernel: int = 1,
    stride: int = 1,
    *,
    groups: int = 1,
    dilation: int = 1,
    act: str = "",
    bias: bool = False,
    pool: str = "",
) -> Chain:
    """Convolution, batch norm, activation ("" has none).

    With `pool` ("average" or "blur"), the convolution steps one pixel at a time and the pool halves what comes out.
    Shape: (N, cin, H, W) -> (N, cout, ceil(H / stride), ceil(W / stride)).
    """
    pooled = bool(pool) and stride > 1
    padding = kernel // 2 * dilation
    return chain(
        conv=Conv2d(cin, cout, kernel, 1 if pooled else stride, padding, dilation, groups, bias),
        norm=nn.BatchNorm2d(cout),
        act=ACTIVATIONS[act]() if act else None,
        pool=POOLS[pool]() if pooled else None,
    )


def depthwise(
    channels: int, kernel: int, stride: int = 1, *, dilation: int = 1, act: str = "", pool: str = ""
) -> Chain:
    """One kernel x kernel filter a channel. Shape: (N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride))."""
    return conv(channels, channels, kernel, stride, groups=channels, dilation=dilation, act=act, pool=pool)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from its mean (arXiv:1709.01507). Keeps the shape (N, C, H, W)."""

    def __init__(self, channels: int, hidden: int, *, act: str, gate: str) -> None:
        super().__init__()
        self.squeeze = chain(conv=Conv2d(channels, hidden, 1), act=ACTIVATIONS[act]())
        self.excite = chain(conv=Conv2d(hidden, channels, 1), gate=ACTIVATIONS[gate]())

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        gate: Tensor = self.excite(self.squeeze(x.mean((2, 3), keepdim=True)))  # (N, C, 1, 1)
        return x * gate


class Scale(nn.Module):
    """Multiply each channel by a learned number that starts at `start` (layer scale, arXiv:2103.17239)."""

    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), start))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        return x * self.gamma[:, None, None]


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map. Keeps the shape (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Residual(nn.Module):
    """x + body(x).

    `drop` is the chance that, in training, a sample skips the body (stochastic depth, arXiv:1603.09382). It belongs to
    the recipe, so it is set from outside.
    """

    def __init__(self, body: Chain) -> None:
        super().__init__()
        self.body, self.drop = body, 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> the same."""
        return x + self._kept(self.body(x))

    def observe(self, x: Tensor, points: Collection[str]) -> tuple[Tensor, Seen]:
        """The output, and what came out of the body's parts called `points` on the way."""
        y, seen = self.body.observe(x, points)
        return x + self._kept(y), seen

    def _kept(self, y: Tensor) -> Tensor:
        if not (self.training and self.drop):
            return y
        keep = torch.rand(y.shape[0], 1, 1, 1, device=y.device) >= self.drop
        return y * keep / (1 - self.drop)
