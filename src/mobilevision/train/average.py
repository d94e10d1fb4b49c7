"""The running average of the weights, which does better than the weights themselves."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


class Average(Generic[Module]):
    """A second network whose weights follow those of the first slowly (exponential moving average).

    Batch-norm statistics are averaged as weights are; whole numbers are copied. In the first steps the average is
    shorter, as in TensorFlow: step n keeps at most (1 + n) / (10 + n).

    Args:
        network: the one to follow, on its device already.
        keep: share of the average that a step keeps; 0 follows at once.
    """

    def __init__(self, network: Module, keep: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.keep = keep

    @torch.no_grad()
    def update_(self, network: nn.Module, step: int) -> None:
        """Follow `network` after `step` (from 0)."""
        keep = min(self.keep, (1 + step) / (10 + step))
        slow = [tensor for tensor in _tensors(self.network) if tensor.is_floating_point()]
        fast = [tensor for tensor in _tensors(network) if tensor.is_floating_point()]
        torch._foreach_lerp_(slow, fast, 1 - keep)
        for mine, its in zip(self.network.buffers(), network.buffers(), strict=True):
            if not mine.is_floating_point():
                mine.copy_(its)


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
