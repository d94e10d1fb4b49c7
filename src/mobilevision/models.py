"""Networks that are ready to use: architecture, weights, labels, preprocessing."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, TypeGuard, overload

import torch
from PIL import Image

from mobilevision import zoo
from mobilevision.architecture import Arch, Tap
from mobilevision.data.pictures import find_pictures, open_picture
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError
from mobilevision.network import Features, Network
from mobilevision.tasks.base import Task, Told
from mobilevision.tasks.catalog import read_task, task_of
from mobilevision.weights.load import load_weights_
from mobilevision.weights.pretrained import HUB, Pretrained, from_file, from_folder, from_hub, holds_model
from mobilevision.weights.pretrained import pretrained as pretrained_for
from mobilevision.weights.published import find
from mobilevision.weights.save import save_model

Picture = str | Path | Image.Image
Named = tuple[str, Image.Image]
"""A picture with its file, "" if it has none."""

BATCH = 16  # pictures that run through a network together


@overload
def create_model(
    name: str | Arch,
    *,
    pretrained: bool | str | Path = ...,
    num_classes: int | None = ...,
    in_chans: int = ...,
    features_only: Literal[False] = ...,
    out_indices: None = ...,
) -> Network: ...


@overload
def create_model(
    name: str | Arch,
    *,
    pretrained: bool | str | Path = ...,
    num_classes: int | None = ...,
    in_chans: int = ...,
    features_only: Literal[True],
    out_indices: Sequence[int] | None = ...,
) -> Features: ...


def create_model(
    name: str | Arch,
    *,
    pretrained: bool | str | Path = False,
    num_classes: int | None = None,
    in_chans: int = 3,
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
) -> Network | Features:
    """A network by name, with or without weights, in training mode.

    Pretrained weights may ask for an epsilon or a padding of their own (TensorFlow's do): the network's `arch` has
    them. Of weights for other classes or channels see `load_weights_`. The network knows its `labels` (numbers, if they
    have no names) and its `preprocessing` (None, if pictures cannot have so many channels).

    Args:
        name: a network's name, also with a tag as in "mobilenetv2_100.ra_in1k"; "hf-hub:owner/name"; the folder of a
            run or of `save_pretrained`; or an `Arch`.
        pretrained: True for the usual published weights, a tag of others, a file of weights under our own, timm's,
            torchvision's or EMO's names, the folder of a run, or "hf-hub:owner/name".
        num_classes: how many scores; 0 gives the embedding; None as the weights have it, else 1000.
        in_chans: channels of the image.
        features_only: give a list of maps, fine to coarse, instead of scores.
        out_indices: which of the maps, counted from the finest; all, if None.

    Raises:
        UsageError: if there is no such network, tag, file, repository or map.
        InputError: if the weights cannot be read or are not of this network.
        MissingError: if they are published but neither here nor within reach.
    """
    if out_indices is not None and not features_only:
        raise UsageError("out_indices chooses among the maps of features_only=True; set that too")
    found, arch = _found(name, pretrained)
    arch = found.arch if found else arch
    classes = num_classes if num_classes is not None else found.classes if found else 1000
    network = Network(arch, 0 if features_only else classes, channels=in_chans)
    expects = found.preprocessing if found else Preprocessing((arch.size, arch.size))
    network.preprocessing = with_channels(expects, in_chans)
    if found:
        load_weights_(network, found.state)
    named = found is not None and len(found.labels) == network.outputs
    network.labels = found.labels if found and named else _numbers(network.outputs)
    return _features(network, _chosen(arch, out_indices)) if features_only else network


@dataclass(frozen=True)
class Model:
    """What predicts: a network with its task, the names of its classes and what it expects of a picture."""

    network: Network
    task: Task
    labels: tuple[str, ...]
    preprocessing: Preprocessing

    @classmethod
    def from_pretrained(cls, source: str | Path, *, weights: str | Path | None = None) -> Model:
        """What `save_pretrained` wrote, from its folder or from "hf-hub:owner/name"; see `open_model`."""
        return open_model(source, weights=weights)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write config.json and model.safetensors, as a repository of the hub holds them.

        What comes back out of them, by `from_pretrained`, `mobilevision.load` or `create_model`, predicts the same.
        """
        return save_model(self.network, folder, self.task.facts())

    def predict(self, source: Picture | Sequence[Picture], *, topk: int | None = None) -> Told | list[Told]:
        """What the network says of a picture, or of each of several.

        Args:
            source: a picture's file or a Pillow image; or a folder or a list of them. Files of a folder that cannot be
                read are left out with a warning.
            topk: labels or boxes a picture at most; None has the task's usual number.

        Returns:
            One prediction for one picture, else a list in the order given (a folder's: by name).

        Raises:
            UsageError: if there is no such file or folder.
            InputError: if the picture cannot be read, or no picture of a folder.
        """
        told = [one for _, one in self.each(pictures_of(source), topk=topk)]
        if isinstance(source, (str, Path, Image.Image)) and not _is_folder(source):
            return told[0]
        if not told and isinstance(source, (str, Path)):
            raise InputError(f"none of the pictures of {source} can be read; the warnings tell why")
        return told

    def each(
        self, pictures: Iterable[Named], *, topk: int | None = None, batch: int = BATCH
    ) -> Iterator[tuple[Image.Image, Told]]:
        """Each picture with what the network says of it, as they come: a folder's, or the frames of a video.

        Args:
            pictures: with their names.
            topk: labels or boxes a picture at most; None has the task's usual number.
            batch: pictures that run together; 1 waits for no other.
        """
        network = self.network.eval()
        like, prepared = next(network.parameters()), self.task.picture(self.preprocessing)
        for some in _batches(iter(pictures), batch):
            files, images = [file for file, _ in some], [image for _, image in some]
            with torch.no_grad():
                outputs = network(torch.stack([prepared(image) for image in images]).to(like))
            sizes = [(image.height, image.width) for image in images]
            yield from zip(images, self.task.decode(outputs, topk, files=files, sizes=sizes), strict=True)


def pictures_of(source: Picture | Sequence[Picture]) -> Iterator[Named]:
    """The pictures that `Model.predict` takes, opened one after another; unreadable ones of a folder with a warning.

    Raises:
        UsageError: if there is no such file or folder.
        InputError: if a picture cannot be read, or a folder holds none.
    """
    if _is_folder(source):
        return _readable(find_pictures(source))
    if isinstance(source, (str, Path, Image.Image)):
        return iter([_opened(source)])
    return (_opened(one) for one in source)


def open_model(source: str | Path, *, weights: str | Path | None = None) -> Model:
    """What predicts, from a run or from a model's name.

    Args:
        source: the folder of a run or of `save_pretrained`; a .safetensors file of ours; "hf-hub:owner/name"; or the
            name of a network, with the usual published weights unless `weights` names others.
        weights: a tag, file, folder or repository to take instead of the usual weights or of the run's best.

    Raises:
        UsageError: if there is no such source or weights.
        InputError: if they cannot be read or do not fit each other.
        MissingError: if they are published but neither here nor within reach.
    """
    name, path = str(source), Path(source)
    if path.exists():
        return _opened_model(from_folder(path) if path.is_dir() else from_file(path), weights)
    if name.startswith(HUB):
        return _opened_model(from_hub(name), weights)
    network = create_model(name, pretrained=weights or True)
    if network.outputs == 0:
        raise InputError(f"the weights of {source} have no scores; fine-tune them with classes of your own first")
    task = task_of(network.arch, network.labels)
    return Model(network.eval(), task, network.labels, network.preprocessing)


def with_channels(preprocessing: Preprocessing, channels: int) -> Preprocessing | None:
    """The same for so many channels: one takes the mean over the colors; None, if pictures have no so many."""
    if channels == len(preprocessing.mean):
        return preprocessing
    if channels != 1:
        return None
    mean, std = (sum(values) / len(values) for values in (preprocessing.mean, preprocessing.std))
    return replace(preprocessing, mean=(mean,), std=(std,))


def _found(name: str | Arch, which: bool | str | Path) -> tuple[Pretrained | None, Arch]:
    """The weights that are asked for, if any, and the architecture."""
    if isinstance(name, Arch):
        return (pretrained_for(name, which) if which else None), name
    if name.startswith(HUB) or holds_model(Path(name)):
        found = from_hub(name) if name.startswith(HUB) else from_folder(Path(name))
        return (pretrained_for(found.arch, name if which is True else which) if which else None), found.arch
    base, _, tag = name.partition(".")
    arch = zoo.arch(base)
    if tag:
        find(arch.name, tag)
    return (pretrained_for(arch, tag if tag and which is True else which) if which else None), arch


def _opened_model(found: Pretrained, weights: str | Path | None) -> Model:
    """The model of what was found in a folder, a file or a repository, with other weights if they are named."""
    state = pretrained_for(found.arch, weights).state if weights else found.state
    labels = found.labels or _numbers(found.classes)
    if not labels:
        raise InputError(
            f"the weights of {found.arch.name} have no scores; fine-tune them with classes of your own first"
        )
    network = Network(found.arch, len(labels), channels=found.preprocessing.channels)
    network.labels, network.preprocessing = labels, found.preprocessing
    load_weights_(network, state)
    task = read_task(found.task) if found.task else task_of(found.arch, labels)
    return Model(network.eval(), task, labels, found.preprocessing)


def _numbers(classes: int) -> tuple[str, ...]:
    """Names for classes that have none."""
    return tuple(map(str, range(classes)))


def _features(network: Network, taps: Sequence[Tap]) -> Features:
    """The backbone of a network, with its weights."""
    features = Features(network.arch, taps, channels=network.channels)
    state = network.state_dict()
    features.load_state_dict({key: state[key] for key in features.state_dict()})
    features.preprocessing = network.preprocessing
    return features


def _chosen(arch: Arch, indices: Sequence[int] | None) -> list[Tap]:
    """The maps of `arch` at `indices`, fine to coarse."""
    taps = arch.taps()
    if indices is None:
        return list(taps)
    if not indices or any(not -len(taps) <= i < len(taps) for i in indices):
        raise UsageError(f"out_indices {list(indices)} are not among the {len(taps)} maps of {arch.name}; count from 0")
    return [taps[i] for i in sorted({i % len(taps) for i in indices})]


def _is_folder(source: object) -> TypeGuard[str | Path]:
    return isinstance(source, (str, Path)) and Path(source).is_dir()


def _opened(source: Picture) -> Named:
    if isinstance(source, Image.Image):
        return "", source
    if not Path(source).is_file():
        raise UsageError(f"there is no picture {source}; give the path of a picture or of a folder of pictures")
    return str(source), open_picture(source)


def _readable(paths: Iterable[Path]) -> Iterator[Named]:
    for path in paths:
        try:
            yield str(path), open_picture(path)
        except InputError as error:
            warnings.warn(f"left out: {error}", stacklevel=2)


def _batches(pictures: Iterator[Named], size: int) -> Iterator[list[Named]]:
    while some := list(islice(pictures, size)):
        yield some
