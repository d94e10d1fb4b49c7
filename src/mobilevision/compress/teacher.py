"""Who teaches: any trained network, asked for what it says of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as F

from mobilevision.data.preprocessing import INTERPOLATIONS, Preprocessing
from mobilevision.deploy.load import load
from mobilevision.errors import InputError, MissingError, UsageError, missing_extra, nearest
from mobilevision.network import Network
from mobilevision.weights.read import read_state

TIMM = "timm:"
SHOWN = 6  # classes that a message names


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network that is asked and does not learn.

    Attributes:
        name: what it was opened by.
        network: gives scores.
        labels: names of its classes in the order of the scores; plain numbers if they have no names.
        preprocessing: what it expects of pictures.
        order: places of the student's classes among its scores; empty if they are the same.
        weights: what it was loaded with; "" for the usual.
    """

    name: str
    network: nn.Module
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    order: tuple[int, ...] = ()
    weights: str = ""

    @property
    def named(self) -> bool:
        """Whether its classes have names, and not only numbers."""
        return self.labels != tuple(map(str, range(len(self.labels))))

    def seen(self, pictures: Tensor) -> Tensor:
        """Pictures as it expects them: of its size, normalized its way.

        Args:
            pictures: from 0 to 1. Shape: (N, 3, H, W).
        """
        wanted = self.preprocessing
        if tuple(pictures.shape[2:]) != wanted.size:
            how = INTERPOLATIONS[wanted.interpolation]
            pictures = F.resize(pictures, list(wanted.size), interpolation=how, antialias=True)
        if wanted.channels == 1:
            pictures = F.rgb_to_grayscale(pictures)
        normalized: Tensor = F.normalize(pictures, list(wanted.mean), list(wanted.std))
        return normalized

    @torch.no_grad()
    def scores(self, pictures: Tensor) -> Tensor:
        """What it says, in the order of the student's classes. Shape: (N, 3, H, W) from 0 to 1 -> (N, classes)."""
        scores: Tensor = self._ready(pictures)(self.seen(pictures))
        return scores[:, list(self.order)] if self.order else scores

    @torch.no_grad()
    def embed(self, pictures: Tensor) -> Tensor:
        """Its vector before the scores, or its scores if it has no other. Shape: (N, 3, H, W) -> (N, features)."""
        network = self._ready(pictures)
        if isinstance(network, Network):
            return network.embed(self.seen(pictures))
        head: Any = getattr(network, "forward_head", None)
        if head is None:
            raise UsageError(f"{self.name} is a file, which gives scores alone; take a run or a network as the teacher")
        vector: Tensor = head(network.forward_features(self.seen(pictures)), pre_logits=True)  # type: ignore[operator]  # timm's is not typed
        return vector

    def _ready(self, pictures: Tensor) -> nn.Module:
        return self.network.eval().to(pictures.device)


def open_teacher(source: str | Path, *, labels: Sequence[str], weights: str | Path | None = None) -> Teacher:
    """A teacher of these classes.

    Args:
        source: the folder of a run, an exported file, a network's name (with the usual weights unless `weights` names
            others), or "timm:" and the name of one of timm's.
        labels: the student's classes.
        weights: what to load instead of the usual weights; for timm a file.

    Raises:
        UsageError: if there is no such thing.
        InputError: if it has other classes, or cannot be used.
        MissingError: if timm, a runtime or the weights are not here.
    """
    text = str(source)
    if text.startswith(TIMM):
        teacher = _from_timm(text, weights)
    else:
        model = load(source, weights=weights)
        if model.task.name != "classify":
            raise UsageError(f"{source} was trained to {model.task.name}; a teacher must classify")
        teacher = Teacher(text, model.network, model.labels, model.preprocessing)
    teacher.network.eval().requires_grad_(False)
    return replace(matched(teacher, labels), weights=str(weights or ""))


def matched(teacher: Teacher, labels: Sequence[str]) -> Teacher:
    """The teacher with its scores in the order of these classes.

    A teacher whose classes have no names is taken to have them in that order.

    Raises:
        InputError: if it has other classes, or another number of them.
    """
    if teacher.labels == tuple(labels):
        return teacher
    if not teacher.named and len(teacher.labels) == len(labels):
        return teacher
    if set(teacher.labels) != set(labels):
        raise InputError(
            f"the teacher {teacher.name} knows {_told(teacher.labels)} and the student is to learn {_told(labels)};"
            " take a teacher that was trained on the same classes"
        )
    return replace(teacher, order=tuple(teacher.labels.index(label) for label in labels))


def _told(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return f"{len(labels)} classes ({', '.join(labels[:SHOWN])}{more})"


def _from_timm(text: str, weights: str | Path | None) -> Teacher:
    try:
        import timm
    except ModuleNotFoundError:
        raise missing_extra("timm", "distill") from None
    name = text.removeprefix(TIMM)
    if not timm.is_model(name):
        raise UsageError(f"timm has no network {name!r}; {nearest(name, timm.list_models())}")
    try:
        network = timm.create_model(name, pretrained=True) if weights is None else _loaded(timm, name, Path(weights))
    except (OSError, RuntimeError) as error:  # of the hub, or of a file of another network
        reason = str(error).splitlines()[0]
        raise MissingError(f"{text} cannot be had with its weights: {reason}; give a file of its weights") from error
    data: Any = timm.data
    facts = data.resolve_model_data_config(network)
    preprocessing = Preprocessing(
        size=tuple(facts["input_size"][1:]),
        mean=tuple(facts["mean"]),
        std=tuple(facts["std"]),
        crop=facts["crop_pct"],
        interpolation=facts["interpolation"] if facts["interpolation"] in INTERPOLATIONS else "bicubic",
    )
    classes: Any = network.num_classes
    return Teacher(text, network, tuple(map(str, range(classes))), preprocessing)


def _loaded(timm: Any, name: str, weights: Path) -> nn.Module:
    """Timm's network with the weights of a file, which says how many classes there are."""
    state = read_state(weights)
    classifier = f"{timm.get_pretrained_cfg(name).classifier}.weight"
    if classifier not in state:
        raise InputError(f"{weights} has no {classifier}, so it does not hold the weights of timm's {name}")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=len(state[classifier]))
    network.load_state_dict(state)
    return network
