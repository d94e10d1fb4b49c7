"""A few validation pictures, with what the exported file says of them in Python, so that a browser can be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from mobilevision.data.pictures import open_picture
from mobilevision.deploy.shown import run_data, spread
from mobilevision.errors import InputError
from mobilevision.models import Model
from mobilevision.run import Run
from mobilevision.tasks.base import Told

MOST = 8
SIDE = 640  # pixels of the longer side: some 0.5 MB as PNG


class Picture(NamedTuple):
    """A picture to pick.

    Attributes:
        image: upright, RGB.
        truth: its true labels, with commas; "" where they are not one word a picture.
    """

    image: Image.Image
    truth: str


def pictures(run: Run, count: int, *, tell: Callable[[str], None]) -> list[Picture]:
    """Validation pictures of a run, spread over all of them; none, with a line, if its data is gone."""
    try:
        task, found = run.read("task")["task"], run_data(run)
    except InputError as error:
        tell(f"the demo has no samples, for the run's data cannot be read: {error}")
        return []
    opened = []
    for sample in spread(found.validation, count):
        try:
            image = open_picture(sample.file)
        except InputError as error:
            tell(f"left out: {error}")
            continue
        image.thumbnail((SIDE, SIDE))
        truth = ", ".join(found.labels[label] for label in sample.labels) if task in ("classify", "embed") else ""
        opened.append(Picture(image, truth))
    return opened


def write_samples(found: Sequence[Picture], model: Model, folder: Path) -> list[dict[str, Any]]:
    """Write pictures as PNG, which a browser decodes to the same pixels and which holds no notes of a camera.

    Args:
        found: the pictures.
        model: the exported file in its runtime for Python.
        folder: where to write.

    Returns:
        Of each: "file" as the page finds it, "truth", "said": all that the model says of it, as plain JSON, and
        "words": the same in a line.
    """
    folder.mkdir(parents=True)
    rows = []
    for number, (image, truth) in enumerate(found):
        name = f"{number}.png"
        image.save(folder / name, optimize=True)
        said = told(model, image)
        rows.append({"file": f"samples/{name}", "truth": truth, "said": said.facts(), "words": said.words()})
    return rows


@torch.no_grad()
def told(model: Model, image: Image.Image) -> Told:
    """What a file says of a picture, in its own pixels: a mask is not enlarged, so that a browser's can be compared."""
    prepared = model.task.picture(model.preprocessing)(image)
    (said,) = model.task.decode(model.network(prepared[None]))
    return said
