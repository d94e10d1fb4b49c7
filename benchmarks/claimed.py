"""What the articles claim of their networks, each as an edit of an architecture, and what can be counted of it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import UIB, Block, Classifier, Conv, Inverted, LastConv, MobileMQA, Separable
from mobilevision.blocks.uib import MultiQuery
from mobilevision.cost import walk
from mobilevision.errors import UsageError, nearest
from mobilevision.layers import ACTIVATIONS, Conv2d, Scale, chain


class Claim(NamedTuple):
    """What an article says of one network beside another.

    Attributes:
        name: a short name.
        says: the claim in words.
        source: paper and place.
        published: the paper's own figures.
        new: the network with the idea, by its name in the trial.
        old: the one without.
        above: the network that both are measured above; "" has none.
        share: what the paper says the new one takes of the old one's time, from and to; empty where it does not.
    """

    name: str
    says: str
    source: str
    published: str
    new: str
    old: str
    above: str = ""
    share: tuple[float, ...] = ()


@dataclass(frozen=True)
class Trial:
    """Networks that are raced together, and what is claimed of them.

    Attributes:
        name: for files and results.
        networks: by their names.
        claims: about pairs of them.
        outputs: classes.
        task: what their files give.
        slow: how many times fewer laps they take.
    """

    name: str
    networks: dict[str, Arch]
    claims: tuple[Claim, ...]
    outputs: int = 1000
    task: str = "classify"
    slow: int = 1


class Counts(NamedTuple):
    """Multiply-accumulates, attention's products with them, and parameters."""

    macs: int
    params: int


def counts(trial: Trial, name: str) -> Counts:
    """What a network of a trial needs for one picture."""
    costs = [row.cost for row in walk(trial.networks[name], outputs=trial.outputs)]
    return Counts(sum(cost.macs + cost.attention_macs for cost in costs), sum(cost.params for cost in costs))


def pair(trial: Trial, claim: Claim) -> tuple[Counts, Counts]:
    """What the new and the old network of a claim need, above the network that both are measured above."""
    least = counts(trial, claim.above) if claim.above else Counts(0, 0)
    new, old = (
        Counts(*(one - less for one, less in zip(counts(trial, name), least, strict=True)))
        for name in (claim.new, claim.old)
    )
    return new, old


@dataclass(frozen=True)
class BentInverted(Inverted):
    """MobileNetV2's block with an activation behind its projection, which the paper advises against (figure 6a)."""

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        straight = replace(self, residual=False)
        body = super(BentInverted, straight).build(cin)
        return self.skip(cin, chain(body=body, act=ACTIVATIONS[self.act]()))


@dataclass(frozen=True)
class MultiHead(MobileMQA):
    """Mobile MQA's block with a key and a value for every head: plain multi-head attention."""

    def build(self, cin: int) -> nn.Module:
        """Shape: (N, cin, H, W) -> (N, out, H, W)."""
        attention = OwnKeys(cin, self.out, heads=self.heads, dim=self.dim, kv_stride=1)
        return self.skip(cin, chain(norm=nn.BatchNorm2d(cin), attention=attention, scale=Scale(self.out, self.scale)))


