"""Our export against timm's of the same network, through the same official converter, interleaved in one run.

    python benchmarks/export_latency.py mobilenetv3_large_100 mobilenetv4_conv_small --to litert --precision fp32,int8

Both sides take the same image (layout, size, float32) and go through the same quantizer with the same pictures and the
same range estimator; so a ratio below 1 is what the form of the network brings. Weights are random: what the networks
do does not depend on them. EMO, which timm lacks, is set against its own plain data flow, exported as it stands.
Other work on the machine slows both sides alike: the two take turns, lap by lap, and each ratio is of neighbors.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision import jobs, zoo
from mobilevision.deploy.base import FP32, Array
from mobilevision.deploy.formats import find_format, format_of
from mobilevision.deploy.ranges import Rounding, minmax
from mobilevision.deploy.runtime import open_file
from mobilevision.run import processor

OURS, THEIRS = "ours", "theirs"


def main() -> None:
    options = read_options()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            for to in options.to.split(","):
                for precision in options.precision.split(","):
                    results.append(compare(name, to, precision, folder=Path(folder), rounds=options.rounds))
                    print(line(results[-1]), flush=True)
    told = {"machine": processor(), "threads": 1, "rounds": options.rounds, "results": results}
    options.out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(f"written to {options.out}", file=sys.stderr)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--to", default="litert")
    parser.add_argument("--precision", default="fp32,int8")
    parser.add_argument("--rounds", type=int, default=200, help="laps of each side, taken in turns")
    parser.add_argument("--out", type=Path, default=Path("export_latency.json"))
    return parser.parse_args()


def compare(name: str, to: str, precision: str, *, folder: Path, rounds: int) -> dict[str, Any]:
    """Write both sides, let them take turns, and tell the ratio of their times with its 95 % interval."""
    files = {}
    for side in (OURS, THEIRS):
        files[side] = str(folder / f"{name}_{side}_{precision}{find_format(to).suffix}")
        payload = {"name": name, "side": side, "to": to, "precision": precision, "file": files[side]}
        jobs.call("export_latency:write", payload, seconds=1800)
    told = jobs.call("export_latency:race", {"files": list(files.values()), "rounds": rounds}, seconds=1800)
    ours, theirs = np.array(told["laps"])
    low, high = interval(ours / theirs)
    return {
        "network": name,
        "format": to,
        "precision": precision,
        "runtime": find_format(to).runtime_version,
        "ours_ms": float(np.median(ours)),
        "theirs_ms": float(np.median(theirs)),
        "ratio": float(np.median(ours / theirs)),
        "interval": [low, high],
        "operators": dict(zip(files, told["operators"], strict=True)),
        "pieces": dict(zip(files, told["pieces"], strict=True)),
    }


def write(name: str, side: str, to: str, precision: str, file: str) -> None:
    """A job: one side as a file."""
    import torch

    torch.manual_seed(0)
    size = zoo.arch(name).size
    network = {OURS: ours, THEIRS: theirs}[side](name, precision)
    format_ = find_format(to)
    if precision == "fp32":
        format_.export(network.eval(), (3, size, size), {"labels": []}, Path(file), FP32)
    else:
        assert format_.quantize is not None
        pictures = np.random.default_rng(0).standard_normal((4, 3, size, size)).astype(np.float32)
        format_.quantize(network.eval(), pictures, {"labels": []}, Path(file), Rounding(minmax))


def ours(name: str, precision: str) -> Any:
    from mobilevision.deploy.integers import integer_form
    from mobilevision.deploy.prepare import deployable
    from mobilevision.network import Network

    network = deployable(settle(Network(zoo.arch(name)), name))
    return integer_form(network) if precision == "int8" else network


def settle(network: Any, name: str) -> Any:
    """Let the norms see some noise: in a fresh network the maps fade, and their scales leave what kernels take."""
    import torch

    side = zoo.arch(name).size
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None
    with torch.no_grad():
        network.train()(torch.randn(4, 3, side, side))
    return network.eval()


def theirs(name: str, precision: str) -> Any:
    import timm

    from mobilevision.network import Network

    if name in timm.list_models():
        return settle(timm.create_model(name, exportable=True), name)
    return settle(Network(zoo.arch(name)), name)


def race(files: list[str], rounds: int) -> dict[str, Any]:
    """A job: all files in one process, lap by lap in turns; the order turns round each time."""
    runners = [open_file(Path(file)) for file in files]
    pictures = [noise(runner.inputs[0].shape) for runner in runners]
    laps: list[list[float]] = [[] for _ in files]
    for i in range(-5, rounds):
        for place in range(len(files))[:: 1 if i % 2 else -1]:
            start = time.perf_counter()
            runners[place](pictures[place])
            if i >= 0:
                laps[place].append(1e3 * (time.perf_counter() - start))
    names = [format_of(Path(file)).operators(Path(file)) for file in files]
    return {
        "laps": laps,
        "operators": [{word: each.count(word) for word in sorted(set(each))} for each in names],
        "pieces": [pieces(runner) for runner in runners],
    }


def noise(shape: tuple[int | str, ...]) -> Array:
    sides = [1 if isinstance(side, str) else side for side in shape]
    return np.random.default_rng(0).standard_normal(sides).astype(np.float32)


def pieces(runner: Any) -> int | None:
    """Into how many parts LiteRT's delegate cut the graph; None for other runtimes."""
    interpreter = getattr(runner, "_interpreter", None)
    if interpreter is None:
        return None
    return sum(each["op_name"] == "DELEGATE" for each in interpreter._get_ops_details())


def interval(ratios: Array) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median."""
    drawn = np.random.default_rng(0).choice(ratios, (2000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5)).tolist()
    return low, high


def line(found: dict[str, Any]) -> str:
    low, high = found["interval"]
    times = f"{found['ours_ms']:8.2f} {found['theirs_ms']:8.2f} ms"
    moves = {
        side: sum(ops.get(word, 0) for word in ("TRANSPOSE", "RESHAPE", "PAD", "Transpose", "Reshape", "Pad"))
        for side, ops in found["operators"].items()
    }
    return (
        f"{found['network']:28} {found['format']:7} {found['precision']:5} {times}  ratio {found['ratio']:.3f} "
        f"[{low:.3f}, {high:.3f}]  moves {moves[OURS]}/{moves[THEIRS]}  "
        f"pieces {found['pieces'][OURS]}/{found['pieces'][THEIRS]}"
    )


if __name__ == "__main__":
    main()
