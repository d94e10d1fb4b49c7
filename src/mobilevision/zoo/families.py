"""The families, each with its own rule of width, and every name that is published."""

from collections.abc import Callable
from functools import partial

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError, nearest
from mobilevision.zoo import emo, mnasnet, v1, v2, v3, v4
from mobilevision.zoo.dense import CLASSES, DENSE

FAMILIES: dict[str, Callable[[float], Arch]] = {
    "mobilenetv1": v1.mobilenetv1,
    "mobilenetv2": v2.mobilenetv2,
    "mobilenetv3_large": v3.mobilenetv3_large,
    "mobilenetv3_small": v3.mobilenetv3_small,
    "mobilenetv3_large_minimal": v3.mobilenetv3_large_minimal,
    "mobilenetv3_small_minimal": v3.mobilenetv3_small_minimal,
    "mobilenetv4_conv_small": v4.conv_small,
    "mobilenetv4_conv_medium": v4.conv_medium,
    "mobilenetv4_conv_large": v4.conv_large,
    "mobilenetv4_hybrid_medium": v4.hybrid_medium,
    "mobilenetv4_hybrid_large": v4.hybrid_large,
    "mnasnet": mnasnet.mnasnet,
    "mnasnet_small": mnasnet.mnasnet_small,
    "semnasnet": mnasnet.semnasnet,
}

PAPERS = {  # by the first letters of a name
    "mobilenetv1": "arXiv:1704.04861",
    "mobilenetv2": "arXiv:1801.04381",
    "mobilenetv3": "arXiv:1905.02244",
    "mobilenetv4": "arXiv:2404.10518",
    "mnasnet": "arXiv:1807.11626",
    "semnasnet": "arXiv:1807.11626",
    "emo": "arXiv:2301.01146",
    "metamobile": "arXiv:2301.01146",
    "ssdlite": "arXiv:1905.02244",
    "lraspp": "arXiv:1905.02244",
    "deeplabv3": "arXiv:1706.05587",
    "retinanet": "arXiv:2404.10518",
}


def _widths(family: str, *widths: float) -> dict[str, Callable[[], Arch]]:
    return {f"{family}_{round(100 * width):03d}": partial(FAMILIES[family], width) for width in widths}


def _timm_v3(family: str, width: float) -> Arch:
    return v3.timm_stem(FAMILIES[family](width))


NAMED: dict[str, Callable[[], Arch]] = {
    **_widths("mobilenetv1", 0.25, 0.5, 0.75, 1.0, 1.25),
    "mobilenetv1_100h": v1.mobilenetv1_100h,
    **_widths("mobilenetv2", 0.35, 0.5, 0.75, 1.0, 1.4),
    "mobilenetv2_110d": partial(v2.mobilenetv2_deep, 1.1, 1.2),
    "mobilenetv2_120d": partial(v2.mobilenetv2_deep, 1.2, 1.4),
    "mobilenetv3_large_050": partial(_timm_v3, "mobilenetv3_large", 0.5),
    **_widths("mobilenetv3_large", 0.75, 1.0),
    "mobilenetv3_small_050": partial(_timm_v3, "mobilenetv3_small", 0.5),
    **_widths("mobilenetv3_small", 0.75, 1.0),
    **_widths("mobilenetv3_large_minimal", 1.0),
    **_widths("mobilenetv3_small_minimal", 1.0),
    "mobilenetv3_rw": v3.mobilenetv3_rw,
    **_widths("mobilenetv4_conv_small", 0.35, 0.5),
    "mobilenetv4_conv_small": v4.conv_small,
    "mobilenetv4_conv_medium": v4.conv_medium,
    "mobilenetv4_conv_aa_medium": partial(v4.conv_medium, pool="average"),
    "mobilenetv4_conv_blur_medium": partial(v4.conv_medium, pool="blur"),
    "mobilenetv4_conv_large": v4.conv_large,
    "mobilenetv4_conv_aa_large": partial(v4.conv_large, pool="average"),
    "mobilenetv4_hybrid_medium": v4.hybrid_medium,
    **_widths("mobilenetv4_hybrid_medium", 0.75),
    "mobilenetv4_hybrid_large": v4.hybrid_large,
    **_widths("mobilenetv4_hybrid_large", 0.75),
    **_widths("mnasnet", 0.5, 0.75, 1.0, 1.3, 1.4),
    "mnasnet_small": mnasnet.mnasnet_small,
    **_widths("semnasnet", 0.5, 0.75, 1.0, 1.4),
    **{name: partial(emo.emo, name) for name in emo.SIZES},
    **{name.replace("emo", "metamobile"): partial(emo.emo, name) for name in emo.SIZES},
}


def family_of(name: str) -> str:
    """The family that `name` names or belongs to.

    Raises:
        UsageError: if it belongs to none that has a width.
    """
    stem = name.rsplit("_", 1)[0] if name[-3:].isdigit() else name
    if stem not in FAMILIES:
        raise UsageError(f"{name!r} is not a family that has a width; {nearest(stem, FAMILIES)}")
    return stem


def facts() -> dict[str, dict[str, object]]:
    """What catalog.json holds: the facts of every named network at its own size, with the classes it is known for."""
    from mobilevision.cost import walk

    found: dict[str, dict[str, object]] = {}
    for name, build in (NAMED | DENSE).items():
        arch = build()
        rows = walk(arch, outputs=CLASSES.get(name, 1000))
        found[name] = {
            "family": next(family for family in sorted(PAPERS) if name.startswith(family)),
            "paper": next(paper for family, paper in PAPERS.items() if name.startswith(family)),
            "size": arch.size,
            "params": sum(row.cost.params for row in rows),
            "macs": sum(row.cost.macs for row in rows),
            "attention_macs": sum(row.cost.attention_macs for row in rows),
            "digest": arch.digest,
        }
    return found


if __name__ == "__main__":  # make catalog
    import json
    from pathlib import Path

    from mobilevision.files import write_text

    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in facts().items())
    write_text(Path(__file__).with_name("catalog.json"), f"{{\n{lines}\n}}\n")
