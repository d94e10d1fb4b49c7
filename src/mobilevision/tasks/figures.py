"""The figures of tasks as people call them, and how sure a measured share is. Nothing here imports torch."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

NAMES = {
    "top1": "top-1",
    "top5": "top-5",
    "map": "mAP",
    "map50": "mAP50",
    "map75": "mAP75",
    "miou": "mIoU",
    "iou": "IoU",
    "recall1": "recall@1",
    "recall5": "recall@5",
    "recall10": "recall@10",
    "knn": "k-NN",
    "tar_at_far_1e-02": "TAR@FAR 1e-2",
    "tar_at_far_1e-03": "TAR@FAR 1e-3",
    "tar_at_far_1e-04": "TAR@FAR 1e-4",
    "alone": "pictures alone in their class",
}
"""Of metrics and of figures of a class, where an underscore is not all that needs a change."""

HEADLINES = ("top1", "top5", "recall1", "map50", "map", "miou")
"""The figures that a task is known by; the first that metrics hold comes first."""

COUNTED = ("top1", "recall1")
"""Those that are a share of the pictures, so that their number tells how sure they are."""

SHARES = ("recall1", "map50", "iou", "accuracy")
"""What tells best how well a class is known; of a row of `per_class` the first that it holds."""


Percent = Callable[[float], str]
"""How a share is written."""

FEW = 4  # classes that are told in a line


NORMAL_95 = 1.959964  # standard deviations that hold 95 % of a normal distribution


def headline(metrics: Mapping[str, Any], *, percent: Percent = "{:.1%}".format) -> str:
    """The figures that a task is known by, in one line: "top-1 91.2%, top-5 99.0%"."""
    return ", ".join(f"{NAMES[name]} {percent(metrics[name])}" for name in HEADLINES if name in metrics)


def told_beside(metrics: Mapping[str, Any], *, percent: Percent = "{:.1%}".format) -> list[str]:
    """What needs no training, and what no network could exceed, on the same pictures, a line for each."""
    return [
        f"{row['what']}: " + ", ".join([headline(row, percent=percent), *_few(row["per_class"], percent)])
        for row in metrics.get("beside", ())
    ]


def _few(rows: Sequence[Mapping[str, Any]], percent: Percent) -> list[str]:
    """Every class's share, where there are few of them."""
    shares = [(row["label"], share_of(row)) for row in rows] if len(rows) <= FEW else []
    return [f"{label} {percent(share)}" for label, share in shares if share is not None]


def first_of(metrics: Mapping[str, Any]) -> str:
    """The name of the figure that a task is known by first; "" if there is none."""
    return next((name for name in HEADLINES if name in metrics), "")


def called(name: str) -> str:
    """A figure's name for people."""
    return NAMES.get(name, name.replace("_", " "))


def title(name: str) -> str:
    """The same with a capital, unless it is written in a way of its own (mAP50, mIoU)."""
    told = called(name)
    return told.capitalize() if told.islower() else told


def share_of(row: Mapping[str, Any]) -> float | None:
    """How well a class is known, 0 to 1; None where there is nothing of it."""
    value = row.get(next((name for name in SHARES if name in row), ""))
    return value if isinstance(value, int | float) else None


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share that was measured on `n` pictures, by Wilson's score.

    It stays within 0..1 and is honest for small `n` and for shares near 0 and 1.
    """
    if n < 1:
        return 0.0, 1.0
    z2 = NORMAL_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = NORMAL_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)
