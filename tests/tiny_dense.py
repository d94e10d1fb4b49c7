"""A tiny backbone, the heads of detectors and segmenters for it, and weights that are not all alike."""

from torch import nn

from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Conv, DeepLabV3, RetinaNetLite, SSDLite

LABELS = ("circle", "square", "triangle")
SIDE = 64
BACKBONE = Arch("tiny", ((Conv(16, 2), Conv(16, 2), Conv(24, 2)), (Conv(32, 2), Conv(48, 2))), size=SIDE)
DETECTORS = [SSDLite((64, 64)), RetinaNetLite(24, depth=1)]
SEGMENTERS = [LRASPP(16), DeepLabV3(16, rates=(2,), auxiliary=True)]


def lively(network: nn.Module) -> nn.Module:
    """A network whose scores differ from place to place, and whose norms have something to fold."""
    for name, part in network.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            nn.init.uniform_(part.running_mean, -0.2, 0.2)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
        if isinstance(part, nn.Conv2d):
            last = 0.3 if "head" in name else 1.5  # moderate: certain scores are all alike
            nn.init.normal_(part.weight, std=last / (part.weight[0].numel() ** 0.5))
    return network.eval()
