"""A network in the form that runtimes take whole: what can be folded is folded, the head is convolutions.

Everything here is exact: the result computes what the network computes, up to rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mobilevision.blocks.classifier import Scores
from mobilevision.blocks.irmb import GridAttention
from mobilevision.blocks.lraspp import Gated
from mobilevision.blocks.maps import resized
from mobilevision.blocks.projection import Projected
from mobilevision.blocks.retinanet import Tower
from mobilevision.blocks.uib import MultiQuery
from mobilevision.deploy.attention import PlainChannelNorm, PlainGridAttention
from mobilevision.deploy.doors import FromPixels
from mobilevision.layers import ChannelNorm, Conv2d, chain

Part = TypeVar("Part", bound=nn.Module)


def deployable(network: Part, *, channels_last: bool = True) -> Part:
    """A copy for export, in eval mode; `network` itself is not touched.

    Batch norms, layer scales and the attention's 1/sqrt(dim) are folded into the weights around them; the layer that
    makes the scores becomes a 1x1 convolution before the flattening. For a program without preprocessing or softmax of
    its own, see `doors`.

    Args:
        network: a trained network, or a part of one.
        channels_last: whether grid attention and layer norms are written for runtimes that hold a map with its channels
            last; else they stay as they are.

    Returns:
        A network that differs from it by rounding alone: below 1e-5 of its largest output.
    """
    kind = next(network.parameters()).dtype
    forms = HEADS | CHANNELS_LAST if channels_last else HEADS
    copy = deepcopy(network).eval().double()  # folded in double precision, so that only the result is rounded
    with torch.no_grad():
        for fold_ in FOLDS:
            for part in list(copy.modules()):
                fold_(part)
        reform_(copy, forms)
    return copy.to(kind)


def folded(network: Part) -> Part:
    """A copy in eval mode whose convolutions have taken in the batch norms that follow them: the same numbers, sooner.

    Unlike `deployable` it stays in its own precision and on its own device.
    """
    copy = deepcopy(network).eval()
    with torch.no_grad():
        for part in list(copy.modules()):
            fold_norm_(part)
    return copy


class ChannelsLast(nn.Module):
    """A network that takes pictures as phones hold them, channels last, and names what it gives.

    The converter turns every convolution to channels last too, so the permute here meets the one it puts in front of
    the first convolution, and both vanish.

    Args:
        network: takes pictures with their channels first.
        width: of a picture, pixels.
    """

    def __init__(self, network: nn.Module, *, width: int) -> None:
        super().__init__()
        self.door: nn.Module = nn.Identity()
        self.network = network
        if isinstance(network, FromPixels):  # behind the permute, its door would keep it from vanishing
            self.door, self.network = network.door.channels_last(width), network.network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Shape: (N, H, W, channels) -> {"scores": (N, outputs)}, or what else the network gives."""
        given = getattr(self.network, "gives", "scores")
        return {given: self.network(self.door(image).permute(0, 3, 1, 2))}  # (N, channels, H, W)


class ConvolutionalScores(nn.Module):
    """A classifier's head with the scores made by a 1x1 convolution, as neural engines like it."""

    def __init__(self, head: Scores) -> None:
        super().__init__()
        self.pool, self.hidden, self.features = head.pool, head.hidden, head.features
        self.scores = _as_convolution(head.scores) if isinstance(head.scores, nn.Linear) else nn.Identity()

    def embed(self, maps: Sequence[Tensor]) -> Tensor:
        """The vector before the scores. Shape: [(N, C, H, W)] -> (N, features)."""
        vector: Tensor = self.hidden(self.pool(maps[-1])).flatten(1)
        return vector

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shape: [(N, C, H, W)] -> (N, outputs)."""
        scores: Tensor = self.scores(self.hidden(self.pool(maps[-1]))).flatten(1)
        return scores


class ConvolutionalProjected(ConvolutionalScores):
    """The head of a network that gives vectors, made by a 1x1 convolution."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shape: [(N, C, H, W)] -> (N, outputs), each row of length 1."""
        return F.normalize(super().forward(maps))


class ScoredThenResized(Gated):
    """LR-ASPP's head with the coarse map scored before it is enlarged, not after it.

    Either way each score is the same mean of the same four numbers, for the weights of a bilinear resize sum to 1; but
    scores are fewer than channels, and the coarse map has a quarter of the pixels.
    """

    def __init__(self, head: Gated) -> None:
        nn.Module.__init__(self)
        self.window, self.steps = head.window, head.steps
        self.project, self.gate, self.scores = head.project, head.gate, head.scores

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shape: [(N, c, H, W), (N, C, h, w)] -> (N, classes, H, W)."""
        fine, coarse = maps
        scores: Tensor = self.scores["fine"](fine) + resized(self.scores["coarse"](self.gated(coarse)), fine)
        return scores


class FoldedTower(nn.Module):
    """A RetinaNet's tower with convolutions of its own for each map, which have taken in that map's norms.

    For ExecuTorch, whose exporter has a shared convolution take in the norms of all maps, one after another, and so
    computes something else. In other formats' integers the shared form keeps more.
    """

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.act = tower.act
        self.maps = nn.ModuleList(nn.ModuleList(map(_with_norm, tower.convs, norms)) for norms in _lists(tower.norms))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Shape: [(N, channels, H, W), ...] -> the same."""
        found = []
        for x, layers in zip(maps, _lists(self.maps), strict=True):
            for layer in layers:
                x = self.act(layer(x))
            found.append(x)
        return found


