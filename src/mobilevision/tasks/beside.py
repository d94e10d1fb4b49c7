"""What stands beside a network's figures: what needs no training has the same pictures, and a grid has its ceiling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms.v2.functional import gaussian_blur

from mobilevision.data.dataset import Sample
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.embed import Embed
from mobilevision.tasks.figures import HEADLINES
from mobilevision.tasks.filed import FiledDetect
from mobilevision.tasks.segment import Segment, enlarged

BATCH = 32
BINS = 256
INKED, BLUR = 20, 1.0  # pixels
STEPS, RATE = 40, 0.3  # of the search for the best scores of a grid
NUMBERS = 2**23  # of masks in which that is searched, a number for each class and pixel
INK = 0.1  # of a picture's strongest difference from its border; less is paper

Rows = list[dict[str, Any]]
"""Each with "what" it is, the figures a task is known by, and those of every class."""


@dataclass(frozen=True)
class Asked:
    """What a network was measured on, and what it learned from.

    Attributes:
        task: what it was asked.
        train: pictures that may tell how common things are.
        told: pictures that the figures are of.
        preprocessing: how they are prepared.
        network: what was measured.
    """

    task: Any
    train: Sequence[Sample]
    told: Sequence[Sample]
    preprocessing: Preprocessing
    network: nn.Module

    def batches(self) -> Any:
        """The pictures that the figures are of, with their targets, anew at each call."""
        return self.task.batches(self.told, transform=self.task.evaluation(self.preprocessing), batch=BATCH)

    def some(self, most: int) -> Asked:
        """The same of so many pictures at most, spread over all."""
        return replace(self, told=self.told[:: -(-len(self.told) // most)])


def nothing(asked: Asked) -> Rows:
    """Where nothing is known that needs no training."""
    return []


def mean_boxes(asked: Asked) -> Rows:
    """The mean box of each class, in every picture, as sure as the class is common."""
    task: Detect = asked.task
    places, labels = [], []
    for _, truths in task.batches(asked.train, transform=task.evaluation(asked.preprocessing), batch=BATCH):
        places += [truth.boxes for truth in truths]
        labels += [truth.labels for truth in truths]
    place, label = torch.cat(places), torch.cat(labels)
    known = [n for n in range(task.outputs) if (label == n).any()]
    rows = torch.stack(
        [
            torch.cat([place[label == n].mean(0), torch.tensor([(label == n).sum() / len(label), float(n)])])
            for n in known
        ]
    )
    filed = FiledDetect.read(task.facts())
    return [_row("each class's mean box", filed.evaluate(lambda x: rows.expand(len(x), -1, -1), asked.batches()))]


def mask_ceiling(asked: Asked) -> Rows:
    """What scores of the network's grid could say of some of the masks at best; with two classes also Otsu's threshold.

    The scores are searched by descent with the masks in sight, and enlarged as a network's are: about the best that a
    network of this stride could do on these pictures.
    """
    task: Segment = asked.task
    height, width = asked.preprocessing.size
    zeros = torch.zeros(1, asked.preprocessing.channels, height, width).to(next(asked.network.parameters()))
    with torch.no_grad():
        grid = task.scores(asked.network.eval()(zeros)).shape[2:]
    some = asked.some(max(1, NUMBERS // (task.outputs * height * width)))
    best = task.evaluate(lambda x: _best_scores(x, grid), _as_pictures(some.batches(), task.outputs))
    found = [_row(f"the best mask at stride {-(-height // grid[0])}, {best['count']} pictures", best)]
    if task.outputs == 2:
        found.append(_row("Otsu's threshold alone", task.evaluate(otsu, asked.batches())))
    return found


def blurred_pixels(asked: Asked) -> Rows:
    """Pixels alone: what differs from the border, cut out, shrunk to 20 x 20, blurred."""
    task: Embed = asked.task
    return [_row(f"{INKED} x {INKED} blurred pixels", task.evaluate(pixels, asked.batches()))]


def otsu(pictures: Tensor) -> Tensor:
    """The larger side of the gray level that tells two sides apart best is class 0, the other class 1.

    N. Otsu, A threshold selection method from gray-level histograms (1979): between the sides, the variance is largest.
    Shape: (N, channels, H, W) -> (N, 2, H, W).
    """
    return torch.stack([_parted(picture.mean(0)) for picture in pictures])


def pixels(pictures: Tensor) -> Tensor:
    """What stands out of its border, as a vector of length 1. Shape: (N, channels, H, W) -> (N, 400)."""
    return F.normalize(torch.stack([_inked(picture.mean(0)) for picture in pictures]).flatten(1))


@torch.enable_grad()  # metrics are computed without
def _best_scores(masks: Tensor, grid: Sequence[int]) -> Tensor:
    """Scores of a grid that say masks best once they are enlarged. Shape: (N, classes, H, W) -> (N, classes, *grid)."""
    scores = (8 * F.adaptive_avg_pool2d(masks, (grid[0], grid[1])) - 4).requires_grad_()
    descent = torch.optim.Adam([scores], RATE)
    for _ in range(STEPS):
        loss = -(enlarged(scores, masks.shape[2:]).log_softmax(1) * masks).sum() / masks[0, 0].numel()
        (scores.grad,) = torch.autograd.grad(loss, scores)
        descent.step()
    return scores.detach()


def _parted(gray: Tensor) -> Tensor:
    """Shape: (H, W) -> (2, H, W)."""
    low, high = gray.min(), gray.max()
    levels = ((gray - low) / (high - low).clamp(min=1e-12) * (BINS - 1)).round()
    counts = torch.bincount(levels.flatten().long(), minlength=BINS).double()
    below, total = counts.cumsum(0), counts.sum()
    sums = (counts * torch.arange(BINS)).cumsum(0)
    between = (sums[-1] * below - total * sums).square() / (below * (total - below)).clamp(min=1)
    above = levels > between.argmax()
    one = above if above.double().mean() <= 0.5 else ~above
    return torch.stack([~one, one]).float()


def _inked(gray: Tensor) -> Tensor:
    """Shape: (H, W) -> (20, 20)."""
    border = torch.cat([gray[0], gray[-1], gray[:, 0], gray[:, -1]]).median()
    ink = (gray - border).abs()
    there = ink > INK * ink.max()
    rows, columns = (there.any(axis).nonzero().flatten() for axis in (1, 0))
    if len(rows):
        ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    short = [max(ink.shape) - side for side in ink.shape]
    ink = F.pad(ink, (short[1] // 2, -(-short[1] // 2), short[0] // 2, -(-short[0] // 2)))
    small = F.interpolate(ink[None, None], (INKED, INKED), mode="bilinear", antialias=True)
    blurred: Tensor = gaussian_blur(small, [7, 7], [BLUR, BLUR])[0, 0]
    return blurred


def _as_pictures(batches: Any, classes: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Masks as pictures of themselves, a channel for each class; pixels of nobody's class are in none."""
    for _, truth in batches:
        yield torch.stack([(truth == n).float() for n in range(classes)], 1), truth


def _row(what: str, metrics: dict[str, Any]) -> dict[str, Any]:
    figures = {name: metrics[name] for name in HEADLINES if name in metrics}
    return {"what": what} | figures | {"per_class": metrics["per_class"]}


Beside = Callable[[Asked], Rows]
