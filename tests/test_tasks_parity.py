"""Detectors and segmenters say what torchvision's say, with the same weights."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection, segmentation
from torchvision.transforms.v2 import functional as F

from mobilevision import zoo
from mobilevision.blocks import SSDLite
from mobilevision.data.joint import stretched
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.scenes import Truth
from mobilevision.errors import InputError
from mobilevision.network import Network
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.segment import Segment, enlarged
from mobilevision.weights.keys import TORCHVISION_DENSE, Naming, key_map, renamed
from mobilevision.weights.load import load_weights_

CLASSES = 90
COCO = Detect(tuple(f"class {i}" for i in range(CLASSES)))
VOC = Segment(tuple(f"class {i}" for i in range(21)))


def photographs(count: int, size: tuple[int, int]) -> Tensor:
    """Smooth colored scenes, from 0 to 1. Shape: (count, 3, *size)."""
    coarse = torch.rand(count, 3, 12, 9)
    return nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)


def trained(model: nn.Module, pictures: Tensor) -> nn.Module:
    """The model with random weights whose norms have seen pictures, so that its numbers are of an ordinary size."""
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the plain mean
            part.reset_running_stats()
    with torch.no_grad():
        model.train()(pictures)
    return model.eval()


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    torch.manual_seed(0)
    model = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES + 1)
    pictures = photographs(4, (320, 320)) * 2 - 1
    trained(nn.Sequential(model.backbone, _Heads(model.head)), pictures)
    return model.eval()


class _Heads(nn.Module):
    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, maps: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.head(list(maps.values()))


@pytest.fixture(scope="module")
def ours(theirs: nn.Module) -> Network:
    network = Network(zoo.arch("ssdlite320_mobilenet_v3_large"), CLASSES)
    report = load_weights_(network, theirs.state_dict())
    assert (report.naming, report.fresh, report.tensors) == ("torchvision", (), len(theirs.state_dict()))
    return network.eval()


def test_ssdlite_gives_the_boxes_scores_and_labels_of_torchvisions(theirs: nn.Module, ours: Network) -> None:
    picture = photographs(1, (480, 640))[0]

    with torch.no_grad():
        expected = theirs([picture])[0]
        prepared = theirs.transform([picture])[0].tensors  # (1, 3, 320, 320): 1e-7 off, equal scores would swap places
        found = COCO.found(ours(prepared))[0]

    assert len(expected["boxes"]) == 300
    assert torch.equal(found.labels + 1, expected["labels"])
    torch.testing.assert_close(found.scores, expected["scores"], atol=1e-4, rtol=0)
    pixels = found.boxes * torch.tensor([640.0, 480.0, 640.0, 480.0])
    torch.testing.assert_close(pixels, expected["boxes"], atol=1e-4, rtol=1e-6)


def test_a_stretched_picture_is_what_torchvisions_detector_sees(theirs: nn.Module) -> None:
    colors = (photographs(1, (320, 320))[0] * 255).byte()
    image = F.to_pil_image(colors)
    preprocessing = Preprocessing((320, 320), (0.5,) * 3, (0.5,) * 3, crop=1.0)

    seen = stretched(preprocessing)({"image": image})["image"]

    torch.testing.assert_close(seen, theirs.transform([colors / 255])[0].tensors[0], atol=1e-6, rtol=0)


def test_ssdlite_has_torchvisions_anchors(theirs: nn.Module, ours: Network) -> None:
    from torchvision.models.detection.image_list import ImageList

    pictures = torch.zeros(1, 3, 320, 320)
    with torch.no_grad():
        maps = list(theirs.backbone(pictures).values())
        expected = theirs.anchor_generator(ImageList(pictures, [(320, 320)]), maps)[0]
        found = ours(pictures)["anchors"]

    torch.testing.assert_close(found * 320, expected, atol=1e-4, rtol=0)


def test_the_multibox_loss_is_torchvisions(theirs: nn.Module, ours: Network) -> None:
    pictures = photographs(2, (320, 320))
    boxes = [torch.tensor([[20.0, 30, 200, 180], [150, 100, 310, 300]]), torch.tensor([[5.0, 5, 60, 90]])]
    labels = [torch.tensor([3, 80]), torch.tensor([17])]
    targets = [{"boxes": b, "labels": n} for b, n in zip(boxes, labels, strict=True)]

    model = copy.deepcopy(theirs).train()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()
    with torch.no_grad():
        expected = sum(model(list(pictures), targets).values())
        truths = [
            Truth(b / 320, n - 1, torch.zeros(len(n), dtype=torch.bool), torch.tensor([320, 320]))
            for b, n in zip(boxes, labels, strict=True)
        ]
        loss = COCO.loss(ours(pictures * 2 - 1), truths)

    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"])
def test_segmenters_give_the_scores_of_torchvisions(name: str) -> None:
    auxiliary = True if "deeplab" in name else None
    theirs = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=21, aux_loss=auxiliary)
    trained(theirs, photographs(4, (128, 128)) * 4 - 2)
    network = Network(zoo.arch(name), 21)
    report = load_weights_(network, theirs.state_dict())
    picture = photographs(1, (96, 160)) * 4 - 2

    with torch.no_grad():
        expected, found = theirs(picture), network.eval()(picture)

    assert (report.naming, report.fresh, report.tensors) == ("torchvision", (), len(theirs.state_dict()))
    scores = found["scores"] if isinstance(found, dict) else found
    torch.testing.assert_close(enlarged(scores, (96, 160)), expected["out"], atol=1e-4, rtol=1e-4)
    if isinstance(found, dict):
        torch.testing.assert_close(enlarged(found["auxiliary"], (96, 160)), expected["aux"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("naming", TORCHVISION_DENSE)
def test_every_tensor_has_a_name_in_one_naming_only(naming: Naming) -> None:
    whole = []
    for name in ("ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"):
        with torch.device("meta"):
            network = Network(zoo.arch(name), 21)
        names = key_map(network, naming)
        assert not names or len(set(names.values())) == len(renamed(network, naming)) == len(network.state_dict())
        whole += [name] if names else []
    assert len(whole) == 1


def test_a_classifiers_weights_fill_a_detectors_backbone() -> None:
    classifier = Network(zoo.arch("mobilenetv2_035"), 10)
    detector = Network(zoo.arch("mobilenetv2_035").with_head(SSDLite()), 3)

    with pytest.warns(UserWarning, match="under another head"):
        report = load_weights_(detector, classifier.state_dict())

    assert report.fresh
    assert all(key.startswith("head.") for key in report.fresh)
    assert torch.equal(detector.stages[3][1].body.project.conv.weight, classifier.stages[3][1].body.project.conv.weight)


def test_a_detector_for_other_classes_keeps_all_but_the_scores(theirs: nn.Module) -> None:
    network = Network(zoo.arch("ssdlite320_mobilenet_v3_large"), 3)

    with pytest.warns(UserWarning, match="the weights score 90 classes, the network 3"):
        report = load_weights_(network, theirs.state_dict())

    assert {key.rsplit(".", 2)[0] for key in report.fresh} == {"head.scores"}
    assert network.eval()(torch.zeros(1, 3, 64, 64))["scores"].shape[-1] == 4


def test_a_detectors_weights_for_another_network_are_refused(theirs: nn.Module) -> None:
    network = Network(zoo.arch("mobilenetv3_small_100").with_head(SSDLite()), 90)

    with pytest.raises(InputError, match="not of mobilenetv3_small_100"):
        load_weights_(network, theirs.state_dict())
