"""Blocks and heads in a few words, and the kind each belongs to; by type, so that a new block adds one function."""

import re
from functools import singledispatch
from typing import NamedTuple

from mobilevision.blocks import (
    IRMB,
    UIB,
    Block,
    Classifier,
    Conv,
    Filter,
    FusedInverted,
    GridThenFilter,
    Head,
    Inverted,
    MetaBlock,
    MobileMQA,
    Norm,
    Operator,
    Projection,
    SelfAttention,
    Separable,
)


class Kind(NamedTuple):
    """A kind of block, as legends name and color it.

    Attributes:
        name: for people.
        color: "#rrggbb", readable on white and on black.
    """

    name: str
    color: str


CONVOLUTION = Kind("convolution", "#8a99ad")
FUSED = Kind("fused inverted", "#5f7fb0")
SEPARABLE = Kind("separable", "#3f9fc4")
INVERTED = Kind("inverted", "#4a86d8")
GATED = Kind("inverted with SE", "#7a6fd6")
EXTRA_DEPTHWISE = Kind("UIB ExtraDW", "#27a38d")
UIB_INVERTED = Kind("UIB IB", INVERTED.color)
CONVNEXT = Kind("UIB ConvNext", "#e0a030")
FEED_FORWARD = Kind("UIB FFN", "#c277ae")
MOBILE = Kind("iRMB", "#2f9fb5")
MOBILE_ATTENTION = Kind("iRMB with attention", "#e2654f")
META = Kind("meta block", "#5b93c9")
ATTENTION = Kind("attention", "#e2654f")
NORM = Kind("norm", "#a9a9a9")
HEAD = Kind("head", "#6b7280")
OTHER = Kind("other", "#9a8f78")

UIB_KINDS = {"ExtraDW": EXTRA_DEPTHWISE, "IB": UIB_INVERTED, "ConvNext": CONVNEXT, "FFN": FEED_FORWARD}


@singledispatch
def describe(block: Block | Head | Operator) -> str:
    """One line for a block, a head or an operator: its name, its kernels, its expansion.

    A type that has no words of its own is told by its class name.
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(block).__name__).lower()


@singledispatch
def kind(block: Block | Head) -> Kind:
    """The kind of a block or head, for legends."""
    return OTHER


def _words(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _kernel(side: int) -> str:
    return f"{side}x{side}" if side else ""


def _expand(by: float) -> str:
    return f"e{by:.3g}" if by else ""


def _dilation(by: int) -> str:
    return f"dilated {by}" if by > 1 else ""


@describe.register
def _(block: Conv) -> str:
    return _words("conv", _kernel(block.kernel), _dilation(block.dilation))


@describe.register
def _(block: Separable) -> str:
    return _words("separable", _kernel(block.kernel), _dilation(block.dilation))


@describe.register
def _(block: FusedInverted) -> str:
    return _words("fused", _kernel(block.kernel), _expand(block.expand), block.pool, _dilation(block.dilation))


@describe.register
def _(block: Norm) -> str:
    return "layer norm"


@describe.register
def _(block: Inverted) -> str:
    gate = "SE" if block.se else ""
    return _words("inverted", _kernel(block.kernel), _expand(block.expand), gate, _dilation(block.dilation))


@describe.register
def _(block: UIB) -> str:
    kernels = _words(_kernel(block.start), _kernel(block.middle))
    return _words("UIB", block.variant, kernels, _expand(block.expand), block.pool, _dilation(block.dilation))


@describe.register
def _(block: MobileMQA) -> str:
    shrinks = f"kv/{block.kv_stride}" if block.kv_stride > 1 else ""
    return _words("Mobile MQA", f"{block.heads}x{block.dim}", shrinks)


@describe.register
def _(block: IRMB) -> str:
    gate = "SE" if block.se else ""
    attention = "attention" if block.head else ""
    return _words("iRMB", _kernel(block.kernel), _expand(block.expand), gate, attention, _dilation(block.dilation))


@describe.register
def _(block: MetaBlock) -> str:
    return _words("meta", _expand(block.expand), describe(block.operator), _dilation(block.dilation))


@describe.register
def _(operator: Operator) -> str:
    return "feed-forward"


@describe.register
def _(operator: Filter) -> str:
    return _words("filter", _kernel(operator.kernel))


@describe.register
def _(operator: SelfAttention) -> str:
    return "self-attention"


@describe.register
def _(operator: GridThenFilter) -> str:
    return _words("attention, filter", _kernel(operator.kernel))


@describe.register
def _(head: Classifier) -> str:
    return _words("classifier", f"hidden {head.hidden}" if head.hidden else "")


@describe.register
def _(head: Projection) -> str:
    return _words("vector", f"hidden {head.over.hidden}" if head.over.hidden else "")


@kind.register
def _(block: Conv) -> Kind:
    return CONVOLUTION


@kind.register
def _(block: Separable) -> Kind:
    return SEPARABLE


@kind.register
def _(block: FusedInverted) -> Kind:
    return FUSED


@kind.register
def _(block: Norm) -> Kind:
    return NORM


@kind.register
def _(block: Inverted) -> Kind:
    return GATED if block.se else INVERTED


@kind.register
def _(block: UIB) -> Kind:
    return UIB_KINDS[block.variant]


@kind.register
def _(block: MobileMQA) -> Kind:
    return ATTENTION


@kind.register
def _(block: IRMB) -> Kind:
    return MOBILE_ATTENTION if block.head else MOBILE


@kind.register
def _(block: MetaBlock) -> Kind:
    return META


@kind.register
def _(head: Head) -> Kind:
    return HEAD
