"""A run trained on with its rounding inside: it learns, it can be stopped, and its files round as it did."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mobilevision.cli.app import run as command
from mobilevision.compress.qat import RECIPE, qat, resume
from mobilevision.deploy import export
from mobilevision.deploy.integers import integer_form
from mobilevision.deploy.load import load
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.proof import torch_scores
from mobilevision.deploy.ranges import Mark, Rounding, marks, minmax, mse, told
from mobilevision.deploy.rounded import open_run, rebuilt
from mobilevision.deploy.rounding import (
    CONVOLUTIONS,
    EVEN,
    RoundedMap,
    RoundedNetwork,
    RoundedWeight,
    exact_maps,
    maps_of,
    prepared,
    rounded_network,
    settle_,
)
from mobilevision.deploy.runtime import open_file, scores
from mobilevision.deploy.shown import calibration_pictures, run_data
from mobilevision.deploy.simulate import rounded
from mobilevision.errors import InputError, MissingError, UsageError
from mobilevision.run import Run
from mobilevision.tasks.measure import measure
from mobilevision.train.loop import fit
from test_deploy_equalize import integer_network
from test_deploy_prepare import HYBRIDS, NAMES
from tiny_training import RECIPE as QUICK
from tiny_training import fresh

Said = pytest.CaptureFixture[str]
SHORT = replace(RECIPE, epochs=2, least_steps=0, batch=8)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, colors: Path) -> Run:
    return fit(fresh(), colors, recipe=QUICK, to=tmp_path_factory.mktemp("start") / "run", workers=0)


@pytest.fixture(scope="module")
def run(start: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return qat(start, to=tmp_path_factory.mktemp("qat") / "run", recipe=SHORT, calibrate=16, workers=0)


@pytest.mark.parametrize("name", [*NAMES[1:4], *(pytest.param(name, marks=pytest.mark.slow) for name in HYBRIDS)])
def test_a_network_with_its_rounding_off_computes_the_same(name: str) -> None:
    network, x = integer_network(name), torch.randn(3, 3, 64, 64)
    inside = rounded_network(network, (64, 64))
    for part in inside.program.modules():
        if hasattr(part, "enable_fake_quant"):
            part.enable_fake_quant(False)
    with torch.no_grad():
        assert torch.allclose(inside(x), network(x), rtol=0, atol=1e-5 * network(x).abs().max().item())


class Padded(nn.Module):
    """A convolution that reads a padded map, as EMO's attention does where windows do not divide it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.second(nn.functional.pad(self.first(x), (0, 3, 0, 3)))
        return scores


def test_a_convolution_with_rounded_weights_reads_a_rounded_map_also_behind_a_pad() -> None:
    program = prepared(Padded(), (3, 4, 4), one=True)
    convolutions = [node for node in program.graph.nodes if node.target in CONVOLUTIONS]
    read = [program.get_submodule(str(source.target)) for node in convolutions for source in node.args[:2]]
    assert [type(part) for part in read] == [RoundedMap, RoundedWeight] * 2


def test_every_map_and_every_weight_lies_on_its_grid() -> None:
    network, x = integer_network("mobilenetv3_small_050"), torch.randn(2, 3, 64, 64)
    inside = rounded_network(network, (64, 64))
    settle_(inside.program, x, Rounding(minmax))
    seen: list[tuple[nn.Module, torch.Tensor]] = []
    kept = [m.register_forward_hook(lambda m, _, y: seen.append((m, y))) for m in maps_of(inside.program).values()]
    with torch.no_grad():
        inside(x)
    assert len(seen) == len(kept) > 50
    for module, value in seen:
        assert isinstance(module, RoundedMap)
        assert len(value.unique()) <= 256
        assert torch.allclose(rounded(value, *module.range), value, atol=1e-5 * value.abs().max().item() + 1e-9)


def test_gradients_reach_every_weight_bias_and_range() -> None:
    inside = rounded_network(integer_network("mobilenetv4_conv_small_035"), (64, 64))
    settle_(inside.program, torch.randn(2, 3, 64, 64), Rounding(mse))
    inside(torch.randn(4, 3, 64, 64)).square().sum().backward()
    assert not [name for name, weight in inside.named_parameters() if weight.grad is None]


