"""What a network becomes before an exporter sees it."""

from torch import Tensor, nn


class ChannelsLast(nn.Module):
    """A network that takes pictures as phones hold them, channels last, and names what it gives.

    The converter turns every convolution to channels last too, so the permute here meets the one it puts in front of
    the first convolution, and both vanish.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Shape: (N, H, W, channels) -> {"scores": (N, outputs)}."""
        return {"scores": self.network(image.permute(0, 3, 1, 2))}  # (N, channels, H, W)
