"""The two blocks of MobileNetV4: universal inverted bottleneck and Mobile MQA."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mobilevision.blocks.base import Block
from mobilevision.errors import UsageError
from mobilevision.layers import Conv2d, Scale, chain, conv, depthwise, divisible


@dataclass(frozen=True)
class UIB(Block):
    """Universal inverted bottleneck (arXiv:2404.10518, figure 4).

    Two optional depthwise convolutions around the expansion make four known blocks: see `variant`. A stride goes to
    the middle one if it is there, else to the first.

    Attributes:
        start: side of the depthwise filter before the expansion, in pixels; 0 leaves it out. It has no activation.
        middle: side of the depthwise filter after the expansion, in pixels; 0 leaves it out.
        expand: width inside the block, as a multiple of the incoming channels.
        scale: start value of the layer scale; 0 leaves it out (only the hybrids have one).
        pool: "" strides the depthwise convolution; "average" and "blur" pool after it (anti-aliasing).
    """

    start: int = 0
    middle: int = 3
    expand: float = 4
    act: str = "relu"
    scale: float = 0
    pool: str = ""

    @property
    def variant(self) -> str:
        """The name the paper gives to this choice of depthwise convolutions (table 1)."""
        names = {(False, False): "FFN", (False, True): "IB", (True, False): "ConvNext", (True, True): "ExtraDW"}
        return names[bool(self.start), bool(self.middle)]

    @property
    def expansion(self) -> str:
        """The expanding layer comes before the stride where the middle filter takes it."""
        return "expand" if self.middle or self.stride == 1 else ""

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride).

        Raises:
            UsageError: if there is a stride but no depthwise convolution to take it.
        """
        if self.stride > 1 and not (self.start or self.middle):
            raise UsageError(f"a UIB of stride {self.stride} needs a depthwise convolution; set start or middle")
        mid = divisible(cin * self.expand)
        early, late = (1, self.stride) if self.middle else (self.stride, 1)
        body = chain(
            start=self._filter(cin, self.start, early, act="") if self.start else None,
            expand=conv(cin, mid, act=self.act),
            middle=self._filter(mid, self.middle, late, act=self.act) if self.middle else None,
            project=conv(mid, self.out),
            scale=Scale(self.out, self.scale) if self.scale else None,
        )
        return self.skip(cin, body)

    def _filter(self, channels: int, kernel: int, stride: int, *, act: str) -> nn.Module:
        return depthwise(channels, kernel, stride, dilation=self.dilation, act=act, pool=self.pool)


@dataclass(frozen=True)
class MobileMQA(Block):
    """Mobile multi-query attention: many queries, one shared key and value (arXiv:2404.10518, section 5).

    Attributes:
        heads: number of queries at each place.
        dim: channels of one query, of the key and of the value.
        kv_stride: 2 halves the height and width that keys and values are taken from (spatial reduction).
        scale: start value of the layer scale; 0 leaves it out.
    """

    heads: int = 4
    dim: int = 64
    kv_stride: int = 1
    scale: float = 1e-5

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H, W)."""
        body = chain(
            norm=nn.BatchNorm2d(cin),
            attention=MultiQuery(cin, self.out, heads=self.heads, dim=self.dim, kv_stride=self.kv_stride),
            scale=Scale(self.out, self.scale) if self.scale else None,
        )
        return self.skip(cin, body)


class MultiQuery(nn.Module):
    """Attention whose heads share one key and one value. Shape: (N, cin, H, W) -> (N, out, H, W).

    With the channels last, the queries of all heads are rows of one matrix, so that two batched products do
    everything and neither queries nor values are transposed (the paper's einsum reordering, table 17). Keys are columns
    from the first: written as transposed rows, LiteRT's converter makes a layer of them that XNNPACK does not take.
    """

    def __init__(self, cin: int, out: int, *, heads: int, dim: int, kv_stride: int) -> None:
        super().__init__()
        self.heads, self.dim, self.temperature = heads, dim, dim**-0.5
        self.query = Conv2d(cin, heads * dim, 1, bias=False)
        self.key, self.value = (
            chain(
                shrink=depthwise(cin, 3, kv_stride) if kv_stride > 1 else None,
                project=Conv2d(cin, dim, 1, bias=False),
            )
            for _ in range(2)
        )
        self.project = Conv2d(heads * dim, out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H, W)."""
        n, _, h, w = x.shape
        q = self.query(x).permute(0, 2, 3, 1).reshape(n, h * w * self.heads, self.dim)
        k = self.key(x).flatten(2)  # (N, dim, hw)
        v = self.value(x).permute(0, 2, 3, 1).flatten(1, 2)  # (N, hw, dim)
        near = torch.bmm(q * self.temperature, k).softmax(-1)  # (N, HW * heads, hw)
        y: Tensor = self.project(torch.bmm(near, v).reshape(n, h, w, -1).permute(0, 3, 1, 2))
        return y
