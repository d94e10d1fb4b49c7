"""From an architecture to a torch module."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from mobilevision.architecture import Arch, Place, Tap
from mobilevision.layers import Conv2d


class Network(nn.Module):
    """The module an architecture describes.

    Args:
        arch: what to build.
        outputs: what the task asks of the head, for a classifier the number of classes; 0 gives the embedding.
        channels: channels of the image.
    """

    labels: tuple[str, ...] = ()  # set by who knows them, with the preprocessing that the weights expect
    preprocessing: Any = None
    criterion: nn.Module  # a loss that learns; there only for as long as the network trains with it

    def __init__(self, arch: Arch, outputs: int = 1000, *, channels: int = 3) -> None:
        super().__init__()
        self.arch, self.outputs, self.channels = arch, outputs, channels
        self.taps = arch.head.taps(arch)
        self.stages = build_stages(arch, channels)
        self.head: Any = arch.head.build(self.taps, outputs)
        self._finish()

    def forward(self, x: Tensor) -> Any:
        """What the head gives, for a classifier scores. Shape: (N, channels, H, W) -> (N, outputs)."""
        return self.head(self.features(x, self.taps))

    def features(self, x: Tensor, taps: Sequence[Tap] | None = None) -> list[Tensor]:
        """The maps at `taps` (default: the last map of every stride), fine to coarse.

        Shape: (N, channels, H, W) -> [(N, tap.channels, ceil(H / tap.stride), ceil(W / tap.stride)), ...].
        """
        return run_stages(self.stages, x, self.arch.taps() if taps is None else taps)

    def embed(self, x: Tensor) -> Tensor:
        """The pooled vector before the scores. Shape: (N, channels, H, W) -> (N, num_features)."""
        vector: Tensor = self.head.embed(self.features(x, self.taps))
        return vector

    @property
    def num_classes(self) -> int:
        """The number of classes; 0 if the network gives the embedding."""
        return self.outputs

    @property
    def num_features(self) -> int:
        """Channels of the vector before the scores."""
        return int(self.head.features)

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map. Shape: (N, channels, H, W) -> (N, C, H / 32, W / 32)."""
        return self.features(x, self.taps)[-1]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Scores from the last map, or with `pre_logits` the vector before them."""
        result: Tensor = self.head.embed([x]) if pre_logits else self.head([x])
        return result

    def get_classifier(self) -> nn.Module:
        """The layer that makes the scores."""
        scores: nn.Module = self.head.scores
        return scores

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the layers that make the scores by fresh ones; with 0 a classifier gives the embedding."""
        like = next(self.parameters())
        fresh: Any = self.arch.head.build(self.taps, num_classes)
        self.head.scores = fresh.scores.to(like.device, like.dtype)
        self.outputs = num_classes
        self._finish()

    def _finish(self) -> None:
        finish_(self, self.arch)
        finish_(self.head, replace(self.arch, eps=self.arch.head.epsilon(self.arch)))


class Features(nn.Module):
    """The backbone alone, down to the deepest of `taps`: a list of maps, fine to coarse."""

    preprocessing: Any = None  # as a network's

    def __init__(self, arch: Arch, taps: Sequence[Tap] | None = None, *, channels: int = 3) -> None:
        super().__init__()
        self.arch, self.taps = arch, tuple(arch.taps() if taps is None else taps)
        self.feature_info = FeatureInfo(self.taps)
        deepest = max(tap.place for tap in self.taps)
        self.stages = build_stages(arch, channels, deepest)
        finish_(self, arch)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Shape: (N, channels, H, W) -> [(N, tap.channels, ceil(H / tap.stride), ceil(W / tap.stride)), ...]."""
        return run_stages(self.stages, x, self.taps)


class FeatureInfo:
    """Channels and reductions of a list of maps, asked for as timm's users ask."""

    def __init__(self, taps: Sequence[Tap]) -> None:
        self.taps = tuple(taps)

    def channels(self) -> list[int]:
        """Channels of each map."""
        return [tap.channels for tap in self.taps]

    def reduction(self) -> list[int]:
        """Pixels of the image for one pixel of each map."""
        return [tap.stride for tap in self.taps]


def build_stages(arch: Arch, channels: int, deepest: Place | None = None) -> nn.ModuleList:
    """The modules of all blocks, by stage, or of those down to the place `deepest`."""
    stages, cin = nn.ModuleList(), channels
    for i, stage in enumerate(arch.stages):
        built = nn.Sequential()
        for j, block in enumerate(stage):
            if deepest is None or (i, j) <= deepest:
                built.append(block.build(cin))
                cin = block.out
        if len(built):
            stages.append(built)
    return stages


def run_stages(stages: nn.ModuleList, x: Tensor, taps: Sequence[Tap]) -> list[Tensor]:
    """Run the blocks down to the deepest tap and keep the maps at `taps`, in their order."""
    points: dict[Place, set[str]] = {}
    for tap in taps:
        points.setdefault(tap.place, set()).add(tap.point)
    deepest = max(points)
    found: dict[tuple[Place, str], Tensor] = {}
    for place, block in _placed(stages):
        inner = points.get(place, set()) - {""}
        x, seen = block.observe(x, inner) if inner else (block(x), {})
        found |= {(place, point): part for point, part in seen.items()}
        if "" in points.get(place, ()):
            found[place, ""] = x
        if place == deepest:
            break
    return [found[tap.place, tap.point] for tap in taps]


def _placed(stages: nn.ModuleList) -> Iterator[tuple[Place, Any]]:
    for i, stage in enumerate(stages):
        assert isinstance(stage, nn.Sequential)
        for j, block in enumerate(stage):
            yield (i, j), block


def finish_(module: nn.Module, arch: Arch) -> None:
    """Set what the whole architecture decides on every layer: the norms' epsilon and the convolutions' padding."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = arch.eps
        if isinstance(part, Conv2d):
            part.same = arch.padding == "same"
