"""Heads of detectors and segmenters are facts: they price, print as JSON, and stand on every family."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Classifier, Conv, DeepLabV3, Head, RetinaNetLite, SSDLite
from mobilevision.cost import walk
from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.zoo.dense import DENSE
from mobilevision.zoo.edits import reduced_tail, with_window

FAMILIES = (
    *("mobilenetv1_025", "mobilenetv2_035", "mobilenetv3_large_075", "mobilenetv3_small_050"),
    *("mobilenetv4_conv_small_035", "mobilenetv4_hybrid_medium_075", "mnasnet_050", "semnasnet_050", "emo_1m"),
)
HEADS = (
    SSDLite(),
    RetinaNetLite(channels=16),
    LRASPP(16),
    LRASPP(16, window=3),
    DeepLabV3(16),
    DeepLabV3(16, rates=()),
)


def totals(arch: Arch, size: int | tuple[int, int], outputs: int) -> tuple[int, int]:
    rows = walk(arch, size, outputs)
    return sum(row.cost.params for row in rows), sum(row.cost.macs for row in rows)


@pytest.mark.parametrize(
    ("name", "size", "outputs", "params", "macs"),
    [
        ("ssdlite320_mobilenet_v3_large", 320, 90, 3_440_060, 583_171_904),
        ("lraspp_mobilenet_v3_large", 520, 21, 3_221_538, 2_086_219_688),
        ("lraspp_mobilenet_v3_large", (1024, 2048), 19, 3_221_198, 15_774_900_096),
        ("deeplabv3_mobilenet_v3_large", 520, 21, 11_029_328, 10_452_447_938),
        ("mobilenetv4_conv_medium_seg", 256, 1000, 5_021_816, 802_863_104),
        ("mobilenetv4_conv_medium_seg", 512, 1000, 5_021_816, 3_205_892_096),
    ],
)
def test_counts_are_the_published_ones_to_the_unit(
    name: str, size: int | tuple[int, int], outputs: int, params: int, macs: int
) -> None:
    assert totals(zoo.arch(name), size, outputs) == (params, macs)


def test_ssdlite_on_the_full_tail_has_the_published_counts() -> None:
    arch = zoo.arch("mobilenetv3_large_100").with_head(SSDLite())

    assert totals(arch, 320, 90) == (5_198_540, 689_751_104)


@pytest.mark.parametrize(("name", "params"), [("emo_1m", 2.3), ("emo_2m", 3.3), ("emo_5m", 6.0)])
def test_emos_detectors_have_the_parameters_of_its_authors(name: str, params: float) -> None:
    arch = with_window(zoo.arch(name), 10).with_head(SSDLite())

    assert totals(arch, 320, 80)[0] / 1e6 == pytest.approx(params, abs=0.08)  # printed in millions to one digit


def test_retinanet_on_conv_m_agrees_with_table_7() -> None:
    arch = zoo.arch("retinanet384_mobilenetv4_conv_medium")
    params, macs = totals(arch, 384, 91)
    with torch.device("meta"):
        norms = [part for part in Network(arch, 91).modules() if isinstance(part, nn.BatchNorm2d)]
    norm_params = sum(2 * part.num_features for part in norms)
    unused = 960 * 1280  # the authors' backbone keeps the classifier's hidden layer

    assert macs / 1e9 == pytest.approx(5.06, rel=0.01)
    assert (params + unused - norm_params) / 1e6 == pytest.approx(9.79, rel=0.002)


@pytest.mark.parametrize("head", HEADS, ids=repr)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_head_stands_on_every_family(name: str, head: Head) -> None:
    arch = zoo.arch(name).with_head(head)
    arch = arch if isinstance(head, (SSDLite, RetinaNetLite)) else arch.dilated(16)
    network = Network(arch, 4).eval()

    outputs = network(torch.rand(1, 3, 64, 96))
    rows = walk(arch, (64, 96), 4)

    assert sum(row.cost.params for row in rows) == sum(p.numel() for p in network.parameters())
    if isinstance(outputs, dict):
        assert rows[-1].cost.shape == outputs["boxes"].shape[1:]
        assert outputs["anchors"].shape == outputs["boxes"].shape[1:]
        assert outputs["scores"].shape[2] == 4 + isinstance(head, SSDLite)
    else:
        stride = 8 if isinstance(head, LRASPP) else 16
        assert outputs.shape == (1, 4, 64 // stride, 96 // stride) == (1, *rows[-1].cost.shape)


@pytest.mark.parametrize("name", DENSE)
def test_json_gives_back_the_same_architecture(name: str) -> None:
    arch = zoo.arch(name)

    again = Arch.from_json(arch.to_json())

    assert again == arch
    assert again.digest == arch.digest
    assert arch.with_head(Classifier()).digest != arch.digest


def test_an_architecture_with_any_head_is_read_without_importing_the_tasks() -> None:
    text = zoo.arch("ssdlite320_mobilenet_v3_large").to_json()
    code = "import sys; from mobilevision.architecture import Arch; print(Arch.from_json(sys.stdin.read()).digest)"

    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    told = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True, env=env)

    assert told.stdout.strip() == zoo.arch("ssdlite320_mobilenet_v3_large").digest


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        (
            "mobilenetv3_large_100",
            (672, 960),
        ),  # section 6.3 of its paper: the expansion of C4, the layer before pooling
        ("mobilenetv3_small_100", (288, 576)),
        ("mobilenetv2_100", (576, 1280)),  # the expansion of its block 15
        ("mobilenetv1_100", (512, 1024)),
        ("emo_1m", (80, 168)),  # the outputs of its stages 3 and 4
    ],
)
def test_ssdlite_stands_where_the_papers_say(name: str, channels: tuple[int, int]) -> None:
    taps = SSDLite().taps(zoo.arch(name))

    assert tuple(tap.channels for tap in taps) == channels
    assert [tap.stride for tap in taps] == [16, 32]


@pytest.mark.parametrize(("name", "bottleneck", "last"), [("large", 80, 480), ("small", 48, 288)])
def test_the_reduced_tail_has_the_papers_channels(name: str, bottleneck: int, last: int) -> None:
    arch = reduced_tail(zoo.arch(f"mobilenetv3_{name}_100"))

    assert {block.out for block in arch.stages[-2]} == {bottleneck}
    assert arch.block(arch.last).out == last


def test_the_window_of_emo_is_widened_and_nothing_else() -> None:
    arch = zoo.arch("emo_1m")

    wide = with_window(arch, 16)

    assert {block.window for block in wide.stages[3][1:]} == {16}
    assert with_window(wide, 7) == arch
    assert totals(wide, 224, 10)[0] == totals(arch, 224, 10)[0]


def test_a_network_without_attention_has_no_window() -> None:
    with pytest.raises(UsageError, match="no grid attention"):
        with_window(zoo.arch("mobilenetv2_100"), 10)


def test_the_papers_wide_pool_gates_each_part_of_a_city() -> None:
    head = LRASPP(8, window=49)
    arch = Arch("x", ((Conv(8, 2), Conv(8, 2), Conv(8, 2), Conv(8, 2)),), head)
    network = Network(arch, 2).eval()
    maps = [torch.rand(1, 8, 128, 256), torch.rand(1, 8, 64, 128)]

    gates = network.head.gate(network.head._mean(maps[1]))

    assert gates.shape == (1, 8, 1, 4)
    assert network.head(maps).shape == (1, 2, 128, 256)


def test_a_head_keeps_its_own_epsilon() -> None:
    network = Network(zoo.arch("lraspp_mobilenet_v3_large"), 21)

    assert network.stages[0][0].norm.eps == 1e-3
    assert network.head.project.norm.eps == 1e-5


def test_fresh_scores_are_all_that_changes_for_other_classes() -> None:
    for head in (SSDLite(), RetinaNetLite(16), LRASPP(16), DeepLabV3(16, auxiliary=True)):
        network = Network(zoo.arch("mobilenetv2_035").with_head(head), 4)
        before = {key: value.clone() for key, value in network.state_dict().items()}

        network.reset_classifier(7)

        after = network.state_dict()
        assert after.keys() == before.keys()
        assert all(torch.equal(after[key], before[key]) for key in after if not key.startswith("head.scores"))
        assert all(after[key].shape != before[key].shape for key in after if key.startswith("head.scores"))
        assert {head.outputs(network.head.state_dict()[key].shape[0]) for key in _first(network)} == {7}


def _first(network: Network) -> list[str]:
    return [key for key in network.head.state_dict() if key.startswith("scores") and key.endswith("weight")][:1]


def test_a_network_that_does_not_reach_a_heads_maps_is_refused() -> None:
    arch = Arch("x", ((Conv(8, 2), Conv(8, 2)),))

    with pytest.raises(UsageError, match="no map of stride 8"):
        Network(arch.with_head(LRASPP()), 2)
    with pytest.raises(UsageError, match="in its first block alone"):
        Network(replace(arch, stages=((Conv(8, 2),),)).with_head(SSDLite()), 2)
