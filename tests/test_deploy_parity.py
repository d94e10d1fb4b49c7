"""One network of each family, with norms that have seen photographs, computes in every format what torch computes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mobilevision.data.pictures import find_pictures, open_picture
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.base import FP32
from mobilevision.deploy.formats import find_format
from mobilevision.deploy.handover import convert
from mobilevision.deploy.proof import compare, file_scores, torch_scores
from mobilevision.models import create_model
from mobilevision.network import Network

NETWORKS = (
    "mobilenetv1_025",
    "mobilenetv2_035",
    "mobilenetv3_small_050",
    "mobilenetv4_conv_small_035",
    "mobilenetv4_hybrid_medium_075",
    "semnasnet_050",
    "emo_1m",
)
SIDE = 192  # small, and no multiple of EMO's windows at every stage


@pytest.fixture(scope="module")
def photos(real_data: Path) -> Tensor:
    """Shape: (6, 3, SIDE, SIDE)."""
    read = Preprocessing((SIDE, SIDE))
    return torch.stack([read.tensor(open_picture(file)) for file in find_pictures(real_data / "photos")])


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest, photos: Tensor) -> Network:
    torch.manual_seed(0)
    network = create_model(request.param)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain mean over what is seen
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        network.train()(photos)
    return network.eval()


@pytest.mark.slow
@pytest.mark.parametrize("to", ["litert", "onnx", "openvino", "coreml", "executorch"])
def test_a_network_of_each_family_is_itself_in_every_format(
    network: Network, photos: Tensor, tmp_path: Path, to: str
) -> None:
    format_ = find_format(to)
    card = {"format": to, "precision": "fp32", "labels": list(network.labels)}
    file = tmp_path / f"network{format_.suffix}"
    with format_.writing(file) as beside:
        convert(network, (SIDE, SIDE), card=card, to=beside, seconds=600)
    scores, _ = file_scores(file, photos.numpy(), seconds=300)
    reference = torch_scores(network, photos)
    assert reference.std() > 1e-6  # it says something
    proof = compare(scores, reference, source="photos", limit=FP32.limit, runtime=format_.runtime_version)
    assert proof.largest_difference <= 1e-4