def test_a_step_of_adam_changes_tiny_folded_weights_no_more_than_large_ones() -> None:
    network = integer_network("mobilenetv4_conv_small_035")
    tiny, large = [part for part in network.modules() if isinstance(part, nn.Conv2d)][1:3]
    with torch.no_grad():
        tiny.weight.mul_(1e-4)  # as a folded layer scale makes them
        large.weight.mul_(1e2)
    inside = rounded_network(network, (64, 64))
    settle_(inside.program, torch.randn(2, 3, 64, 64), Rounding(mse))
    before, optimizer = inside.exact().state_dict(), torch.optim.Adam(inside.parameters(), lr=RECIPE.lr)
    assert all(torch.allclose(before[name], value) for name, value in network.state_dict().items())
    inside(torch.randn(4, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    weights = {name: value for name, value in inside.exact().state_dict().items() if name.endswith(".weight")}
    shares = [((value - before[name]).norm() / before[name].norm()).item() for name, value in weights.items()]
    assert 0 < max(shares) < 3 * RECIPE.lr / EVEN


def test_a_range_that_clips_most_is_stretched_and_one_that_is_hardly_used_shrinks() -> None:
    x, module = torch.randn(10_000), RoundedMap()
    gradients = []
    for reach in (0.5, 100.0):
        module.cover_(-reach, reach)
        module.zero_grad()
        (module(x) - x).square().sum().backward()
        gradients.append(module.stretch.grad.item())  # type: ignore[union-attr]
    assert gradients[0] < 0 < gradients[1]


def test_training_leaves_a_run_whose_weights_and_ranges_have_changed(start: Run, run: Run) -> None:
    inside = open_run(run.folder).network
    assert isinstance(inside, RoundedNetwork)
    assert run.read("rounding")["start"] == str(start.folder.resolve())
    assert run.read("data")["digest"] == start.read("data")["digest"]
    stretches = [module.stretch.item() for module in maps_of(inside.program).values()]
    assert np.ptp(stretches) > 1e-4
    before = integer_form(deployable(load(start.folder).network)).state_dict()
    assert any((value - before[name]).abs().max() > 1e-4 for name, value in inside.exact().state_dict().items())


def test_a_run_is_read_back_as_it_was_measured(run: Run) -> None:
    model = load(run.folder)
    data = run_data(run)
    again = measure(
        model.network, data.validation, task=model.task, preprocessing=model.preprocessing, split="validation"
    )
    assert again["loss"] == pytest.approx(run.read("metrics")["loss"], abs=1e-6)
    assert model.predict(data.validation[0].file).label in model.labels


def test_a_training_that_was_stopped_goes_on_to_the_same_end(start: Run, run: Run, tmp_path: Path) -> None:
    to = tmp_path / "run"
    epochs = []

    def stop(*_: object, **__: object) -> None:
        epochs.append(1)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mobilevision.train.journal.Journal.write", lambda self, facts: stop())
        with pytest.raises(KeyboardInterrupt):
            qat(start, to=to, recipe=SHORT, calibrate=16, workers=0)
    assert resume(to, workers=0).best.read_bytes() == run.best.read_bytes()


def test_another_training_in_the_same_folder_is_refused(start: Run, run: Run) -> None:
    with pytest.raises(UsageError, match="another calibrate"):
        qat(start, to=run.folder, recipe=SHORT, calibrate=8, workers=0)
    with pytest.raises(UsageError, match="another start"):
        qat(start, to=start.folder, recipe=SHORT, calibrate=16, workers=0)


def test_rounding_twice_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give the run it started from"):
        qat(run, to=tmp_path)


def test_only_what_tells_classes_is_trained_with_its_rounding_inside(start: Run, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    shutil.copytree(start.folder, run.folder)
    run.write("task", {"task": "detect", "labels": ["a", "b", "c"]})
    with pytest.raises(UsageError, match=r"trained to detect.*export --precision int8"):
        qat(run, to=tmp_path / "int8")


def test_a_missing_package_is_told_with_the_extra(start: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mobilevision.deploy.rounded.find_spec", lambda _: None)
    with pytest.raises(MissingError, match=r"mobilevision\[qat\]"):
        qat(start, to=tmp_path)


def test_such_a_run_is_written_in_8_bits_alone(run: Run) -> None:
    with pytest.raises(UsageError, match="written in int8, not fp32"):
        export(run, "onnx")


def test_weights_of_another_network_are_refused(run: Run) -> None:
    with pytest.raises(InputError, match="are not of tiny"):
        rebuilt(run.arch, 3, 3, (16, 16), {})


@pytest.mark.parametrize(
    "to", ["onnx", pytest.param("litert", marks=pytest.mark.slow), pytest.param("executorch", marks=pytest.mark.slow)]
)
def test_a_file_computes_what_the_network_computed_when_it_was_trained(run: Run, to: str) -> None:
    model = open_run(run.folder)
    artifact = export(run, to, precision="int8", floor=100, calibrate=16)
    pictures = calibration_pictures(run_data(run), model, count=12)
    right, found = torch_scores(model.network, pictures), scores(open_file(artifact.path), pictures.numpy())
    (*_, last) = maps_of(model.network.program).values()
    step = (last.range[1] - last.range[0]) / 255
    assert np.abs(found - right).max() <= 4 * step  # a value between two steps may fall to either, layer by layer
    assert np.abs(found - right).mean() <= step


def test_trained_ranges_find_their_maps_whatever_they_are_called() -> None:
    network, x = integer_network("mobilenetv2_035"), torch.randn(3, 3, 64, 64)
    inside = rounded_network(network, (64, 64))
    settle_(inside.program, x, Rounding(minmax))
    for i, module in enumerate(maps_of(inside.program).values()):
        module.cover_(-1.0 - i, 1.0 + i)

    def renamed() -> object:  # in another layout, as a file has them, and with what another runtime's sums differ in
        for maps in exact_maps(inside.program, x):
            yield {f"tensor/{name}": value.T * np.float32(1 + 1e-6) for name, value in maps.items()}

    found = told(renamed, Rounding(mse, trained=inside.trained(x)))
    for name, module in maps_of(inside.program).items():
        assert found[f"tensor/{name}"] == module.range


def test_a_map_that_was_not_trained_keeps_what_the_pictures_tell() -> None:
    values = np.linspace(-1, 3, 100, dtype=np.float32)

    def run_() -> object:
        yield {"map": values}

    (mark,) = marks(run_).values()
    assert mark == Mark(100, -1.0, 3.0, pytest.approx(1.0, abs=1e-6), pytest.approx(2.36, abs=0.1))
    other = replace(mark, mean=mark.mean + 0.1)
    assert told(run_, Rounding(minmax, trained=[(other, (-9.0, 9.0))])) == {"map": (-1.0, 3.0)}
    assert told(run_, Rounding(minmax, trained=[(mark, (-9.0, 9.0))])) == {"map": (-9.0, 9.0)}


def test_the_command_trains_a_run_on_and_resumes_it(start: Run, capsys: Said) -> None:
    for words in (["--qat", str(start.folder), "--epochs", "1"], ["--resume", f"{start.folder}-int8"]):
        assert command(["train", *words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["recipe"] == "rounding"
    assert Run.open(f"{start.folder}-int8").read("recipe")["epochs"] == 1


@pytest.mark.parametrize(
    "words",
    [
        *(["DATA"], ["--arch", "emo_1m"], ["--task", "embed"], ["--weights", "x"], ["--seed", "1"], ["--loss", "ce"]),
        *(["--precision", "16"], ["--find-lr"], ["--cache"], ["--distilled", "x"], ["--teacher", "emo_1m"]),
    ],
    ids=lambda words: words[0],
)
def test_what_training_a_run_on_would_not_heed_is_refused(words: list[str], capsys: Said) -> None:
    assert command(["train", *words, "--qat", "nowhere", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)["error"]
    assert told.startswith("--qat trains a run on")
    assert f"so {words[0]} would not be heeded; leave it out" in told


@pytest.mark.parametrize("words", [["DATA"], ["--precision", "16"], ["--set", "lr=1"]], ids=lambda words: words[0])
def test_what_a_rounded_run_that_goes_on_would_not_heed_is_refused(
    words: list[str], tmp_path: Path, capsys: Said
) -> None:
    Run(tmp_path).write("rounding", {})
    assert command(["train", *words, "--resume", str(tmp_path), "--json"]) == 2
    assert f"so {words[0]} would not be heeded; leave it out" in json.loads(capsys.readouterr().out)["error"]


def test_the_command_stops_in_time_goes_on_and_grows_longer(start: Run, tmp_path: Path, capsys: Said) -> None:
    asked = ["--qat", str(start.folder), "--epochs", "1", "--batch", "8", "--minutes", "1e-9"]
    assert command(["train", *asked, "--out", str(tmp_path), "--workers", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"] is None
    with pytest.warns(UserWarning, match="the schedule has 2 epochs instead of 1"):
        assert command(["train", "--resume", str(tmp_path), "--epochs", "2", "--workers", "0", "--json"]) == 0
    assert [line["epoch"] for line in Run.open(tmp_path).history()] == [1, 2]
