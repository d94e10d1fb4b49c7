"""A run's exported file with a page around it, as a folder that any web server can give out."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.exporting import export, file_name
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.load import load_file
from mobilevision.errors import InputError
from mobilevision.files import need_place, write_json, writing_folder
from mobilevision.pages import quantities
from mobilevision.pages.demo.runtime import ONNX, RUNTIMES, WEB, WebRuntime, find_runtime
from mobilevision.pages.demo.samples import MOST, pictures, write_samples
from mobilevision.pages.facts import read_facts
from mobilevision.run import Run
from mobilevision.tasks.figures import called, headline

SHOWN = 5
"""Labels that are told of a picture."""

PAGE, MARK = "index.html", "demo.json"
"""The page, and the facts that it reads: they tell an older demo, which may be written over."""


def write_demo(
    run: Run | str | Path,
    *,
    to: str | Path | None = None,
    runtime: str = ONNX.name,
    precision: str = "fp32",
    samples: int = MOST,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write a folder with a page in which a run's exported file runs, in any browser, without a network.

    The folder holds the page, the file, the browser's runtime, and a few validation pictures with what the file says of
    them in its runtime for Python. The file is exported first if the run has none.

    Args:
        run: the run, or its folder.
        to: the folder to write; default: `demo` in the run's. One that holds something else is not touched.
        runtime: what runs the file in the browser, "onnx" or "litert"; the file is of that format.
        precision: of the file.
        samples: pictures to pick from.
        tell: takes a line about what is being done.

    Returns:
        The folder.

    Raises:
        UsageError: if there is no such run, runtime or precision, or the folder holds something else.
        InputError: if the run holds no weights, or its file is not the one that was proven.
        MissingError: if the browser's runtime is not here, or a package is not installed.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    browser = find_runtime(runtime)
    carried = browser.files()
    to = Path(to) if to is not None else run.folder / "demo"
    check_place(to)
    artifact = find_file(run, browser.name, precision, tell=tell)
    model, kept = load_file(artifact.path), artifact.facts
    with writing_folder(to) as folder:
        shown = write_samples(pictures(run, samples, tell=tell), model, folder / "samples")
        shutil.copyfile(artifact.path, folder / artifact.path.name)
        for file in (*carried, *own_files(browser)):
            shutil.copyfile(file, folder / file.name)
        facts = {
            "file": artifact.path.name,
            "runtime": f"./{browser.face}",
            "task": model.task.facts(),
            "preprocessing": model.preprocessing.facts(),
            "shown": SHOWN,
            "samples": shown,
        }
        write_json(folder / MARK, facts)
        (folder / PAGE).write_text(page(run, kept, shown, browser), encoding="utf-8")
    return to


def check_place(to: Path) -> None:
    """Refuse to write over what is no demo.

    Raises:
        UsageError: if `to` is a file, or a folder with something else in it.
    """
    need_place(to, ours=_written(to), remedy="name another folder for the demo by --to")


def _written(to: Path) -> set[str]:
    """Names of the files of an older demo, whichever runtime it has; none, if it is none."""
    try:
        facts = json.loads((to / MARK).read_text(encoding="utf-8"))
        told = {facts["file"], *(each["file"] for each in facts["samples"])}
    except (OSError, ValueError, LookupError, TypeError):
        return set()
    carried = {file.name for each in RUNTIMES.values() for package in each.packages for file in package.files}
    return {MARK, PAGE} | told | carried | {file.name for file in WEB.iterdir()}


def own_files(browser: WebRuntime) -> list[Path]:
    """The page's scripts and styles; of those that face a runtime the one that is used."""
    others = {each.face for each in RUNTIMES.values()} - {browser.face}
    return [each for each in WEB.iterdir() if each.suffix in (".mjs", ".css") and each.name not in others]


def find_file(run: Run, to: str, precision: str, *, tell: Callable[[str], None]) -> Artifact:
    """The run's file of a format and a precision, exported if there is none."""
    format_ = find_format(to)
    file = run.artifacts / file_name(run.arch, format_, find_precision(format_, precision))
    if not file.is_file():
        tell(f"{run.folder} has no {file.name}: it is exported first")
        return export(run, to, precision=precision)
    artifact = Artifact.open(file, run=run)
    if missing := {"task", "labels", "preprocessing", "proof"} - artifact.facts.keys():
        raise InputError(f"the facts beside {file} lack {', '.join(sorted(missing))}; export it again")
    return artifact


def page(run: Run, file: dict[str, Any], samples: list[dict[str, Any]], browser: WebRuntime) -> str:
    """The page's HTML; what it runs and shows it reads from the files beside it."""
    metrics = read_facts(run).part("metrics")
    environment = Environment(loader=FileSystemLoader(WEB), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"bytes": quantities.size, "percent": quantities.percent, "called": called, "digest": digest}
    return environment.get_template("index.html.jinja").render(
        name=run.folder.resolve().name,
        file=file,
        metrics=metrics,
        headline=headline(metrics),
        samples=samples,
        runtime=browser.words,
        runtime_bytes=browser.bytes,
        imports=json.dumps({"imports": browser.imports}) if browser.imports else "",
    )


def digest(text: str) -> str:
    """The hash by which a page's policy allows a script that stands in it."""
    return b64encode(sha256(text.encode()).digest()).decode()
