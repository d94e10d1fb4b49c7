"""Something that predicts, from whatever holds a network: a run, an exported file, a name with weights."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.artifact import Artifact, facts_path
from mobilevision.deploy.base import Runner
from mobilevision.deploy.formats import SUFFIXES
from mobilevision.deploy.rounded import open_run
from mobilevision.deploy.runtime import open_file, scores
from mobilevision.errors import InputError, UsageError
from mobilevision.models import Model, open_model
from mobilevision.network import Network
from mobilevision.tasks.catalog import read_filed


def load(source: str | Path, *, weights: str | Path | None = None) -> Model:
    """A model with `.predict`.

    Args:
        source: the folder of a run, an exported file, or the name of an architecture.
        weights: of the architecture, see `create_model`.

    Raises:
        UsageError: if there is no such thing, or weights are given for a file that holds its own.
        InputError: if it cannot be used.
        MissingError: if the file's runtime is not installed, with the pip command.
    """
    if Path(source).suffix not in SUFFIXES:
        return open_run(source) if weights is None else open_model(source, weights=weights)
    if weights is not None:
        raise UsageError(f"{source} holds its own weights; leave {weights} out")
    return load_file(Path(source))


def load_file(file: Path, *, threads: int = 1) -> Model:
    """A model whose network is an exported file in its own runtime, in this process.

    Labels, task and preprocessing are read from inside the file, so it may travel alone; if its facts are beside it,
    it must be the file they tell of. A runtime is opened here and not in a process of its own, as exports and times
    are: a picture then costs milliseconds, and the runtimes were seen to live beside torch (exporters are not).
    """
    if facts_path(file).is_file():
        Artifact.open(file)
    runner = open_file(file, threads=threads)
    missing = {"task", "labels", "preprocessing"} - runner.card.keys()
    if missing:
        raise InputError(
            f"{file} does not hold its {', '.join(sorted(missing))}: it is cut short, or was not exported by "
            "mobilevision; export it again"
        )
    task = read_filed(runner.card)
    preprocessing = Preprocessing.read(runner.card["preprocessing"])
    network = cast(Network, FileNetwork(runner))  # called as one, which is all that predicting asks
    return Model(network=network, task=task, labels=task.labels, preprocessing=preprocessing)


class FileNetwork(nn.Module):
    """An exported file that is called as a network is; it computes on the CPU, and nothing can be trained in it."""

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self.runner = runner
        self.here = nn.Parameter(torch.zeros(0), requires_grad=False)  # callers ask parameters for device and dtype

    def forward(self, pictures: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N, ...), what the file gives first."""
        return torch.from_numpy(scores(self.runner, pictures.detach().cpu().numpy()))
