"""Our export against timm's of the same network, through the same official converter, interleaved in one run.

    python benchmarks/export_latency.py --files FILES --to litert,onnx --networks 'mobilenetv3*' --write
    python benchmarks/export_latency.py --files FILES --to litert,onnx --networks 'mobilenetv3*'
    python benchmarks/export_latency.py --page docs/export_latency.md

The first line writes the files, which needs no quiet; the second races those that are there, network by network, which
does. Results join what stands in the JSON file, a network and format that is in it is not raced again without
`--again`, and the last line makes a page of it: so a long run can be cut into parts.

Both sides take the same image (layout, size, float32) and go through the same quantizer with the same pictures, the
same range estimator and the same list of what stays in float32; so a ratio below 1 is what the form of the network
brings. Weights are random: what the networks do does not depend on them, but norms have seen noise and layer scales
are as large as trained ones, for both sides. EMO, which timm lacks, is set against its own plain data flow, exported as
it stands. All files of a network and format run in one process after another, on one core, lap by lap in turns, each
file twice in its turn, of which the second counts, so that all find their own weights in the caches; each of the six
processes opens them in an order of its own; an interval is drawn over blocks of ten laps.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision import jobs, zoo
from mobilevision.cost import walk
from mobilevision.deploy.base import FP32, Format
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.ranges import Rounding, minmax
from racing import OURS, STARTS, THEIRS, facts, main, ours_and_theirs, raced, shown

NETWORKS = (
    "mobilenetv1_100",
    "mobilenetv2_100",
    "mobilenetv3_small_100",
    "mobilenetv3_large_100",
    "mobilenetv4_conv_small",
    "mobilenetv4_conv_medium",
    "mobilenetv4_hybrid_medium",
    "semnasnet_100",
    "emo_1m",
    "emo_5m",
)


def run(name: str, to: str, files: dict[tuple[str, str], Path], rounds: int) -> dict[str, Any]:
    """Race the files of a network and format; beside each stands its share of what the core can do."""
    peaks = jobs.call("export_latency:peaks", {}, seconds=600)
    told = raced(list(files.values()), rounds // STARTS)
    laps = dict(zip(files, told["laps"], strict=True))
    products = sum(row.cost.macs + row.cost.attention_macs for row in walk(zoo.arch(name)))
    each = {
        f"{side} {number}": {
            "median_ms": float(np.median(laps[side, number])),
            "share_of_peak": 2e-6 * products / float(np.median(laps[side, number])) / peaks[number],
            "moves": moves,
            "pieces": pieces,
        }
        for (side, number), moves, pieces in zip(files, told["moves"], told["pieces"], strict=True)
    }
    return facts(name, to, laps, told["load"]) | {"peaks": peaks, "files": each}


def write(name: str, side: str, to: str, number: str, file: str) -> None:
    """A job: one side as a file."""
    import torch

    torch.manual_seed(0)
    network = (ours(name, number, find_format(to)) if side == OURS else theirs(name)).eval()
    save(network, zoo.arch(name).size, to, number, Path(file))


def save(network: Any, size: int, to: str, number: str, file: Path) -> None:
    """Write a network as it stands; in int8 by the plainest quantizer, with the same pictures for every side."""
    format_, card = find_format(to), {"labels": []}
    if number == "fp32":
        format_.export(network, (3, size, size), card, file, FP32)
        return
    assert format_.quantize is not None
    pictures = np.random.default_rng(0).standard_normal((4, 3, size, size)).astype(np.float32)
    format_.quantize(network, pictures, card, file, Rounding(minmax))


def ours(name: str, number: str, format_: Format) -> Any:
    from mobilevision.deploy.integers import form_for
    from mobilevision.network import Network

    return form_for(settle(Network(zoo.arch(name)), zoo.arch(name).size), format_, find_precision(format_, number))


def theirs(name: str) -> Any:
    import timm
    import torch

    from mobilevision.network import Network

    known = name in timm.list_models()
    network = timm.create_model(name, exportable=True) if known else Network(zoo.arch(name))
    size = zoo.arch(name).size
    network = without_norms(settle(network, size), size)
    if known:
        return network
    first = next(part for part in network.modules() if isinstance(part, torch.nn.Conv2d))
    first.__class__ = torch.nn.Conv2d  # a stranger's convolution, which our exporter takes as it stands
    return network


def settle(network: Any, side: int) -> Any:
    """Let the norms see some noise, and scales be as in a trained network: else maps fade from layer to layer.

    Faded maps have scales that integer kernels do not take, and numbers so small that processors slow down.
    """
    import torch

    for kind, part in ((type(part).__name__, part) for part in network.modules()):
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
        if kind in ("Scale", "LayerScale2d"):
            torch.nn.init.constant_(part.gamma, 0.3)
        if isinstance(part, torch.nn.LayerNorm):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.uniform_(part.bias, -0.3, 0.3)
    with torch.no_grad():
        network.train()(torch.randn(4, 3, side, side))
    return network.eval()


def without_norms(network: Any, side: int) -> Any:
    """Fold each norm into the convolution before it, as every converter does; one for ExecuTorch asks for it."""
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    made: dict[int, tuple[Any, Any]] = {}  # by the identity of a map, which is kept alive beside
    pairs: dict[str, Any] = {}
    hooks = []
    for name, part in network.named_modules():
        if isinstance(part, torch.nn.Conv2d):
            hooks.append(part.register_forward_hook(lambda conv, _, y: made.update({id(y): (conv, y)})))
        elif isinstance(part, torch.nn.BatchNorm2d):
            hooks.append(
                part.register_forward_pre_hook(lambda _, x, name=name: pairs.update({name: made.get(id(x[0]))}))
            )
    with torch.no_grad():
        network(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    for name, (conv, _) in ((name, pair) for name, pair in pairs.items() if pair is not None):
        norm, fused = network.get_submodule(name), fuse_conv_bn_eval(conv, network.get_submodule(name))
        conv.weight, conv.bias = fused.weight, fused.bias
        network.set_submodule(name, getattr(norm, "act", torch.nn.Identity()))
    return network


def peaks() -> dict[str, float]:
    """A job: billions of operations in a second that torch reaches on one core in a 1024 x 1024 x 1024 product."""
    import torch

    torch.set_num_threads(1)
    a, b = torch.randn(2, 1024, 1024)
    c, d = torch.randint(-9, 9, (2, 1024, 1024), dtype=torch.int8)
    return {"fp32": _rate(lambda: a @ b), "int8": _rate(lambda: torch._int_mm(c, d))}


def _rate(product: Any) -> float:
    taken = []
    for _ in range(40):
        start = time.perf_counter()
        product()
        taken.append(time.perf_counter() - start)
    return 2e-9 * 1024**3 / min(taken)


def page(results: dict[str, Any]) -> str:
    """The results as Markdown: one table a format and machine; the method stands above them and is kept by hand."""
    parts = [METHOD]
    for to, machine in dict.fromkeys((found["format"], found["machine"]) for found in results.values()):
        rows = [found for found in results.values() if (found["format"], found["machine"]) == (to, machine)]
        parts.append(f"## {to}, {machine}\n\n{rows[0]['runtime']}, one thread. {conditions(rows)}\n\n{HEAD}")
        parts.append("".join(row(found) for found in rows))
    return "\n".join(parts)


METHOD = f"""# The exported graph and its latency (`benchmarks/export_latency.py`)

