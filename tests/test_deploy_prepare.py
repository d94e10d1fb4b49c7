"""What is folded for export computes what was trained."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from mobilevision import zoo
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.doors import FromPixels, Probabilities
from mobilevision.deploy.prepare import deployable, folded
from mobilevision.layers import Scale
from mobilevision.network import Network

NAMES = ["mobilenetv1_025", "mobilenetv2_035", "mobilenetv3_small_050", "mobilenetv4_conv_small_035", "semnasnet_050"]
HYBRIDS = ["mobilenetv4_hybrid_medium_075", "emo_1m"]


def trained(name: str) -> Network:
    """A network whose norms and scales are far from where they start."""
    network = Network(zoo.arch(name), 10)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.3)
        if isinstance(part, Scale):
            nn.init.uniform_(part.gamma, 0.2, 1.0)
    with torch.no_grad():
        network.train()(torch.randn(8, 3, 96, 96))
    return network.eval()


@pytest.mark.parametrize("name", NAMES + HYBRIDS)
def test_the_deployable_network_computes_the_same(name: str) -> None:
    network = trained(name).double()  # so that only an error of the folding shows
    before = {key: value.clone() for key, value in network.state_dict().items()}
    x = torch.randn(2, 3, 96, 96).double()

    with torch.no_grad():
        scores, found = network(x), deployable(network)(x)

    assert (found - scores).abs().max() <= 1e-10 * scores.abs().max()
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())  # left as it was


@pytest.mark.parametrize("name", NAMES + HYBRIDS)
def test_no_batch_norm_and_no_layer_scale_is_left(name: str) -> None:
    network = deployable(trained(name))

    assert not [part for part in network.modules() if isinstance(part, nn.BatchNorm2d | Scale | nn.Linear)]


@pytest.mark.parametrize("name", NAMES + HYBRIDS)
def test_a_network_is_measured_with_its_norms_folded_and_is_left_as_it_was(name: str) -> None:
    network = trained(name).double().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    x = torch.randn(2, 3, 96, 96).double()

    quick = folded(network)

    with torch.no_grad():
        found, scores = quick(x), network.eval()(x)
    assert (found - scores).abs().max() <= 1e-10 * scores.abs().max()
    assert len(list(quick.modules())) < len(list(network.modules()))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["mobilenetv2_035", "emo_1m"])
def test_preprocessing_and_softmax_can_be_a_part_of_it(name: str) -> None:
    network, preprocessing = trained(name).double(), Preprocessing(size=(64, 64))
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    mean, std = (torch.tensor(each)[:, None, None] for each in (preprocessing.mean, preprocessing.std))
    before = deepcopy(ready := deployable(network)).state_dict()

    with torch.no_grad():
        right = network((pixels.double() / 255 - mean) / std).softmax(1)
        found = Probabilities(FromPixels(ready, preprocessing))(pixels)

    assert (found - right).abs().max() <= 1e-6 * right.max()  # mean and std are float32 here, and not there
    assert all(torch.equal(value, before[key]) for key, value in ready.state_dict().items())


@pytest.mark.parametrize("name", ["mobilenetv2_035", "mobilenetv4_hybrid_medium_075"])
def test_the_embedding_is_deployable_too(name: str) -> None:
    network = trained(name)
    network.reset_classifier(0)
    x = torch.randn(1, 3, 64, 64)

    with torch.no_grad():
        vector, folded = network(x), deployable(network)(x)

    assert vector.shape == (1, 1280)
    assert (folded - vector).abs().max() <= 1e-5 * vector.abs().max()
