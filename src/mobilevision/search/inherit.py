"""The weights a narrower network takes over from the network it was cut from."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mobilevision.architecture import Arch
from mobilevision.network import Network
from mobilevision.search.corner import corner

Cut = tuple[int, int]
"""(channels before, channels after)."""


@torch.no_grad()
def inherit(network: Network, arch: Arch) -> Network:
    """A network for `arch` that keeps, wherever channels were cut, those with the largest filters.

    Channels are ranked by the sum of squares of the filters that make them (arXiv:1804.03230, section 3.3). Layers
    that were cut alike are ranked together, because they are joined: by a residual, or one behind the other.

    Args:
        network: what the weights are taken from.
        arch: the same architecture with fewer channels in some block, or in several that are joined.

    Returns:
        A new network on the same device; what cannot be ranked (the hidden layer of a gate) keeps its first channels.

    Raises:
        UsageError: if a layer of `arch` is larger than the network's.
    """
    old, child = network.state_dict(), Network(arch, network.outputs, channels=network.channels)
    new = child.state_dict()
    kept = _kept({name: old[name] for name in new}, {name: weight.shape for name, weight in new.items()})
    for name, weight in new.items():
        weight.copy_(_cut(old[name], weight.shape, kept, parts=2 if ".qk." in name else 1))
    for fact in ("preprocessing", "labels"):
        if hasattr(network, fact):
            setattr(child, fact, getattr(network, fact))
    return child.to(next(network.parameters()).device)


def _kept(old: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]) -> dict[Cut, Tensor]:
    """Which channels stay, in their order, for each cut."""
    sizes: dict[Cut, Tensor] = {}
    for name, weight in old.items():
        makes = weight.dim() > 1 and weight.shape[1] > 1 and ".gate." not in name and ".qk." not in name
        if makes and weight.shape[0] > shapes[name][0]:
            cut = weight.shape[0], shapes[name][0]
            size = weight.float().square().flatten(1).sum(1)
            sizes[cut] = sizes[cut] + size if cut in sizes else size
    return {cut: size.topk(cut[1]).indices.sort().values for cut, size in sizes.items()}


def _cut(weight: Tensor, shape: torch.Size, kept: Mapping[Cut, Tensor], *, parts: int) -> Tensor:
    """The channels of `weight` that stay, on every axis that was cut; the first ones where none were ranked."""
    if weight.dim() == 0 or weight.shape == shape:
        return weight
    if parts > 1:
        part = torch.Size((shape[0] // parts, *shape[1:]))
        return torch.cat([_cut(piece, part, kept, parts=1) for piece in weight.chunk(parts)])
    for axis, cut in enumerate(zip(weight.shape, shape, strict=True)):
        if cut in kept:
            weight = weight.index_select(axis, kept[cut])
    return corner(weight, shape)
