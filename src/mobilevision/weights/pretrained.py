"""From what a user asks for (a tag, a file, a folder, a repository of the hub) to weights and what they expect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, RetinaNetLite, SSDLite
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError, nearest
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.weights.keys import recognized
from mobilevision.weights.load import classes_of
from mobilevision.weights.published import Published, find, published_for
from mobilevision.weights.published_timm import TENSORFLOW
from mobilevision.weights.read import State, read_facts, read_state
from mobilevision.weights.save import CONFIG, TENSORS
from mobilevision.weights.sources import Download, Hub

HUB = "hf-hub:"
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


@dataclass(frozen=True)
class Pretrained:
    """Weights and what they expect of the network around them.

    Attributes:
        arch: the architecture they are for, with the epsilon and the padding they ask for.
        state: the tensors, under whatever names.
        preprocessing: how pictures must be prepared.
        labels: names of the classes; empty if they are not known.
        task: the facts of what the network is asked to do; empty if they are not known.
    """

    arch: Arch
    state: State
    preprocessing: Preprocessing
    labels: tuple[str, ...] = ()
    task: Mapping[str, Any] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """How many classes the weights score; 0 if they have no scores."""
        return classes_of(on_meta(self.arch), self.state)


def pretrained(arch: Arch, which: bool | str | Path) -> Pretrained:
    """The weights that `which` means for `arch`.

    Args:
        arch: what they are wanted for.
        which: True for the usual published ones, a tag of others, a file, the folder of a run or of `save_model`, or
            "hf-hub:owner/name".

    Raises:
        UsageError: if there is no such tag, file or repository.
        InputError: if they cannot be read or are not of `arch`.
        MissingError: if they are published but neither here nor within reach.
    """
    name = str(which)
    if which is True or name in {one.tag for one in published_for(arch.name)}:
        return from_published(arch, find(arch.name, None if which is True else name))
    if name.startswith(HUB):
        return from_hub(name, arch)
    if Path(name).is_dir():
        return from_folder(Path(name), arch)
    if not Path(name).is_file():
        raise UsageError(_neither(arch, name))
    return from_file(Path(name), arch)


def from_published(arch: Arch, one: Published) -> Pretrained:
    """Published weights, from the cache or downloaded."""
    state = read_state(one.source.file())
    return Pretrained(one.fitted(arch), state, one.preprocessing, labels_of(arch, one.classes))


def from_file(path: Path, arch: Arch | None = None) -> Pretrained:
    """The weights in a file: our own facts if it has them, else those of the published weights it looks like.

    Whose names the tensors have tells the publisher, the file's name tells which of its weights; if that is none of
    them, the publisher's usual ones for the architecture stand in.
    """
    state, facts = read_state(path), read_facts(path)
    if facts:
        return _ours(facts, state, arch, str(path))
    if arch is None:
        raise UsageError(f"{path} does not tell its architecture; name one")
    naming = recognized(on_meta(arch), state)
    rows = [one for one in published_for(arch.name) if one.naming.name == naming.name]
    rows.sort(key=lambda one: not (isinstance(one.source, Download) and one.source.path.name == path.name))
    if not rows:
        return Pretrained(arch, state, Preprocessing((arch.size, arch.size)))
    arch = rows[0].fitted(arch)
    return Pretrained(arch, state, rows[0].preprocessing, labels_of(arch, classes_of(on_meta(arch), state)))


def from_folder(folder: Path, arch: Arch | None = None) -> Pretrained:
    """The weights of a run, or of a folder that `save_model` or a download of the hub has left.

    Raises:
        InputError: if it is neither.
    """
    if (folder / CONFIG).is_file():
        return _configured(_json(folder / CONFIG), read_state(folder / TENSORS), arch, str(folder))
    run = Run.open(folder)
    facts = {"arch": json.loads(run.arch.to_json()), **run.read("task")}
    return replace(_ours(facts, read_state(run.best), arch, str(folder)), task=facts)


def holds_model(folder: Path) -> bool:
    """Whether `from_folder` would find something there: a run, or what `save_model` left."""
    return (folder / CONFIG).is_file() or (folder / "arch.json").is_file()


def from_hub(name: str, arch: Arch | None = None) -> Pretrained:
    """The weights of "hf-hub:owner/name" or "hf-hub:owner/name@revision", in our own format or in timm's."""
    owner_name, _, revision = name.removeprefix(HUB).partition("@")
    hub = Hub(owner_name, revision or None)
    config = _json(hub.newest(CONFIG))
    return _configured(config, read_state(hub.newest(TENSORS)), arch, name)


