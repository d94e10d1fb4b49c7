"""A task that wraps a task: a student learns what a teacher says of the very pictures it sees.

The teacher sees each picture as it was varied for the student, mixed ones too: this is what makes a teacher patient
(function matching, arXiv:2106.05237); a long schedule does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.compress.teacher import Teacher
from mobilevision.compress.wrapped import Wrapped
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import UsageError
from mobilevision.tasks.base import Batches, Predict


class Answers(NamedTuple):
    """What student and teacher say of the same pictures."""

    student: Tensor
    teacher: Tensor


@dataclass(frozen=True)
class Taught(Wrapped):
    """A task whose student is told by a teacher while it trains; what of, stands in the kinds below.

    Attributes:
        teacher: who is asked.
        seen: what the student expects of pictures.
    """

    teacher: Teacher
    seen: Preprocessing

    def facts(self) -> dict[str, Any]:
        """The student's task as plain JSON, and who teaches it."""
        return super().facts() | {"teacher": self.teacher.name, "teacher_weights": self.teacher.weights}

    def shown(self, pictures: Tensor) -> Tensor:
        """The student's pictures from 0 to 1 again. Shape: (N, channels, H, W) -> (N, 3, H, W)."""
        mean, std = (pictures.new_tensor(values).view(1, -1, 1, 1) for values in (self.seen.mean, self.seen.std))
        shown: Tensor = (pictures * std + mean).clamp(0, 1)
        return shown.expand(-1, 3, -1, -1)


@dataclass(frozen=True)
class Distill(Taught):
    """The student learns the teacher's probabilities, softened, and the labels (arXiv:1503.02531, section 2).

    Attributes:
        temperature: what scores are divided by before they become probabilities; more shows more of what the teacher
            thinks of the other classes. The soft part is multiplied by its square, which keeps its gradients as large.
        soft: share of the teacher in the loss; the rest is the labels'. With 1 labels are not used.

    Raises:
        UsageError: if a value makes no sense.
    """

    temperature: float = 1.0
    soft: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not self.temperature > 0:
            raise UsageError(f"temperature {self.temperature} must be more than 0")
        if not 0 < self.soft <= 1:
            raise UsageError(f"soft {self.soft} is not a share above 0 and at most 1")

    def facts(self) -> dict[str, Any]:
        """The student's task as plain JSON, and how it is taught."""
        return super().facts() | {"temperature": self.temperature, "soft": self.soft}

    def forward(self, network: nn.Module, pictures: Tensor) -> Answers:
        """The scores of both."""
        return Answers(network(pictures), self.teacher.scores(self.shown(pictures)))

    def loss(self, outputs: Answers, targets: Any, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
        """The soft part, and the hard part with the smoothing and weights that the student's task has."""
        soft = divergence(outputs.student, outputs.teacher, self.temperature)
        if self.soft == 1:
            return soft
        hard = self.task.loss(outputs.student, targets, smoothing=smoothing, weights=weights)
        return self.soft * soft + (1 - self.soft) * hard


@dataclass(frozen=True)
class MatchVectors(Taught):
    """The student learns the teacher's vector for each picture, without labels: its outputs are the vector.

    This is how MobileNets learned FaceNet's embedding (arXiv:1704.04861, section 4.6): squared differences, averaged.
    """

    goal = "likeness"

    @property
    def outputs(self) -> int:
        """As many numbers as the teacher's vector has."""
        size = self.teacher.preprocessing.size
        return self.teacher.embed(torch.zeros(1, 3, *size)).shape[1]

    def forward(self, network: nn.Module, pictures: Tensor) -> Answers:
        """The vectors of both."""
        return Answers(network(pictures), self.teacher.embed(self.shown(pictures)))

    def loss(self, outputs: Answers, targets: Any, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
        """The mean squared difference; labels, smoothing and weights have no say."""
        return F.mse_loss(outputs.student, outputs.teacher)

    @torch.no_grad()
    def evaluate(self, predict: Predict, batches: Batches, *, files: Sequence[str] = ()) -> dict[str, Any]:
        """How like the student's vectors are to the teacher's: the mean cosine, and the mean squared difference."""
        pairs = [(predict(x).float().cpu(), self.teacher.embed(self.shown(x)).cpu()) for x, _ in batches]
        student, teacher = torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])
        return {
            "count": len(student),
            "loss": F.mse_loss(student, teacher).item(),
            "likeness": F.cosine_similarity(student, teacher).mean().item(),
        }


@dataclass(frozen=True)
class MatchMaps(Taught):
    """The student learns its labels, and to look where the teacher looks (attention maps, arXiv:1612.03928).

    Of the last map of each, the squares are summed over the channels and scaled to length 1; these are compared, so
    channels need not agree. Where one is larger, the other is stretched to it.

    Attributes:
        share: what the squared distance of the maps is multiplied by before the loss of the labels is added.
    """

    share: float = 100.0

    def facts(self) -> dict[str, Any]:
        """The student's task as plain JSON, and how it is taught."""
        return super().facts() | {"share": self.share}

    def forward(self, network: nn.Module, pictures: Tensor) -> tuple[Tensor, Answers]:
        """The student's scores, and the last maps of both."""
        scores, map_of_student = last_map(network, pictures)
        shown = self.teacher.seen(self.shown(pictures))
        with torch.no_grad():
            _, map_of_teacher = last_map(self.teacher.network.to(pictures.device), shown)
        return scores, Answers(map_of_student, map_of_teacher)

    def loss(
        self,
        outputs: tuple[Tensor, Answers],
        targets: Any,
        *,
        smoothing: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The labels' loss and the maps'."""
        scores, (student, teacher) = outputs
        size = teacher.shape[2:]
        apart = attention(F.interpolate(student, size, mode="bilinear")) - attention(teacher)
        hard = self.task.loss(scores, targets, smoothing=smoothing, weights=weights)
        return hard + self.share * apart.square().sum(1).mean()


def divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """How far the student's softened probabilities are from the teacher's, times the temperature's square. A scalar.

    Shape: (N, classes), both.
    """
    said, told = (F.log_softmax(scores.float() / temperature, -1) for scores in (student, teacher))
    return F.kl_div(said, told, reduction="batchmean", log_target=True) * temperature**2


def attention(maps: Tensor) -> Tensor:
    """Where a map is strong, as a vector of length 1. Shape: (N, channels, H, W) -> (N, H * W)."""
    return F.normalize(maps.float().square().sum(1).flatten(1), dim=1)


def last_map(network: nn.Module, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """A network's scores, and the last map it made on the way.

    Raises:
        UsageError: if it makes none, as an exported file.
    """
    maps: list[Tensor] = []

    def keep(_: nn.Module, __: Any, result: Any) -> None:
        if isinstance(result, Tensor) and result.ndim == 4 and result.shape[2:].numel() > 1:
            maps[:] = [result]

    hooks = [module.register_forward_hook(keep) for module in network.modules() if not list(module.children())]
    try:
        scores = network(pictures)
    finally:
        for hook in hooks:
            hook.remove()
    if not maps:
        raise UsageError("this network shows no maps; match a run's or a network's, or learn from scores")
    return scores, maps[0]
