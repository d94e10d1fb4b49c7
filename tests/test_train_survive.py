"""Runs that survive: killed anywhere, on a full disk, without a picture, elsewhere, longer than was planned."""

import contextlib
import errno
import json
import multiprocessing
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mobilevision.data.check import check
from mobilevision.data.dataset import Data, Sample
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.run import Run
from mobilevision.train import resume as checkpoints
from mobilevision.train.loop import fit, resume
from mobilevision.train.position import Habits
from mobilevision.train.recipe import Recipe
from tiny_training import RECIPE, fresh, same, stopped_after

EVERY_STEP = Habits(save_steps=1)
STATE = Path("last") / "state.safetensors"


def place(folder: Path) -> tuple[int, int]:
    """Epochs and steps behind a run's last checkpoint."""
    facts = json.loads((folder / "last" / "state.json").read_text())
    return facts["epoch"], facts["batch"]


def times_left_out(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    timed = ("seconds", "images_per_second", "data_wait")
    return [{name: value for name, value in line.items() if name not in timed} for line in history]


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        replace(RECIPE, optimizer="rmsprop_tf", epsilon=0.01, mixup=0.2, cutmix=1.0, repeats=2),
        replace(RECIPE, optimizer="nesterov", l2=1e-4, accumulate=2, layer_decay=0.7, freeze=1, policy="rand"),
        replace(RECIPE, optimizer="sgd", balance="sample", first_size=32, train_size=64, policy="auto"),
    ],
    ids=["plain", "mixed", "parts", "growing"],
)
def test_a_training_stopped_in_the_middle_of_an_epoch_ends_with_the_same_weights(
    colors: Path, tmp_path: Path, recipe: Recipe
) -> None:
    whole = fit(fresh(), colors, recipe=recipe, to=tmp_path / "whole", workers=0)
    assert whole.history()[0]["step"] == 4
    for forwards in (3, 3):  # in the first epoch, and in the second after going on
        with pytest.raises(KeyboardInterrupt):
            fit(
                stopped_after(forwards * recipe.accumulate),
                colors,
                recipe=recipe,
                to=tmp_path / "parts",
                workers=0,
                habits=EVERY_STEP,
            )
    assert place(tmp_path / "parts") == (1, 2)
    parts = resume(tmp_path / "parts", workers=0)
    assert same(whole.best, parts.best)
    assert same(whole.folder / STATE, parts.folder / STATE)
    assert times_left_out(whole.history()) == times_left_out(parts.history())


def steps_behind(folder: Path) -> int:
    """Steps behind a run's last checkpoint, while something may be writing the next."""
    for name in ("last", ".last-before"):
        with contextlib.suppress(FileNotFoundError):
            facts = json.loads((folder / name / "state.json").read_text())
            return int(4 * facts["epoch"] + facts["batch"])
    return 0


def train_here(colors: Path, folder: Path, recipe: Recipe) -> None:
    torch.set_num_threads(1)
    fit(fresh(), colors, recipe=recipe, to=folder, workers=0, habits=EVERY_STEP)


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_ends_with_the_same_weights(colors: Path, tmp_path: Path) -> None:
    chance, places = random.Random(3), []
    recipe, folder = replace(RECIPE, epochs=120), tmp_path / "parts"
    while len(places) < 20 or sum(map(in_the_middle, places)) < 6:
        before, steps = steps_behind(folder), chance.randint(0, 5)
        process = multiprocessing.get_context("fork").Process(target=train_here, args=(colors, folder, recipe))
        process.start()
        while steps_behind(folder) < before + steps:
            assert process.is_alive(), "the training is too short to be killed twenty times"
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))  # while it reads, learns, writes or renames
        process.kill()
        process.join()
        places.append(steps_behind(folder))
    assert places == sorted(places)
    parts = resume(folder, workers=0)
    whole = fit(fresh(), colors, recipe=recipe, to=tmp_path / "whole", workers=0)
    assert same(whole.best, parts.best)
    assert same(whole.folder / STATE, parts.folder / STATE)
    assert times_left_out(whole.history()) == times_left_out(parts.history())


def in_the_middle(steps: int) -> bool:
    """Whether so many steps end within an epoch, which has four."""
    return steps % 4 > 0


def test_a_run_that_was_stopped_before_its_first_checkpoint_says_so(colors: Path, tmp_path: Path) -> None:
    fit(fresh(), colors, recipe=replace(RECIPE, epochs=1), to=tmp_path / "run", workers=0)
    for name in ("last", ".last-before"):
        shutil.rmtree(tmp_path / "run" / name, ignore_errors=True)
    with pytest.raises(InputError, match="before its first checkpoint"):
        resume(tmp_path / "run")


def test_one_stopped_at_its_first_step_goes_on_from_the_weights_it_had(colors: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(stopped_after(0), colors, recipe=RECIPE, to=tmp_path / "parts", workers=0)
    parts = resume(tmp_path / "parts", workers=0)
    whole = fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "whole", workers=0)
    assert same(whole.best, parts.best)


def test_a_full_disk_is_told_and_the_last_checkpoint_is_whole(
    colors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, saved = checkpoints.save_file, []

    def full(tensors: Any, path: Path) -> None:
        saved.append(path)
        if len(saved) > 4:
            path.write_bytes(b"as much as there was room for")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(tensors, path)

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(MobilevisionError, match=r"No space left on device.*checkpoint is whole.*--resume"):
        fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "parts", workers=0, habits=EVERY_STEP)
    assert not (tmp_path / "parts" / checkpoints.WRITING).exists()
    assert place(tmp_path / "parts") == (0, 3)
    monkeypatch.setattr(checkpoints, "save_file", real)
    parts = resume(tmp_path / "parts", workers=0)
    whole = fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "whole", workers=0)
    assert same(whole.best, parts.best)


