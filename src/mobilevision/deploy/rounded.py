"""Runs whose network was trained with its rounding inside, and what they are told by."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mobilevision.architecture import Arch
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.integers import integer_form
from mobilevision.deploy.prepare import deployable
from mobilevision.errors import InputError, missing_extra
from mobilevision.models import Model, open_model
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.tasks.catalog import read_task

if TYPE_CHECKING:
    from mobilevision.deploy.rounding import RoundedNetwork

ROUNDING = "rounding"
"""The facts of such a run that others have not: what it started from, and how its ranges were told."""


def need_torchao() -> None:
    """Check that networks can be given their rounding here.

    Raises:
        MissingError: with the pip command.
    """
    if find_spec("torchao") is None:
        raise missing_extra("torchao", "qat")


def is_rounded(source: str | Path) -> bool:
    """Whether `source` is the folder of a run whose network was trained with its rounding inside."""
    return (Path(source) / f"{ROUNDING}.json").is_file()


def open_run(source: str | Path) -> Model:
    """What predicts, from a run however it was trained, or from a model's name; see `open_model`."""
    return open_rounded(source) if is_rounded(source) else open_model(source)


def open_rounded(folder: str | Path) -> Model:
    """What predicts, from such a run: the network rounds as its files will.

    Raises:
        InputError: if the run holds no weights that fit it.
        MissingError: if torchao is not installed, with the pip command.
    """
    run = Run.open(folder)
    facts = run.read("task")
    task, preprocessing = read_task(facts), Preprocessing.read(facts["preprocessing"])
    try:
        state = load_file(run.best)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{run.best} cannot be read: {error}; train the run again") from error
    network = rebuilt(run.arch, task.outputs, preprocessing.channels, preprocessing.size, state)
    network.labels, network.preprocessing = task.labels, preprocessing
    return Model(network.eval(), task, task.labels, preprocessing)


def rebuilt(arch: Arch, outputs: int, channels: int, size: tuple[int, int], state: dict[str, Tensor]) -> RoundedNetwork:
    """A network with its rounding inside, from what its `state_dict` gave.

    Raises:
        InputError: if the state is of another network.
        MissingError: if torchao is not installed, with the pip command.
    """
    need_torchao()
    from mobilevision.deploy.rounding import rounded_network

    network = rounded_network(integer_form(deployable(Network(arch, outputs, channels=channels))), size)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"these weights are not of {arch.name} with its rounding inside: {error}") from error
    return network
