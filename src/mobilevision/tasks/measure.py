"""How good something is on pictures: a network, or an exported file in its runtime."""

from collections.abc import Sequence
from typing import Any

from mobilevision.data.dataset import Sample
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError
from mobilevision.tasks.base import Predict, Task


def measure(
    predict: Predict,
    samples: Sequence[Sample],
    *,
    task: Task,
    preprocessing: Preprocessing,
    split: str,
    batch: int = 32,
    workers: int = 0,
) -> dict[str, Any]:
    """The task's metrics on `samples`, as metrics.json holds them.

    Args:
        predict: gives the outputs for pictures, shape (N, channels, H, W).
        samples: the pictures and their labels.
        task: what is asked.
        preprocessing: how a picture becomes a tensor.
        split: what to call these samples: "validation" or "test".
        batch: pictures at a time.
        workers: processes that read pictures; 0 reads them here.

    Raises:
        InputError: if there are no samples.
    """
    if not samples:
        raise InputError(f"there are no {split} pictures; give a folder that has some")
    batches = task.batches(samples, transform=task.evaluation(preprocessing), batch=batch, workers=workers)
    return {"split": split} | task.evaluate(predict, batches, files=[str(sample.file) for sample in samples])
