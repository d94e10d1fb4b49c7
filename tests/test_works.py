"""A small network of each family, with each task's head, in every format and precision: written, run and compared.

The matrix is long and is no part of the tests of every day: `make works` runs it, and keeps what passed.
"""

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mobilevision import jobs
from mobilevision.architecture import Arch
from mobilevision.blocks import Block
from mobilevision.data.shapes import write_shapes
from mobilevision.deploy import export
from mobilevision.deploy.formats import FORMATS
from mobilevision.errors import ShortfallError
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.tasks.catalog import check_data, headed, make_task
from mobilevision.train.loop import fit
from mobilevision.train.recipes import usual
from mobilevision.zoo import arch
from tiny_training import draw_hues
from works import Proven, Refused

SIDES = {"classify": 32, "embed": 32, "detect": 64, "segment": 64}
WIDTHS = {
    "mobilenetv1": 0.25,
    "mobilenetv2": 0.35,
    "mobilenetv3_small": 0.35,
    "mobilenetv4_conv_small": 0.35,
    "mobilenetv4_hybrid_medium": 0.25,
    "mnasnet": 0.35,
    "semnasnet": 0.35,
    "emo_1m": None,
}
ATTEND = ("mobilenetv4_hybrid_medium", "emo_1m")
FAR = 1 / 3  # of the largest score, or a probability, a side or a length of 1: what no file in 8 bits may be off by
LEARNS: dict[str, Any] = {"epochs": 40, "least_steps": 0, "average": 0.0}
CASES = [
    pytest.param(name, task, each.name, precision.name, id=f"{name}-{task}-{each.name}-{precision.name}")
    for name in WIDTHS
    for task in SIDES
    for each in FORMATS.values()
    for precision in each.precisions
]


def shallow(whole: Arch) -> Arch:
    """The first block of each kind, and the last block, of every stage."""
    stages = []
    for stage in whole.stages:
        kinds: dict[type[Block], int] = {}
        for place, block in enumerate(stage):
            kinds.setdefault(type(block), place)
        stages.append(tuple(stage[place] for place in sorted({*kinds.values(), len(stage) - 1})))
    return replace(whole, name=f"{whole.name}_shallow", stages=tuple(stages))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pictures for each task: shapes with boxes and masks, and eight classes that differ in color."""
    shapes, hues = tmp_path_factory.mktemp("shapes"), tmp_path_factory.mktemp("hues")
    write_shapes(shapes, {"train": 48, "val": 8})
    draw_hues(hues, "abcdefgh", side=40)
    return {"classify": hues, "embed": hues, "detect": shapes, "segment": shapes}


@pytest.fixture(scope="session")
def runs(data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Run]:
    """A run of a family and a task that has learned a little."""
    made: dict[tuple[str, str], Run] = {}

    def run_of(name: str, task: str) -> Run:
        if (name, task) not in made:
            made[name, task] = _learned(name, task, data[task], tmp_path_factory.mktemp("runs") / "run")
        return made[name, task]

    return run_of


def _learned(name: str, task: str, source: Path, to: Path) -> Run:
    torch.manual_seed(0)
    small = headed(shallow(arch(name, width=WIDTHS[name], size=SIDES[task])), task)
    pictures = check_data(task, source)
    does = make_task(task, pictures.labels)
    network = Network(small, getattr(does, "outputs", len(pictures.labels)))
    recipe = replace(usual(task, weights=False), batch=12, size=SIDES[task], **LEARNS)
    return fit(network, pictures, task=does, recipe=recipe, to=to, workers=0)


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same functions without a process for each call: to start hundreds takes longer than what they do."""

    def called(target: str, payload: dict[str, Any], *, seconds: float, log: Path | None = None) -> Any:
        module, _, function = target.partition(":")
        return json.loads(json.dumps(getattr(importlib.import_module(module), function)(**payload)))

    monkeypatch.setattr(jobs, "call", called)


@pytest.mark.matrix
@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize(("name", "task", "to", "precision"), CASES)
def test_a_small_network_of_every_family_is_written_run_and_compared(
    runs: Callable[[str, str], Run], proven: Proven, refused: Refused, name: str, task: str, to: str, precision: str
) -> None:
    run = runs(name, task)
    if to == "edgetpu" and (name in ATTEND or task != "classify"):  # takes no attention, and no tail of another task
        with pytest.raises(ShortfallError) as caught:
            export(run, to, precision=precision, floor=5)
        refused(run, to, precision, caught.value)
        return
    artifact = export(run, to, precision=precision, floor=5)  # points: small networks lose more
    proof = artifact.facts["proof"]
    assert proof["largest_difference"] < FAR
    if not proof["ran"]:
        pytest.skip(proof["runtime"])
    proven(artifact)
