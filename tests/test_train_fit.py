"""A whole training: what it learns, what it leaves behind, and that stopping it changes nothing."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mobilevision.data import Preprocessing
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.files import locked
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.train.loop import fit, resume
from mobilevision.train.resume import load_checkpoint, save_checkpoint
from mobilevision.weights.read import read_facts
from tiny_training import RECIPE, TINY, fresh, same, stopped_after


def test_a_training_learns_and_leaves_a_run_behind(colors: Path, tmp_path: Path) -> None:
    run = fit(fresh(), colors, recipe=replace(RECIPE, epochs=6), to=tmp_path / "run", workers=0)
    metrics, history = run.read("metrics"), run.history()
    assert metrics["top1"] == max(line["top1"] for line in history) == 1.0
    assert [line["epoch"] for line in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    wanted = {"epoch", "step", "train_loss", "learning_rate", "top1", "top5", "loss"}
    assert history[0].keys() == wanted | {"images_per_second", "data_wait", "seconds"}
    assert run.arch == TINY
    assert run.read("task")["labels"] == ["blue", "green", "red"]
    assert Preprocessing.read(run.read("task")["preprocessing"]).size == (16, 16)
    assert run.read("recipe")["lr"] == 0.01
    assert run.read("environment")["seed"] == 0
    facts = read_facts(run.best)
    assert facts["labels"] == ["blue", "green", "red"]
    assert facts["preprocessing"] == run.read("task")["preprocessing"]
    assert facts["top1"] == metrics["top1"]
    fresh().load_state_dict(load_file(run.best))
    assert list((run.folder / "tensorboard").iterdir())


@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop", "sgd"])
def test_an_interrupted_training_ends_with_the_same_weights(colors: Path, tmp_path: Path, optimizer: str) -> None:
    recipe = replace(RECIPE, optimizer=optimizer, balance="sample")
    whole = fit(fresh(), colors, recipe=recipe, to=tmp_path / "whole", workers=0)
    steps = whole.history()[0]["step"]
    with pytest.raises(KeyboardInterrupt):
        fit(stopped_after(2 * steps + 1), colors, recipe=recipe, to=tmp_path / "parts", workers=0)
    assert len(Run(tmp_path / "parts").history()) == 2
    parts = resume(tmp_path / "parts", workers=0)
    assert same(whole.best, parts.best)
    assert same(whole.folder / "last" / "state.safetensors", parts.folder / "last" / "state.safetensors")
    assert [line["top1"] for line in whole.history()] == [line["top1"] for line in parts.history()]


def test_one_that_was_stopped_in_its_first_epoch_starts_again(colors: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(stopped_after(1), colors, recipe=RECIPE, to=tmp_path / "parts", workers=0)
    parts = fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "parts", workers=0)
    whole = fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "whole", workers=0)
    assert same(whole.best, parts.best)


def test_workers_do_not_change_the_result(colors: Path, tmp_path: Path) -> None:
    alone, helped = (fit(fresh(), colors, recipe=RECIPE, to=tmp_path / f"{n}", workers=n) for n in (0, 2))
    assert same(alone.best, helped.best)


def test_another_seed_gives_other_weights(colors: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    one, other = (fit(fresh(), colors, recipe=recipe, to=tmp_path / f"{s}", seed=s, workers=0) for s in (0, 1))
    assert not same(one.best, other.best)


def test_one_that_has_ended_is_left_as_it_is(colors: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    run = fit(fresh(), colors, recipe=recipe, to=tmp_path / "run", workers=0)
    before = (run.best.read_bytes(), run.history())
    fit(fresh(), colors, recipe=recipe, to=tmp_path / "run", workers=0)
    assert (run.best.read_bytes(), run.history()) == before


def test_a_folder_that_holds_another_training_is_refused(colors: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    fit(fresh(), colors, recipe=recipe, to=tmp_path / "run", workers=0)
    with pytest.raises(UsageError, match=r"recipe\.lr"):
        fit(fresh(), colors, recipe=replace(recipe, lr=0.02), to=tmp_path / "run")
    with pytest.raises(UsageError, match="seed"):
        fit(fresh(), colors, recipe=recipe, seed=1, to=tmp_path / "run")


def test_resuming_on_changed_pictures_is_refused(colors: Path, tmp_path: Path) -> None:
    shutil.copytree(colors, tmp_path / "data")
    fit(fresh(), tmp_path / "data", recipe=replace(RECIPE, epochs=1), to=tmp_path / "run", workers=0)
    (tmp_path / "data" / "red" / "0.png").unlink()
    with pytest.raises(UsageError, match="data"):
        resume(tmp_path / "run")


def test_a_folder_in_use_is_refused(colors: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "run"), pytest.raises(UsageError, match="in use"):
        fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "run")


def test_a_network_for_other_classes_is_refused(colors: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="num_classes=3"):
        fit(Network(TINY, 10), colors, recipe=RECIPE, to=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_stops_the_training(colors: Path, tmp_path: Path) -> None:
    network = fresh()
    with torch.no_grad():
        network.head.scores.bias.fill_(float("inf"))
    with pytest.raises(MobilevisionError, match="epoch 1, step 1"):
        fit(network, colors, recipe=RECIPE, to=tmp_path / "run", workers=0)


def test_a_small_folder_is_passed_over_until_there_are_enough_steps(colors: Path, tmp_path: Path) -> None:
    run = fit(fresh(), colors, recipe=replace(RECIPE, epochs=1, least_steps=6), to=tmp_path / "run", workers=0)
    assert [line["step"] for line in run.history()] == [4, 8]
    assert run.history()[-1]["learning_rate"] < run.history()[0]["learning_rate"]


def test_the_network_s_own_preprocessing_is_kept(colors: Path, tmp_path: Path) -> None:
    own, network = Preprocessing(size=(20, 20), mean=(0.5,) * 3, std=(0.5,) * 3, crop=0.9), fresh()
    network.preprocessing = own
    run = fit(network, colors, recipe=replace(RECIPE, epochs=1, size=0, crop=0.0), to=tmp_path / "run", workers=0)
    assert Preprocessing.read(run.read("task")["preprocessing"]) == own


def corrupt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm", [corrupt, Path.unlink, lambda path: path.write_bytes(b"")], ids=["flip", "gone", "cut"]
)
def test_a_checkpoint_that_is_not_whole_falls_back_to_the_one_before(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    for epoch in (1, 2):
        save_checkpoint(tmp_path, {"x": torch.full((2,), float(epoch))}, {"epoch": epoch})
    harm(tmp_path / "last" / "state.safetensors")
    with pytest.warns(UserWarning, match="the checkpoint before"):
        found = load_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["epoch"] == 1


def test_a_kill_between_the_two_renames_leaves_the_one_before(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"x": torch.ones(2)}, {"epoch": 1})
    (tmp_path / "last").rename(tmp_path / ".last-before")
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found[1]["epoch"] == 1


def test_when_no_checkpoint_is_whole_it_is_told(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"x": torch.ones(2)}, {"epoch": 1})
    corrupt(tmp_path / "last" / "state.safetensors")
    with pytest.raises(InputError, match="no checkpoint"):
        load_checkpoint(tmp_path)
    assert load_checkpoint(tmp_path / "nothing") is None
