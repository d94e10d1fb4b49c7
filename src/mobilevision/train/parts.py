"""In how many parts a step is worked off, so that it fits into the memory."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from dataclasses import replace

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils._pytree import tree_leaves

from mobilevision.cost import walk
from mobilevision.errors import MissingError
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.train.plan import Plan
from mobilevision.train.resume import has_checkpoint

KEPT = 2.0
"""Bytes that a step takes for each byte that the network's layers read and write; at most 1.6 were seen."""

FREE = 0.5
"""Share of a CPU's free memory that a step may take."""


def with_parts(plan: Plan, network: Network, *, fabric: Fabric, run: Run) -> Plan:
    """The plan with the fewest parts that fit, if its recipe leaves their number open.

    The batch stays what it is, and with it the learning rate that fits it; batch norms see a part at a time. A run
    that goes on keeps the parts it had.

    Raises:
        MissingError: if not even a picture fits.
    """
    if plan.recipe.accumulate:
        return plan
    parts = 0
    if fabric.is_global_zero:
        known = has_checkpoint(run.folder)
        parts = run.read("recipe")["accumulate"] if known else fewest_parts(plan, network, fabric=fabric)
    return replace(plan, recipe=replace(plan.recipe, accumulate=fabric.broadcast(parts)))


def fewest_parts(plan: Plan, network: Network, *, fabric: Fabric) -> int:
    """The fewest parts that a batch can be worked off in on this device.

    Raises:
        MissingError: if not even a picture fits.
    """
    batch = min(plan.recipe.batch, len(plan.data.train))
    fits = _estimated if fabric.device.type == "cpu" else _tried
    for pictures, parts in _divided(batch, fabric.world_size):
        if fits(plan, network, pictures, fabric):
            return parts
    raise MissingError(f"not even one picture of {plan.preprocessing.size} pixels fits into the memory; lower size")


def _divided(batch: int, processes: int) -> Iterator[tuple[int, int]]:
    """Pictures in a part with the number of parts, largest part first."""
    share = max(1, batch // processes)
    return ((share // parts, parts) for parts in range(1, share + 1) if share % parts == 0)


def _estimated(plan: Plan, network: Network, pictures: int, fabric: Fabric) -> bool:
    rows = walk(plan.arch, size=plan.preprocessing.size[0], outputs=network.outputs)
    needed = KEPT * pictures * sum(row.cost.activation_bytes for row in rows)
    return needed <= FREE * os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _tried(plan: Plan, network: Network, pictures: int, fabric: Fabric) -> bool:
    """Whether a step on so many pictures ends without running out of memory."""
    trial = copy.deepcopy(network)
    plan.equip_(trial)
    trial.to(fabric.device).train()
    try:
        with fabric.autocast():
            x = torch.randn(pictures, network.channels, *plan.preprocessing.size, device=fabric.device)
            outputs = tree_leaves(plan.task.forward(trial, x.contiguous(memory_format=torch.channels_last)))
        sum(value.float().sum() for value in outputs if isinstance(value, Tensor) and value.requires_grad).backward()  # type: ignore[union-attr]  # not 0
    except torch.OutOfMemoryError:
        return False
    finally:
        del trial
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True
