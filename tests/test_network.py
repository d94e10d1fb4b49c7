"""From an architecture to a module: maps, embeddings, and what timm's users expect."""

import pytest
import torch
from torch import nn

from mobilevision import zoo
from mobilevision.cost import walk
from mobilevision.layers import Conv2d
from mobilevision.network import Features, Network

NAMES = ["mobilenetv1_025", "mobilenetv2_035", "mobilenetv3_small_050", "mobilenetv4_conv_small_035", "emo_1m"]


@pytest.mark.parametrize("name", NAMES)
def test_maps_have_the_channels_and_strides_of_their_taps(name: str) -> None:
    network = Network(zoo.arch(name), 5).eval()

    maps = network.features(torch.randn(2, 3, 64, 96))

    assert [m.shape for m in maps] == [(2, t.channels, 64 // t.stride, 96 // t.stride) for t in network.arch.taps()]


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_classifier_of_the_embedding(name: str) -> None:
    network = Network(zoo.arch(name), 5).eval()
    x = torch.randn(2, 3, 64, 64)

    vector = network.embed(x)

    assert vector.shape == (2, network.num_features)
    assert torch.equal(network.get_classifier()(vector), network(x))
    assert torch.equal(network.forward_head(network.forward_features(x)), network(x))
    assert torch.equal(network.forward_head(network.forward_features(x), pre_logits=True), vector)


@pytest.mark.parametrize(("name", "features"), [("mobilenetv2_100", 1280), ("mobilenetv3_small_100", 1024)])
def test_no_classes_give_the_embedding(name: str, features: int) -> None:
    network = Network(zoo.arch(name), 0).eval()

    assert network(torch.randn(1, 3, 32, 32)).shape == (1, features)


def test_resetting_the_classifier_keeps_the_backbone() -> None:
    network = Network(zoo.arch("mobilenetv2_035"), 5).eval()
    x = torch.randn(1, 3, 32, 32)
    before = network.embed(x)

    network.reset_classifier(7)

    assert network(x).shape == (1, 7)
    assert torch.equal(network.embed(x), before)
    assert network.num_classes == 7


@pytest.mark.parametrize("channels", [1, 4])
def test_images_may_have_any_number_of_channels(channels: int) -> None:
    network = Network(zoo.arch("mobilenetv2_035"), 5, channels=channels).eval()

    assert network(torch.randn(1, channels, 33, 47)).shape == (1, 5)
    assert sum(p.numel() for p in network.parameters()) == sum(
        row.cost.params for row in walk(network.arch, 32, 5, channels=channels)
    )


def test_features_stop_at_the_deepest_tap_and_agree_with_the_network() -> None:
    arch = zoo.arch("mobilenetv3_large_100")
    taps = (arch.tap((3, 2)), arch.tap((6, 0), "expand"))
    network = Network(arch, 5).eval()
    features = Features(arch, taps).eval()
    features.load_state_dict({k: v for k, v in network.state_dict().items() if k in features.state_dict()})
    x = torch.randn(1, 3, 64, 64)

    for mine, other in zip(features(x), network.features(x, taps), strict=True):
        assert torch.equal(mine, other)
    assert len(features.stages) == 7
    assert len(features.stages[6]) == 1
    assert features.feature_info.channels() == [40, 672]
    assert features.feature_info.reduction() == [8, 16]


def test_the_architecture_decides_epsilon_and_padding_of_every_layer() -> None:
    from dataclasses import replace

    network = Network(replace(zoo.arch("mobilenetv2_035"), eps=1e-3, padding="same"))

    assert {m.eps for m in network.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-3}
    assert {m.same for m in network.modules() if isinstance(m, Conv2d)} == {True}
