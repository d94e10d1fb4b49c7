"""One step in parts, by several processes, with norms that see them all."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mobilevision.cost import walk
from mobilevision.data.check import check
from mobilevision.data.loaders import Share
from mobilevision.errors import MissingError, UsageError
from mobilevision.files import size
from mobilevision.models import create_model
from mobilevision.run import Run
from mobilevision.train.device import make_fabric
from mobilevision.train.feed import Feed
from mobilevision.train.loop import fit
from mobilevision.train.parts import KEPT, fewest_parts, with_parts
from mobilevision.train.plan import make_plan
from mobilevision.train.recipe import Recipe
from tiny_training import RECIPE, TINY, fresh

STEADY = replace(RECIPE, dropout=0.0, drop_path=0.0, norms="frozen", epochs=6)
"""What does not depend on who draws, or on who is in the batch; augmentation stays."""

APART = """
import sys, torch
from dataclasses import replace
sys.path.insert(0, {tests!r})
from test_train_scale import STEADY, fresh
from mobilevision.train.loop import fit, resume
from mobilevision.train.position import Habits
torch.set_num_threads(1)
first = fit(fresh(), {data!r}, recipe=STEADY, to={to!r}, workers=0, habits=Habits(minutes=1e-9))
resume(first.folder, workers=0)
"""


def losses(run: Run) -> list[list[float]]:
    return [[line["train_loss"], line["loss"]] for line in run.history()]


@pytest.mark.slow
def test_two_processes_show_the_losses_of_one(colors: Path, tmp_path: Path) -> None:
    script = tmp_path / "apart.py"
    script.write_text(APART.format(tests=str(Path(__file__).parent), data=str(colors), to=str(tmp_path / "two")))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one, two = fit(fresh(), colors, recipe=STEADY, to=tmp_path / "one", workers=0), Run(tmp_path / "two")
    assert len(losses(two)) == STEADY.epochs
    assert torch.tensor(losses(two)).sub(torch.tensor(losses(one))).abs().max() < 1e-4
    assert losses(one)[-1][0] < 0.9 * losses(one)[0][0]
    assert done.stderr.count("epoch 6") == 1  # one process tells
    assert size(two.best) == size(one.best)


def test_a_step_in_parts_is_the_step_in_one(colors: Path, tmp_path: Path) -> None:
    recipe = replace(STEADY, epochs=2)
    whole = fit(fresh(), colors, recipe=recipe, to=tmp_path / "1", workers=0)
    for parts in (2, 8):
        apart = fit(fresh(), colors, recipe=replace(recipe, accumulate=parts), to=tmp_path / f"{parts}", workers=0)
        assert torch.allclose(torch.tensor(losses(apart)), torch.tensor(losses(whole)), atol=1e-5)


@pytest.mark.parametrize(("recipe", "processes"), [(replace(RECIPE, accumulate=3), 1), (RECIPE, 3)])
def test_batches_that_do_not_divide_are_refused(colors: Path, recipe: Recipe, processes: int) -> None:
    plan = make_plan(fresh(), check(colors), task="classify", recipe=recipe, seed=0)
    with pytest.raises(UsageError, match="a multiple of 3"):
        Feed(plan, workers=0, share=Share(0, processes))


def test_automatic_parts_are_the_fewest_that_fit(colors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(RECIPE, accumulate=0, epochs=1)
    fabric, plan = make_fabric("cpu", "32"), make_plan(fresh(), colors, task="classify", recipe=recipe, seed=0)
    assert fewest_parts(plan, fresh(), fabric=fabric) == 1
    monkeypatch.setattr("mobilevision.train.parts._estimated", lambda plan, network, pictures, fabric: pictures <= 2)
    assert fewest_parts(plan, fresh(), fabric=fabric) == 4
    run = fit(fresh(), colors, recipe=recipe, to=tmp_path / "run", device="cpu", workers=0)
    assert run.read("recipe")["accumulate"] == 4
    assert run.read("recipe")["batch"] == RECIPE.batch
    monkeypatch.setattr("mobilevision.train.parts._estimated", lambda plan, network, pictures, fabric: False)
    assert with_parts(plan, fresh(), fabric=fabric, run=run).recipe.accumulate == 4  # going on keeps them
    with pytest.raises(MissingError, match="not even one picture"):
        fewest_parts(plan, fresh(), fabric=fabric)


def test_a_step_keeps_less_than_automatic_parts_count_on() -> None:
    network, kept, size = create_model("mobilenetv2_050", num_classes=10).train(), dict[int, int](), 96

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(torch.randn(2, 3, size, size))
    for weight in network.parameters():
        kept.pop(weight.untyped_storage().data_ptr(), None)
    counted = 2 * sum(row.cost.activation_bytes for row in walk(network.arch, size=size, outputs=10))
    assert 0.5 * counted < sum(kept.values()) < KEPT * counted


def test_synchronized_norms_are_refused_on_a_cpu(colors: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="does not run on a CPU"):
        fit(fresh(), colors, recipe=replace(RECIPE, norms="sync"), to=tmp_path / "run", device="cpu", workers=0)


def test_bf16_trains_on_a_cpu_and_16_bits_are_refused(colors: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    run = fit(fresh(), colors, recipe=recipe, to=tmp_path / "run", device="cpu", precision="bf16", workers=0)
    assert json.dumps(run.history()[0]["train_loss"]) != "NaN"
    with pytest.raises(MissingError, match="bf16 or 32"):
        fit(fresh(), colors, recipe=recipe, to=tmp_path / "other", device="cpu", precision="16", workers=0)
    assert run.arch == TINY
