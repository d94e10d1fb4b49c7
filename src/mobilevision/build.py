"""The whole way in one call, and its steps: check, train, eval, export, prove, time, report."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.compress.feeding import PLAIN, Feeding
from mobilevision.cost import params
from mobilevision.data.dataset import Data, Sample
from mobilevision.deploy.artifact import Artifact, facts_path
from mobilevision.deploy.exporting import export, export_each, file_name
from mobilevision.deploy.formats import SUFFIXES, find_format, find_precision, format_of, wanted
from mobilevision.deploy.load import load
from mobilevision.deploy.shown import run_data
from mobilevision.errors import InputError, UsageError
from mobilevision.files import sha256
from mobilevision.jobs.telling import Say, tell
from mobilevision.models import Model, create_model
from mobilevision.network import Network
from mobilevision.pages.card import write_card
from mobilevision.pages.explain import Pictures, classifier_of, explained, spoiled
from mobilevision.pages.report import report
from mobilevision.run import Run
from mobilevision.tasks.base import Task
from mobilevision.tasks.beside import Asked
from mobilevision.tasks.catalog import check_data, has_splits, headed, make_task, read_task, stands_beside
from mobilevision.tasks.figures import headline
from mobilevision.tasks.measure import measure
from mobilevision.timing.exported import timed as with_times
from mobilevision.train.initial import INITIAL
from mobilevision.train.loop import fit
from mobilevision.train.position import Habits
from mobilevision.train.recipe import Recipe
from mobilevision.train.recipes import advice, usual

SHOWN = 5  # files set aside that are named; data.json names all


def build(
    data: str | Path,
    *,
    arch: str | Arch = "mobilenetv4_conv_small",
    task: str = "classify",
    to: Sequence[str] = ("litert", "onnx"),
    precision: Sequence[str] = ("fp32", "int8"),
    weights: str | None = None,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    loss: str | None = None,
    say: Say = tell,
) -> Run:
    """From pictures to proven files and a page about them.

    A build that was stopped goes on where it was when it is asked for again with the same `out`.

    Args:
        data: a folder of class folders, a CSV file, or "sample:digits"; for boxes and masks see `check_boxes` and
            `check_masks` of `mobilevision.data`.
        arch: the network, or its name; where its head does not do the task, it gets the task's usual one.
        task: what it is asked to do.
        to: formats to write.
        precision: what the files compute with; each format is written in those it knows.
        weights: what to start from: a file, a published tag, or "hf-hub:owner/name"; None starts from nothing.
        recipe: how to train; None fine-tunes weights, or trains from scratch without.
        out: the run's folder; None takes a new one in `runs/`.
        seed: decides the split and everything random.
        device: "auto", "cpu", "cuda" or "mps".
        loss: what vectors learn by: "arcface", "cosface", "softmax" or "triplet"; None has the usual one.
        say: told what is going on.

    Raises:
        MobilevisionError: one of its kinds, from the step that failed; what the steps before it made is kept. A file
            that falls short is told last: the others and the page are there.
    """
    files, left_out = wanted(to, precision)  # before the training, not after it
    for line in left_out:
        say(line)
    run = train(
        data,
        arch=arch,
        task=task,
        weights=weights,
        recipe=recipe,
        out=out,
        seed=seed,
        device=device,
        loss=loss,
        say=say,
    )
    metrics = evaluate(run.folder)
    say(f"measured on {metrics['count']} {metrics['split']} pictures: {headline(metrics)}")
    try:
        export_each(files, lambda name, number: finish(run, name, precision=number, say=say))
    finally:
        report([run.folder], to=run.folder / "report.html")
        write_card(run)
    return run


def train(
    data: str | Path,
    *,
    arch: str | Arch = "mobilenetv4_conv_small",
    task: str = "classify",
    weights: str | None = None,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    workers: int | None = None,
    habits: Habits | None = None,
    feeding: Feeding = PLAIN,
    loss: str | None = None,
    say: Say = tell,
) -> Run:
    """Check the data, make the network, train it.

    The arguments are those of `build`, the training's those of `fit`; `feeding` says what else the network learns from.
    """
    found = check_data(task, data, seed=seed)
    for line in (*(f"set aside {each.file}: {each.reason}" for each in found.set_aside[:SHOWN]), *found.warnings):
        say(line)
    asked = make_task(task, found.labels, multilabel=found.multilabel, loss=loss)
    recipe = recipe or usual(task, weights=weights is not None)
    network = starting(arch, asked.outputs, task=task, weights=weights, seed=seed, init=recipe.init)
    folder = Path(out) if out else fresh_folder(data)
    say(
        f"training {network.arch.name} on {len(found.train)} pictures of {found.learned} classes in {folder}; "
        f"stopped, it goes on with --out {folder}"
    )
    if not (weights or _tag(arch)) and (line := advice(recipe, network.arch)):
        say(line)
    found, fed = feeding.fed(found, asked, network=network, recipe=recipe)
    return fit(
        network,
        found,
        task=fed,
        recipe=recipe,
        to=folder,
        seed=seed,
        device=device,
        precision=precision,
        workers=workers,
        habits=habits,
    )


def starting(arch: str | Arch, outputs: int, *, task: str, weights: str | None, seed: int, init: str) -> Network:
    """The network that a training starts from: with weights, or with random ones that `init` and `seed` decide."""
    torch.manual_seed(seed)
    found = weights or _tag(arch)
    network: Network = create_model(_headed(arch, task), pretrained=found, num_classes=outputs)
    if not found:
        INITIAL[init](network, torch.Generator().manual_seed(seed))
    return network


def evaluate(
    source: str | Path, data: str | Path | None = None, *, explain: bool = False, robust: bool = False
) -> dict[str, Any]:
    """Measure a run or an exported file on pictures it was not trained on.

    On the data of the run these are the test pictures, or without any the validation pictures, and what a run folder
    scores is written into it. On other data they are the test or validation pictures, or without splits all of them.

    Args:
        source: the folder of a run, or an exported file.
        data: what to measure on; None takes the data of the run that `source` is, or lies in.
        explain: also tell of a run where the network looked when it was wrong, and whether it is as often right as it
            is sure; adds "explain", which a run keeps in explain.json.
        robust: also measure on blurred, noisy, compressed and turned pictures; adds "robust", kept in robust.json.

    Raises:
        UsageError: if there is no such source, or a file lies in no run and there is no data, or what is asked for
            beside the measure cannot be told of this network.
        InputError: if the data is no longer what the run was trained on, or has other labels.
    """
    model = load(source)
    if explain or robust:
        classifier_of(model, source, to_explain=explain)
    run, kept, pictures = _judged(model, source, data)
    metrics = measure(
        model.network, pictures.told, task=pictures.task, preprocessing=model.preprocessing, split=pictures.split
    )
    if run is not None and kept:
        metrics["beside"] = stands_beside(
            Asked(pictures.task, pictures.train, pictures.told, model.preprocessing, model.network)
        )
    facts = {"metrics": metrics}
    if explain:
        facts["explain"] = explained(model, pictures, metrics["examples"]["wrong"])
    if robust:
        facts["robust"] = spoiled(model, pictures)
    if run is not None and kept:
        weights = {"weights_sha256": sha256(run.best)}
        for name, part in facts.items():
            run.write(name, part if name == "metrics" else weights | part)
    return metrics | {name: part for name, part in facts.items() if name != "metrics"}


def _judged(model: Model, source: str | Path, data: str | Path | None) -> tuple[Run | None, bool, Pictures]:
    """The run, whether what is found out belongs into it, and the pictures to find it out on."""
    run = _run_of(Path(source))
    own = run is not None and (data is None or str(data) == run.read("data")["source"])
    if run is not None and own:
        split, task, found = "", model.task, run_data(run)
    elif data is not None:
        split = _split_of(model.task, data)
        task, found = model.task.fitted(check_data(model.task.name, data))
    else:
        raise UsageError(f"{source} lies in no run, so its data is not known; give the data to measure on")
    split = split or ("test" if found.test else "validation")
    fit = "validation" if split == "test" and found.validation else split
    pictures = Pictures(task, split, _samples(found, split), fit, _samples(found, fit), found.train)
    return run, own and _is_run(Path(source)), pictures


def finish(run: Run, to: str, *, precision: str, say: Say = tell) -> Artifact:
    """Export, prove and time one file of a run, or take the one that stands there if it is of the same weights.

    A file whose runtime cannot be on this machine is not timed.
    """
    file = run.artifacts / file_name(run.arch, find_format(to), find_precision(find_format(to), precision))
    artifact = _standing(run, file)
    if artifact is None:
        say(f"exporting {file.name} and running it in its own runtime")
        artifact = export(run, to, precision=precision)
    return timed(artifact, say=say)


def timed(artifact: Artifact, *, say: Say = tell) -> Artifact:
    """The file with its time among its facts, if its runtime can be on this machine; else that is said."""
    if away := format_of(artifact.path).away:
        say(f"{artifact.path.name} is not timed here: {away}")
    return with_times(artifact)


def summary(run: Run) -> dict[str, Any]:
    """What a run has come to, as plain JSON."""
    data, metrics = run.read("data"), run.read("metrics") if run.has("metrics") else None
    page = run.folder / "report.html"
    return {
        "run": str(run.folder),
        "arch": run.arch.name,
        "params": params(run.arch, outputs=read_task(run.read("task")).outputs),
        "data": {name: data[name] for name in ("source", "pictures", "labels", "warnings", "set_aside")},
        "recipe": run.read("recipe")["name"],
        "metrics": metrics,
        "files": [{"path": str(artifact.path), **artifact.facts} for artifact in Artifact.of(run)],
        "report": str(page) if page.is_file() else None,
    }


def fresh_folder(data: str | Path) -> Path:
    """A folder in `runs/` that is not there yet, called after the data."""
    name = re.sub(r"[^\w.-]+", "-", Path(str(data).rpartition(":")[2]).resolve().stem) or "run"
    names = [name, *(f"{name}-{number}" for number in range(2, 10_000))]
    return next(folder for folder in map(Path("runs").joinpath, names) if not folder.exists())


def _run_of(source: Path) -> Run | None:
    """The run that `source` is, or whose artifact it is."""
    folder = source if _is_run(source) else source.resolve().parent.parent
    return Run.open(folder) if (folder / "arch.json").is_file() else None


def _is_run(source: Path) -> bool:
    """Whether this is a run's folder, and not a file whose format is a folder."""
    return source.is_dir() and source.suffix not in SUFFIXES


def _headed(arch: str | Arch, task: str) -> Arch:
    """The network under a head for the task."""
    return headed(arch if isinstance(arch, Arch) else zoo.arch(arch.partition(".")[0]), task)


def _tag(arch: str | Arch) -> str | bool:
    """The tag of weights in a network's name, as in "mobilenetv2_100.ra_in1k"; False if there is none."""
    return (not isinstance(arch, Arch) and arch.partition(".")[2]) or False


def _split_of(task: Task, data: str | Path) -> str:
    """The word "all" if a data set has no splits of its own, else "" for the usual split."""
    return "" if has_splits(task.name, data) else "all"


def _samples(found: Data, split: str) -> Sequence[Sample]:
    return (*found.train, *found.validation, *found.test) if split == "all" else found.splits[split]


def _standing(run: Run, file: Path) -> Artifact | None:
    """The file of an earlier build, if it is whole and of the run's weights."""
    if not (file.exists() and facts_path(file).is_file()):  # some formats are folders
        return None
    try:
        return Artifact.open(file, run=run)
    except InputError:  # of other weights, or cut short: it is written anew
        return None
