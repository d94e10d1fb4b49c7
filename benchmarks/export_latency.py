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

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision import jobs, zoo
from mobilevision.cost import walk
from mobilevision.deploy.base import FP32, Array, Format
from mobilevision.deploy.formats import find_format, find_precision, format_of
from mobilevision.deploy.ranges import Rounding, minmax
from mobilevision.deploy.runtime import open_file
from mobilevision.files import write_json, write_text
from mobilevision.run import processor
from mobilevision.timing.versus import interval

OURS, THEIRS = "ours", "theirs"
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
STARTS = 6
"""Processes that a race is cut into: where a file's weights happen to lie is worth up to 6 % to it."""

BLOCK = 10
"""Laps that are drawn together: neighbors in time are alike."""


def main() -> None:
    asked = arguments()
    if asked.page:
        write_text(asked.page, page(json.loads(asked.out.read_text(encoding="utf-8"))))
        return
    for name in (name for name in NETWORKS if fnmatch(name, asked.networks)):
        for to in asked.to.split(","):
            files = {(side, number): place(asked.files, name, side, to, number) for side, number in sides(to)}
            if asked.write:
                for (side, number), file in files.items():
                    make(name, side, to, number, file)
            else:
                run(name, to, files, asked)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, default=Path("export_latency_files"), help="folder of the files")
    parser.add_argument("--networks", default="*", help="pattern of names")
    parser.add_argument("--to", default="litert,onnx,openvino,executorch")
    parser.add_argument("--write", action="store_true", help="write the files that are missing, race nothing")
    parser.add_argument("--rounds", type=int, default=240, help="laps of each file, taken in turns")
    parser.add_argument("--again", action="store_true", help="race what has its result already")
    parser.add_argument("--out", type=Path, default=Path("docs/export_latency.json"))
    parser.add_argument("--page", type=Path, help="write a page of the results there, race nothing")
    return parser.parse_args()


def sides(to: str) -> list[tuple[str, str]]:
    numbers = ("fp32", "int8") if find_format(to).quantize else ("fp32",)
    return [(side, number) for number in numbers for side in (OURS, THEIRS)]


def place(folder: Path, name: str, side: str, to: str, number: str) -> Path:
    return folder / f"{name}_{side}_{number}{find_format(to).suffix}"


def make(name: str, side: str, to: str, number: str, file: Path) -> None:
    """Write a file that is missing."""
    if file.exists():
        return
    with find_format(to).writing(file) as beside:
        payload = {"name": name, "side": side, "to": to, "number": number, "file": str(beside)}
        jobs.call("export_latency:write", payload, seconds=1800)
    print(f"{file} written", file=sys.stderr, flush=True)