def test_a_folder_that_cannot_be_written_is_told_before_the_training(colors: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(MobilevisionError, match="cannot be written"):
        fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "file" / "run", workers=0)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_is_gone_is_named_and_its_return_lets_the_training_go_on(
    colors: Path, tmp_path: Path, workers: int
) -> None:
    shutil.copytree(colors, tmp_path / "data")
    data = check(tmp_path / "data")
    gone = data.train[0].file
    content = gone.read_bytes()
    gone.unlink()
    with pytest.raises(InputError) as caught:
        fit(fresh(), data, recipe=RECIPE, to=tmp_path / "run", workers=workers)
    assert str(caught.value) == f"{gone} cannot be opened: No such file or directory"
    gone.write_bytes(content)
    parts = resume(tmp_path / "run", workers=0)
    whole = fit(fresh(), tmp_path / "data", recipe=RECIPE, to=tmp_path / "whole", workers=0)
    assert same(whole.best, parts.best)


def test_a_run_goes_on_where_its_pictures_are_now(colors: Path, tmp_path: Path) -> None:
    shutil.copytree(colors, tmp_path / "before")
    with pytest.raises(KeyboardInterrupt):
        fit(stopped_after(6), tmp_path / "before", recipe=RECIPE, to=tmp_path / "run", workers=0)
    (tmp_path / "before").rename(tmp_path / "after")
    resume(tmp_path / "run", tmp_path / "after", workers=0)
    assert Run(tmp_path / "run").read("data")["source"] == str(tmp_path / "after")
    assert Run(tmp_path / "run").history()[-1]["epoch"] == RECIPE.epochs


def test_a_longer_schedule_says_what_happens_to_the_learning_rate(colors: Path, tmp_path: Path) -> None:
    fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "run", workers=0)
    with pytest.warns(UserWarning, match=r"6 epochs instead of 3: after epoch 3 .* at 0\.00\d+, not at 0\.0001"):
        run = resume(tmp_path / "run", epochs=6, workers=0)
    history = run.history()
    assert [line["epoch"] for line in history] == [1, 2, 3, 4, 5, 6]
    assert history[3]["learning_rate"] > history[2]["learning_rate"]
    assert run.read("recipe")["epochs"] == 6
    with pytest.raises(UsageError, match="6 epochs behind it"):
        resume(tmp_path / "run", epochs=5)


def test_time_that_is_up_stops_between_two_steps(colors: Path, tmp_path: Path) -> None:
    run = fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "run", workers=0, habits=Habits(minutes=1e-9))
    assert place(run.folder) == (0, 1)
    assert run.history() == []
    parts = resume(run.folder, workers=0)
    whole = fit(fresh(), colors, recipe=RECIPE, to=tmp_path / "whole", workers=0)
    assert same(whole.best, parts.best)


def test_patience_ends_a_training_that_gets_no_better(colors: Path, tmp_path: Path) -> None:
    still = replace(RECIPE, epochs=9, lr=1e-30, patience=2, norms="frozen", average=0.0, weight_decay=0.0)
    run = fit(fresh(), colors, recipe=still, to=tmp_path / "run", workers=0)
    assert [line["epoch"] for line in run.history()] == [1, 2, 3]
    resume(run.folder, workers=0)
    assert len(run.history()) == 3


def test_the_best_epoch_is_chosen_by_any_metric(colors: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, lr=0.05, best="loss")
    run = fit(fresh(), colors, recipe=recipe, to=tmp_path / "run", workers=0)
    assert run.read("metrics")["loss"] == min(line["loss"] for line in run.history())
    with pytest.raises(UsageError, match=r"no metric 'recall'.*there are loss, top1, top5"):
        fit(fresh(), colors, recipe=replace(recipe, best="recall"), to=tmp_path / "other", workers=0)
    assert Run(tmp_path / "other").history() == []


def test_a_loss_that_is_no_number_is_told_with_its_pictures(colors: Path, tmp_path: Path) -> None:
    network = fresh()
    with torch.no_grad():
        network.head.scores.bias.fill_(float("inf"))
    data = check(colors)
    with pytest.raises(MobilevisionError, match="epoch 1, step 1, at a learning rate of") as caught:
        fit(network, data, recipe=RECIPE, to=tmp_path / "run", workers=0)
    files = {str(sample.file) for sample in data.train}
    named = str(caught.value).partition("look at these pictures: ")[2]
    assert any(file in named for file in files)


def handmade(colors: Path, **changes: Any) -> Data:
    return replace(check(colors), **changes)


def test_data_that_would_tell_a_false_accuracy_is_refused_with_the_file(colors: Path, tmp_path: Path) -> None:
    data = check(colors)
    leak, odd = data.train[0], Sample(data.train[1].file, (7,))
    with pytest.raises(InputError, match=f"{leak.file} is both"):
        fit(fresh(), handmade(colors, validation=(leak,)), recipe=RECIPE, to=tmp_path / "run")
    with pytest.raises(InputError, match=rf"{odd.file} has labels \(7,\); all must be below 3"):
        fit(fresh(), handmade(colors, train=(odd, *data.train)), recipe=RECIPE, to=tmp_path / "run")
    blind = tuple(sample for sample in data.train if sample.labels != (0,))
    with pytest.warns(UserWarning, match="shows blue, which no training picture does"):
        fit(fresh(), handmade(colors, train=blind), recipe=replace(RECIPE, epochs=1), to=tmp_path / "blind", workers=0)