class OwnKeys(MultiQuery):
    """Attention whose heads have keys and values of their own; else written as `MultiQuery` is.

    Shape: (N, cin, H, W) -> (N, out, H, W).
    """

    def __init__(self, cin: int, out: int, *, heads: int, dim: int, kv_stride: int) -> None:
        super().__init__(cin, out, heads=heads, dim=dim, kv_stride=kv_stride)
        self.key, self.value = (chain(project=Conv2d(cin, heads * dim, 1, bias=False)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H, W)."""
        n, _, h, w = x.shape
        q, v = (self._heads(part(x)) for part in (self.query, self.value))
        k = self.key(x).reshape(n * self.heads, self.dim, h * w)
        near = torch.bmm(q * self.temperature, k).softmax(-1)  # (N * heads, HW, HW)
        rows = torch.bmm(near, v).reshape(n, self.heads, h * w, self.dim).transpose(1, 2)  # (N, HW, heads, dim)
        y: Tensor = self.project(rows.reshape(n, h, w, -1).permute(0, 3, 1, 2))
        return y

    def _heads(self, x: Tensor) -> Tensor:
        """Shape: (N, heads * dim, H, W) -> (N * heads, HW, dim)."""
        n, _, h, w = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(n, h * w, self.heads, self.dim)
        return rows.transpose(1, 2).reshape(n * self.heads, h * w, self.dim)


def edited(arch: Arch, blocks: Iterator[tuple[tuple[int, int], Block]]) -> Arch:
    """The architecture with other blocks at some places."""
    for place, block in blocks:
        arch = arch.with_block(place, block)
    return arch


def plain_convolutions(arch: Arch) -> Arch:
    """MobileNetV1 with a full convolution for each separable one."""
    found = ((place, block) for place, block in arch.places() if isinstance(block, Separable))
    return edited(arch, ((place, Conv(block.out, block.stride, act=block.act)) for place, block in found))


def bent(arch: Arch) -> Arch:
    """MobileNetV2 with ReLU6 behind every projection."""
    found = ((place, block) for place, block in arch.places() if isinstance(block, Inverted))
    return edited(arch, ((place, BentInverted(**vars(block))) for place, block in found))


def v2_end(arch: Arch) -> Arch:
    """MobileNetV3-Large with the end it had before: one more bottleneck, and 1280 channels before the mean.

    From figure 5 of the paper: filter and project the 960 channels to 320, widen them to 1280 on the whole map.
    """
    ends = ((Inverted(320, expand=6, act="hswish"),), (LastConv(1280, act="hswish"),))
    return replace(arch, stages=(*arch.stages[:-1], *ends), head=Classifier())


def of_form(arch: Arch, start: int, middle: int) -> Arch:
    """The network with filters of these sides in every UIB that does not halve the map."""
    found = ((place, block) for place, block in arch.places() if isinstance(block, UIB) and block.stride == 1)
    return edited(arch, ((place, replace(block, start=start, middle=middle)) for place, block in found))


def with_last(arch: Arch, block: Block, count: int) -> Arch:
    """The network with `count` more blocks at the end of its last stage of bottlenecks."""
    return replace(arch, stages=(*arch.stages[:-2], (*arch.stages[-2], *[block] * count), arch.stages[-1]))


def whole_keys(arch: Arch) -> Arch:
    """The network whose attention takes keys and values from the whole map."""
    found = ((place, block) for place, block in arch.places() if isinstance(block, MobileMQA))
    return edited(arch, ((place, replace(block, kv_stride=1)) for place, block in found))


def separable() -> Trial:
    """MobileNetV1's idea."""
    arch = zoo.arch("mobilenetv1_100")
    claim = Claim(
        "V1: separable convolutions",
        "8 to 9 times less arithmetic than with full 3x3 convolutions",
        "arXiv:1704.04861, section 3.1 and table 4",
        "4866 M MACs with full convolutions, 569 M with separable ones",
        new="separable",
        old="full",
    )
    return Trial("separable", {"separable": arch, "full": plain_convolutions(arch)}, (claim,))


def bottleneck() -> Trial:
    """MobileNetV2's idea; what it is worth is told by training (`--only learn`), here is what it costs."""
    arch = zoo.arch("mobilenetv2_100")
    claim = Claim(
        "V2: linear bottleneck",
        "no activation behind the projection is more accurate; nothing is said of time",
        "arXiv:1801.04381, section 6.4 and figure 6a",
        "a curve, no figures",
        new="linear",
        old="ReLU6",
    )
    return Trial("bottleneck", {"linear": arch, "ReLU6": bent(arch)}, (claim,))


def ends() -> Trial:
    """MobileNetV3's cheaper ends."""
    arch = zoo.arch("mobilenetv3_large_100")
    source = "arXiv:1905.02244, section 5.1"
    last = Claim(
        "V3: cheaper last stage",
        "30 M MACs and 11 % of the time less",
        source,
        "-7 ms, -30 M MACs",
        new="V3-Large",
        old="V2's end",
        share=(0.89,),
    )
    stem = Claim(
        "V3: cheaper stem",
        "16 filters with hard swish for 32 with ReLU: 10 M MACs less",
        source,
        "-2 ms, -10 M MACs",
        new="V3-Large",
        old="32 filters",
    )
    networks = {"V3-Large": arch, "V2's end": v2_end(arch), "32 filters": arch.with_block((0, 0), Conv(32, 2))}
    return Trial("ends", networks, (last, stem))


def detection() -> Trial:
    """MobileNetV3 as a detector, on 320 pixels with 90 classes."""
    source = "arXiv:1905.02244, section 6.3 and table 6"
    faster = Claim(
        "V3: detection against V2",
        "over 25 % less time, as accurate",
        source,
        "162 ms and 0.80 B MACs with V2, 119 ms and 0.51 B with V3-Large, reduced",
        new="V3-Large, reduced",
        old="V2",
        share=(119 / 162,),
    )
    reduced = Claim(
        "V3: reduced tail",
        "half the channels behind the last stride, as accurate",
        source,
        "137 ms and 0.62 B MACs, reduced 119 ms and 0.51 B",
        new="V3-Large, reduced",
        old="V3-Large",
        share=(119 / 137,),
    )
    networks = {
        "V3-Large, reduced": zoo.arch("ssdlite320_mobilenet_v3_large"),
        "V3-Large": zoo.arch("ssdlite_mobilenetv3_large_100", size=320),
        "V2": zoo.arch("ssdlite_mobilenetv2_100", size=320),
    }
    return Trial("detection", networks, (faster, reduced), outputs=90, task="detect")


def uib() -> Trial:
    """The four forms of MobileNetV4's block, each in all places of Conv-M that keep the map's size."""
    arch = zoo.arch("mobilenetv4_conv_medium")
    forms = {"IB": (0, 3), "ExtraDW": (3, 3), "ConvNext": (3, 0), "FFN": (0, 0)}
    says = {
        "ExtraDW": "more depth and a wider view for little",
        "ConvNext": "mixes space more cheaply, before the expansion",
        "FFN": "1x1 convolutions alone, which accelerators like best",
    }
    claims = tuple(
        Claim(f"V4: {form} against IB", words, "arXiv:2404.10518, section 4", "no figure a block", new=form, old="IB")
        for form, words in says.items()
    )
    return Trial("uib", {name: of_form(arch, *sides) for name, sides in forms.items()}, claims)


def attention() -> Trial:
    """Three blocks of attention at the end of Conv-L, with shared keys and values and with own ones."""
    arch = zoo.arch("mobilenetv4_conv_large")
    shared = MobileMQA(512, heads=8, dim=64)
    own = MultiHead(512, heads=8, dim=64)
    claim = Claim(
        "V4: Mobile MQA against multi-head",
        "what attention adds takes over 39 % less time on accelerators, 28.6 % fewer MACs and 25.5 % fewer parameters",
        "arXiv:2404.10518, section 5 and table 2",
        "-39.0 % (Pixel 8 EdgeTPU), -84.2 % (Pixel 7 EdgeTPU), -41.1 % (Galaxy S23 GPU)",
        new="shared",
        old="own",
        above="none",
        share=(1 - 0.39,),
    )
    networks = {"none": arch, "shared": with_last(arch, shared, 3), "own": with_last(arch, own, 3)}
    return Trial("attention", networks, (claim,), slow=2)


def reduction() -> Trial:
    """Hybrid-M as it is, and with keys and values from the whole map."""
    arch = zoo.arch("mobilenetv4_hybrid_medium")
    claim = Claim(
        "V4: spatial reduction",
        "keys and values from a quarter of the map: over 20 % faster",
        "arXiv:2404.10518, section 5 and table 3",
        "15.8 ms and 1.285 G MACs without, 12.8 ms and 1.245 G with (CPU); -0.06 points",
        new="reduced",
        old="whole",
        share=(12.8 / 15.8,),
    )
    return Trial("reduction", {"reduced": arch, "whole": whole_keys(arch)}, (claim,))


TRIALS = (separable(), bottleneck(), ends(), detection(), uib(), attention(), reduction())


def find_trial(name: str) -> Trial:
    """The trial of that name."""
    known = {trial.name: trial for trial in TRIALS}
    if name not in known:
        raise UsageError(f"there is no trial {name!r}; {nearest(name, known)}")
    return known[name]