Both sides {(__doc__ or "").partition("Both sides ")[2].strip()}

A ratio is a median by a median, with its 95 % interval; below 1 the first is faster. "Share" is of what torch reaches
on one core in a 1024 x 1024 x 1024 product of the same numbers, in the same run: multiply-accumulates of convolutions,
linear layers and attention, twice, by the time; torch's product is far from the best on AMD's cores, so it passes 100 %
there. "Pieces" are those of the XNNPACK delegate. What was tried, and what
falls short, stands in `docs/export_forms.md`. Both sides have the same door; what bytes in, probabilities out and
channels last are worth is raced apart, in `docs/interface_latency.md`.
"""
HEAD = """| network | numbers | ours ms | theirs ms | ours / theirs | share | pieces | transposes | int8 / own fp32 |
|---|---|---|---|---|---|---|---|---|"""


def conditions(rows: list[dict[str, Any]]) -> str:
    peaks = {number: [found["peaks"][number] for found in rows] for number in ("fp32", "int8")}
    loads = [found["load"] for found in rows]
    dates = sorted(found["date"] for found in rows)
    fp32, int8 = (np.median(peaks[number]) for number in ("fp32", "int8"))
    return (
        f"Raced {dates[0]} to {dates[-1]} UTC at a load of {min(loads):.1f} to {max(loads):.1f}; "
        f"the product reached {fp32:.0f} GFLOP/s in fp32 and {int8:.0f} GOP/s in int8."
    )


def row(found: dict[str, Any]) -> str:
    text = ""
    for number in ("fp32", "int8"):
        one, other = (found["files"].get(f"{side} {number}") for side in (OURS, THEIRS))
        if one is None or other is None:
            continue
        own = found["ratios"].get("ours int8 / ours fp32") if number == "int8" else None
        cells = (
            found["network"],
            number,
            f"{one['median_ms']:.2f}",
            f"{other['median_ms']:.2f}",
            shown(found["ratios"][f"ours {number} / theirs {number}"]),
            f"{one['share_of_peak']:.0%}",
            f"{one['pieces'] or '-'} / {other['pieces'] or '-'}",
            f"{one['moves']['transpose']} / {other['moves']['transpose']}",
            shown(own) if own else "",
        )
        text += "| " + " | ".join(cells) + " |\n"
    return text


if __name__ == "__main__":
    main(
        __doc__ or "",
        script="export_latency",
        networks=NETWORKS,
        to="litert,onnx,openvino,executorch",
        run=run,
        page=page,
        sides=ours_and_theirs,
    )