def run(name: str, to: str, files: dict[tuple[str, str], Path], asked: argparse.Namespace) -> None:
    """Race the files of a network and format, and add what was found to the results."""
    results = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.is_file() else {}
    key = f"{name} {to}"
    there = {entry: file for entry, file in files.items() if file.exists()}
    if len(there) < 2 or (key in results and not asked.again):
        return
    peaks = jobs.call("export_latency:peaks", {}, seconds=600)
    payload = {"files": [str(file) for file in there.values()], "rounds": asked.rounds // STARTS}
    starts = [jobs.call("export_latency:race", payload | {"seed": seed}, seconds=1800) for seed in range(STARTS)]
    told = starts[0] | {"laps": np.concatenate([start["laps"] for start in starts], axis=1).tolist()}
    results[key] = compared(name, to, list(there), told, peaks)
    write_json(asked.out, results)
    print("\n".join(lines(results[key])), flush=True)


def compared(
    name: str, to: str, entries: list[tuple[str, str]], told: dict[str, Any], peaks: dict[str, float]
) -> dict[str, Any]:
    """Ratios of what stands beside each other, and each file's share of what the core can do."""
    laps = dict(zip(entries, np.array(told["laps"]), strict=True))
    size = zoo.arch(name).size
    products = sum(row.cost.macs + row.cost.attention_macs for row in walk(zoo.arch(name)))
    pairs = [((OURS, number), (THEIRS, number)) for number in ("fp32", "int8")] + [((OURS, "int8"), (OURS, "fp32"))]
    return {
        "network": name,
        "size": size,
        "format": to,
        "runtime": find_format(to).runtime_version,
        "machine": processor(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "load": told["load"],
        "laps": len(told["laps"][0]),
        "peaks": peaks,
        "files": {
            f"{side} {number}": {
                "median_ms": float(np.median(laps[side, number])),
                "share_of_peak": 2e-6 * products / float(np.median(laps[side, number])) / peaks[number],
                "moves": moves,
                "pieces": pieces,
            }
            for (side, number), moves, pieces in zip(entries, told["moves"], told["pieces"], strict=True)
        },
        "ratios": {
            f"{' '.join(one)} / {' '.join(other)}": interval(blocks(laps[one], laps[other]))
            for one, other in pairs
            if one in laps and other in laps
        },
    }


def blocks(one: Array, other: Array) -> Array:
    """Shape: (blocks, 2, BLOCK)."""
    whole = len(one) // BLOCK
    return np.stack([one, other])[:, : whole * BLOCK].reshape(2, whole, BLOCK).swapaxes(0, 1)


def write(name: str, side: str, to: str, number: str, file: str) -> None:
    """A job: one side as a file."""
    import torch

    torch.manual_seed(0)
    size = zoo.arch(name).size
    format_, path, card = find_format(to), Path(file), {"labels": []}
    network = (ours(name, number, format_) if side == OURS else theirs(name)).eval()
    if number == "fp32":
        format_.export(network, (3, size, size), card, path, FP32)
        return
    assert format_.quantize is not None
    pictures = np.random.default_rng(0).standard_normal((4, 3, size, size)).astype(np.float32)
    format_.quantize(network, pictures, card, path, Rounding(minmax))


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


def race(files: list[str], rounds: int, seed: int) -> dict[str, Any]:
    """A job: all files in one process, on one core, lap by lap in turns; each lap in an order of its own.

    What ran before decides what the caches hold, so each file runs twice in its turn, and the second time counts.
    """
    load = os.getloadavg()[0]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    chance = np.random.default_rng(seed)
    opened = {turn: open_file(Path(files[turn])) for turn in chance.permutation(len(files)).tolist()}
    runners = [opened[turn] for turn in range(len(files))]
    pictures = [noise(runner.inputs[0].shape) for runner in runners]
    laps: list[list[float]] = [[] for _ in files]
    for i in range(-5, rounds):
        for turn in chance.permutation(len(files)).tolist():
            runners[turn](pictures[turn])
            start = time.perf_counter()
            runners[turn](pictures[turn])
            if i >= 0:
                laps[turn].append(1e3 * (time.perf_counter() - start))
    return {
        "load": load,
        "laps": laps,
        "moves": [moves(Path(file)) for file in files],
        "pieces": [pieces(Path(file), runner) for file, runner in zip(files, runners, strict=True)],
    }


def noise(shape: tuple[int | str, ...]) -> Array:
    sides = [1 if isinstance(side, str) else side for side in shape]
    return np.random.default_rng(0).standard_normal(sides).astype(np.float32)


def moves(file: Path) -> dict[str, int]:
    """How many operators only move numbers."""
    names = [name.lower().removeprefix("xnnstatic") for name in format_of(file).operators(file)]
    return {word: sum(word in name for name in names) for word in ("transpose", "reshape", "pad")}


def pieces(file: Path, runner: Any) -> int | None:
    """Into how many pieces the delegate's share is cut; None for runtimes that have no delegate."""
    interpreter = getattr(runner, "_interpreter", None)
    if interpreter is not None:
        return sum(each["op_name"] == "DELEGATE" for each in interpreter._get_ops_details())
    found = [name for name in format_of(file).operators(file) if name == "XnnpackBackend"]
    return len(found) or None


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


def lines(found: dict[str, Any]) -> list[str]:
    """A line for each pair."""
    return [
        f"{found['network']:26} {found['format']:10} {pair:24} {ratio:.3f} [{low:.3f}, {high:.3f}]"
        for pair, (ratio, low, high) in found["ratios"].items()
    ]


def page(results: dict[str, Any]) -> str:
    """The results as Markdown: one table a format; the method stands above them and is kept by hand."""
    parts = [METHOD]
    for to in dict.fromkeys(found["format"] for found in results.values()):
        rows = [found for found in results.values() if found["format"] == to]
        first = rows[0]
        parts.append(f"## {to}\n\n{first['runtime']}, one thread. {facts(rows)}\n\n{HEAD}")
        parts.append("".join(row(found) for found in rows))
    return "\n".join(parts)


METHOD = f"""# The exported graph and its latency (`benchmarks/export_latency.py`)

Both sides {(__doc__ or "").partition("Both sides ")[2].strip()}

A ratio is a median by a median, with its 95 % interval; below 1 the first is faster. "Share" is of what torch reaches
on one core in a 1024 x 1024 x 1024 product of the same numbers, in the same run: multiply-accumulates of convolutions,
linear layers and attention, twice, by the time. "Pieces" are those of the XNNPACK delegate. What was tried, and what
falls short, stands in `docs/export_forms.md`.
"""
HEAD = """| network | numbers | ours ms | theirs ms | ours / theirs | share | pieces | transposes | int8 / own fp32 |
|---|---|---|---|---|---|---|---|---|"""


def facts(rows: list[dict[str, Any]]) -> str:
    peaks = {number: [found["peaks"][number] for found in rows] for number in ("fp32", "int8")}
    loads = [found["load"] for found in rows]
    dates = sorted(found["date"] for found in rows)
    fp32, int8 = (np.median(peaks[number]) for number in ("fp32", "int8"))
    return (
        f"{rows[0]['machine']}; raced {dates[0]} to {dates[-1]} UTC at a load of {min(loads):.1f} to {max(loads):.1f}; "
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


def shown(ratio: list[float]) -> str:
    return f"{ratio[0]:.3f} [{ratio[1]:.3f}, {ratio[2]:.3f}]"


if __name__ == "__main__":
    main()
