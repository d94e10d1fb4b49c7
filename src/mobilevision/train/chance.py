"""What training leaves to chance inside a network, set from outside: stochastic depth and dropout."""

import torch
from torch import nn

from mobilevision.layers import Residual
from mobilevision.network import Network


def set_drops_(network: Network, *, drop_path: float, dropout: float) -> None:
    """Set stochastic depth (arXiv:1603.09382) and the dropout before the scores.

    Args:
        network: whose residuals and head are set.
        drop_path: chance that a sample skips the last block; it grows in a line from 0 at the first block after the
            stem. Blocks without a residual are counted, but cannot be skipped.
        dropout: chance that a number before the scores is dropped, in heads that have a dropout.
    """
    blocks = [block for stage in list(network.stages)[1:] for block in stage]  # type: ignore[attr-defined]
    for i, block in enumerate(blocks):
        if isinstance(block, Residual):
            block.drop = drop_path * i / max(1, len(blocks) - 1)
    for part in network.head.modules():
        if isinstance(part, nn.Dropout):
            part.p = dropout


def seed_step(seed: int, step: int) -> None:
    """Let the chances of a step depend on the seed and the step alone, so that resuming needs no generator's state."""
    torch.manual_seed((seed * 0x9E3779B97F4A7C15 + step) % 2**63)
