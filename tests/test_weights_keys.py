"""Names of tensors: ours, timm's, torchvision's and EMO's, both ways."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from mobilevision import zoo
from mobilevision.network import Network
from mobilevision.weights.keys import (
    EMO,
    NAMINGS,
    OURS,
    TIMM,
    TORCHVISION_MNASNET,
    TORCHVISION_V2,
    TORCHVISION_V3,
    key_map,
    recognized,
    renamed,
)
from mobilevision.weights.load import load_weights_
from mobilevision.zoo.families import NAMED

EMO_NAMES = [name for name in zoo.list_models() if name.startswith(("emo", "metamobile"))]
TORCHVISION = {
    "mobilenet_v2": ("mobilenetv2_100", TORCHVISION_V2),
    "mobilenet_v3_large": ("mobilenetv3_large_100", TORCHVISION_V3),
    "mobilenet_v3_small": ("mobilenetv3_small_100", TORCHVISION_V3),
    "mnasnet0_5": ("mnasnet_050", TORCHVISION_MNASNET),
    "mnasnet0_75": ("mnasnet_075", TORCHVISION_MNASNET),
    "mnasnet1_0": ("mnasnet_100", TORCHVISION_MNASNET),
}


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return build()


def shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in state.items()}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_network_has_the_names_and_shapes_that_timm_gives_it(name: str) -> None:
    timm = pytest.importorskip("timm")
    known = set(timm.list_models())
    theirs = next((other for other in (name, f"tf_{name}") if other in known), None)
    if theirs is None:
        v1 = {"mobilenetv1_025", "mobilenetv1_050", "mobilenetv1_075"}
        assert name in {*EMO_NAMES, *v1, "mobilenetv3_large_050", "mnasnet_130"}
        return
    other = on_meta(lambda: timm.create_model(theirs))
    assert shapes(renamed(on_meta(lambda: Network(zoo.arch(name))), TIMM)) == shapes(other.state_dict())


@pytest.mark.parametrize("theirs", TORCHVISION)
def test_a_network_has_the_names_and_shapes_that_torchvision_gives_it(theirs: str) -> None:
    from torchvision import models

    name, naming = TORCHVISION[theirs]
    other = on_meta(lambda: models.get_model(theirs))
    assert shapes(renamed(on_meta(lambda: Network(zoo.arch(name))), naming)) == shapes(other.state_dict())


def test_mnasnet_at_1_3_has_torchvisions_names() -> None:
    from torchvision import models

    ours = on_meta(lambda: Network(zoo.arch("mnasnet", width=1.3)))
    other = on_meta(models.mnasnet1_3)
    assert shapes(renamed(ours, TORCHVISION_MNASNET)) == shapes(other.state_dict())


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_names_of_a_network_are_recognized_and_none_is_given_twice(name: str) -> None:
    network = on_meta(lambda: Network(zoo.arch(name)))
    ours = set(network.state_dict())
    found = [naming for naming in NAMINGS if key_map(network, naming).keys() == ours]
    assert OURS in found
    assert (EMO if name in EMO_NAMES else TIMM) in found
    for naming in found:
        assert len(set(key_map(network, naming).values())) == len(ours)
        assert recognized(network, renamed(network, naming)) is naming


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "mnasnet_small", "mobilenetv4_conv_small_035", "emo_1m"])
def test_weights_survive_the_way_to_other_names_and_back(name: str) -> None:
    torch.manual_seed(1)
    network, again = Network(zoo.arch(name), 5), Network(zoo.arch(name), 5)
    for naming in (naming for naming in NAMINGS if len(key_map(network, naming)) == len(network.state_dict())):
        load_weights_(again, renamed(network, naming))
        for key, tensor in network.state_dict().items():
            assert torch.equal(tensor, again.state_dict()[key]), key
        nn.init.ones_(again.head.scores.weight)


@pytest.mark.parametrize(
    ("theirs", "name"), [("mobilenetv3_small_050", "mobilenetv3_small_050"), ("mnasnet_small", "mnasnet_small")]
)
def test_a_timm_network_computes_the_same_after_copying_its_weights(theirs: str, name: str) -> None:
    timm = pytest.importorskip("timm")
    other = _settled(timm.create_model(theirs))
    network = Network(zoo.arch(name)).eval()
    load_weights_(network, other.state_dict())
    _same_scores(network, other)


@pytest.mark.parametrize("theirs", ["mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5"])
def test_a_torchvision_network_computes_the_same_after_copying_its_weights(theirs: str) -> None:
    from dataclasses import replace

    from torchvision import models

    other = _settled(models.get_model(theirs))
    eps = {module.eps for module in other.modules() if isinstance(module, nn.BatchNorm2d)}
    arch = replace(zoo.arch(TORCHVISION[theirs][0]), eps=eps.pop())
    network = Network(arch).eval()
    load_weights_(network, other.state_dict())
    _same_scores(network, other)


def _settled(network: nn.Module) -> nn.Module:
    """`network` with the statistics of a few noisy pictures in its norms, so that its scores are not all zero."""
    torch.manual_seed(2)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(8, 3, 64, 64))
    for norm in norms:
        norm.running_var.clamp_(min=1e-2)
    return network.eval()


def _same_scores(network: nn.Module, other: nn.Module) -> None:
    with torch.no_grad():
        x = torch.randn(2, 3, 96, 64)
        ours, theirs = network(x), other(x)
    assert theirs.std() > 1e-3
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


@pytest.mark.parametrize("size", ["224", "256x192"])
def test_emo_computes_what_its_authors_network_computed(real_data: Path, size: str) -> None:
    from safetensors.torch import load_file

    network = Network(zoo.arch("emo_1m")).eval()
    report = load_weights_(network, real_data / "golden" / "emo_1m.weights.safetensors")
    golden = load_file(real_data / "golden" / "emo_1m.io.safetensors")
    with torch.no_grad():
        scores = network(golden[f"input_{size}"])
    assert report.naming == "emo"
    assert (scores - golden[f"output_{size}"]).abs().max() <= 1e-5 * golden[f"output_{size}"].abs().max()
