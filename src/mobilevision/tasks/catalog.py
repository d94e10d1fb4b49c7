"""The tasks by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Classifier, DeepLabV3, Head, Projection, RetinaNetLite, SSDLite
from mobilevision.data.boxes import check_boxes, list_boxes, read_boxes
from mobilevision.data.check import check
from mobilevision.data.classes import check_classes, read_classes
from mobilevision.data.dataset import Data
from mobilevision.data.folders import list_source, read_data
from mobilevision.data.masks import check_masks, list_masks, read_masks
from mobilevision.errors import InputError, UsageError, nearest
from mobilevision.tasks.base import Task
from mobilevision.tasks.beside import Asked, Beside, blurred_pixels, mask_ceiling, mean_boxes, nothing
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.embed import Embed
from mobilevision.tasks.filed import FiledSegment, filed_detect
from mobilevision.tasks.segment import Segment


class Kind(NamedTuple):
    """What a task's name stands for.

    Attributes:
        read: the task of its facts.
        filed: the task that reads what exported files give, of its facts.
        check: the data it learns from, every picture of it opened.
        data: the same as it is listed, no picture opened.
        lists: what a source lists, before it is split.
        heads: the heads that do it.
        headed: a network under the head that does it, if its own does not.
        beside: what figures stand beside a network's.
    """

    read: Callable[[Mapping[str, Any]], Task]
    filed: Callable[[Mapping[str, Any]], Task]
    check: Callable[..., Data]
    data: Callable[..., Data]
    lists: Callable[[str | Path], Any]
    heads: tuple[type[Head], ...]
    headed: Callable[[Arch], Arch]
    beside: Beside


def _classifier(arch: Arch) -> Arch:
    return arch.with_head(Classifier())


def _detector(arch: Arch) -> Arch:
    return arch.with_head(SSDLite())


def _projected(arch: Arch) -> Arch:
    return arch.with_head(Projection(arch.head) if isinstance(arch.head, Classifier) else Projection())


def _segmenter(arch: Arch) -> Arch:
    return arch.dilated(16).with_head(LRASPP())


TASKS: dict[str, Kind] = {
    "classify": Kind(
        read=Classify.read,
        filed=Classify.read,
        check=check,
        data=read_data,
        lists=list_source,
        heads=(Classifier,),
        headed=_classifier,
        beside=nothing,
    ),
    "detect": Kind(
        read=Detect.read,
        filed=filed_detect,
        check=check_boxes,
        data=read_boxes,
        lists=list_boxes,
        heads=(SSDLite, RetinaNetLite),
        headed=_detector,
        beside=mean_boxes,
    ),
    "segment": Kind(
        read=Segment.read,
        filed=FiledSegment.read,
        check=check_masks,
        data=read_masks,
        lists=list_masks,
        heads=(LRASPP, DeepLabV3),
        headed=_segmenter,
        beside=mask_ceiling,
    ),
    "embed": Kind(
        read=Embed.read,
        filed=Embed.read,
        check=check_classes,
        data=read_classes,
        lists=list_source,
        heads=(Projection,),
        headed=_projected,
        beside=blurred_pixels,
    ),
}


def make_task(name: str, labels: Sequence[str], *, multilabel: bool = False, loss: str | None = None) -> Task:
    """The task called `name` for these classes.

    Args:
        name: of the task.
        labels: names of the classes.
        multilabel: whether a picture may have several.
        loss: what vectors learn by, see `mobilevision.tasks.margins`; None has the usual one.

    Raises:
        UsageError: if there is no such task or loss, or the task has no choice of losses.
    """
    asked = {"margin": {"name": loss}} if loss else {}
    task = _kind(name).read({"labels": labels, "multilabel": multilabel} | asked)
    if not asked.keys() <= task.facts().keys():
        raise UsageError(f"{name} has no choice of losses; leave {loss!r} out")
    return task


def read_task(facts: Mapping[str, Any]) -> Task:
    """The task that a run's task.json tells.

    Raises:
        InputError: if a fact is missing.
    """
    return _read(facts, "read")


def read_filed(facts: Mapping[str, Any]) -> Task:
    """The task that the card of an exported file tells: it reads what the file gives.

    Raises:
        InputError: if a fact is missing.
    """
    return _read(facts, "filed")


def _read(facts: Mapping[str, Any], way: str) -> Task:
    try:
        task: Task = getattr(_kind(facts["task"]), way)(facts)
    except KeyError as error:
        raise InputError(f"the facts of this task have no {error}; train, build or export it again") from None
    return task


def check_data(name: str, source: str | Path, *, seed: int = 0) -> Data:
    """The data at `source` for the task called `name`, with every picture opened and everything bad set aside.

    Raises:
        UsageError: if there is no such task or source.
        InputError: if it holds nothing to train on.
    """
    return _kind(name).check(source, seed=seed)


def data_of(name: str, source: str | Path, *, seed: int = 0) -> Data:
    """The data at `source` for the task called `name`, as it is listed: no picture is opened.

    Raises:
        UsageError: if there is no such task or source.
        InputError: if it holds nothing to train on.
    """
    return _kind(name).data(source, seed=seed)


def known_data(name: str, source: str | Path, *, digest: str, seed: int = 0) -> Data:
    """The data at `source` as it was when it had this digest: in the same splits, and without what was set aside then.

    Pictures are opened only if the list alone is not what it was.

    Raises:
        UsageError: if there is no such task or source.
        InputError: if it is another by now.
    """
    found = data_of(name, source, seed=seed)
    if found.digest != digest:
        found = check_data(name, source, seed=seed)  # what is set aside moves the splits
    if found.digest != digest:
        raise InputError(
            f"{source} is no longer what it was: its files, labels or splits are others; put them back, or give other "
            "data"
        )
    return found


def has_splits(name: str, source: str | Path) -> bool:
    """Whether the data at `source` says itself which pictures are for training.

    Raises:
        UsageError: if there is no such task or source.
        InputError: if it is no data of this task.
    """
    return any(entry.split for entry in _kind(name).lists(source).entries)


def task_for(name: str, data: Data) -> Task:
    """The task called `name` for the classes of some data."""
    return make_task(name, data.labels, multilabel=data.multilabel)


def headed(arch: Arch, name: str) -> Arch:
    """The network under a head that does the task called `name`: its own if that does, else the task's usual one.

    Raises:
        UsageError: if there is no such task, or the head cannot stand on this network.
    """
    kind = _kind(name)
    return arch if isinstance(arch.head, kind.heads) else kind.headed(arch)


def stands_beside(asked: Asked) -> list[dict[str, Any]]:
    """What needs no training, and what no network could exceed, on the pictures that a network was measured on.

    Returns:
        Of each "what" it is, the figures that the task is known by, and "per_class".
    """
    return _kind(asked.task.name).beside(asked)


def task_of(arch: Arch, labels: Sequence[str]) -> Task:
    """The task that the head of `arch` does, for these classes.

    Raises:
        UsageError: if no task knows this head.
    """
    for name, kind in TASKS.items():
        if isinstance(arch.head, kind.heads):
            return make_task(name, labels)
    raise UsageError(f"no task is done by the head {type(arch.head).__name__} of {arch.name}; name the task by a run")


def _kind(name: str) -> Kind:
    if name not in TASKS:
        raise UsageError(f"there is no task {name!r}; {nearest(name, TASKS)}; known are {', '.join(TASKS)}")
    return TASKS[name]
