"""The options that searches share, each described once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.jobs import Workers

Space = Annotated[str, typer.Option(metavar="SPACE", help="Where to look, for example v4_coarse_small, meta, mnasnet.")]
Size = Annotated[int | None, typer.Option(help="Side of the image in pixels; default: the space's.")]
Width = Annotated[float | None, typer.Option(help="Multiplies all channels of the space.")]
Depth = Annotated[int | None, typer.Option(help="The most blocks of a stage.")]
Runtime = Annotated[str, typer.Option(help="Whose milliseconds count: litert, onnx, openvino, executorch.")]
Precision = Annotated[str, typer.Option(help="What the timed files compute with: fp32, fp16 or int8.")]
TableFile = Annotated[
    Path | None, typer.Option("--table", metavar="FILE", help="Times of rows; default: one that fills itself.")
]
Force = Annotated[bool, typer.Option("--force", help="Take a table from another machine or runtime.")]
Outputs = Annotated[int, typer.Option(min=1, help="Classes of the heads.")]
Milliseconds = Annotated[float | None, typer.Option("--target-ms", help="Milliseconds in the runtime.")]
Macs = Annotated[float | None, typer.Option("--target-macs", help="Multiply-accumulates.")]
Params = Annotated[float | None, typer.Option("--target-params", help="Parameters.")]
Reward = Annotated[str, typer.Option(help="absolute (TuNAS), soft or hard (MnasNet).")]
Strength = Annotated[float | None, typer.Option(help="The reward's beta or power; default: the paper's.")]
Trials = Annotated[int, typer.Option(min=1, help="Networks to try.")]
Minutes = Annotated[float | None, typer.Option(help="End after so long.")]
Steps = Annotated[int, typer.Option(min=10, help="Each trains the shared weights once and the policy once.")]
Batch = Annotated[int, typer.Option(min=2, help="Pictures a step.")]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the pictures for each candidate.")]
Recipe = Annotated[str, typer.Option(help="How candidates are trained.")]
Processes = Annotated[int, typer.Option(min=1, help="Candidates at a time on this machine.")]
Ray = Annotated[str | None, typer.Option(metavar="auto|HOST:PORT", help="A Ray cluster that works instead.")]
AgainstRandom = Annotated[
    bool, typer.Option("--random/--no-random", help="Give random search the same time afterwards, and report it.")
]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Of the search; the same one goes on with it.")]


def targets(**given: float | None) -> dict[str, float]:
    """The costs that were aimed at, by name.

    Raises:
        UsageError: if there is none, or one is not positive.
    """
    found = {name: value for name, value in given.items() if value is not None}
    if not found:
        raise UsageError("a search needs a target; give --target-ms, --target-macs or --target-params")
    for name, value in found.items():
        if value <= 0:
            raise UsageError(f"--target-{name} {value:g} cannot be met; give a positive number")
    return found


def workers(processes: int, ray: str | None) -> "Workers":
    """What evaluates candidates: processes of this machine, or a Ray cluster."""
    from mobilevision.jobs import Local

    if ray is None:
        return Local(processes)
    from mobilevision.jobs.cluster import Cluster

    return Cluster(ray)
