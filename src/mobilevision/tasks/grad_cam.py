"""Where a classifier looks: Grad-CAM (arXiv:1610.02391)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mobilevision.data.dataset import Sample
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.network import Network
from mobilevision.tasks.classify import Classify

DIGITS = 3  # of a map's values; more cannot be seen


def grad_cam(network: Network, pictures: Tensor, classes: Tensor) -> Tensor:
    """How much each place of the last map speaks for a class (equations 1 and 2).

    The channels are weighted by the mean of the score's slope over them; what speaks against the class is 0.

    Args:
        network: a classifier, in evaluation mode.
        pictures: what it looks at. Shape: (N, channels, H, W).
        classes: of each picture the class that is asked about. Shape: (N,).

    Returns:
        Shape: (N, h, w), that of the last map.
    """
    with torch.enable_grad():
        maps = network.forward_features(pictures).detach().requires_grad_()  # (N, C, h, w)
        scores = network.forward_head(maps)
        (slopes,) = torch.autograd.grad(scores.gather(1, classes[:, None]).sum(), maps)
    weights = slopes.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    return (weights * maps.detach()).sum(1).relu()


def mistakes(
    network: Network,
    wrong: Sequence[dict[str, Any]],
    samples: Sequence[Sample],
    *,
    task: Classify,
    preprocessing: Preprocessing,
) -> list[dict[str, Any]]:
    """Where the network looked when it was wrong: for what it said, and for what is true.

    Args:
        network: what was wrong.
        wrong: the examples of an evaluation, each with "file" and "label".
        samples: the pictures of that evaluation.
        task: what it was asked.
        preprocessing: how a picture becomes a tensor.

    Returns:
        The examples with "said", a map of rows from 0 to 1, and "true", one for each label of the picture by name.
    """
    names = {str(row["file"]) for row in wrong}
    found = {str(sample.file): sample for sample in samples if str(sample.file) in names}
    network, like = network.eval(), next(network.parameters())
    told = []
    for row in wrong:
        sample = found[str(row["file"])]
        classes = [task.labels.index(row["label"]), *sample.labels]
        batches = task.batches([sample], transform=task.evaluation(preprocessing), batch=1)
        picture = next(iter(batches))[0].to(like).expand(len(classes), -1, -1, -1)
        maps = [_rows(each) for each in grad_cam(network, picture, torch.tensor(classes, device=like.device))]
        true = {task.labels[label]: each for label, each in zip(sample.labels, maps[1:], strict=True)}
        told.append(dict(row) | {"said": maps[0], "true": true})
    return told


def _rows(heat: Tensor) -> list[list[float]]:
    """A map from 0 to 1, its largest value; 0 everywhere if nothing speaks for the class."""
    shares = heat / heat.max().clamp(min=torch.finfo(heat.dtype).tiny)
    return [[round(value, DIGITS) for value in row] for row in shares.tolist()]
