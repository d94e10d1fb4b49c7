"""Pictures with boxes or masks, moved together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from mobilevision.data.augment import Augment
from mobilevision.data.preprocessing import INTERPOLATIONS, Preprocessing
from mobilevision.errors import UsageError

Scene = dict[str, Any]
"""An "image" with its "boxes" and their "labels" and "crowd", or with its "mask"."""

Joint = Callable[[Scene], Scene]
"""From a Pillow image to a normalized tensor, with what belongs to it."""

SLIVER = 2  # pixels; a box that a crop has left narrower than this is dropped


def stretched(preprocessing: Preprocessing) -> Joint:
    """For evaluation: the whole picture at the tensor's size, whatever its proportions; nothing is cropped."""
    return Steps(preprocessing, _resize(preprocessing))


def alone(preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
    """The same for a picture with nothing that belongs to it. Gives shape (channels, height, width)."""
    return Alone(stretched(preprocessing))


def varied(preprocessing: Preprocessing, augment: Augment) -> Joint:
    """For training: a crop of the area and ratio that `augment` draws, mirrored, with other colors.

    What a crop cuts off a box is lost, and a box that has nearly nothing left goes with it. Pixels of a mask that a
    picture does not reach are of nobody's class.

    Raises:
        UsageError: if `augment` asks for a policy or for mixing: those move pixels without telling where boxes go.
    """
    if augment.mixing:
        raise UsageError("boxes and masks are not mixed; set mixup and cutmix to 0")
    if augment.policy != "none":
        raise UsageError(f"the policy {augment.policy!r} does not move boxes and masks; set policy to 'none'")
    augment = augment.unturned()
    crop = v2.RandomResizedCrop(
        preprocessing.size,
        scale=augment.area,
        ratio=augment.ratio,
        interpolation=INTERPOLATIONS[preprocessing.interpolation],
        antialias=True,
    )
    whole = augment.area[0] == 1
    steps: list[Any] = [_resize(preprocessing) if whole else crop]
    if augment.flip:
        steps.append(v2.RandomHorizontalFlip(augment.flip))
    if augment.color:
        steps.append(v2.ColorJitter(brightness=augment.color, contrast=augment.color, saturation=augment.color))
    return Steps(preprocessing, v2.Compose(steps))


def boxes_of(boxes: list[tuple[float, float, float, float]], height: int, width: int) -> tv_tensors.BoundingBoxes:
    """Boxes in pixels of a picture, so that transforms move them."""
    tensor = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return tv_tensors.BoundingBoxes(tensor, format="XYXY", canvas_size=(height, width))


def mask_of(mask: Image.Image) -> tv_tensors.Mask:
    """A mask, so that transforms move it without mixing its numbers. Shape: (1, H, W)."""
    return tv_tensors.Mask(v2.functional.pil_to_tensor(mask))


def _resize(preprocessing: Preprocessing) -> v2.Transform:
    return v2.Resize(
        list(preprocessing.size), interpolation=INTERPOLATIONS[preprocessing.interpolation], antialias=True
    )


@dataclass(frozen=True)
class Steps:
    """Transforms that move a whole scene, between the preparation of the picture and its normalization."""

    preprocessing: Preprocessing
    moves: v2.Transform

    def __call__(self, scene: Scene) -> Scene:
        """The moved scene; its image is a tensor of the preprocessing's size."""
        moved: Scene = self.moves(scene | {"image": self.preprocessing.channelled(scene["image"])})
        if "boxes" in moved:
            moved = _sound(moved)
        return moved | {"image": self.preprocessing.normalized(moved["image"])}


@dataclass(frozen=True)
class Alone:
    """A joint transform of a picture alone."""

    joint: Joint

    def __call__(self, image: Image.Image) -> Tensor:
        """The tensor of a picture. Shape: (channels, height, width)."""
        tensor: Tensor = self.joint({"image": image})["image"]
        return tensor


def _sound(scene: Scene) -> Scene:
    """Without the boxes that a crop has left nearly empty."""
    boxes = v2.functional.clamp_bounding_boxes(scene["boxes"])
    sides: Tensor = boxes[:, 2:] - boxes[:, :2]
    keep = (sides >= SLIVER).all(1) | torch.tensor(not len(boxes))
    return scene | {"boxes": boxes[keep], "labels": scene["labels"][keep], "crowd": scene["crowd"][keep]}
