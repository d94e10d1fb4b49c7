"""A run's exported file with a page around it, as a folder that any web server can give out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.exporting import export, file_name
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.load import load_file
from mobilevision.errors import InputError, UsageError
from mobilevision.files import write_json, writing_folder
from mobilevision.pages import quantities
from mobilevision.pages.demo.runtime import PACKAGE, VERSION, runtime_files
from mobilevision.pages.demo.samples import MOST, pictures, write_samples
from mobilevision.pages.facts import read_facts
from mobilevision.run import Run
from mobilevision.tasks.figures import called, headline

WEB = Path(__file__).parent / "web"
SHOWN = 5
"""Labels that are told of a picture."""

MARK = "demo.json"
"""What a folder must hold to be written over: it is then an older demo."""


def write_demo(
    run: Run | str | Path,
    *,
    to: str | Path | None = None,
    precision: str = "fp32",
    samples: int = MOST,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write a folder with a page in which a run's .onnx file runs, in any browser, without a network.

    The folder holds the page, the file, the browser's runtime, and a few validation pictures with what the file says of
    them in its runtime for Python. The file is exported first if the run has none.

    Args:
        run: the run, or its folder.
        to: the folder to write; default: `demo` in the run's. One that holds something else is not touched.
        precision: of the file.
        samples: pictures to pick from.
        tell: takes a line about what is being done.

    Returns:
        The folder.

    Raises:
        UsageError: if there is no such run or precision, or the folder holds something else.
        InputError: if the run holds no weights, or its file is not the one that was proven.
        MissingError: if the browser's runtime is not here, or a package is not installed.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    runtime = runtime_files()
    to = Path(to) if to is not None else run.folder / "demo"
    check_place(to)
    artifact = find_file(run, precision, tell=tell)
    model, kept = load_file(artifact.path), artifact.facts
    with writing_folder(to) as folder:
        shown = write_samples(pictures(run, samples, tell=tell), model, folder / "samples")
        shutil.copyfile(artifact.path, folder / artifact.path.name)
        for file in (*runtime, *(each for each in WEB.iterdir() if each.suffix in (".mjs", ".css"))):
            shutil.copyfile(file, folder / file.name)
        facts = {
            "file": artifact.path.name,
            "task": model.task.facts(),
            "preprocessing": model.preprocessing.facts(),
            "shown": SHOWN,
            "samples": shown,
        }
        write_json(folder / MARK, facts)
        (folder / "index.html").write_text(page(run, kept, shown), encoding="utf-8")
    return to


def check_place(to: Path) -> None:
    """Refuse to write over what is no demo.

    Raises:
        UsageError: if `to` is a file, or a folder with something else in it.
    """
    if to.exists() and not to.is_dir():
        raise UsageError(f"{to} is a file; name a folder for the demo")
    if to.is_dir() and any(to.iterdir()) and not (to / MARK).is_file():
        raise UsageError(f"{to} holds something that is no demo (it has no {MARK}); name another folder by --to")


def find_file(run: Run, precision: str, *, tell: Callable[[str], None]) -> Artifact:
    """The run's .onnx file of a precision, exported if there is none."""
    format_ = find_format("onnx")
    file = run.artifacts / file_name(run.arch, format_, find_precision(format_, precision))
    if not file.is_file():
        tell(f"{run.folder} has no {file.name}: it is exported first")
        return export(run, "onnx", precision=precision)
    artifact = Artifact.open(file, run=run)
    if missing := {"task", "labels", "preprocessing", "proof"} - artifact.facts.keys():
        raise InputError(f"the facts beside {file} lack {', '.join(sorted(missing))}; export it again")
    return artifact


def page(run: Run, file: dict[str, Any], samples: list[dict[str, Any]]) -> str:
    """The page's HTML; what it runs and shows it reads from the files beside it."""
    metrics = read_facts(run).part("metrics")
    environment = Environment(loader=FileSystemLoader(WEB), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"bytes": quantities.size, "percent": quantities.percent, "called": called}
    return environment.get_template("index.html.jinja").render(
        name=run.folder.resolve().name,
        file=file,
        metrics=metrics,
        headline=headline(metrics),
        samples=samples,
        runtime=f"{PACKAGE} {VERSION}",
        runtime_bytes=sum(each.stat().st_size for each in runtime_files()),
    )
