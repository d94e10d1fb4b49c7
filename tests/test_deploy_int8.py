"""A file in 8 bits keeps the network's accuracy, or it is refused with the layers that lost most."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mobilevision.deploy import export, quantize
from mobilevision.deploy.equalize import correct_, equalize_
from mobilevision.deploy.formats import FORMATS
from mobilevision.deploy.handover import convert_integers
from mobilevision.deploy.integers import integer_form
from mobilevision.deploy.load import load
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.quantize import IntegerProof
from mobilevision.deploy.ranges import BINS, ESTIMATORS, Histogram, estimate
from mobilevision.deploy.runtime import open_file, scores
from mobilevision.deploy.simulate import Ranges, Watched, rounded, rounded_weight, rounds, sensitivity
from mobilevision.deploy.streams import read_streams, traced
from mobilevision.errors import InputError, ShortfallError, UsageError
from mobilevision.network import Network
from mobilevision.run import Run
from test_deploy_export import make_run
from test_deploy_prepare import trained

PROOF = IntegerProof(
    pictures=100,
    source="",
    accuracy=0.80,
    accuracy_torch=0.82,
    agreement=0.9,
    divergence=0.1,
    largest_difference=0.1,
    limit=1.0,
    runtime="",
    calibration=64,
    lost=({"layer": "stages.0.0.conv", "divergence": 0.5},),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.manual_seed(0)
    return make_run(tmp_path_factory.mktemp("int8"))


def integer_network(name: str) -> Network:
    return integer_form(deployable(trained(name))).eval()


def rounded_scores(network: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """What a file in 8 bits would give, with ranges from the same pictures."""
    graph = traced(network)
    ranges = Ranges(graph).see(pictures)
    exact = {conv: conv.weight.clone() for conv in network.modules() if isinstance(conv, nn.Conv2d)}
    with torch.no_grad():
        for conv in exact:
            conv.weight.copy_(rounded_weight(conv.weight))
        found = Watched(graph, lambda n, v: ranges.rounded(n, v) if rounds(graph, n) else v).run(pictures)
        for conv, weight in exact.items():
            conv.weight.copy_(weight)
    return found


def test_an_export_in_8_bits_is_judged_on_all_validation_pictures(run: Run) -> None:
    artifact = export(run, "onnx", precision="int8", floor=100, calibrate=8)
    proof = artifact.facts["proof"]
    assert artifact.path.name == "mobilenetv2_035_int8.onnx"
    assert (proof["pictures"], proof["calibration"], proof["passed"]) == (3, 8, True)
    assert 0 <= proof["accuracy"] <= 1
    assert proof["divergence"] < 0.05
    assert len(proof["lost"]) == 8
    assert artifact.facts["operators"]["QuantizeLinear"] > 50
    assert artifact.facts["inputs"][0]["dtype"] == "float32"


@pytest.mark.slow
def test_a_litert_file_in_8_bits_computes_nearly_the_same(run: Run) -> None:
    artifact = export(run, "litert", precision="int8", floor=100, calibrate=8)
    fp32 = export(run, "litert")
    assert artifact.facts["proof"]["divergence"] < 0.05
    assert artifact.facts["inputs"] == fp32.facts["inputs"]
    convolutions = [m for m in Network(run.arch, 3).modules() if isinstance(m, nn.Conv2d)]
    weights, channels = (sum(n) for n in zip(*((m.weight.numel(), m.out_channels) for m in convolutions), strict=True))
    each = 32  # bytes a channel: scale and zero of its weight and of its bias, 24, and the tables that hold them
    assert artifact.facts["bytes"] < fp32.facts["bytes"] - 3 * weights + each * channels
    assert artifact.facts["operators"]["QUANTIZE"] == artifact.facts["operators"]["DEQUANTIZE"] == 1
    assert load(artifact.path).labels == load(fp32.path).labels  # read from inside the file


def test_a_file_below_the_floor_is_refused_with_the_layers_that_lost_most(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def convert(*_: object, how: dict, **__: object) -> dict:
        tried.append(how["wide"])
        return {"lost": [{"layer": f"layer{i}", "place": i, "divergence": 1.0 / (1 + i)} for i in range(20)]}

    monkeypatch.setattr(quantize, "convert_integers", convert)
    monkeypatch.setattr(quantize, "judge", lambda *_, **__: (PROOF, {}))
    with pytest.raises(ShortfallError, match=r"80.0% of 100 pictures where torch is on 82.0%.*layer0, layer1, layer2"):
        export(run, "onnx", precision="int8")
    assert tried == [[], [0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7]]
    assert not list(run.artifacts.glob(".*"))


def test_layers_stay_wide_only_until_the_floor_is_met(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"lost": [{"layer": f"layer{i}", "place": i, "divergence": 1.0} for i in range(20)]}
    proofs = iter([PROOF, replace(PROOF, accuracy=0.815)])
    monkeypatch.setattr(quantize, "convert_integers", lambda *_, **__: told)
    monkeypatch.setattr(quantize, "judge", lambda *_, **__: (next(proofs), {}))
    proof, _ = quantize.integers(
        run,
        quantize_model(run),
        FORMATS["onnx"],
        card={},
        to=Path("unused"),
        how=quantize.Quantization(calibrate=4),
        seconds=60,
    )
    assert proof.passed
    assert proof.wide == ("layer0", "layer1")


def quantize_model(run: Run) -> object:
    from mobilevision.models import open_model

    return open_model(run.folder)


def test_a_wide_layer_is_not_rounded_in_the_file(tmp_path: Path) -> None:
    network, pictures = trained("mobilenetv2_035"), torch.randn(4, 3, 32, 32)
    card = {"format": "onnx", "precision": "int8", "labels": []}
    counts = []
    for wide in ([], list(range(52))):
        how = {"ranges": "minmax", "equalize": True, "correct": True, "wide": wide}
        convert_integers(network, pictures, card=card, to=tmp_path / "file.onnx", how=how, seconds=300)
        counts.append(FORMATS["onnx"].operators(tmp_path / "file.onnx").count("QuantizeLinear"))
        error = np.abs(scores(open_file(tmp_path / "file.onnx"), pictures.numpy()) - network(pictures).detach().numpy())
        assert error.max() < 0.3 * network(pictures).abs().max()
    assert counts[1] < counts[0] / 2


def test_pictures_without_labels_are_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="no labels"):
        export(run, "onnx", precision="int8", pictures=["somewhere"])


@pytest.mark.parametrize(("option", "value"), [("floor", -1), ("calibrate", 0), ("ranges", "entropy")])
def test_what_makes_no_sense_is_told(run: Run, option: str, value: object) -> None:
    with pytest.raises(UsageError, match=r"choose from|give 0 to 100|calibrate on"):
        export(run, "onnx", precision="int8", **{option: value})


def test_calibration_without_a_readable_picture_is_told(run: Run) -> None:
    data = quantize.run_data(run)
    broken = replace(data.train[0], file=Path(__file__))
    with pytest.raises(InputError, match="none of the training pictures"):
        quantize.calibration_pictures(replace(data, train=(broken,)), quantize_model(run).preprocessing, count=4)


def test_mse_clips_one_far_value_and_minmax_does_not() -> None:
    values = np.append(np.random.default_rng(0).normal(size=400_000), 40.0).astype(np.float32)

    def tensors() -> object:
        yield {"map": values}

    found = {name: estimate(tensors, estimator)["map"] for name, estimator in ESTIMATORS.items()}
    assert found["minmax"] == (values.min(), 40.0)
    assert found["mse"][1] < 39
    assert found["percentile"][1] < 20


@pytest.mark.parametrize("estimator", ESTIMATORS.values())
def test_a_tensor_that_is_constant_has_a_range(estimator: object) -> None:
    low, high = estimator(Histogram(2.0, 2.000001, np.eye(1, BINS)[0]))
    assert low <= high


def test_rounding_keeps_zero_and_errs_by_half_a_step() -> None:
    x = torch.linspace(-1, 3, 1000)
    assert rounded(torch.zeros(1), -1, 3).item() == 0
    assert (rounded(x, -1, 3) - x).abs().max() <= 0.5 * 4 / 255 * 1.01 + 4 / 255 * 0.5


@pytest.mark.parametrize("name", ["mobilenetv2_035", "mobilenetv3_small_050", "mobilenetv4_conv_small_035"])
def test_equalizing_changes_no_score_on_the_pictures_seen(name: str) -> None:
    network, pictures = integer_network(name), torch.randn(8, 3, 64, 64)
    with torch.no_grad():
        before = network(pictures)
        assert equalize_(network, pictures) > 10
        after = network(pictures)
    assert (after - before).abs().max() <= 1e-4 * before.abs().max()


def test_equalizing_and_correcting_bring_the_rounded_scores_nearer() -> None:
    network, pictures = integer_network("mobilenetv2_035"), torch.randn(16, 3, 64, 64)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, nn.Conv2d):
                spread = torch.logspace(-1, 0.3, len(part.weight))[torch.randperm(len(part.weight))]
                part.weight.mul_(spread[:, None, None, None])
        right = network(pictures)
    plain = (rounded_scores(network, pictures) - right).norm()
    equalize_(network, pictures)
    equal = (rounded_scores(network, pictures) - right).norm()
    correct_(network, pictures)
    both = (rounded_scores(network, pictures) - right).norm()
    assert equal < 0.9 * plain
    assert both < equal


def test_a_layer_with_one_far_channel_is_the_most_sensitive_until_it_is_equalized() -> None:
    network, pictures = integer_network("mobilenetv4_conv_small_035"), torch.randn(4, 3, 64, 64)
    (stream, *_) = [each for each in read_streams(traced(network)) if each.free and len(each.writers) == 1]
    names = {module: name for name, module in network.named_modules()}
    (conv,) = stream.writers
    stream.rescale_(torch.tensor([1000.0] + [1.0] * (conv.out_channels - 1)))
    found = sensitivity(network, pictures)
    assert found[0]["layer"] == names[conv]
    assert sorted(each["place"] for each in found) == list(range(len(found)))
    equalize_(network, pictures)
    (after,) = [each for each in sensitivity(network, pictures) if each["layer"] == names[conv]]
    assert after["divergence"] < 0.2 * found[0]["divergence"]  # a factor is 64 at most
