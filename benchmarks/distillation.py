"""What a teacher is worth to a small student: alone, beside a teacher that runs, and from replicas made beforehand.

The teacher is MobileNetV2 with its ImageNet weights, fine-tuned on sign_digits; the student, MobileNetV4-conv-small at
half width, starts from nothing and has the same recipe, epochs and pictures in all three ways. "online" asks the
teacher about the very pictures that the student sees, and uses no labels; "offline" learns from D1 and D2 in equal
parts, prepared once, without the teacher (arXiv:2404.10518, section 8). All are judged on the 418 test pictures, by the
epoch that did best on the validation pictures; neither teacher nor student learned from either.

    python benchmarks/distillation.py --minutes 30 --json distillation.json --page distillation.md

Each part (the teacher, a set of replicas, a way with a seed) is kept as it is done; the same command goes on.
"""

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from mobilevision import zoo
from mobilevision.build import evaluate, starting
from mobilevision.compress.feeding import PLAIN, Feeding
from mobilevision.compress.replicas import find_form, prepare
from mobilevision.compress.teacher import open_teacher
from mobilevision.cost import params
from mobilevision.data.check import check
from mobilevision.run import Run
from mobilevision.tasks.classify import Classify
from mobilevision.train.loop import fit
from mobilevision.train.recipe import Recipe
from mobilevision.train.recipes import finetune, scratch_small
from parts import Parts, mean_and_range, paragraph

DATA = Path(os.environ.get("MOBILEVISION_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
PICTURES, WEIGHTS = DATA / "sign_digits", DATA / "weights" / "mobilenet_v2-b0353104.pth"
SIZE, EPOCHS, VIEWS, SEEDS = 64, 40, 10, (0, 1, 2)
TEACHER = finetune.changed({"size": SIZE})
STUDENT = scratch_small.changed({"size": SIZE, "epochs": EPOCHS})
ARCH = zoo.arch("mobilenetv4_conv_small", width=0.5)
WAYS = ("plain", "online", "offline")


def main(
    minutes: Annotated[float, typer.Option(help="After which no further part is begun.")] = 30.0,
    runs: Annotated[Path, typer.Option(help="Folder of the runs and the replicas.")] = Path("runs/distillation"),
    to: Annotated[Path, typer.Option("--json", help="Where the parts are kept.")] = Path("distillation.json"),
    page: Annotated[Path, typer.Option(help="Where the table is written.")] = Path("distillation.md"),
) -> None:
    """Do the parts that are left, and write the table of those that are done."""
    do = {name: partial(part, runs) for name, part in PARTS.items()}
    Parts(to, minutes=minutes).finish(do, page=page, written=written)


def taught_teacher(runs: Path) -> dict[str, Any]:
    """The teacher, fine-tuned."""
    return learned("mobilenetv2_100", TEACHER, runs / "teacher", weights=str(WEIGHTS))


def replicas(runs: Path, *, form: str) -> dict[str, Any]:
    """A set of replicas with the teacher's word."""
    data = check(PICTURES)
    teacher = open_teacher(runs / "teacher", labels=data.labels)
    told = prepare(data, teacher, to=runs / form, form=find_form(form), views=VIEWS, size=SIZE, labels=data.labels)
    said = {fact: told["soft"][fact] for fact in ("temperature", "views", "side")}
    return {"replicas": len(data.train) * VIEWS} | said


def student(runs: Path, *, way: str, seed: int) -> dict[str, Any]:
    """A student taught in one of the ways."""
    feeding = {
        "plain": PLAIN,
        "online": Feeding(teacher=str(runs / "teacher")),
        "offline": Feeding(distilled=f"{runs / 'D1'}:1,{runs / 'D2'}:1"),
    }
    return learned(ARCH, STUDENT, runs / f"{way}-{seed}", seed=seed, feeding=feeding[way])


PARTS = {
    "teacher": taught_teacher,
    **{form: partial(replicas, form=form) for form in ("D1", "D2")},
    **{f"{way}-{seed}": partial(student, way=way, seed=seed) for seed in SEEDS for way in WAYS},
}


def learned(
    arch: Any, recipe: Recipe, to: Path, *, weights: str | None = None, seed: int = 0, feeding: Feeding = PLAIN
) -> dict[str, Any]:
    """What a training comes to; the pictures are always cut alike, whatever the seed."""
    data = check(PICTURES)
    network = starting(arch, len(data.labels), task="classify", weights=weights, seed=seed, init=recipe.init)
    data, task = feeding.fed(data, Classify(data.labels), network=network, recipe=recipe)
    run = fit(network, data, task=task, recipe=recipe, to=to, seed=seed, device="cpu")
    metrics = evaluate(run.folder)
    return {"top1": metrics["top1"], "loss": metrics["loss"], "split": metrics["split"], **times(run)}


def times(run: Run) -> dict[str, Any]:
    history = run.history()
    best = max(history, key=lambda facts: (facts["top1"], -facts["loss"]))
    return {
        "arch": run.arch.name,
        "params": params(run.arch, outputs=10),
        "epochs": len(history),
        "best_epoch": best["epoch"],
        "training_minutes": round(sum(facts["seconds"] for facts in history) / 60, 2),
    }


def written(known: dict[str, dict[str, Any]]) -> str:
    """The page."""
    head = "# What a teacher is worth (`benchmarks/distillation.py`)\n\n" + paragraph(
        f"""Top-1 on the 418 test pictures of `sign_digits`, in percent: mean of the seeds (lowest to highest). Pictures
        of {SIZE} pixels. Every student is {ARCH.name} from nothing, {EPOCHS} epochs over 1,314 pictures with the recipe
        `scratch_small`, whose augmentation plain and online share; offline learns from replicas, {VIEWS} of each
        picture in each of the sets D1 and D2, mixed 1 to 1. Online and offline learn from the teacher's probabilities
        alone (temperature 1), without labels. The epoch that did best on the 330 validation pictures is judged; the
        cut is the same for teacher, students and seeds. Minutes are of processors, since the machine was shared with
        other work."""
    )
    head += "| | seeds | top-1 on test pictures | loss | processor minutes each |\n|---|---|---|---|---|\n"
    rows = [row("teacher: mobilenetv2_100, `finetune`", [known["teacher"]])] if "teacher" in known else []
    for way in WAYS:
        done = [known[f"{way}-{seed}"] for seed in SEEDS if f"{way}-{seed}" in known]
        rows += [row(f"student, {way}", done)] if done else []
    made = sum(known[form]["processor_minutes"] for form in ("D1", "D2") if form in known)
    where = next(iter(known.values()))["machine"] if known else {}
    tail = (
        f"\nThe replicas of both sets took {made:.1f} processor minutes once, for all students. "
        f"{where.get('processor', '')}, {where.get('cores', '')} cores; torch {where.get('torch', '')}.\n"
    )
    return head + "".join(rows) + tail


def row(name: str, done: list[dict[str, Any]]) -> str:
    top1, loss = mean_and_range([each["top1"] for each in done]), [each["loss"] for each in done]
    minutes = sum(each["processor_minutes"] for each in done) / len(done)
    return f"| {name} | {len(done)} | {top1} | {mean_and_range(loss, times=1, digits=3)} | {minutes:.1f} |\n"


if __name__ == "__main__":
    typer.run(main)
