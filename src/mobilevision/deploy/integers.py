"""The form that a format is written from, and that which integer kernels take whole."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from torch import nn

from mobilevision.deploy.base import INT8, Format, Precision
from mobilevision.deploy.hard import SIX_TIMES
from mobilevision.deploy.parted import parted
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.streams import read_streams, traced

Part = TypeVar("Part", bound=nn.Module)

XNNPACK = "XNNPACK"
"""The delegate that goes through all weights of a 1x1 convolution for every few pixels."""


def form_for(network: Part, format_: Format, precision: Precision) -> Part:
    """A copy in the form that a runtime computes best in a precision; see `deployable`, `integer_form` and `parted`."""
    ready = deployable(network, channels_last=format_.channels_last)
    if precision == INT8:
        return ready if format_.hard_swish else integer_form(ready)
    return parted(ready) if format_.delegate == XNNPACK else ready


def integer_form(network: Part) -> Part:
    """A copy whose hard swishes and hard sigmoids are sums and products, which integer kernels know.

    Hard swish is x * relu6(x + 3) / 6. The division is folded into the layers that read the map, be it through a
    gate, a pool or a residual sum, so that what is left are a clipped sum and a product; LiteRT's XNNPACK delegate
    knows no integer HARD_SWISH, and would leave each to a slow kernel and the graph in pieces. Where something reads
    the map that no factor passes, the activation stays as it is.

    Args:
        network: as `deployable` gives it.

    Returns:
        A network that differs from it by rounding alone.
    """
    kind = next(network.parameters()).dtype
    copy = deepcopy(network).double()
    for stream in read_streams(traced(copy)):
        if stream.sources and stream.free:
            stream.rescale_(6)
            for name in stream.sources:
                copy.set_submodule(name, SIX_TIMES[type(copy.get_submodule(name))]())
    return copy.to(kind)