@cache
def on_meta(arch: Arch) -> Network:
    """The network of `arch` without memory, to ask for names and shapes."""
    with torch.device("meta"):
        return Network(arch)


def labels_of(arch: Arch, classes: int) -> tuple[str, ...]:
    """The names of the classes that weights for `arch` are published with, if there are as many; else none.

    Classifiers have ImageNet-1k's, detectors COCO's (with its ten gaps), segmenters VOC's (with the background).
    """
    from torchvision import models

    if isinstance(arch.head, Classifier):
        names = models.MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    elif isinstance(arch.head, (SSDLite, RetinaNetLite)):
        shown = models.detection.SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.meta["categories"]
        names = [f"unused {n}" if text == "N/A" else text for n, text in enumerate(shown)][1:]  # 0 is the background
    else:
        names = models.segmentation.LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1.meta["categories"]
    return tuple(names) if len(names) == classes else ()


def _configured(config: Mapping[str, Any], state: State, arch: Arch | None, source: str) -> Pretrained:
    read = _timms if "architecture" in config else _ours
    return read(config, state, arch, source)


def _ours(facts: Mapping[str, Any], state: State, arch: Arch | None, source: str) -> Pretrained:
    """Weights with the facts that `save_weights` wrote."""
    try:
        made = Arch.from_json(json.dumps(facts["arch"]))
        prepared, labels = facts["preprocessing"], tuple(map(str, facts["labels"]))
    except (KeyError, TypeError) as error:
        raise InputError(f"the facts of {source} are not whole: they lack {error}") from error
    arch = replace(arch or made, eps=made.eps, padding=made.padding)
    preprocessing = Preprocessing.read(prepared) if prepared else Preprocessing((made.size, made.size))
    return Pretrained(arch, state, preprocessing, labels, facts if "task" in facts else {})


def _timms(config: Mapping[str, Any], state: State, arch: Arch | None, source: str) -> Pretrained:
    """Weights with the config.json that timm writes."""
    try:
        name, facts = str(config["architecture"]), config["pretrained_cfg"]
        _, height, width = map(int, facts["input_size"])
        mean, std = tuple(map(float, facts["mean"])), tuple(map(float, facts["std"]))
        crop, interpolation = float(facts["crop_pct"]), str(facts["interpolation"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the config.json of {source} is not whole: {error}") from error
    preprocessing = Preprocessing((height, width), mean, std, crop, interpolation)
    ours = name.removeprefix(TENSORFLOW.prefix)
    arch = arch or zoo.arch(ours)
    if ours != name:
        arch = replace(arch, eps=TENSORFLOW.eps or arch.eps, padding=TENSORFLOW.padding or arch.padding)
    classes = classes_of(on_meta(arch), state)
    labels = facts.get("label_names", config.get("label_names")) or labels_of(arch, classes)
    return Pretrained(arch, state, preprocessing, tuple(map(str, labels)) if len(labels) == classes else ())


def _json(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(facts, dict):
        raise InputError(f"{path} holds no facts")
    return facts


def _neither(arch: Arch, name: str) -> str:
    if name.endswith(SUFFIXES) or "/" in name:
        return f"there is no file or folder {name}; give the path of the weights"
    tags = [one.tag for one in published_for(arch.name)]
    known = f"its tags are {', '.join(tags)} ({nearest(name, tags)})" if tags else "no weights are published for it"
    return f"{name!r} is neither a tag of {arch.name} nor a file; {known}"
