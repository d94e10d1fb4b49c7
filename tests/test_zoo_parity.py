"""Our networks against timm's, torchvision's and the EMO authors', with weights whose norms have seen photographs.

Weights are random, but the batch norms take their statistics from a pass over real pictures; fresh statistics prove
nothing, since the hybrids' scores are then about 1e-22.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms import v2

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.network import Network
from mobilevision.weights.load import load_weights_
from mobilevision.zoo.families import NAMED

SIZES = ((224, 224), (192, 256))
FEW = (
    "mobilenetv1_100",
    "mobilenetv2_035",
    "mobilenetv3_small_050",
    "mobilenetv4_conv_small_035",
    "mobilenetv4_hybrid_medium_075",
    "semnasnet_050",
)
OTHERS = tuple(
    name for name in NAMED if name not in FEW and not name.startswith(("emo", "metamobile", "mobilenetv1_0"))
)
TORCHVISION = {
    "mobilenetv2_100": models.mobilenet_v2,
    "mobilenetv3_large_100": models.mobilenet_v3_large,
    "mobilenetv3_small_100": models.mobilenet_v3_small,
    "mnasnet_050": models.mnasnet0_5,
    "mnasnet_075": models.mnasnet0_75,
    "mnasnet_100": models.mnasnet1_0,
    "mnasnet_130": models.mnasnet1_3,
}


@pytest.fixture(scope="module")
def photos(real_data: Path) -> Tensor:
    """The real photographs. Shape: (6, 3, 256, 256), values as the networks are used to them."""
    read = v2.Compose([v2.Resize((256, 256)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), _normalize])
    return torch.stack([read(Image.open(file).convert("RGB")) for file in sorted((real_data / "photos").glob("*.jpg"))])


def _normalize(x: Tensor) -> Tensor:
    return v2.functional.normalize(x, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def seen_(network: nn.Module, photos: Tensor) -> nn.Module:
    """The network in eval mode, after its batch norms have taken their statistics from the photographs."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain mean over the batches seen
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        network.train()(photos[:, :, ::2, ::2])
    return network.eval()


def assert_same_scores(arch: Arch, reference: nn.Module, photos: Tensor) -> None:
    ours = Network(arch).eval()
    load_weights_(ours, reference.state_dict())
    for height, width in SIZES:
        x = v2.functional.resize(photos[:2], [height, width])
        with torch.no_grad():
            mine, other = ours(x), reference(x)
        assert (mine - other).abs().max() <= 1e-5 * other.abs().max()
        assert other.std() > 1e-6  # the reference says something


def timms(name: str) -> str:
    """Timm's name; it has the minimalistic networks only as TensorFlow's, with its padding and epsilon."""
    return f"tf_{name}" if "minimal" in name else name


def assert_same_as_timm(name: str, photos: Tensor) -> None:
    timm = pytest.importorskip("timm")
    theirs, arch = timms(name), zoo.arch(name)
    if theirs != name:
        arch = replace(arch, padding="same", eps=1e-3)
    if not timm.is_model(theirs):
        pytest.skip(f"timm {timm.__version__} has no {theirs}")
    assert_same_scores(arch, seen_(timm.create_model(theirs), photos), photos)


def test_what_the_readme_says_was_not_compared_is_what_neither_library_has() -> None:
    timm = pytest.importorskip("timm")
    compared = {name for name in (*FEW, *OTHERS) if timm.is_model(timms(name))} | TORCHVISION.keys()

    lacking = {name for name in NAMED if not name.startswith(("emo", "metamobile"))} - compared

    assert lacking == {f"mobilenetv1_{width}" for width in ("025", "050", "075")} | {"mobilenetv3_large_050"}


@pytest.mark.parametrize("name", FEW)
def test_scores_are_timms(name: str, photos: Tensor) -> None:
    assert_same_as_timm(name, photos)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_scores_are_timms_for_every_network(name: str, photos: Tensor) -> None:
    assert_same_as_timm(name, photos)


@pytest.mark.parametrize("name", TORCHVISION)
def test_scores_are_torchvisions(name: str, photos: Tensor) -> None:
    reference = seen_(TORCHVISION[name](), photos)
    eps = next(m.eps for m in reference.modules() if isinstance(m, nn.BatchNorm2d))

    assert_same_scores(replace(zoo.arch(name), eps=eps), reference, photos)


@pytest.mark.parametrize("size", ["224", "256x192"])
def test_emo_computes_what_the_authors_network_computes(size: str, real_data: Path) -> None:
    weights = load_file(real_data / "golden" / "emo_1m.weights.safetensors")
    golden = load_file(real_data / "golden" / "emo_1m.io.safetensors")
    network = Network(zoo.arch("metamobile_1m")).eval()
    load_weights_(network, weights)

    with torch.no_grad():
        scores = network(golden[f"input_{size}"])

    expected = golden[f"output_{size}"]
    assert (scores - expected).abs().max() <= 1e-5 * expected.abs().max()
