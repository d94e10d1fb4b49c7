"""What is told beside scores: Grad-CAM, calibration and its temperature, accuracy on spoiled pictures."""

import math
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from mobilevision.data.dataset import Sample
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError
from mobilevision.models import create_model
from mobilevision.network import Network
from mobilevision.tasks.calibration import BINS, SHARPEST, Scored, calibration, sureness, temperature
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.grad_cam import grad_cam, mistakes
from mobilevision.tasks.robustness import DAMAGES, FORMS, STRENGTHS, Spoiled, robustness
from tiny_training import fresh

TASK = Classify(("blue", "green", "red"))
TAGS = Classify(("cat", "dog", "bird"), multilabel=True)
SEEN = Preprocessing((16, 16), crop=1.0)


def wavering(sharpness: float, *, count: int = 4000) -> Scored:
    """Scores whose softmax tells the true probabilities when they are divided by `sharpness`."""
    generator = torch.Generator().manual_seed(0)
    scores = 1.5 * torch.randn(count, 3, generator=generator)
    targets = torch.multinomial(scores.softmax(1), 1, generator=generator).squeeze(1)
    return Scored(sharpness * scores, targets, "test")


def pictures(folder: Path, *, count: int = 6) -> list[Sample]:
    generator, samples = torch.Generator().manual_seed(0), []
    for i in range(count):
        pixels = torch.randint(0, 120, (20, 24, 3), dtype=torch.uint8, generator=generator)
        pixels[..., 2 - i % 3] += 120
        samples.append(Sample(folder / f"{i}.png", (i % 3,)))
        Image.fromarray(pixels.numpy()).save(samples[-1].file)
    return samples


def trained_network() -> Network:
    network = fresh().eval()
    torch.manual_seed(1)
    for norm in (part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)):
        norm.running_mean.uniform_(-0.5, 0.5)
        norm.running_var.uniform_(0.5, 2)
    return network


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "mobilenetv4_conv_small_035"])
def test_grad_cam_agrees_with_captum(name: str) -> None:
    attr = pytest.importorskip("captum.attr", reason="captum is not installed; run: pip install captum")
    torch.manual_seed(0)
    network = create_model(name, num_classes=4).eval()
    last = [block for stage in network.stages for block in stage][-1]
    batch, classes = torch.randn(3, 3, 96, 96), torch.tensor([0, 3, 1])
    theirs = attr.LayerGradCam(network, last).attribute(batch, classes, relu_attributions=True)
    ours = grad_cam(network, batch, classes)
    assert ours.shape == (3, 3, 3)
    assert ours.max() > 0
    torch.testing.assert_close(ours, theirs.squeeze(1), rtol=1e-4, atol=1e-6 * float(theirs.detach().max()))


def test_grad_cam_leaves_the_network_as_it_was() -> None:
    network, before = trained_network(), trained_network().state_dict()
    with torch.no_grad():
        grad_cam(network, torch.randn(2, 3, 16, 16), torch.tensor([0, 1]))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_mistake_has_a_map_for_what_was_said_and_for_each_label_that_is_true(tmp_path: Path) -> None:
    samples = pictures(tmp_path)
    wrong = [{"file": str(samples[4].file), "truth": "green", "label": "red", "score": 0.6}]
    (told,) = mistakes(trained_network(), wrong, samples, task=TASK, preprocessing=SEEN)
    assert told["score"] == 0.6
    assert list(told["true"]) == ["green"]
    for rows in (told["said"], told["true"]["green"]):
        flat = [value for row in rows for value in row]
        assert min(flat) >= 0
        assert max(flat) in (0, 1)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_how_much_too_sure_scores_are(sharpness: float) -> None:
    found = wavering(sharpness)
    facts = calibration(TASK, found, fit=found)
    assert facts["temperature"] == pytest.approx(sharpness, rel=0.1)
    assert facts["after"]["nll"] <= facts["before"]["nll"] + 1e-6
    assert facts["after"]["ece"] < 0.03
    assert not facts["at_bound"]


def test_no_temperature_beside_the_fitted_one_has_less_loss() -> None:
    found = wavering(2.0)
    best = temperature(TASK, found)
    losses = [F.cross_entropy(found.scores / (best * by), found.targets) for by in (0.97, 1, 1.03)]
    assert losses[1] < min(losses[0], losses[2])


def test_a_temperature_that_nothing_bounds_is_told_as_such() -> None:
    sure = Scored(torch.eye(3), torch.arange(3), "validation")
    facts = calibration(TASK, sure, fit=sure)
    assert facts["at_bound"]
    assert facts["temperature"] == pytest.approx(SHARPEST, rel=1e-3)
    assert facts["fitted_on"] == facts["split"]


