"""Two runs side by side."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, Inverted
from mobilevision.build import evaluate
from mobilevision.cli.app import run as command
from mobilevision.errors import InputError
from mobilevision.network import Network
from mobilevision.pages.compare import compare, paired
from mobilevision.train.loop import fit
from mobilevision.train.recipes import quick

TINY = Arch("tiny", ((Conv(8, 2),), (Inverted(8, expand=2),)), Classifier(), size=16)
WIDER = Arch("wider", ((Conv(16, 2),), (Inverted(8, expand=2),)), Classifier(), size=16)
RECIPE = replace(quick, epochs=2, least_steps=0, batch=8, size=16, lr=0.01)


@pytest.fixture(scope="module")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of pictures, dark and bright."""
    folder = tmp_path_factory.mktemp("tones")
    for name, tone in (("dark", 60), ("bright", 120)):
        (folder / name).mkdir()
        for i in range(20):
            pixels = tone + torch.randint(0, 60, (16, 16, 3), dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def runs(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for name, arch, rate in (("one", TINY, 0.01), ("other", WIDER, 0.02)):
        torch.manual_seed(0)
        fit(Network(arch, 2), colors, recipe=replace(RECIPE, lr=rate), to=folder / name, workers=0)
    return folder / "one", folder / "other"


def test_a_run_beside_itself_differs_in_nothing(runs: tuple[Path, Path]) -> None:
    facts = compare(runs[0], runs[0])

    assert facts["differs"] == []
    assert facts["accuracy"]["difference"] == facts["accuracy"]["low"] == facts["accuracy"]["high"] == 0
    assert facts["accuracy"]["lost"] == facts["accuracy"]["gained"] == []


def test_what_was_explained_of_both_is_put_side_by_side(runs: tuple[Path, Path]) -> None:
    evaluate(runs[0], explain=True, robust=True)
    one = evaluate(runs[1], explain=True, robust=True)
    rows = {row["name"]: row for row in compare(*runs)["scores"]}
    assert rows["calibration error"]["second"] == one["explain"]["calibration"]["before"]["ece"]
    assert rows["top1, strong noise"]["second"] == one["robust"]["damages"][1]["levels"][2]["top1"]
    assert rows["top1, strong noise"]["first"] <= 1


def test_figures_of_other_pictures_are_told_to_be_so(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = Path(shutil.copytree(runs[0], tmp_path / "other"))
    metrics = json.loads((other / "metrics.json").read_text())
    (other / "metrics.json").write_text(json.dumps(metrics | {"split": "elsewhere"}))
    assert compare(runs[0], other)["differs"] == [
        {"what": "metrics.split", "first": metrics["split"], "second": "elsewhere"}
    ]


def test_what_differs_is_named_and_the_pictures_are_the_same(runs: tuple[Path, Path]) -> None:
    facts = compare(*runs)
    back = compare(*reversed(runs))

    assert {row["what"] for row in facts["differs"]} == {"arch.name", "arch.digest", "recipe.lr"}
    assert facts["accuracy"]["difference"] == pytest.approx(-back["accuracy"]["difference"])
    assert facts["accuracy"]["lost"] == back["accuracy"]["gained"]
    gained, lost = facts["accuracy"]["gained_count"], facts["accuracy"]["lost_count"]
    assert facts["accuracy"]["difference"] == pytest.approx((gained - lost) / facts["accuracy"]["count"])


def test_the_interval_holds_the_difference_and_narrows_with_pictures() -> None:
    one, other = np.array([True, False] * 50), np.array([True, True, False, False] * 25)
    few, many = paired(one, other), paired(np.tile(one, 16), np.tile(other, 16))

    assert few["low"] < few["difference"] == 0 < few["high"]
    assert many["high"] - many["low"] == pytest.approx((few["high"] - few["low"]) / 4, rel=0.1)
    assert few["high"] - few["low"] == pytest.approx(2 * 1.96 * np.sqrt(0.5 / 100), rel=0.1)  # half the pictures change


def test_runs_on_other_data_need_pictures_to_be_compared_on(
    runs: tuple[Path, Path], colors: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    third = fit(Network(TINY, 2), colors, recipe=RECIPE, to=tmp_path / "third", seed=5, workers=0).folder

    with pytest.raises(InputError, match="did not see the same data"):
        compare(runs[0], third)
    assert compare(runs[0], third, colors)["accuracy"]["count"] > 0


def test_runs_are_compared_though_some_of_their_data_was_set_aside(colors: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(colors, tmp_path / "tones"))
    (source / "dark" / "broken.png").write_bytes(b"no picture")
    run = fit(Network(TINY, 2), source, recipe=replace(RECIPE, epochs=1), to=tmp_path / "run", workers=0)
    assert compare(run.folder, run.folder)["accuracy"]["count"] == run.read("metrics")["count"]
    assert compare(run.folder, run.folder, source)["accuracy"]["count"] == run.read("metrics")["count"]


def test_the_verb_tells_the_interval(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["compare", *map(str, runs)]) == 0
    told = capsys.readouterr().out
    assert "recipe.lr" in told
    assert "points (95 %" in told
    assert command(["compare", *map(str, runs), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"]["split"] in ("test", "validation")
    assert command(["compare", str(runs[0]), "nowhere"]) == 2
