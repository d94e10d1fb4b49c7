"""A task that wraps a task: it does all as the other does, but for what its own kind changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mobilevision.data.album import Sample
from mobilevision.data.augment import Augment
from mobilevision.data.dataset import Data
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.tasks.base import Batches, Predict, Task, Told


@dataclass(frozen=True)
class Wrapped:
    """All as the student's task does it; see `mobilevision.tasks.base.Task`.

    Attributes:
        task: the student's task.
    """

    task: Task

    @property
    def name(self) -> str:
        """The student's task."""
        return self.task.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the student's classes."""
        return self.task.labels

    @property
    def outputs(self) -> int:
        """What the student's head is asked for."""
        return self.task.outputs

    @property
    def goal(self) -> str:
        """The metric that decides."""
        return self.task.goal

    def facts(self) -> dict[str, Any]:
        """The student's task as plain JSON; who reads it finds the task itself, and how it was taught beside it."""
        return self.task.facts()

    def picture(self, preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
        """How a picture alone is prepared."""
        return self.task.picture(preprocessing)

    def evaluation(self, preprocessing: Preprocessing) -> Any:
        """How a sample is prepared for evaluation."""
        return self.task.evaluation(preprocessing)

    def training(self, preprocessing: Preprocessing, augment: Augment) -> Any:
        """How a sample is varied for training."""
        return self.task.training(preprocessing, augment)

    def batches(
        self,
        samples: Sequence[Sample],
        *,
        transform: Any,
        batch: int,
        shuffle: bool = False,
        seed: int = 0,
        workers: int = 0,
        balanced: bool = False,
        least: int | None = None,
    ) -> DataLoader[Any]:
        """Pictures with their targets."""
        return self.task.batches(
            samples,
            transform=transform,
            batch=batch,
            shuffle=shuffle,
            seed=seed,
            workers=workers,
            balanced=balanced,
            least=least,
        )

    def equip_(self, network: nn.Module, samples: Sequence[Sample], *, turns: int, seed: int) -> None:
        """What the student's loss learns."""
        self.task.equip_(network, samples, turns=turns, seed=seed)

    def forward(self, network: nn.Module, pictures: Tensor) -> Any:
        """Run the network as training needs it."""
        return self.task.forward(network, pictures)

    def loss(self, outputs: Any, targets: Any, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
        """The number to make small."""
        return self.task.loss(outputs, targets, smoothing=smoothing, weights=weights)

    def decode(
        self,
        outputs: Any,
        topk: int | None = None,
        *,
        files: Sequence[str] = (),
        sizes: Sequence[Sequence[int]] = (),
    ) -> Sequence[Told]:
        """What the student says of each picture."""
        return self.task.decode(outputs, topk, files=files, sizes=sizes)

    def fitted(self, data: Data) -> tuple[Task, Data]:
        """The student's task for other data; a teacher has no say in what is measured."""
        return self.task.fitted(data)

    def weights(self, samples: Sequence[Sample]) -> Tensor:
        """Weights for the labels' loss."""
        return self.task.weights(samples)

    def evaluate(self, predict: Predict, batches: Batches, *, files: Sequence[str] = ()) -> dict[str, Any]:
        """The student alone, as its task does it."""
        return self.task.evaluate(predict, batches, files=files)
