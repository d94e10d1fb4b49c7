"""The spaces this toolkit searches.

Each is a function of `pick` with defaults for its facts, so that it is a space as it stands, and so is
`functools.partial(v3_like, size=64, width=0.5, depth=3)`.
"""

from mobilevision.search.space_meta import ZOO, Menu, Offer, StageMenu, meta, searched
from mobilevision.search.space_mnasnet import mnasnet
from mobilevision.search.space_tunas import proxyless, proxyless_enlarged, v3_like
from mobilevision.search.space_v4 import (
    HYBRID_LARGE,
    HYBRID_MEDIUM,
    LARGE,
    MEDIUM,
    SMALL,
    Plan,
    refined,
    v4_coarse,
    v4_fine,
)

__all__ = [
    "HYBRID_LARGE",
    "HYBRID_MEDIUM",
    "LARGE",
    "MEDIUM",
    "SMALL",
    "ZOO",
    "Menu",
    "Offer",
    "Plan",
    "StageMenu",
    "meta",
    "mnasnet",
    "proxyless",
    "proxyless_enlarged",
    "refined",
    "searched",
    "v3_like",
    "v4_coarse",
    "v4_fine",
]
