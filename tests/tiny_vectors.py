"""A tiny network of vectors, its task, and the names of ten classes."""

from dataclasses import replace

import torch

import tiny_training
from mobilevision.blocks import Projection
from mobilevision.network import Network
from mobilevision.tasks.embed import Embed
from mobilevision.tasks.margins import NormalizedSoftmax
from mobilevision.train.recipes import embed_small

TINY = tiny_training.TINY.with_head(Projection())
RECIPE = replace(embed_small, epochs=3, least_steps=0, batch=12, size=16, lr=0.01, turns=1)
SHADES = ("amber", "blue", "cyan", "green", "pink", "red", "teal", "white", "yellow", "zinc")
TASK = Embed(outputs=8, margin=NormalizedSoftmax(), classes=SHADES)


def fresh(seed: int = 0) -> Network:
    """A new network, of a seed always the same."""
    torch.manual_seed(seed)
    return Network(TINY, TASK.outputs)
