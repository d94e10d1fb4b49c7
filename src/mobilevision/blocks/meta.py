"""The Meta Mobile Block of EMO (MetaMobile): one residual block, of which many known blocks are instances."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from mobilevision.blocks.base import Block
from mobilevision.blocks.irmb import NORMS, GridAttention
from mobilevision.layers import ACTIVATIONS, Conv2d, Residual, chain, conv, depthwise


@dataclass(frozen=True)
class Operator:
    """What a `MetaBlock` does between its two 1x1 layers: the F of arXiv:2301.01146, section 3.1. This one: nothing.

    With nothing between them, the two layers are a transformer's feed-forward network.
    """

    def width(self, mid: int) -> int:
        """Channels the expanding layer must give so that the operator leaves `mid`."""
        return mid

    def before(self, cin: int) -> nn.Module | None:
        """A part that acts on the narrow map, before it is expanded. Keeps the shape (N, cin, H, W)."""
        return None

    def build(self, mid: int, *, stride: int, dilation: int) -> nn.Module | None:
        """The operator itself. Shape: (N, width(mid), H, W) -> (N, mid, H / stride, W / stride)."""
        return None


@dataclass(frozen=True)
class Filter(Operator):
    """A depthwise convolution: with it, a `MetaBlock` is MobileNetV2's inverted residual."""

    kernel: int = 3
    act: str = "relu6"

    def build(self, mid: int, *, stride: int, dilation: int) -> nn.Module:
        """Shape: (N, mid, H, W) -> (N, mid, H / stride, W / stride)."""
        return depthwise(mid, self.kernel, stride, dilation=dilation, act=self.act)


@dataclass(frozen=True)
class SelfAttention(Operator):
    """Attention among all pixels: with it and `expand` 1, a `MetaBlock` is a transformer's self-attention.

    The expanding layer makes the queries, keys and values, the projecting layer is the output projection.

    Attributes:
        head: channels of one attention head.
    """

    head: int = 32

    def width(self, mid: int) -> int:
        """Queries, keys and values: three times as many."""
        return 3 * mid

    def build(self, mid: int, *, stride: int, dilation: int) -> nn.Module:
        """Shape: (N, 3 * mid, H, W) -> (N, mid, H, W)."""
        return MultiHead(self.head)


@dataclass(frozen=True)
class GridThenFilter(Operator):
    """EMO's operator: attention on a grid of pixels, then a depthwise convolution with a residual of its own.

    Attributes:
        head: channels of one attention head.
        window: side of the grid, in pixels.
        kernel: side of the depthwise filter, in pixels.
    """

    head: int = 16
    window: int = 7
    kernel: int = 5

    def before(self, cin: int) -> nn.Module:
        """The attention: the released networks apply it to the narrow map."""
        return GridAttention(cin, self.head, self.window)

    def build(self, mid: int, *, stride: int, dilation: int) -> nn.Module:
        """Shape: (N, mid, H, W) -> (N, mid, H / stride, W / stride)."""
        near = chain(depthwise=depthwise(mid, self.kernel, stride, dilation=dilation, act="silu"))
        return Residual(near) if stride == 1 else near


@dataclass(frozen=True)
class MetaBlock(Block):
    """Expand, apply an operator, project, add the input: y = x + project(operator(expand(x))) (arXiv:2301.01146).

    ========================  ======  ==============  =======
    block                     expand  operator        norm
    ========================  ======  ==============  =======
    inverted residual         6       Filter          ""
    self-attention            1       SelfAttention   "layer"
    feed-forward              4       Operator        "layer"
    inverted residual mobile  4       GridThenFilter  "layer"
    ========================  ======  ==============  =======

    Attributes:
        expand: width inside the block, as a multiple of the incoming channels, rounded down.
        operator: what happens on the wide map.
        norm: "" puts a batch norm behind each 1x1 layer (the convolutional way); "batch" and "layer" put that norm
            first, and the expanding layer has a bias instead (the transformer's way).
        act: activation of the expanding layer.
    """

    expand: float = 6
    operator: Operator = field(default_factory=Filter)
    norm: str = ""
    act: str = "relu6"

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        mid = int(cin * self.expand)
        wide = self.operator.width(mid)
        act = ACTIVATIONS[self.act]() if self.act else None
        first = {"norm": NORMS[self.norm](cin, eps=1e-6)} if self.norm else {}
        body = chain(
            **first,
            before=self.operator.before(cin),
            expand=chain(conv=Conv2d(cin, wide, 1), act=act) if self.norm else conv(cin, wide, act=self.act),
            operator=self.operator.build(mid, stride=self.stride, dilation=self.dilation),
            project=Conv2d(mid, self.out, 1, bias=False) if self.norm else conv(mid, self.out),
        )
        return self.skip(cin, body)


class MultiHead(nn.Module):
    """Softmax attention over all pixels of queries, keys and values that lie behind one another.

    Shape: (N, 3 * C, H, W) -> (N, C, H, W).
    """

    def __init__(self, head: int) -> None:
        super().__init__()
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, 3 * C, H, W) -> (N, C, H, W)."""
        n, c, h, w = x.shape
        q, k, v = (t.reshape(n, -1, self.head, h * w) for t in x.chunk(3, dim=1))  # (N, heads, head, HW)
        near = ((q * self.head**-0.5).transpose(2, 3) @ k).softmax(-1)  # (N, heads, HW, HW)
        y: Tensor = v @ near.transpose(2, 3)
        return y.reshape(n, c // 3, h, w)
