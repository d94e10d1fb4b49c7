"""What a network becomes in a file, by its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mobilevision.deploy.boxes import ClassRows, Detector, Every, Raw, open_boxes_
from mobilevision.deploy.masks import INPUT, Main, PixelRows, check_masks, open_masks, without_auxiliary_
from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.tasks.catalog import read_task
from mobilevision.tasks.detect import Detect

Shape = tuple[int, int, int]
"""Channels, height and width of a picture."""


@dataclass(frozen=True)
class Filing:
    """How a prepared network is finished.

    Attributes:
        finished: the network with all that its file gives.
        rows: what it says of classes, as rows of scores, so that it is seen how much a layer matters.
    """

    finished: Callable[[nn.Module], nn.Module]
    rows: Callable[[nn.Module], nn.Module]


def filing_(network: Network, card: Mapping[str, Any], shape: Shape) -> Filing:
    """Open a network for its file: what a file holds as constants, or not at all, is taken out of it, in place.

    Args:
        network: as it was trained.
        card: what stands inside the file; its "task" says what it gives.
        shape: channels, height and width of a picture.

    Raises:
        UsageError: if the card asks for what files do not give.
    """
    return WAYS[card.get("task", "classify")](network.eval(), card, shape)


def given(task: str, *, mask_size: str) -> dict[str, Any]:
    """What a file's card says of what it gives, if that is not the usual.

    Args:
        task: its name.
        mask_size: of a segmenter's masks, see `mobilevision.deploy.masks.check_masks`.

    Raises:
        UsageError: if the task gives no masks.
    """
    check_masks(mask_size)
    if mask_size != INPUT and task != "segment":
        raise UsageError(f"only a segmenter's file gives masks, and this run was made to {task}; leave mask_size out")
    return {"mask_size": mask_size} if mask_size != INPUT else {}


def _scores(network: Network, card: Mapping[str, Any], shape: Shape) -> Filing:
    return Filing(finished=_same, rows=_same)


def _boxes(network: Network, card: Mapping[str, Any], shape: Shape) -> Filing:
    task = read_task(card)
    assert isinstance(task, Detect)
    bias_(network)
    choose = open_boxes_(network, task, shape)
    whole = Every if card.get("raw") else Detector
    return Filing(finished=partial(whole, choose=choose), rows=ClassRows)


def _masks(network: Network, card: Mapping[str, Any], shape: Shape) -> Filing:
    bias_(network)
    without_auxiliary_(network)
    return Filing(finished=partial(open_masks, shape=shape, size=card.get("mask_size", INPUT)), rows=PixelRows)


@torch.no_grad()
def opened(head: nn.Module, maps: Sequence[Tensor]) -> nn.Module:
    """A head alone as files hold it: a detector's without its anchors, a segmenter's without auxiliary scores.

    Args:
        head: takes a list of maps.
        maps: of the shapes that it will take.
    """
    said = head(maps)
    if not isinstance(said, dict):
        return head
    return Raw(head, said["scores"].shape[-1]) if "anchors" in said else Main(head)


def bias_(network: nn.Module) -> None:
    """Give every convolution of dense heads a bias, where the shift that rounding causes can be taken back."""
    for part in network.modules():
        if isinstance(part, nn.Conv2d) and part.bias is None:
            part.bias = nn.Parameter(part.weight.new_zeros(part.out_channels))


def _same(network: nn.Module) -> nn.Module:
    return network


WAYS: dict[str, Callable[[Network, Mapping[str, Any], Shape], Filing]] = {
    "classify": _scores,
    "embed": _scores,
    "detect": _boxes,
    "segment": _masks,
}

PLAIN = Filing(finished=_same, rows=_same)
"""Of a network whose file gives what it gives."""
