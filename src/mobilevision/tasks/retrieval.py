"""How well vectors find their like: recall, precision, verification, neighbors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

RECALLS = (1, 5, 10)
FALSE = (1e-2, 1e-3, 1e-4)  # shares of false accepts
NEIGHBORS = 5
SHARPNESS = 20.0  # what a cosine is multiplied by before a softmax; arXiv:1811.12649 has a temperature of 0.05
PART = 256  # queries whose cosines are in memory at a time
PAIRED = 3000  # pictures whose pairs are compared, at most: 4.5 million pairs


class Found(NamedTuple):
    """The nearest of a gallery to each query, nearest first.

    Attributes:
        cosines: shape (queries, k).
        places: in the gallery. Shape: (queries, k).
    """

    cosines: Tensor
    places: Tensor


def nearest(queries: Tensor, gallery: Tensor, k: int) -> Found:
    """The `k` vectors of a gallery with the largest cosines, all compared; at most as many as there are.

    Args:
        queries: of length 1. Shape: (queries, numbers).
        gallery: of length 1. Shape: (vectors, numbers).
        k: how many.
    """
    k = min(k, len(gallery))
    parts = [(queries[part] @ gallery.T).topk(k, dim=1) for part in _parts(len(queries))]
    return Found(torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts]))


def retrieval(vectors: Tensor, classes: Tensor) -> dict[str, Any]:
    """What vectors are worth, each picture searched for among all others.

    Pictures that are alone in their class have nothing to find: they are only among the others.

    Args:
        vectors: of length 1. Shape: (N, numbers).
        classes: shape (N,), int64.

    Returns:
        From 0 to 1: "recall1", "recall5", "recall10", the share of pictures with one of their class among as many
        nearest; "map", the mean average precision over all others; "knn", the share whose class wins the vote of the
        five nearest, each weighed by its cosine; "tar_at_far_1e-02" and so on, the share of pairs of a class above the
        cosine that such a share of other pairs exceeds, None where there are too few pairs to tell. "alone": pictures
        that are alone in their class. "per_class": of each class its number "class", "count", "recall1" and "map".
    """
    ranks = [_ranked(part, vectors, classes) for part in _parts(len(vectors))]
    hits, averages, votes, chances = (torch.cat(column) for column in zip(*ranks, strict=True))
    has = averages.isfinite()  # a query that has something to find
    found = {f"recall{k}": _mean(hits[has][:, :k].any(1)) for k in RECALLS}
    return {
        "loss": _mean(-chances[has].clamp(min=1e-12).log()),
        **found,
        "map": _mean(averages[has]),
        "knn": _mean(votes[has]),
        **verification(vectors, classes),
        "alone": int((~has).sum()),
        "per_class": list(_rows(classes, hits[:, 0], averages)),
    }


def verification(vectors: Tensor, classes: Tensor) -> dict[str, float | None]:
    """The share of pairs of a class that are accepted where a small share of other pairs is (TAR at FAR).

    Of very many pictures some are taken, spread over all.

    Args:
        vectors: of length 1. Shape: (N, numbers).
        classes: shape (N,), int64.
    """
    from torchmetrics.functional.classification import binary_roc  # heavy

    spread = torch.linspace(0, len(vectors) - 1, min(len(vectors), PAIRED)).long()
    vectors, classes = vectors[spread], classes[spread]
    first, second = torch.triu_indices(len(vectors), len(vectors), 1)
    same = classes[first] == classes[second]
    names = {share: f"tar_at_far_{share:.0e}" for share in FALSE}
    if same.all() or not same.any():
        return dict.fromkeys(names.values())
    cosines = (vectors @ vectors.T)[first, second]
    false, true, _ = binary_roc((cosines.double() + 1) / 2, same.long())  # as shares: others would be squashed
    others = int((~same).sum())
    return {name: true[false <= share].max().item() if others * share >= 1 else None for share, name in names.items()}


def _parts(count: int) -> Iterator[Tensor]:
    yield from torch.split(torch.arange(count), PART)


def _ranked(queries: Tensor, vectors: Tensor, classes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What is told of each query, a row each.

    Returns:
        Which of the nearest ten are of its class, its average precision (NaN if it is alone), whether its neighbors
        vote for its class, and the chance to draw one of its class (neighborhood component analysis).
    """
    from torchmetrics.functional.retrieval import retrieval_average_precision

    cosines = vectors[queries] @ vectors.T
    others = torch.ones_like(cosines, dtype=torch.bool)
    others[torch.arange(len(queries)), queries] = False
    cosines, others_classes = cosines[others].view(len(queries), -1), classes.expand_as(others)[others]
    same = others_classes.view(len(queries), -1) == classes[queries, None]
    best = cosines.topk(min(max(RECALLS), cosines.shape[1]), dim=1).indices
    averages = [  # it forgets what is relevant with a score of 0 or less, so all are lifted above
        retrieval_average_precision(row.double() + 2, right) if right.any() else row.new_tensor(torch.nan)
        for row, right in zip(cosines, same, strict=True)
    ]
    chances = ((SHARPNESS * cosines).softmax(1) * same).sum(1)
    near = best[:, :NEIGHBORS]
    weights = cosines.gather(1, near).clamp(min=1e-6)
    votes = torch.zeros(len(queries), int(classes.max()) + 1, dtype=weights.dtype)
    votes.scatter_add_(1, others_classes.view_as(cosines).gather(1, near), weights)
    return same.gather(1, best), torch.stack(averages), votes.argmax(1) == classes[queries], chances


def _rows(classes: Tensor, hits: Tensor, averages: Tensor) -> Iterator[dict[str, Any]]:
    for number in sorted(set(classes.tolist())):
        here = (classes == number) & averages.isfinite()
        yield {
            "class": number,
            "count": int((classes == number).sum()),
            "recall1": _mean(hits[here]) if here.any() else None,
            "map": _mean(averages[here]) if here.any() else None,
        }


def _mean(values: Sequence[float] | Tensor) -> float:
    values = torch.as_tensor(values).double()
    return values.mean().item() if len(values) else 0.0
