"""From pictures with boxes or masks to batches, the same ones however many workers make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from mobilevision.data.dataset import Sample
from mobilevision.data.joint import Joint, Scene, boxes_of, mask_of
from mobilevision.data.loaders import WHOLE, Draw, Order, Pass, Share, drawing, sample_weights, served
from mobilevision.data.pictures import open_picture
from mobilevision.data.scenes import BoxSample, MaskSample, Truth
from mobilevision.errors import InputError

Read = Callable[[Any], Scene]
"""From a sample to its picture with what belongs to it."""

Finish = Callable[[Scene], Any]
"""From a moved scene to the target."""


class SceneSet(Dataset[tuple[Tensor, Any]]):
    """Samples as tensors.

    Args:
        samples: what to load.
        transform: moves picture and boxes or mask together; may draw from torch's generator.
        read: opens a sample.
        finish: makes the target.
        seed: what the transform's draws start from.
    """

    def __init__(self, samples: Sequence[Any], transform: Joint, *, read: Read, finish: Finish, seed: int) -> None:
        self.samples, self.transform, self.read, self.finish, self.seed = samples, transform, read, finish, seed
        self.next = Pass()

    def set_epoch(self, epoch: int, *, start: int = 0, share: Share = WHOLE) -> None:
        """Say which epoch the next pass is, from which batch on, and this process's share of each batch."""
        self.next = Pass(epoch, start, share)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, draw: Draw | int) -> tuple[Tensor, Any]:
        """The picture, (C, H, W) float32, and its target."""
        draw = draw if isinstance(draw, Draw) else Draw(draw, self.next.epoch, 0)
        scene = self.read(self.samples[draw.place])
        with drawing(self.seed, *draw):
            moved = self.transform(scene)
        return moved["image"], self.finish(moved | {"size": scene["image"].size})


def box_loader(
    samples: Sequence[Sample],
    *,
    transform: Joint,
    outputs: int,
    batch: int,
    shuffle: bool = False,
    seed: int = 0,
    workers: int = 0,
    balanced: bool = False,
) -> DataLoader[tuple[Tensor, list[Truth]]]:
    """Batches of pictures, (N, C, H, W), and of what each shows; see `mobilevision.data.loaders.loader`.

    Raises:
        InputError: if there are no samples, or they have no boxes to learn from.
    """
    _check(samples, BoxSample, "boxes")
    data = SceneSet(samples, transform, read=_with_boxes, finish=_truth, seed=seed)
    weights = sample_weights(samples, outputs) if balanced else None
    return _loader(data, _together, batch=batch, shuffle=shuffle, workers=workers, weights=weights)


def mask_loader(
    samples: Sequence[Sample],
    *,
    transform: Joint,
    batch: int,
    shuffle: bool = False,
    seed: int = 0,
    workers: int = 0,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches of pictures, (N, C, H, W), and of their masks, (N, H, W) int64.

    Raises:
        InputError: if there are no samples, or they have no masks.
    """
    _check(samples, MaskSample, "masks")
    data = SceneSet(samples, transform, read=_with_mask, finish=_mask, seed=seed)
    return _loader(data, default_collate, batch=batch, shuffle=shuffle, workers=workers, weights=None)


def _loader(
    data: SceneSet, collate: Callable[[list[Any]], Any], *, batch: int, shuffle: bool, workers: int, weights: Any
) -> DataLoader[Any]:
    return served(data, Order(data, shuffle=shuffle, weights=weights), batch=batch, workers=workers, collate=collate)


def _check(samples: Sequence[Sample], kind: type[Sample], what: str) -> None:
    if not samples:
        raise InputError("there are no pictures to load; check the data first")
    if not all(isinstance(sample, kind) for sample in samples):
        raise InputError(f"these pictures come without {what}; give data that has them")


def _with_boxes(sample: BoxSample) -> Scene:
    image = open_picture(sample.file)
    crowd = sample.crowd or (False,) * len(sample.labels)
    return {
        "image": image,
        "boxes": boxes_of(list(sample.boxes), image.height, image.width),
        "labels": torch.tensor(sample.labels, dtype=torch.int64),
        "crowd": torch.tensor(crowd, dtype=torch.bool),
    }


def _truth(scene: Scene) -> Truth:
    height, width = scene["image"].shape[1:]
    boxes = scene["boxes"].as_subclass(Tensor) / torch.tensor([width, height, width, height])
    return Truth(boxes, scene["labels"], scene["crowd"], torch.tensor(scene["size"][::-1]))


def _with_mask(sample: MaskSample) -> Scene:
    image = open_picture(sample.file)
    return {"image": image, "mask": mask_of(sample.draw(image.size))}


def _mask(scene: Scene) -> Tensor:
    mask: Tensor = scene["mask"].as_subclass(Tensor)[0].long()
    return mask


def _together(pairs: list[tuple[Tensor, Truth]]) -> tuple[Tensor, list[Truth]]:
    return torch.stack([picture for picture, _ in pairs]), [truth for _, truth in pairs]
