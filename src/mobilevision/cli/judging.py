"""Verbs that judge: eval, predict, report."""

import csv
import io
from pathlib import Path
from typing import Annotated, Any

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import RunOrFile, Weights, words
from mobilevision.cli.words import told_metrics
from mobilevision.errors import UsageError, nearest

SAVES = ("json", "csv")


def evaluate(
    source: RunOrFile,
    data: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Default: the data of the run.")] = None,
) -> Answer:
    """Measure a run or an exported file on pictures it was not trained on: its scores, and those of every class."""
    from mobilevision.build import evaluate as measure

    metrics = measure(source, data)
    return Answer(metrics, told_metrics(metrics))


def predict(
    source: Annotated[str, typer.Argument(metavar="RUN|FILE|ARCH", help="A run, an exported file, or a name.")],
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="Pictures, or folders of them.")],
    *,
    weights: Weights = None,
    topk: Annotated[
        int | None, typer.Option(min=1, help="Labels a picture (default: 5), or boxes (default: all that are likely).")
    ] = None,
    save: Annotated[
        str, typer.Option(metavar="json,csv", help="Also write predictions.json, or a CSV sorted by label (an album).")
    ] = "",
) -> Answer:
    """Say what pictures show; with a folder and --save csv, sort it into an album."""
    kinds = words(save)
    for kind in kinds:
        if kind not in SAVES:
            raise UsageError(f"--save {kind!r} is not known; {nearest(kind, SAVES)}; choose from {', '.join(SAVES)}")
    for picture in pictures:  # before the network, which may have to be fetched
        if not picture.exists():
            raise UsageError(f"there is no picture {picture}; give the path of a picture or of a folder of pictures")
    from mobilevision.deploy.load import load

    model, said = load(source, weights=weights), []
    for picture in pictures:
        answer = model.predict(picture, topk=topk)
        said += answer if isinstance(answer, list) else [answer]
    told = [each.facts() for each in said]
    saved = [str(_saved(told, kind, folder=_home(source))) for kind in kinds]
    lines = [*(f"{each.file}  {each.words()}" for each in said), *(f"saved {path}" for path in saved)]
    return Answer({"predictions": told, "saved": saved}, "\n".join(lines))


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


def _saved(told: list[dict[str, Any]], kind: str, *, folder: Path) -> Path:
    """Write predictions into `folder`: all of them as JSON, or as a CSV sorted by label, the surest first."""
    from mobilevision.files import write_json, write_text

    path = folder / f"predictions.{kind}"
    if kind == "json":
        write_json(path, told)
        return path
    rows = sorted(told, key=lambda row: (row["label"], -row["score"], row["file"]))
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("label", "score", "file"))
    writer.writerows((row["label"], f"{row['score']:.6f}", row["file"]) for row in rows)
    write_text(path, table.getvalue())
    return path
