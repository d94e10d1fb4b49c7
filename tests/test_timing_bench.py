"""A time tells a picture's whole way, its energy where that is counted, and every operator beside its bound."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mobilevision.cli.timing import told_comparison, told_layers, told_timing
from mobilevision.cost import walk
from mobilevision.deploy import export
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.base import Layer
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.stem import columns_as_channels
from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.timing import bench, bench_run, break_down, compare
from mobilevision.timing.clock import cores, files_of, median_interval, threads_here
from mobilevision.timing.energy import counters
from mobilevision.timing.layers import Breakdown, bounded
from mobilevision.timing.machine import Machine
from test_deploy_export import LABELS, SIZE, make_run

MACHINE = Machine(gmacs=100, gmacs_int8=400, bandwidth=((1 << 20, 80.0), (1 << 26, 10.0)), threads=1, how="")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.manual_seed(0)
    return make_run(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def file(run: Run) -> Artifact:
    return export(run, "onnx")


def test_a_pictures_whole_way_is_the_sum_of_its_parts(file: Artifact) -> None:
    timing = bench(file)
    stages = timing.stages
    assert min(stages.pre_ms, stages.inference_ms, stages.post_ms) > 0
    parts = stages.pre_ms + stages.inference_ms + stages.post_ms
    assert stages.whole_ms == pytest.approx(parts, rel=0.3)  # medians of parts need not add up
    assert stages.fps == pytest.approx(1e3 / stages.whole_ms)
    assert timing.low_ms <= timing.median_ms <= timing.high_ms
    assert (timing.energy_mj is None) == bool(timing.energy_note)
    assert "pictures a second" in told_timing(timing.facts())


def test_every_operator_has_a_time_and_a_bound_and_they_hold_the_networks_arithmetic(run: Run, file: Artifact) -> None:
    found = break_down(file)
    assert Artifact.open(file.path).facts["layers"] == json.loads(json.dumps(found.facts()))
    rows = walk(run.arch, SIZE, outputs=len(LABELS))
    assert sum(each.macs for each in found.layers) >= sum(row.cost.macs for row in rows)  # blocks of 16 channels
    assert all(each.ms >= 0 for each in found.layers)
    assert {each.bound for each in found.layers} <= {"compute", "memory"}
    assert found.bound_ms > 0
    facts = found.facts()
    assert facts["whole"]["achieved"] == pytest.approx(found.bound_ms / found.ms)
    assert "of what is possible" in told_layers(facts)


def test_a_bound_is_the_longer_of_arithmetic_and_memory() -> None:
    compute = bounded(Layer("a", "Conv", macs=100_000_000, bytes=8000, piece="0"), 2.0, MACHINE, integers=False)
    assert (compute.bound, compute.bound_ms, compute.achieved) == ("compute", 1.0, 0.5)
    integers = bounded(Layer("a", "Conv", macs=100_000_000, bytes=8000, piece="0"), 2.0, MACHINE, integers=True)
    assert integers.bound_ms == 0.25
    near = bounded(Layer("b", "Add", macs=0, bytes=800_000, piece="0"), 0.02, MACHINE, integers=False)
    assert (near.bound, near.bound_ms) == ("memory", pytest.approx(0.01))
    far = bounded(Layer("b", "Add", macs=0, bytes=10_000_000, piece="0"), 2.0, MACHINE, integers=False)
    assert far.bound_ms == pytest.approx(1.0)
    unknown = bounded(Layer("c", "Reshape", macs=0, bytes=0, piece=""), 0.1, MACHINE, integers=False)
    assert (unknown.bound, unknown.achieved) == ("", 0.0)
    whole = Breakdown("file", (compute, near), MACHINE, "", threads=1, runs=50)
    assert whole.ms == pytest.approx(2.02)
    assert whole.bound_ms == pytest.approx(1.01)


def test_a_file_against_itself_is_neither_faster_nor_slower(file: Artifact) -> None:
    found = compare(file, file, runs=200)
    assert found.low <= found.ratio <= found.high
    assert 0.8 < found.ratio < 1.25
    assert file.path.name in told_comparison(found.facts())


def test_a_stale_file_of_a_run_is_named_and_the_others_are_timed(run: Run, file: Artifact) -> None:
    stale = run.artifacts / "stale.onnx"
    stale.write_bytes(b"cut")
    Artifact(stale, file.facts | {"file": stale.name}).write()
    try:
        with pytest.warns(UserWarning, match=r"left out: .*stale.onnx has 3 bytes"):
            timings = bench_run(run)
        assert [each.file for each in timings] == [file.path.name]
    finally:
        stale.unlink()
        (run.artifacts / "stale.onnx.json").unlink()


def test_a_format_that_is_a_folder_is_a_file_and_not_a_run(tmp_path: Path) -> None:
    (tmp_path / "network.openvino").mkdir()
    with pytest.raises(ValueError, match="has no facts beside it"):
        files_of(tmp_path / "network.openvino")


def test_all_threads_are_the_cores_and_a_word_is_none() -> None:
    assert threads_here("all") == cores()
    assert threads_here("2") == 2
    for word in ("two", "-1", "0", ""):
        with pytest.raises(UsageError, match="give a number, or all"):
            threads_here(word)


def test_the_interval_of_a_median_holds_it_and_narrows_with_more_laps() -> None:
    laps = np.random.default_rng(0).normal(10, 1, 1000)
    low, high = median_interval(laps[:50].tolist())
    many = median_interval(laps.tolist())
    assert low < np.median(laps[:50]) < high
    assert many[1] - many[0] < high - low


def counter(folder: Path, number: int, *, name: str, energy: int, span: int = 999_999) -> Path:
    place = folder / f"intel-rapl:{number}"
    place.mkdir()
    for word, value in (("name", name), ("energy_uj", energy), ("max_energy_range_uj", span)):
        (place / word).write_text(f"{value}\n")
    return place


def test_energy_is_read_from_every_package_and_a_counter_may_run_over(tmp_path: Path) -> None:
    first = counter(tmp_path, 0, name="package-0", energy=100_000)
    second = counter(tmp_path, 1, name="package-1", energy=900_000)
    counter(tmp_path, 2, name="psys", energy=5)
    meter = counters(tmp_path)
    before = meter.read()
    (first / "energy_uj").write_text("350000")
    (second / "energy_uj").write_text("100000")  # it counts from 0 again after 999999
    assert meter.joules(before, meter.read()) == pytest.approx(0.25 + 0.2)


def test_a_machine_without_counters_says_so(tmp_path: Path) -> None:
    meter = counters(tmp_path)
    assert meter.joules(meter.read(), meter.read()) is None
    assert "shows no energy counters" in meter.trouble


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "precision"), [("litert", "fp32"), ("litert", "fp16"), ("openvino", "fp32"), ("executorch", "fp32")]
)
def test_every_runtime_tells_the_times_of_operators_that_hold_the_networks_arithmetic(
    run: Run, to: str, precision: str
) -> None:
    found = break_down(export(run, to, precision=precision))
    assert sum(each.macs for each in found.layers) == sum(
        row.cost.macs for row in walk(run.arch, SIZE, outputs=len(LABELS))
    )
    assert found.ms > 0


@pytest.mark.slow
@pytest.mark.parametrize(("to", "written"), [("litert", columns_as_channels), ("onnx", deepcopy)])
def test_operators_in_8_bits_are_timed_and_hold_the_arithmetic_of_the_form_that_is_written(
    run: Run, to: str, written: Callable[[nn.Module], nn.Module]
) -> None:
    found = break_down(export(run, to, precision="int8", floor=100, calibrate=8))
    network = deployable(Network(run.arch, len(LABELS)).eval())
    with FlopCounterMode(display=False) as counter:
        written(network)(torch.zeros(1, 3, *SIZE))
    assert sum(each.macs for each in found.layers) == counter.get_total_flops() // 2
