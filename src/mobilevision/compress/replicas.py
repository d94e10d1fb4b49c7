"""V4's offline distillation: replicas of a data set, varied once, with what the teacher says of them.

Students then learn from the replicas without the teacher (arXiv:2404.10518, section 8). D1 crops and varies by
RandAugment; D2 crops and mixes pairs in any proportion; D3 is D1, more gently, of pictures without labels that the
teacher finds relevant, as many of each class.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from mobilevision.compress.teacher import Teacher
from mobilevision.data.album import Sample
from mobilevision.data.dataset import Data
from mobilevision.data.loaders import drawing
from mobilevision.data.pictures import decode, find_pictures, open_picture
from mobilevision.data.policies import RandAugment
from mobilevision.data.sharding import Shards, as_jpeg, fresh
from mobilevision.errors import InputError, UsageError, nearest
from mobilevision.files import writing_folder

SOFT = "npy"  # suffix of a member that holds the teacher's probabilities, half precision
BATCH = 32  # pictures that the teacher sees at a time
QUALITY = 90  # of a replica's JPEG; the teacher sees what the file holds
RELEVANT = 0.3  # probability from which an unlabelled picture is taken (arXiv:2404.10518, appendix H)


@dataclass(frozen=True)
class Form:
    """How the replicas of a set are varied; all are cropped at random first (Inception crop, arXiv:1409.4842).

    Attributes:
        name: as the paper has it.
        magnitude: strength of RandAugment with two operations; 0 leaves it out.
        mixed: whether pairs are mixed, in a share drawn evenly from 0 to 1 (extreme mixup).
        labelled: whether the pictures are those of the data set; else they are others that the teacher chooses from.
    """

    name: str
    magnitude: int
    mixed: bool = False
    labelled: bool = True

    def transform(self, size: int) -> v2.Compose:
        """From a picture to a varied square of `size` pixels."""
        steps: list[Any] = [v2.RandomResizedCrop(size, antialias=True), v2.RandomHorizontalFlip()]
        if self.magnitude:
            steps += [RandAugment(self.magnitude), RandAugment(self.magnitude)]
        return v2.Compose(steps)


FORMS = {form.name: form for form in (Form("D1", 9), Form("D2", 0, mixed=True), Form("D3", 5, labelled=False))}
"""The sets of the paper."""


def find_form(name: str) -> Form:
    """The set called `name`.

    Raises:
        UsageError: if there is none.
    """
    if name not in FORMS:
        raise UsageError(f"there is no set {name!r}; {nearest(name, FORMS)}; known are {', '.join(FORMS)}")
    return FORMS[name]


def prepare(
    data: Data | str | Path,
    teacher: Teacher,
    *,
    to: str | Path,
    form: Form,
    views: int,
    size: int,
    labels: Sequence[str],
    temperature: float = 1.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Write replicas of pictures with the teacher's probabilities as shards.

    Args:
        data: the data set whose training pictures are varied; for a form without labels a folder of any pictures.
        teacher: who is asked.
        to: the folder of the shards; earlier shards in it are replaced.
        form: how pictures are varied.
        views: replicas of each picture.
        size: their side in pixels: that at which the student is to learn.
        labels: the classes, in the order of the probabilities.
        temperature: what scores are divided by before they become probabilities.
        seed: decides what is drawn.

    Returns:
        The index of the shards.

    Raises:
        UsageError: if the folder holds something else, or a number makes no sense.
        InputError: if a picture cannot be read, or the teacher finds none relevant.
    """
    if views < 1 or not temperature > 0:
        raise UsageError(f"views {views} must be at least 1, and temperature {temperature} more than 0")
    samples = data.train if isinstance(data, Data) else relevant(data, teacher)
    facts = {"form": form.name, "teacher": teacher.name, "temperature": temperature, "views": views, "side": size}
    with writing_folder(fresh(to)) as beside, Shards(beside) as shards:
        for view in range(views):
            order = np.random.default_rng((seed, view)).permutation(len(samples))  # else neighbors are of one class
            for places in _parts(order.tolist()):
                pictures = _varied(samples, places, form, size, seed, view)
                files = [as_jpeg(picture, quality=QUALITY) for picture in pictures]
                shown = torch.stack([_tensor(decode(file)) for file in files])
                for file, row in zip(files, (teacher.scores(shown) / temperature).softmax(-1), strict=True):
                    shards.add("train", {"jpg": file, SOFT: _bytes(row)})
        source = data.source if isinstance(data, Data) else str(Path(data).absolute())
        return shards.finish(labels=list(labels), soft=facts, source=source)


def relevant(folder: str | Path, teacher: Teacher) -> list[Sample]:
    """The pictures of a folder that the teacher is sure enough of, as many of each class.

    A picture counts for the class that is likeliest, if its probability is above `RELEVANT`. Classes are brought to
    the mean number of pictures: the likeliest of more are kept, those of fewer come again.

    Raises:
        UsageError: if there is no such folder.
        InputError: if no picture is relevant.
    """
    found: dict[int, list[tuple[float, Path]]] = defaultdict(list)
    files, side = find_pictures(folder), max(teacher.preprocessing.size)
    for some in _parts(files):
        shown = torch.stack([_tensor(_square(open_picture(file, least=side), side)) for file in some])
        best = teacher.scores(shown).softmax(-1).max(-1)
        for file, share, place in zip(some, best.values.tolist(), best.indices.tolist(), strict=True):
            if share > RELEVANT:
                found[place].append((share, file))
    if not found:
        raise InputError(f"the teacher {teacher.name} finds none of the {len(files)} pictures in {folder} relevant")
    count = -(-sum(map(len, found.values())) // len(found))
    chosen = []
    for place in sorted(found):
        ranked = sorted(found[place], key=lambda each: (-each[0], each[1]))
        chosen += [Sample(ranked[number % len(ranked)][1], (place,)) for number in range(count)]
    return chosen


def _parts(whole: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (whole[start : start + BATCH] for start in range(0, len(whole), BATCH))


def _varied(samples: Sequence[Sample], places: Sequence[int], form: Form, size: int, *key: int) -> list[Image.Image]:
    """A replica of the picture at each place; mixed ones have the replica before in them."""
    transform, pictures, shares = form.transform(size), [], []
    for place in places:
        picture = open_picture(samples[place].file)
        with drawing(*key, place):
            pictures.append(transform(picture))
            shares.append(torch.rand(()).item())
    if not form.mixed:
        return pictures
    return [Image.blend(picture, pictures[i - 1], shares[i]) for i, picture in enumerate(pictures)]


def _square(picture: Image.Image, side: int) -> Image.Image:
    """The middle of a picture, as evaluation sees it."""
    cropped: Image.Image = F.center_crop(F.resize(picture, [side], antialias=True), [side, side])
    return cropped


def _tensor(picture: Image.Image) -> Tensor:
    """From 0 to 1. Shape: (3, H, W)."""
    tensor: Tensor = F.to_dtype(F.pil_to_tensor(picture), torch.float32, scale=True)
    return tensor


def _bytes(row: Tensor) -> bytes:
    """A .npy file in half precision."""
    file = io.BytesIO()
    np.save(file, row.numpy().astype(np.float16))
    return file.getvalue()
