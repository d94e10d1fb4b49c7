"""Weights into a network: whose they are is seen from their names, and every tensor is accounted for."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mobilevision.blocks import Classifier
from mobilevision.errors import InputError
from mobilevision.network import Network
from mobilevision.weights.keys import (
    OURS,
    Naming,
    arch_of,
    head_layers,
    key_map,
    recognized,
    scores,
    scores_of,
    split,
    stem_of,
)
from mobilevision.weights.names import HEAD
from mobilevision.weights.read import State, read_state, unwrapped

COUNTER = "num_batches_tracked"  # how long a norm was trained; old files lack it and nothing computes with it
COLORS = 3
SHOWN = 3


@dataclass(frozen=True)
class Loaded:
    """What loading did.

    Attributes:
        naming: whose names the weights had: "mobilevision", "timm", "torchvision" or "emo".
        tensors: how many were copied.
        fresh: our names of the tensors that were initialized afresh, because the class count differs.
        notes: a sentence for everything that is not a plain copy.
    """

    naming: str
    tensors: int
    fresh: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def load_weights_(network: Network, source: str | Path | Mapping[str, Tensor]) -> Loaded:
    """Copy weights into `network`, whatever names they have.

    Weights for another number of classes give all but the scores, which are initialized afresh; weights of a classifier
    give a detector or a segmenter all but its head, which stays as it is; weights for images of three colors fit any
    number of channels: one channel takes the sum of the three filters, others repeat them, rescaled so that the sum
    stays. All this is said in the report's notes and as a Python warning.

    Args:
        network: what to fill.
        source: a .safetensors, .pth or .pt file, or tensors by name.

    Raises:
        UsageError: if there is no such file.
        InputError: if the weights are not of this network; nothing is copied then.
    """
    state = unwrapped(source) if isinstance(source, Mapping) else read_state(Path(source))
    naming = recognized(network, state)
    tensors, notes = _taken(network, naming, state), []
    stem, classes = stem_of(network), classes_of(network, state)
    if network.channels != COLORS and tensors[stem].shape[1:2] == (COLORS,):
        notes.append(f"the first convolution was made for {COLORS} channels and adapted to {network.channels}")
        tensors[stem] = to_channels(tensors[stem], network.channels)
    _check_shapes(network, tensors)
    fresh = tuple(key for key in network.state_dict() if key not in tensors)
    if fresh and all(scores(split(key)[0]) for key in fresh):
        told = f"{classes or 'no'} classes, the network {network.outputs}"
        notes.append(f"the weights score {told}: its scores start afresh")
        network.reset_classifier(network.outputs)
    elif fresh:
        notes.append(f"the weights are of a network under another head: {network.arch.name}'s own stays as it is")
    network.load_state_dict(tensors, strict=False)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return Loaded(naming.name, len(tensors), fresh, tuple(notes))


def classes_of(network: Network, state: State) -> int:
    """How many classes the weights `state` score; 0 if they have no scores."""
    weights = [state.get(f"{layer}.weight") for layer in scores_of(network, recognized(network, state))]
    channels = next((weight.shape[0] for weight in weights if weight is not None and weight.dim()), 0)
    return arch_of(network).head.outputs(channels) if channels else 0


def to_channels(weight: Tensor, channels: int) -> Tensor:
    """The first convolution of a network for colors, for another number of channels.

    Args:
        weight: axes out, in, height, width.
        channels: how many the image has: 1 sums the filters over the colors; other counts repeat them, scaled by
            (colors / channels), so that an image of equal channels gives what a grey one gave.
    """
    if channels == 1:
        return weight.sum(1, keepdim=True)
    colors = weight.shape[1]
    repeated = weight.repeat(1, math.ceil(channels / colors), 1, 1)[:, :channels]
    return repeated * (colors / channels)


def _taken(network: Network, naming: Naming, state: State) -> State:
    """Our tensors out of `state`, without the scores if they are of another class count.

    Raises:
        InputError: if a tensor is missing or left over.
    """
    ours, names, skips = network.state_dict(), key_map(network, naming), _skipped(network, naming, state)
    tensors, missing = {}, []
    for key, like in ours.items():
        layer, tensor = split(key)
        found = state.get(names.get(key, ""))
        if skips(layer):
            continue
        if found is not None:
            flat = layer in naming.flat and like.dim() == found.dim() + 2
            tensors[key] = found[..., None, None] if flat else found
        elif tensor == COUNTER:
            tensors[key] = torch.zeros_like(like)
        else:
            missing.append(names.get(key, key))
    others = {theirs for layer, theirs in head_layers(network, naming).items() if skips(layer)}
    others |= {split(key)[0] for key in state if naming is OURS and skips(split(key)[0])}
    known = set(names.values())
    left = [key for key in state if key not in known and split(key)[0] not in others]
    if missing or left:
        raise InputError(_unaccounted(network, naming, missing, left))
    return tensors


def _skipped(network: Network, naming: Naming, state: State) -> Callable[[str], bool]:
    """Which of our layers the weights do not fill: the whole head, the scores alone, or none."""
    ours, names = network.state_dict(), key_map(network, naming)
    head = {key for key in ours if key.startswith(HEAD)}
    marks = {key for key in head if not scores(split(key)[0])}
    whole = bool(marks) and not any(names.get(key) in state for key in marks)
    if whole and not isinstance(network.arch.head, Classifier):
        return lambda layer: layer.startswith(HEAD)
    given = {key: state.get(names.get(key, "")) for key in head if scores(split(key)[0])}
    fits = given and all(found is not None and found.shape[:1] == ours[key].shape[:1] for key, found in given.items())
    return scores if not fits else lambda layer: False


def _unaccounted(network: Network, naming: Naming, missing: list[str], left: list[str]) -> str:
    told = []
    if missing:
        told.append(f"{len(missing)} of its tensors are missing ({_few(missing)})")
    if left:
        told.append(f"{len(left)} are left over ({_few(left)})")
    whose = "our own" if naming is OURS else f"{naming.name}'s"
    return f"these weights, under {whose} names, are not of {network.arch.name}: {' and '.join(told)}"


def _check_shapes(network: Network, tensors: State) -> None:
    ours = network.state_dict()
    wrong = [key for key, tensor in tensors.items() if tensor.shape != ours[key].shape]
    if wrong:
        told = [f"{key} is {tuple(tensors[key].shape)} for {tuple(ours[key].shape)}" for key in wrong]
        raise InputError(
            f"these weights are not of {network.arch.name}: {len(wrong)} of them have another shape ({_few(told)})"
        )


def _few(words: list[str]) -> str:
    return ", ".join(words[:SHOWN]) + (", ..." if len(words) > SHOWN else "")
