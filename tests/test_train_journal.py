"""What a training writes and says as it goes."""

import csv
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mobilevision.errors import MissingError, UsageError
from mobilevision.run import Run
from mobilevision.train.journal import Journal
from mobilevision.train.loop import fit, resume
from mobilevision.train.position import Habits
from mobilevision.train.progress import Display, starved
from tiny_training import RECIPE, fresh, stopped_after


class Service(ModuleType):
    """What MLflow and Weights & Biases look like from here; it notes what it is told."""

    def __init__(self) -> None:
        super().__init__("service")
        self.told: list[Any] = []
        self.started: list[dict[str, Any]] = []
        self.id = "abc"

    def start_run(self, **facts: Any) -> Any:
        self.started.append(facts)
        return SimpleNamespace(info=SimpleNamespace(run_id="abc"))

    def log_params(self, facts: dict[str, Any]) -> None:
        self.told.append(facts["name"])

    def log_metrics(self, facts: dict[str, float], step: int) -> None:
        self.told.append((step, facts["train_loss"]))

    def end_run(self) -> None:
        self.told.append("end")

    def init(self, **facts: Any) -> "Service":
        self.started.append(facts)
        return self

    def log(self, facts: dict[str, float], step: int) -> None:
        self.told.append((step, facts["train_loss"]))

    def finish(self) -> None:
        self.told.append("end")


def test_the_log_is_a_table_too(colors: Path, tmp_path: Path) -> None:
    run = fit(fresh(), colors, recipe=replace(RECIPE, epochs=2), to=tmp_path / "run", workers=0)
    with (run.folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["train_loss"]) for row in rows] == [line["train_loss"] for line in run.history()]
    assert rows[0].keys() == run.history()[0].keys()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_tracker_is_told_every_epoch_and_goes_on_with_the_run(
    colors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    service = Service()
    monkeypatch.setitem(sys.modules, name, service)
    habits = Habits(log=(name,))
    with pytest.raises(KeyboardInterrupt):
        fit(stopped_after(6), colors, recipe=RECIPE, to=tmp_path / "run", workers=0, habits=habits)
    run = resume(tmp_path / "run", workers=0, habits=habits)
    losses = [(line["epoch"], line["train_loss"]) for line in run.history()]
    assert [each for each in service.told if isinstance(each, tuple)] == losses
    assert service.told[-1] == "end"
    assert run.read("trackers") == {name: "abc"}
    first, second = service.started
    assert first.get("run_id", first.get("id")) is None
    assert "abc" in second.values()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_installed_is_told_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingError, match=rf"mobilevision\[{name}\]"):
        Journal(Run(tmp_path), epochs=0, log=(name,))


def test_a_tracker_that_is_mistyped_is_told_before_anything_is_written() -> None:
    with pytest.raises(UsageError, match="did you mean wandb"):
        Habits(log=("wandbs",))


def told(display: Display, wait: float, seconds: float, said: pytest.CaptureFixture[str]) -> str:
    facts = {"epoch": 1, "train_loss": 1.0, "loss": 1.0, "top1": 0.5, "images_per_second": 9.0}
    display.epoch(facts | {"data_wait": wait, "seconds": seconds})
    return said.readouterr().err


def test_a_network_that_waits_for_pictures_is_told_once_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(10, done=0, goal="top1", workers=3)
    assert "warning" not in told(display, 0.1, 100.0, capsys)
    assert "warning" not in told(display, 0.9, 1.0, capsys)  # of a second nobody minds
    assert "waited 50% of the time for 3 reading processes; give more with --workers" in told(
        display, 0.5, 100.0, capsys
    )
    assert "warning" not in told(display, 0.5, 100.0, capsys)
    assert "own process" in starved(0.5, workers=0)
    assert told(Display(10, done=0, goal="top1", on=False), 0.5, 100.0, capsys) == ""
