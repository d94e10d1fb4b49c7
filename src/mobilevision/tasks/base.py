"""What a task is: the little that training, evaluation and distillation ask of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mobilevision.data.augment import Augment
from mobilevision.data.dataset import Data, Sample
from mobilevision.data.preprocessing import Preprocessing

Predict = Callable[[Tensor], Any]
"""From pictures, shape (N, channels, H, W), to a network's outputs: a network, or an exported file in its runtime."""

Batches = Iterable[tuple[Tensor, Any]]
"""Pictures, shape (N, channels, H, W), with their targets."""


class Told(Protocol):
    """What a network says of one picture, whatever the task."""

    @property
    def file(self) -> str:
        """The picture's file; "" if it has none."""

    def facts(self) -> dict[str, Any]:
        """All of it as plain JSON."""

    def words(self) -> str:
        """The same in one line for people, without the file."""

    def rows(self) -> list[dict[str, Any]]:
        """The same as rows of a table: "label", "score" and "file", and what else there is."""


class Task(Protocol):
    """What a network is asked to do; it knows no backbone. A task may wrap a task (distillation)."""

    @property
    def name(self) -> str:
        """The word for it, for example "classify"."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the outputs."""

    @property
    def outputs(self) -> int:
        """What the head is asked for; for a classifier the number of classes."""

    @property
    def goal(self) -> str:
        """The metric that decides which weights are best; higher is better."""

    def facts(self) -> dict[str, Any]:
        """The task as plain JSON."""

    def picture(self, preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
        """How a picture alone is prepared, just as `evaluation` does it. Gives shape (channels, height, width)."""

    def evaluation(self, preprocessing: Preprocessing) -> Any:
        """How a sample is prepared for evaluation: a transform for `batches`."""

    def training(self, preprocessing: Preprocessing, augment: Augment) -> Any:
        """How a sample is varied for training: a transform for `batches`.

        Raises:
            UsageError: if `augment` asks for what this task's targets cannot follow.
        """

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
        """Pictures with their targets; the arguments are those of `mobilevision.data.loaders.loader`.

        `transform` is what `evaluation` or `training` gave.
        """

    def equip_(self, network: nn.Module, samples: Sequence[Sample], *, turns: int, seed: int) -> None:
        """Give the network, before it trains on `samples`, what the loss itself learns, as its `criterion`.

        It then trains with the network, and is in every checkpoint; what is saved of the network is without it. Most
        losses learn nothing.

        Args:
            network: what is going to train.
            samples: on what.
            turns: quarter turns of each sample that are classes of their own.
            seed: decides what it starts from.
        """

    def forward(self, network: nn.Module, pictures: Tensor) -> Any:
        """Run the network on pictures, shape (N, channels, H, W), as training needs it; `loss` takes what comes out."""

    def loss(self, outputs: Any, targets: Any, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
        """The number to make small, a scalar.

        Args:
            outputs: what `forward` gave.
            targets: what the loader gave with the pictures.
            smoothing: share of the target that is spread over all classes.
            weights: how much each class counts. Shape: (outputs,).
        """

    def decode(
        self,
        outputs: Any,
        topk: int | None = None,
        *,
        files: Sequence[str] = (),
        sizes: Sequence[Sequence[int]] = (),
    ) -> Sequence[Told]:
        """What a network says of each picture.

        Args:
            outputs: of the network.
            topk: labels or boxes a picture at most; None has the task's usual number.
            files: the pictures' files, in order.
            sizes: the pictures' heights and widths, in order.
        """

    def fitted(self, data: Data) -> tuple[Task, Data]:
        """The task and other data than it was made for, so that they can be measured together.

        Raises:
            InputError: if the data has none of the labels.
        """

    def weights(self, samples: Sequence[Sample]) -> Tensor:
        """Weights for `loss` that make rare classes count as much as common ones. Shape: (outputs,)."""

    def evaluate(self, predict: Predict, batches: Batches, *, files: Sequence[str] = ()) -> dict[str, Any]:
        """Metrics as plain JSON, all from 0 to 1 but the loss.

        Args:
            predict: gives the outputs for pictures.
            batches: pictures and targets, in order.
            files: the pictures' files in that order, for the examples; without them there are none.
        """
