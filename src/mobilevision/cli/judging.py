"""Verbs that judge: eval, predict, report."""

from pathlib import Path
from typing import Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import RunOrFile, Weights, words
from mobilevision.cli.words import told_explained, told_metrics, told_robust


def evaluate(
    source: RunOrFile,
    data: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Default: the data of the run.")] = None,
    *,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Of a classifier also tell where it looked when it was wrong, and how sure it may be."
        ),
    ] = False,
    robust: Annotated[
        bool,
        typer.Option("--robust", help="Also measure a classifier on blurred, noisy, compressed and turned pictures."),
    ] = False,
) -> Answer:
    """Measure a run or an exported file on pictures it was not trained on: its scores, and those of every class."""
    from mobilevision.build import evaluate as measure

    metrics = measure(source, data, explain=explain, robust=robust)
    return Answer(metrics, "\n".join([told_metrics(metrics), *told_explained(metrics), *told_robust(metrics)]))


def predict(
    source: Annotated[str, typer.Argument(metavar="RUN|FILE|ARCH", help="A run, an exported file, or a name.")],
    pictures: Annotated[
        list[str],
        typer.Argument(metavar="PICTURE...", help="Pictures, folders of them, videos, or camera:0 (end it by Ctrl-C)."),
    ],
    *,
    weights: Weights = None,
    topk: Annotated[
        int | None, typer.Option(min=1, help="Labels a picture (default: 5), or boxes (default: all that are likely).")
    ] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of a video or camera; default: all.")] = None,
    save: Annotated[
        str,
        typer.Option(
            metavar="images,json,csv,coco,yolo,masks",
            help="Also write annotated pictures and videos, predictions.json, a CSV sorted by label (an album), boxes "
            "as COCO or YOLO, masks.",
        ),
    ] = "",
) -> Answer:
    """Say what pictures and videos show; with a folder and --save csv, sort it into an album."""
    from mobilevision.pages.predictions import check_saves

    kinds = words(save)
    check_saves(kinds)
    from mobilevision.cli.watching import check_sources, watch
    from mobilevision.deploy.load import load

    check_sources(pictures)  # before the network, which may have to be fetched
    model = load(source, weights=weights)
    check_saves(kinds, model.task)
    seen = watch(model, pictures, topk=topk, frames=frames, kinds=kinds, folder=_home(source))
    lines = [*seen.lines, *(f"saved {path}" for path in seen.saved)]
    return Answer({"predictions": seen.told, "saved": seen.saved, "speeds": seen.speeds}, "\n".join(lines))


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    *,
    to: Annotated[Path | None, typer.Option(help="The page to write; default: report.html in the first run.")] = None,
) -> Answer:
    """Write one self-contained page about one or several runs."""
    from mobilevision.pages.report import report as write

    page = write(runs, to=to or runs[0] / "report.html")
    return Answer({"report": str(page)}, f"the report is {page}")


def _home(source: str) -> Path:
    """Where predictions are saved: in the run they come from, else in the working folder."""
    return Path(source) if Path(source).is_dir() else Path()