def fold_norm_(part: Any) -> None:
    """A convolution takes in the batch norm that follows it."""
    if part._modules.keys() >= {"conv", "norm"}:
        part.conv = fuse_conv_bn_eval(part.conv, part.norm)
        del part.norm


def fold_first_norm_(part: Any) -> None:
    """The 1x1 convolution that widens takes in the batch norm before it (EMO's first stages)."""
    if list(part._modules)[:2] == ["norm", "widen"] and isinstance(part.norm, nn.BatchNorm2d):
        take_in_(part.widen.conv, *_affine(part.norm))
        del part.norm


def fold_query_norm_(part: Any) -> None:
    """Mobile MQA's projections take in the batch norm before them.

    The depthwise convolutions that shrink keys and values pad with zeros, which a shift would no longer be: they keep
    the norm, as a 1x1 depthwise convolution.
    """
    attention = part._modules.get("attention")
    if not isinstance(attention, MultiQuery) or not isinstance(part._modules.get("norm"), nn.BatchNorm2d):
        return
    scale, shift = _affine(part.norm)
    take_in_(attention.query, scale, shift)
    for name in ("key", "value"):
        reader = getattr(attention, name)
        if "shrink" in reader._modules:
            setattr(attention, name, chain(norm=_scaling(scale, shift), **reader._modules))
        else:
            take_in_(reader.project, scale, shift)
    del part.norm


def fold_temperature_(part: Any) -> None:
    """Attention's queries take in the 1/sqrt(channels of a head)."""
    if isinstance(part, MultiQuery):
        _scale_(part.query, slice(None), part.temperature)
        part.temperature = 1.0
    elif isinstance(part, GridAttention):
        _scale_(part.qk, slice(part.qk.out_channels // 2), part.temperature)
        part.temperature = 1.0


def fold_scale_(part: Any) -> None:
    """The projection takes in the layer scale that follows it."""
    if "scale" not in part._modules:
        return
    attention = part._modules.get("attention")
    last = attention.project if isinstance(attention, MultiQuery) else part.project.conv
    last.weight *= part.scale.gamma[:, None, None, None]
    if last.bias is not None:
        last.bias *= part.scale.gamma
    del part.scale


Forms = dict[type[nn.Module], Callable[[Any], nn.Module]]
"""What a part becomes, from the part."""

HEADS: Forms = {Scores: ConvolutionalScores, Projected: ConvolutionalProjected, Gated: ScoredThenResized}
CHANNELS_LAST: Forms = {GridAttention: PlainGridAttention, ChannelNorm: PlainChannelNorm}

FOLDS: tuple[Callable[[Any], None], ...] = (
    fold_norm_,
    fold_first_norm_,
    fold_query_norm_,
    fold_temperature_,
    fold_scale_,
)
"""In this order, each over the whole network: a scale goes into a convolution that has its norm already."""


@torch.no_grad()
def reform_(network: nn.Module, forms: Forms) -> None:
    """Put what each part becomes in its place, one kind after the other: a form may take in parts of a later kind."""
    for kind, form in forms.items():
        for name, part in list(network.named_modules()):
            if type(part) is kind:
                network.set_submodule(name, form(part))


def take_in_(conv: nn.Conv2d, scale: Tensor, shift: Tensor) -> None:
    """Let a 1x1 convolution of x compute what it computed of x * scale + shift.

    Args:
        conv: its bias is made if it has none.
        scale: a factor for each incoming channel. Shape: (cin,).
        shift: what is added to each incoming channel. Shape: (cin,).
    """
    weight = conv.weight.flatten(1)  # (cout, cin)
    bias = weight @ shift + (0 if conv.bias is None else conv.bias)
    conv.bias = nn.Parameter(bias)
    conv.weight.copy_((weight * scale)[:, :, None, None])


def norm_as_convolution(norm: nn.BatchNorm2d) -> Conv2d:
    """A batch norm that no convolution could take in, as a 1x1 depthwise convolution of its own."""
    return _scaling(*_affine(norm))


def _lists(lists: nn.ModuleList) -> Iterator[nn.ModuleList]:
    """The same lists of modules, known as such."""
    for each in lists:
        assert isinstance(each, nn.ModuleList)
        yield each


def _with_norm(layer: Any, norm: Any) -> nn.Module:
    """A copy of a separable convolution that has taken in the norm that follows it."""
    return chain(depthwise=deepcopy(layer.depthwise), pointwise=fuse_conv_bn_eval(layer.pointwise, norm))


def _as_convolution(linear: nn.Linear) -> nn.Module:
    conv = Conv2d(linear.in_features, linear.out_features, 1, device=linear.weight.device, dtype=linear.weight.dtype)
    conv.weight.copy_(linear.weight[:, :, None, None])
    conv.bias = linear.bias
    return conv


def _affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a batch norm multiplies each channel by, and what it then adds."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale


def _scaling(scale: Tensor, shift: Tensor) -> Conv2d:
    channels = scale.shape[0]
    conv = Conv2d(channels, channels, 1, groups=channels, device=scale.device, dtype=scale.dtype)
    conv.weight.copy_(scale[:, None, None, None])
    assert conv.bias is not None
    conv.bias.copy_(shift)
    return conv


def _scale_(conv: nn.Conv2d, outputs: slice, factor: float) -> None:
    conv.weight[outputs] *= factor
    if conv.bias is not None:
        conv.bias[outputs] *= factor
