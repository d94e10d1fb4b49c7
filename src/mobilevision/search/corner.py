"""How a narrow network borrows, or inherits, the weights of a wide one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mobilevision.errors import UsageError


def corner(weight: Tensor, shape: Sequence[int], *, parts: int = 1) -> Tensor:
    """The first channels, and the middle of the kernel, of a larger weight.

    This is how a narrow block borrows from a wide one; gradients flow back into the lender.

    Args:
        weight: at least as large as `shape` on every axis. Axes: out, in, height, width; or fewer.
        shape: what the smaller block needs.
        parts: how many tensors of equal size lie behind one another on the first axis (queries and keys); the corner
            is taken of each.

    Returns:
        A view, unless there are several parts.

    Raises:
        UsageError: if `shape` is larger than `weight` on some axis.
    """
    if weight.shape == tuple(shape):
        return weight
    if parts > 1:
        part = (shape[0] // parts, *shape[1:])
        return torch.cat([corner(piece, part) for piece in weight.chunk(parts)])
    if weight.dim() != len(shape) or any(have < want for have, want in zip(weight.shape, shape, strict=True)):
        raise UsageError(
            f"a weight of {tuple(weight.shape)} cannot lend {tuple(shape)}; it must be as large everywhere"
        )
    for axis, (have, want) in enumerate(zip(weight.shape, shape, strict=True)):
        if have != want:
            weight = weight.narrow(axis, (have - want) // 2 if axis >= 2 else 0, want)
    return weight
