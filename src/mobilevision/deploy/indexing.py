"""From a folder of pictures to an index, and from a picture to those that are like it."""

from __future__ import annotations

from pathlib import Path

import torch

from mobilevision.deploy.load import FileNetwork, load
from mobilevision.errors import InputError, UsageError
from mobilevision.files import sha256
from mobilevision.models import Model
from mobilevision.run import Run
from mobilevision.tasks.embed import Embed, Vector
from mobilevision.tasks.index import Hit, Index

NAME = "index.safetensors"


def index(folder: str | Path, *, run: str | Path, to: str | Path | None = None) -> Path:
    """Write the vectors of all pictures under a folder into a file.

    Args:
        folder: of pictures; those that cannot be read are left out with a warning.
        run: what makes the vectors: the folder of a run of the task embed, or a file that was exported from one.
        to: the file to write; None writes index.safetensors into the run's folder, or beside the file.

    Raises:
        UsageError: if there is no such folder or run, or the run does something else.
        InputError: if no picture can be read.
    """
    if not Path(folder).is_dir():
        raise UsageError(f"there is no folder {folder}; give the folder of the pictures that are to be found")
    model, sha = _embedder(run)
    told = model.predict(Path(folder).absolute())
    vectors = [each for each in (told if isinstance(told, list) else [told]) if isinstance(each, Vector)]
    numbers = torch.tensor([each.numbers for each in vectors])
    made = Index(numbers, tuple(each.file for each in vectors), str(Path(run).absolute()), sha)
    return made.save(to or usual(run))


def find(
    picture: str | Path, *, run: str | Path | None = None, index: str | Path | None = None, topk: int = 5
) -> list[Hit]:
    """The pictures of an index that are most like another picture, the most alike first.

    Args:
        picture: the file of a picture.
        run: the run or the exported file that makes its vector; None takes the one that made the index.
        index: the index; None takes the one that `index` wrote for `run` without being told where.
        topk: how many pictures.

    Raises:
        UsageError: if neither is given, or something is not there.
        InputError: if the picture cannot be read, or the index was made by other weights.
    """
    if run is None and index is None:
        raise UsageError("there is nothing to find it in; give --run RUN or --index FILE")
    held = Index.open(index if index is not None else usual(run or ""))
    source = held.source if run is None else run
    if not Path(source).exists():
        raise UsageError(f"what made the index is no longer at {source}; give --run RUN")
    model, sha = _embedder(source)
    held.check_weights(sha, source)
    told = model.predict(picture)
    if not isinstance(told, Vector):
        raise UsageError(f"{picture} is not one picture; give the file of one")
    return held.nearest(torch.tensor(told.numbers), topk)


def usual(run: str | Path) -> Path:
    """Where the index of a run or of an exported file is, if nobody says so."""
    path = Path(run)
    return path / NAME if path.is_dir() else path.with_name(f"{path.name}.{NAME}")


def _embedder(source: str | Path) -> tuple[Model, str]:
    """What makes vectors, and the sha256 of its weights."""
    if not Path(source).exists():
        raise UsageError(f"there is no run or file {source}; train one with --task embed")
    model = load(source)
    if not isinstance(model.task, Embed):
        raise UsageError(f"{source} was made to {model.task.name}; only embed gives vectors to find pictures by")
    if not isinstance(model.network, FileNetwork):
        return model, sha256(Run.open(source).best)
    told = model.network.runner.card.get("weights_sha256")
    if told is None:
        raise InputError(f"{source} does not tell which weights it holds; export it again")
    return model, str(told)
