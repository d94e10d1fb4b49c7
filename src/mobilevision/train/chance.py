"""What a recipe sets on a network from outside: chances, statistics, and what is held fast."""

from collections.abc import Callable

import torch
from torch import nn

from mobilevision.errors import MissingError, UsageError
from mobilevision.layers import Residual
from mobilevision.network import Network
from mobilevision.train.recipe import Recipe

Norm = nn.modules.batchnorm._BatchNorm


def set_drops_(network: Network, *, drop_path: float, dropout: float, shape: str = "linear") -> None:
    """Set stochastic depth (arXiv:1603.09382) and the dropout before the scores.

    Args:
        network: whose residuals and head are set.
        drop_path: chance that a sample skips a block. Blocks without a residual are counted, but cannot be skipped.
        dropout: chance that a number before the scores is dropped, in heads that have a dropout.
        shape: "linear" grows from 0 at the first block after the stem to `drop_path` at the last; "flat" is alike.
    """
    blocks = [block for stage in list(network.stages)[1:] for block in stage]  # type: ignore[attr-defined]  # Sequential
    for i, block in enumerate(blocks):
        if isinstance(block, Residual):
            block.drop = drop_path * DEPTHS[shape](i / max(1, len(blocks) - 1))
    for part in network.head.modules():
        if isinstance(part, nn.Dropout):
            part.p = dropout


DEPTHS: dict[str, Callable[[float], float]] = {"linear": lambda depth: depth, "flat": lambda _: 1.0}
"""From a block's depth, 0 to 1, to its part of the chance."""


def set_norms_(network: Network, recipe: Recipe) -> None:
    """Set how much of their running statistics batch norms keep."""
    for part in network.modules():
        if isinstance(part, Norm):
            part.momentum = round(1 - recipe.norm_keep, 12)  # 0.1, not 0.09999999999999998


def share_norms_(network: Network, device: torch.device) -> None:
    """Let batch norms see the batches of all processes.

    Raises:
        MissingError: if the device is a CPU: torch has none there.
    """
    if device.type == "cpu":
        raise MissingError("torch's synchronized batch norm does not run on a CPU; use norms=batch, or a GPU")
    nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]  # torch's


def hold_(network: Network, recipe: Recipe) -> None:
    """Put the network into training, but for what the recipe holds fast: its first stages, or all batch norms.

    What is held neither learns nor counts statistics.

    Raises:
        UsageError: if the recipe holds more stages than there are.
    """
    if recipe.freeze > len(network.stages):
        raise UsageError(f"freeze is {recipe.freeze}, but {network.arch.name} has {len(network.stages)} stages")
    network.train()
    held: list[nn.Module] = list(network.stages[: recipe.freeze])
    if recipe.norms == "frozen":
        held += [part for part in network.modules() if isinstance(part, Norm)]
    for part in held:
        part.eval().requires_grad_(False)


def seed_step(seed: int, step: int, *, process: int = 0) -> None:
    """Let the chances of a step depend on the seed, the step and the process alone: resuming needs no state."""
    torch.manual_seed((seed * 0x9E3779B97F4A7C15 + step + process * 0xD1B54A32D192ED03) % 2**63)
