"""What a naming is: how other people call the layers of an architecture."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mobilevision.architecture import Arch, Place

Layers = dict[str, str]
"""Our name of a layer -> theirs. Ours is its path in the module without the residuals' `body`."""

HEAD, SCORES = "head.", "head.scores"
HIDDEN = "head.hidden.conv"


@dataclass(frozen=True)
class Naming:
    """One way to name the layers of a network.

    Attributes:
        name: whose names they are.
        layers: every layer of an architecture that could have a name there.
        flat: our 1x1 convolutions that are linear layers there: weights (out, in) for (out, in, 1, 1).
    """

    name: str
    layers: Callable[[Arch], Layers]
    flat: tuple[str, ...] = ()


def scores(layer: str) -> bool:
    """Whether a layer of ours makes scores: its channels depend on the number of classes."""
    return layer == SCORES or layer.startswith(f"{SCORES}.")


def placed(place: Place, prefix: str, parts: Layers) -> Iterator[tuple[str, str]]:
    """The names of one block's parts as names of the whole network's layers.

    Args:
        place: where the block stands; the part "" is the block itself.
        prefix: what stands before the block's parts in the other naming, up to the dot.
        parts: the block's parts, ours -> theirs.
    """
    i, j = place
    return ((".".join(filter(None, (f"stages.{i}.{j}", ours))), prefix + theirs) for ours, theirs in parts.items())
