"""The spaces this toolkit searches.

Each is a function of `pick` with defaults for its facts, so that it is a space as it stands, and so is
`functools.partial(v3_like, size=64, width=0.5, depth=3)`.
"""

from functools import partial

from mobilevision.errors import UsageError, nearest
from mobilevision.search.space import Space
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
    "SPACES",
    "ZOO",
    "Menu",
    "Offer",
    "Plan",
    "StageMenu",
    "find_space",
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

PLANS = {
    "small": SMALL,
    "medium": MEDIUM,
    "large": LARGE,
    "hybrid_medium": HYBRID_MEDIUM,
    "hybrid_large": HYBRID_LARGE,
}
"""MobileNetV4's searches, by the end of their networks' names."""

SPACES: dict[str, Space] = {
    "mnasnet": mnasnet,
    "proxyless": proxyless,
    "proxyless_enlarged": proxyless_enlarged,
    "v3_like": v3_like,
    **{f"v4_coarse_{name}": partial(v4_coarse, plan=plan) for name, plan in PLANS.items()},
    **{f"v4_fine_{name}": partial(v4_fine, plan=plan) for name, plan in PLANS.items()},
    "meta": meta,
}
"""All spaces by name."""


def find_space(name: str, *, size: int | None = None, width: float | None = None, depth: int | None = None) -> Space:
    """The space called `name`, within limits.

    Args:
        name: a key of `SPACES`.
        size: side of the image, in pixels; None takes the space's own.
        width: multiplies all channels; None takes them as they are.
        depth: the most blocks of a stage; None takes the space's own.

    Raises:
        UsageError: if there is none, or a limit leaves nothing.
    """
    if name not in SPACES:
        raise UsageError(f"there is no space {name!r}; {nearest(name, SPACES)}; known are {', '.join(SPACES)}")
    limits = {"size": size, "width": width, "depth": depth}
    for word, limit in limits.items():
        if limit is not None and limit <= 0:
            raise UsageError(f"a {word} of {limit:g} leaves no network in {name}; give a positive one")
    given = {word: limit for word, limit in limits.items() if limit is not None}
    space: Space = partial(SPACES[name], **given)
    return space
