"""The networks on one footing: the same pictures, recipe, epochs and seeds, from nothing.

MobileNetV1, V2, V3-Large, V4-conv-small and EMO-1M (MetaMobile) beside a vision transformer whose latency is V2's, on
sign_digits: the claim that MetaMobile beats MobileNetV2 and vision transformers, tried where it can be tried here.

    python benchmarks/footing.py --minutes 60 --json footing.json --page footing.md

Each part (a network with a seed) is kept as it is done; the same command goes on with those that are left.
"""

import os
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from safetensors.torch import load_file

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.cost import walk
from mobilevision.data.check import check
from mobilevision.data.dataset import Data
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.integers import form_for
from mobilevision.network import Network
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.measure import measure
from mobilevision.timing.laps import alternate
from mobilevision.train.loop import fit
from mobilevision.train.recipes import scratch_small
from parts import Parts, mean_and_range, paragraph
from vit import vit

DATA = Path(os.environ.get("MOBILEVISION_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
PICTURES = DATA / "sign_digits"
SIZE, OUTPUTS, SEEDS = 64, 10, (0, 1, 2)
RECIPE = scratch_small.changed({"size": SIZE, "epochs": 24, "lr": 1e-3})
LAPS, WARM = 300, 50
ARCHS: dict[str, Arch] = {
    **{
        name: zoo.arch(name, size=SIZE)
        for name in (
            "mobilenetv1_100",
            "mobilenetv2_100",
            "mobilenetv3_large_100",
            "mobilenetv4_conv_small",
            "emo_1m",
        )
    },
    "vit": vit(size=SIZE, patch=8, width=128, depth=3, heads=4),  # takes as long as V2
}


def main(
    minutes: Annotated[float, typer.Option(help="After which no further part is begun.")] = 60.0,
    to: Annotated[Path, typer.Option("--json", help="Where the parts are kept.")] = Path("footing.json"),
    page: Annotated[Path, typer.Option(help="Where the table is written.")] = Path("footing.md"),
) -> None:
    """Do the parts that are left, and write the table of those that are done."""
    Parts(to, minutes=minutes).finish(PARTS, page=page, written=written)


def trained(name: str, seed: int) -> dict[str, Any]:
    """A network trained and judged on the test pictures; the pictures are always cut alike, whatever the seed."""
    data = check(PICTURES)
    torch.manual_seed(seed)
    network = Network(ARCHS[name], len(data.labels))
    with tempfile.TemporaryDirectory() as folder:
        run = fit(network, data, recipe=RECIPE, to=Path(folder) / "run", seed=seed, device="cpu")
        network.load_state_dict(load_file(run.best))
        history = run.history()
    metrics = judged(network, data)
    best = max(history, key=lambda facts: (facts["top1"], -facts["loss"]))
    return {"top1": metrics["top1"], "loss": metrics["loss"], "validation": best["top1"], "best_epoch": best["epoch"]}


def judged(network: Network, data: Data) -> dict[str, Any]:
    with torch.inference_mode():
        return measure(
            network.eval(), data.test, task=Classify(data.labels), preprocessing=network.preprocessing, split="test"
        )


def latencies() -> dict[str, Any]:
    """Milliseconds of each network as an ONNX file on one thread, in turns with the others."""
    onnx, number = find_format("onnx"), find_precision(find_format("onnx"), "fp32")
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.onnx" for name in ARCHS}
        for name, file in files.items():
            torch.manual_seed(0)
            network = Network(ARCHS[name], OUTPUTS).eval()
            onnx.export(form_for(network, onnx, number), (3, SIZE, SIZE), {"labels": []}, file, number)
        laps = alternate([str(file) for file in files.values()], 1, LAPS, WARM)
    return {"ms": {name: round(statistics.median(each), 3) for name, each in zip(files, laps, strict=True)}}


PARTS = {
    "latency": latencies,
    **{f"{name}-{seed}": partial(trained, name, seed) for seed in SEEDS for name in ARCHS},
}


def written(known: dict[str, dict[str, Any]]) -> str:
    """The page."""
    where = next(iter(known.values()))["machine"]
    head = "# The networks on one footing (`benchmarks/footing.py`)\n\n" + paragraph(
        f"""From nothing on `sign_digits`: 1,314 photos of hand signs to learn from, 330 to choose the epoch by, 418 to
        judge by; {SIZE} pixels, {RECIPE.epochs} epochs in batches of {RECIPE.batch}, the recipe `scratch_small` at a
        learning rate of {RECIPE.lr:g} for all; the same cut for all seeds. Top-1 on the test pictures in percent: mean
        of the seeds (lowest to highest). MACs count the products of attention too. Latency is the median of the ONNX
        file on one thread, in turns with the others; minutes are of processors for one training, since the machine was
        shared with other work. {where["processor"]}, {where["cores"]} cores, torch {where["torch"]}."""
    )
    head += "| network | seeds | top-1 on test pictures | parameters | MACs | latency | processor minutes |\n"
    head += "|---|---|---|---|---|---|---|\n"
    return head + "".join(row(name, known) for name in ARCHS if f"{name}-{SEEDS[0]}" in known)


def row(name: str, known: dict[str, dict[str, Any]]) -> str:
    done = [known[f"{name}-{seed}"] for seed in SEEDS if f"{name}-{seed}" in known]
    costs = [each.cost for each in walk(ARCHS[name], outputs=OUTPUTS)]
    params, macs = sum(cost.params for cost in costs), sum(cost.macs + cost.attention_macs for cost in costs)
    minutes = statistics.mean(each["processor_minutes"] for each in done)
    top1 = mean_and_range([each["top1"] for each in done])
    ms = f"{known['latency']['ms'][name]:.2f} ms" if "latency" in known else ""
    facts = (ARCHS[name].name, len(done), top1, f"{params / 1e6:.2f} M", f"{macs / 1e6:.1f} M", ms, f"{minutes:.1f}")
    return f"| {' | '.join(map(str, facts))} |\n"


if __name__ == "__main__":
    typer.run(main)
