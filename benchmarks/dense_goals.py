"""What the small tasks are to reach: boxes in blood, nuclei's masks, vectors of characters that training never saw.

    python benchmarks/dense_goals.py bccd --seed 0 --minutes 40 --data ../shared/data --out docs/dense_goals.json
    python benchmarks/dense_goals.py nuclei --seed 0 --minutes 25
    python benchmarks/dense_goals.py omniglot --seed 0
    python benchmarks/dense_goals.py page --page docs/dense_goals.md

Trains one task with one seed, on pictures that the data names for it, measures what comes out on those that it never
saw, exports it as int8 .tflite (proven on the validation pictures) and measures the file on the same unseen pictures.
Beside it stands what needs no training, and for masks what the grid of the scores could say at best. A run that was
stopped goes on when the same line is given again: `--minutes` is how long the training may take this time. The minutes
that are told are those of all epochs. Results join what stands in the JSON file; "page" makes a page of it.
"""

import argparse
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mobilevision.build import evaluate, finish, train
from mobilevision.errors import ShortfallError
from mobilevision.files import write_json, write_text
from mobilevision.run import Run, processor
from mobilevision.tasks.figures import called, told_beside
from mobilevision.train.position import Habits

TRIED = "tried"
"""The name of the notes beside the results."""

LOSS = 0.01
"""What int8 may lose of each figure."""


@dataclass(frozen=True)
class Goal:
    """What a task is to reach.

    Attributes:
        folder: of the data.
        task: what is asked.
        arch: the network.
        weights: whether it starts from ImageNet's.
        least: the figures that are asked for; "iou" is that of the last class.
        within: minutes that training may take on two quiet cores; 0 has no limit.
    """

    folder: str
    task: str
    arch: str
    weights: bool
    least: dict[str, float]
    within: float = 0.0


GOALS = {
    "bccd": Goal("bccd", "detect", "retinanet96_mobilenetv2_100", True, {"map50": 0.80}, within=40),
    "nuclei": Goal("nuclei_dsb2018", "segment", "lraspp4_mobilenetv2_100", True, {"iou": 0.82}, within=25),
    "omniglot": Goal("omniglot_small1", "embed", "mobilenetv2_100", True, {"recall1": 0.95, "map": 0.75}),
}


def main() -> None:
    asked = arguments()
    results = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.is_file() else {}
    if asked.page:
        write_text(asked.page, page(results))
        return
    goal = GOALS[asked.goal]
    run = trained(goal, asked)
    history = run.history()
    if len(history) < run.read("recipe")["epochs"]:
        print(f"{len(history)} of {run.read('recipe')['epochs']} epochs; give the same line again to go on")
        return
    results[f"{asked.goal} seed {asked.seed}"] = found = measured(goal, run) | {"seed": asked.seed}
    write_json(asked.out, results)
    print("\n".join([line(asked.goal, found), *(f"  beside: {each}" for each in told_beside(found))]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("goal", choices=[*GOALS, "page"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0.0, help="of training in this call; 0 has no limit")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds bccd, nuclei_dsb2018, ...")
    parser.add_argument("--runs", type=Path, default=Path("runs/goals"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=Path("docs/dense_goals.json"))
    parser.add_argument("--page", type=Path, help="write a page of the results there")
    return parser.parse_args()


def trained(goal: Goal, asked: argparse.Namespace) -> Run:
    """The run, as far as the minutes go."""
    return train(
        asked.data / goal.folder,
        arch=goal.arch,
        task=goal.task,
        weights=str(asked.data / "weights" / "mobilenet_v2-b0353104.pth") if goal.weights else None,
        out=asked.runs / f"{asked.goal}{asked.seed}",
        seed=asked.seed,
        habits=Habits(minutes=asked.minutes),
    )


def measured(goal: Goal, run: Run) -> dict[str, Any]:
    """The figures of a run and of its int8 file on pictures that it never saw, and what stands beside them."""
    metrics = evaluate(run.folder)
    figures, integers, refused = figured(goal, metrics), None, ""
    try:
        integers = figured(goal, evaluate(finish(run, "litert", precision="int8").path))
    except ShortfallError as error:  # on the validation pictures
        refused = str(error)
    minutes = sum(each["seconds"] for each in run.history()) / 60
    return {
        "arch": run.arch.name,
        "recipe": run.read("recipe")["name"],
        "size": run.read("recipe")["size"],
        "count": metrics["count"],
        "split": metrics["split"],
        "figures": figures,
        "int8": integers,
        "refused": refused,
        "least": goal.least,
        "minutes": minutes,
        "within": goal.within,
        "reached": all(figures[name] >= least for name, least in goal.least.items()),
        "int8_kept": integers is not None and all(figures[name] - integers[name] <= LOSS for name in goal.least),
        "beside": metrics["beside"],
        "machine": f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
    }


def figured(goal: Goal, metrics: dict[str, Any]) -> dict[str, float]:
    """The figures that are asked for; a class's own is that of the last class."""
    return {name: float(metrics.get(name, metrics["per_class"][-1].get(name))) for name in goal.least}


def line(name: str, found: dict[str, Any]) -> str:
    """What was reached, in a line."""
    told = ", ".join(
        f"{called(key)} {value:.3f} (asked {found['least'][key]:.2f}, int8 {integer(found, key)})"
        for key, value in found["figures"].items()
    )
    within = f" of {found['within']:g}" if found["within"] else ""
    return f"{name} seed {found['seed']}: {told}, {found['minutes']:.1f}{within} minutes"


def integer(found: dict[str, Any], name: str) -> str:
    """A figure of the int8 file."""
    return f"{found['int8'][name]:.3f}" if found["int8"] else "refused"


def page(known: dict[str, Any]) -> str:
    """The results as Markdown; what was tried is told as it was noted there, as "tried"."""
    results = {key: found for key, found in known.items() if key != TRIED}
    parts = [
        "# Boxes, masks and vectors in small folders (`benchmarks/dense_goals.py`)\n",
        (__doc__ or "").partition("\n\n")[2].partition("\n\n")[2].strip() + "\n",
        "| task, seed | network, recipe | figure | asked | int8 | minutes | allowed |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, found in sorted(results.items()):
        for name, value in found["figures"].items():
            cells = (
                key,
                f"{found['arch']}, {found['recipe']}, {found['size']} px",
                f"{called(name)} {value:.3f} of {found['count']} {found['split']} pictures",
                f"{found['least'][name]:.2f}",
                integer(found, name),
                f"{found['minutes']:.1f}",
                f"{found['within']:g}" if found["within"] else "-",
            )
            parts.append("| " + " | ".join(cells) + " |")
    parts.append("\nBeside them, on the same pictures:\n")
    parts += dict.fromkeys(f"- {key}: {each}" for key, found in sorted(results.items()) for each in told_beside(found))
    parts += ["\nWhat was tried:\n", *(f"- {each}" for each in known.get(TRIED, ()))]
    parts += [f"- {key}, int8: {found['refused']}" for key, found in sorted(results.items()) if found.get("refused")]
    machines = dict.fromkeys(f"{found['machine']}, {found['date']} UTC" for found in results.values())
    return "\n".join([*parts, "\nMachines: " + "; ".join(machines) + ".", ""])


if __name__ == "__main__":
    main()