def test_the_bins_add_up_to_the_calibration_error() -> None:
    found = sureness(TASK, wavering(3.0))
    assert sum(bin_["count"] for bin_ in found["bins"]) == 4000
    by_hand = sum(bin_["count"] * abs(bin_["sure"] - bin_["right"]) for bin_ in found["bins"]) / 4000
    assert found["ece"] == pytest.approx(by_hand, abs=1e-5)
    assert all(bin_["low"] <= bin_["sure"] <= bin_["high"] for bin_ in found["bins"])


def test_a_reliability_diagram_has_the_papers_15_bins() -> None:
    bins = sureness(TASK, wavering(1.0))["bins"]
    assert BINS == 15  # arXiv:1706.04599, section 5
    assert all(bin_["high"] - bin_["low"] == pytest.approx(1 / 15) for bin_ in bins)


def test_every_label_of_several_is_a_decision_of_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3000, 3, generator=generator)
    targets = torch.bernoulli(scores.sigmoid(), generator=generator)
    facts = calibration(TAGS, Scored(2 * scores, targets, "test"), fit=Scored(2 * scores, targets, "validation"))
    assert sum(bin_["count"] for bin_ in facts["before"]["bins"]) == 9000
    assert facts["temperature"] == pytest.approx(2, rel=0.1)
    assert facts["after"]["ece"] < facts["before"]["ece"]


def test_every_damage_changes_more_the_stronger_it_is() -> None:
    torch.manual_seed(0)
    pixels = torch.randint(0, 255, (3, 8, 8), dtype=torch.uint8).repeat_interleave(8, 1).repeat_interleave(8, 2)
    for damage in DAMAGES:
        changed = [
            (damage.spoil(pixels, level).float() - pixels.float()).abs().mean().item() for level in damage.levels
        ]
        assert 0 < changed[0] < changed[1] < changed[2], damage.name


def test_damage_keeps_the_shape_the_bytes_and_a_grey_channel() -> None:
    for channels in (1, 3):
        seen = Preprocessing((14, 20), mean=(0.5,) * channels, std=(0.5,) * channels)
        spoiled = Spoiled(seen)(Image.new("RGB", (40, 30), (200, 30, 90)))
        assert spoiled.shape == (1 + len(FORMS), channels, 14, 20)
        assert spoiled.dtype == torch.uint8


def reddest(batch: Tensor) -> Tensor:
    """Scores by the mean of each channel: blue, green, red."""
    return batch.mean((2, 3)).flip(1)


def test_robustness_of_a_judge_of_colors_is_counted_with_intervals(tmp_path: Path) -> None:
    facts = robustness(reddest, pictures(tmp_path), task=TASK, preprocessing=SEEN, split="test")
    assert facts["plain"]["top1"] == 1
    assert facts["plain"]["low"] == pytest.approx(0.6097, abs=1e-4)  # Wilson's score of 6 right of 6
    assert [damage["name"] for damage in facts["damages"]] == [damage.name for damage in DAMAGES]
    for damage in facts["damages"]:
        assert [level["strength"] for level in damage["levels"]] == list(STRENGTHS)
        assert all(level["low"] <= level["top1"] <= level["high"] for level in damage["levels"])
    assert facts["damages"][0]["levels"][2]["top1"] == 1  # a blur does not change the mean color


def test_robustness_depends_on_the_seed_alone(tmp_path: Path) -> None:
    samples, seen = pictures(tmp_path, count=5), []

    def noting(batch: Tensor) -> Tensor:
        seen.append(batch.clone())
        return reddest(batch)

    for seed in (3, 3, 4):
        torch.manual_seed(len(seen))
        robustness(noting, samples, task=TASK, preprocessing=SEEN, split="test", seed=seed)
    one, two, other = (torch.cat(seen[i : i + 1 + len(FORMS)]) for i in range(0, len(seen), 1 + len(FORMS)))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_a_judge_that_is_the_task_of_plain_pictures_agrees_with_the_measure(tmp_path: Path) -> None:
    samples, network = pictures(tmp_path), trained_network()
    facts = robustness(network, samples, task=TASK, preprocessing=SEEN, split="test")
    batches = TASK.batches(samples, transform=TASK.evaluation(SEEN), batch=4)
    assert math.isclose(facts["plain"]["top1"], TASK.evaluate(network, batches)["top1"])


def test_several_labels_are_right_if_the_best_is_one_of_them(tmp_path: Path) -> None:
    samples = [Sample(sample.file, (0, 2)) for sample in pictures(tmp_path)]
    facts = robustness(reddest, samples, task=TAGS, preprocessing=SEEN, split="test")
    assert facts["plain"]["top1"] == pytest.approx(4 / 6)


def test_nothing_cannot_be_spoiled() -> None:
    with pytest.raises(InputError, match="no test pictures"):
        robustness(reddest, [], task=TASK, preprocessing=SEEN, split="test")
