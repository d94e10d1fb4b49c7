"""Detectors and segmenters by name, with weights under torchvision's names, and trained by the same loop."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models import detection, segmentation

from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Conv, SSDLite
from mobilevision.data.shapes import write_shapes
from mobilevision.models import create_model
from mobilevision.network import Network
from mobilevision.tasks.catalog import make_task, read_task
from mobilevision.train.loop import fit, resume
from mobilevision.train.recipes import quick

TINY = Arch("tiny", ((Conv(8, 2), Conv(8, 2), Conv(8, 2)), (Conv(8, 2), Conv(8, 2))), size=64)


def test_a_detector_by_name_knows_coco_and_its_preprocessing(tmp_path: Path) -> None:
    theirs = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=91)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")

    network = create_model("ssdlite320_mobilenet_v3_large", pretrained=tmp_path / "weights.pth")

    assert network.outputs == 90
    assert (network.labels[0], network.labels[17]) == ("person", "dog")
    assert len(set(network.labels)) == 90
    assert network.preprocessing.size == (320, 320)
    assert network.preprocessing.mean == (0.5, 0.5, 0.5)
    assert make_task("detect", network.labels).outputs == 90


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"])
def test_a_segmenter_by_name_knows_voc(tmp_path: Path, name: str) -> None:
    auxiliary = {"aux_loss": True} if "deeplab" in name else {}
    theirs = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=21, **auxiliary)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")

    network = create_model(name, pretrained=tmp_path / "weights.pth")

    assert (network.labels[0], network.labels[12]) == ("__background__", "dog")
    assert make_task("segment", network.labels).outputs == 21


def test_a_detector_for_classes_of_ones_own_starts_from_coco(tmp_path: Path) -> None:
    theirs = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=91)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")

    with pytest.warns(UserWarning, match="the weights score 90 classes, the network 3"):
        network = create_model("ssdlite320_mobilenet_v3_large", pretrained=tmp_path / "weights.pth", num_classes=3)

    state = theirs.state_dict()
    assert torch.equal(network.head.boxes[0].weight, state["head.regression_head.module_list.0.1.weight"])


@pytest.mark.parametrize(
    ("task", "head", "goal", "outputs"),
    [("detect", SSDLite((16, 16)), "map", 3), ("segment", LRASPP(8), "miou", 4)],
)
def test_the_loop_trains_and_resumes_every_task(
    tmp_path: Path, task: str, head: SSDLite | LRASPP, goal: str, outputs: int
) -> None:
    (tmp_path / "data").mkdir()
    write_shapes(tmp_path / "data", {"train": 8, "val": 2})
    recipe = replace(quick, epochs=1, least_steps=0, batch=4, size=64)
    network = Network(TINY.with_head(head), outputs)

    run = fit(network, tmp_path / "data", task=task, recipe=recipe, to=tmp_path / "run", workers=0)
    again = resume(tmp_path / "run", workers=0)

    facts = run.read("task")
    assert read_task(facts) == make_task(task, facts["labels"])
    assert facts["labels"][-3:] == ["circle", "square", "triangle"]
    assert 0 <= run.read("metrics")[goal] <= 1
    assert again.read("metrics") == run.read("metrics")
