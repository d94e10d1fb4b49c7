"""What searches, tables and suggestions are asked for, each option described once."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilevision.cli.options import Device, ThreadCount
from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.jobs import Workers
    from mobilevision.search.setting import Setting

Size = Annotated[int | None, typer.Option(help="Side of the image in pixels; default: the space's.")]
Width = Annotated[float | None, typer.Option(help="Multiplies all channels of the space.")]
Depth = Annotated[int | None, typer.Option(help="The most blocks of a stage.")]
Runtime = Annotated[str, typer.Option(help="Whose milliseconds count: litert, onnx, openvino, executorch.")]
Precision = Annotated[str, typer.Option(help="What the timed files compute with: fp32, fp16 or int8.")]
Table = Annotated[
    Path | None, typer.Option("--table", metavar="FILE", help="Times of rows; default: one that fills itself.")
]
Force = Annotated[bool, typer.Option("--force", help="Take a table from another machine or runtime.")]
Recipe = Annotated[str, typer.Option(help="How candidates are trained.")]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the pictures for each candidate.")]
AgainstRandom = Annotated[
    bool, typer.Option("--random/--no-random", help="Give random search the same time afterwards, and report it.")
]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Of the search; the same one goes on with it.")]


@dataclass(frozen=True)
class Where:
    """Which networks are looked at."""

    space: Annotated[str, typer.Option(metavar="SPACE", help="For example v4_coarse_small, meta, mnasnet.")] = (
        "v4_coarse_small"
    )
    size: Size = None
    width: Width = None
    depth: Depth = None


@dataclass(frozen=True)
class Budget:
    """What a network may cost."""

    target_ms: Annotated[float | None, typer.Option(help="Milliseconds in the runtime.")] = None
    target_macs: Annotated[float | None, typer.Option(help="Multiply-accumulates.")] = None
    target_params: Annotated[float | None, typer.Option(help="Parameters.")] = None

    def targets(self) -> dict[str, float]:
        """The costs that are aimed at, by name.

        Raises:
            UsageError: if there is none, or one is not positive.
        """
        given = {"ms": self.target_ms, "macs": self.target_macs, "params": self.target_params}
        found = {name: value for name, value in given.items() if value is not None}
        if not found:
            raise UsageError("a search needs a target; give --target-ms, --target-macs or --target-params")
        for name, value in found.items():
            if value <= 0:
                raise UsageError(f"--target-{name} {value:g} cannot be met; give a positive number")
        return found


@dataclass(frozen=True)
class Aim:
    """How accuracy is weighed against cost."""

    reward: Annotated[str, typer.Option(help="absolute (TuNAS), soft or hard (MnasNet).")] = "absolute"
    strength: Annotated[float | None, typer.Option(help="The reward's beta or power; default: the paper's.")] = None


@dataclass(frozen=True)
class Times:
    """Whose milliseconds count."""

    runtime: Runtime = "litert"
    precision: Precision = "fp32"
    threads: ThreadCount = 1


@dataclass(frozen=True)
class Hands:
    """What trains candidates."""

    processes: Annotated[int, typer.Option(min=1, help="Candidates at a time on this machine.")] = 1
    ray: Annotated[str | None, typer.Option(metavar="auto|HOST:PORT", help="A Ray cluster that works instead.")] = None

    def workers(self) -> "Workers":
        """Processes of this machine, or a Ray cluster."""
        from mobilevision.jobs import Local

        if self.ray is None:
            return Local(self.processes)
        from mobilevision.jobs.cluster import Cluster

        return Cluster(self.ray)


@dataclass(frozen=True)
class With:
    """What a search is done with, whatever is asked."""

    out: Folder
    table: Table = None
    force: Force = False
    device: Device = "auto"

    def setting(self, *, hands: Hands, against_random: bool = True) -> "Setting":
        """As the rooms below take it."""
        from mobilevision.search.setting import Setting

        return Setting(
            folder=self.out,
            workers=hands.workers(),
            device=self.device,
            table=self.table,
            force=self.force,
            against_random=against_random,
        )
