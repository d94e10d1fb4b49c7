"""Where a detector looks: boxes of a few sizes and shapes at every place of its maps."""

from collections.abc import Sequence

import torch
from torch import Tensor

Size = tuple[float, float]
"""Width and height of an anchor, as fractions of the picture's."""


def anchors(maps: Sequence[Tensor], sizes: Sequence[Sequence[Size]]) -> Tensor:
    """The anchors of all places: map by map, row by row, place by place, size by size.

    Args:
        maps: they give the places, the device and the type. Each (N, C, H, W).
        sizes: of each map's anchors.

    Returns:
        Left, top, right and bottom as fractions of the picture; some reach beyond it. Shape: (anchors, 4).
    """
    return torch.cat([_on(x, some) for x, some in zip(maps, sizes, strict=True)])


def _on(x: Tensor, sizes: Sequence[Size]) -> Tensor:
    """The anchors of one map: the places' centers in the order of the map's memory, each with every size."""
    height, width = x.shape[2:]
    down, right = ((torch.arange(side, device=x.device, dtype=x.dtype) + 0.5) / side for side in (height, width))
    centers = torch.stack([right.repeat(height), down.repeat_interleave(width)], 1)  # (H * W, 2)
    half = torch.tensor(sizes, device=x.device, dtype=x.dtype) / 2  # (sizes, 2)
    corners = torch.cat([centers[:, None] - half, centers[:, None] + half], 2)  # (H * W, sizes, 4)
    return corners.flatten(0, 1)


def rows(x: Tensor, columns: int) -> Tensor:
    """What a layer says, in the anchors' order. Shape: (N, sizes * columns, H, W) -> (N, H * W * sizes, columns)."""
    n = x.shape[0]
    return x.permute(0, 2, 3, 1).reshape(n, -1, columns)


def detections(boxes: list[Tensor], scores: list[Tensor], sizes: Sequence[Sequence[Size]]) -> dict[str, Tensor]:
    """What layers say of the anchors of each map, (N, sizes * columns, H, W), as one row an anchor."""
    columns = [x.shape[1] // len(some) for x, some in zip(scores, sizes, strict=True)]
    return {
        "boxes": torch.cat([rows(x, 4) for x in boxes], 1),
        "scores": torch.cat([rows(x, n) for x, n in zip(scores, columns, strict=True)], 1),
        "anchors": anchors(boxes, sizes),
    }
