"""Published weights: which there are for an architecture, where, what they score, and what they expect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from mobilevision.architecture import Arch
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import UsageError, nearest
from mobilevision.weights.keys import EMO, TIMM, Naming
from mobilevision.weights.published_timm import TIMM_ROWS, Figures, Style
from mobilevision.weights.published_torchvision import DENSE_ROWS, TORCHVISION_ROWS, URL
from mobilevision.weights.sources import Download, Hub
from mobilevision.zoo.dense import parted

EMO_URL = "https://github.com/zhangzjn/EMO/raw/main/resources/"
EMO_ROWS = (  # architecture, top-1 and top-5 in percent (arXiv:2301.01146, table 4, and the authors' logs), folder
    ("emo_1m", 71.498, 90.368, "EMO_1M"),
    ("emo_2m", 75.134, 92.184, "EMO_2M"),
    ("emo_5m", 78.422, 93.970, "EMO_5M"),
    ("emo_6m", 78.988, 94.162, "EMO_6M"),
)
IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Published:
    """One set of published weights.

    Attributes:
        arch: name of the architecture they are for.
        tag: their name among those of that architecture.
        source: where they are.
        naming: whose names their tensors have.
        licence: SPDX name, or None where the publisher states none.
        classes: how many they tell apart; 1000 are ImageNet-1k's, a detector's 90 COCO's, a segmenter's 21 VOC's.
        top1: percent of ImageNet-1k's validation pictures they name right with `preprocessing`; None if not published.
        top5: percent whose name is among their first five.
        preprocessing: what they expect.
        better: a larger preprocessing that suits them better, if one is published.
        better_top1: percent with `better`.
        better_top5: percent with `better`.
        eps: the norms' epsilon they ask for; None leaves the architecture's.
        padding: the padding they ask for; None leaves the architecture's.
    """

    arch: str
    tag: str
    source: Hub | Download
    naming: Naming
    licence: str | None
    classes: int
    top1: float | None
    top5: float | None
    preprocessing: Preprocessing
    better: Preprocessing | None = None
    better_top1: float | None = None
    better_top5: float | None = None
    eps: float | None = None
    padding: str | None = None

    @property
    def name(self) -> str:
        """Architecture and tag, as in "mobilenetv2_100.ra_in1k"."""
        return f"{self.arch}.{self.tag}"

    def fitted(self, arch: Arch) -> Arch:
        """`arch` with the epsilon and the padding that these weights ask for."""
        return replace(arch, eps=self.eps or arch.eps, padding=self.padding or arch.padding)


@cache
def published() -> tuple[Published, ...]:
    """All published weights; of each architecture, the usual ones first."""
    return (*_timm(), *_torchvision(), *_dense(), *_emo())


def published_for(arch: str) -> tuple[Published, ...]:
    """The published weights of the architecture called `arch`, the usual ones first; none, if there are none.

    A backbone under a head of ours ("ssdlite_mobilenetv2_100") has those of the backbone.
    """
    return tuple(one for one in published() if one.arch in (arch, parted(arch)[1]))


def find(arch: str, tag: str | None = None) -> Published:
    """The published weights of an architecture with a tag; without one, the usual ones.

    Raises:
        UsageError: if there are none.
    """
    ours = published_for(arch)
    if not ours:
        raise UsageError(f"no weights are published for {arch}; give a file by pretrained=PATH, or train it")
    tags = [one.tag for one in ours]
    if tag is not None and tag not in tags:
        raise UsageError(f"{arch} has no weights {tag!r}; it has {', '.join(tags)} ({nearest(tag, tags)})")
    return ours[tags.index(tag)] if tag is not None else ours[0]


def _timm() -> Iterator[Published]:
    for arch, rows in TIMM_ROWS.items():
        for row in rows:
            better = row.better
            yield Published(
                arch,
                row.tag,
                Hub(f"timm/{row.style.prefix}{arch}.{row.tag}"),
                TIMM,
                "Apache-2.0",
                row.classes,
                *row.at[:2],
                _preprocessing(row.style, row.at),
                better=_preprocessing(row.style, better) if better else None,
                better_top1=better[0] if better else None,
                better_top5=better[1] if better else None,
                eps=row.style.eps,
                padding=row.style.padding,
            )


def _preprocessing(style: Style, figures: Figures) -> Preprocessing:
    _, _, side, crop = figures
    return Preprocessing((side, side), style.mean, style.std, crop, style.interpolation)


def _torchvision() -> Iterator[Published]:
    for arch, tag, (naming, eps), top1, top5, short_side, file in TORCHVISION_ROWS:
        source = Download(URL + file, digest=file.removesuffix(".pth").rsplit("-", 1)[1])
        expects = Preprocessing(crop=224 / short_side)
        yield Published(arch, tag, source, naming, "BSD-3-Clause", IMAGENET_CLASSES, top1, top5, expects, eps=eps)


def _dense() -> Iterator[Published]:
    for arch, tag, naming, classes, side, mean, std, file in DENSE_ROWS:
        source = Download(URL + file, digest=file.removesuffix(".pth").rsplit("-", 1)[1])
        expects = Preprocessing((side, side), mean, std, crop=1.0)
        yield Published(arch, tag, source, naming, "BSD-3-Clause", classes, None, None, expects)


def _emo() -> Iterator[Published]:
    for arch, top1, top5, folder in EMO_ROWS:
        source = Download(f"{EMO_URL}{folder}/net.pth", folder)
        expects = Preprocessing(interpolation="bicubic")
        yield Published(arch, "in1k", source, EMO, None, IMAGENET_CLASSES, top1, top5, expects)
