"""A search from Python, and what it leaves in the hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.run import Run
from mobilevision.search.session import Brief
from mobilevision.search.setting import Setting
from mobilevision.search.space import Choices, Space, largest
from mobilevision.search.spaces import find_space
from mobilevision.search.start import run_shared
from mobilevision.train.recipe import Recipe
from mobilevision.train.recipes import quick


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        folder: of the search.
        facts: its result, plain JSON: costs predicted and measured, what it liked, the bill, what random search found.
    """

    folder: Path
    facts: Mapping[str, Any]

    @property
    def run(self) -> Run:
        """The search as a report takes it."""
        return Run.open(self.folder)

    @property
    def arch(self) -> Arch:
        """The network, which trains and exports like any of the zoo."""
        return self.run.arch

    @property
    def choices(self) -> Choices:
        """The decisions that made it."""
        return dict(self.facts["choices"])


def search_tunas(
    space: Space | str,
    data: str | Path,
    *,
    target_ms: float | None = None,
    targets: Mapping[str, float] | None = None,
    to: str | Path | None = None,
    table: str | Path | None = None,
    runtime: str = "litert",
    precision: str = "fp32",
    threads: int = 1,
    steps: int = 2000,
    finalists: int = 8,
    recipe: Recipe = quick,
    against_random: bool = True,
    seed: int = 0,
    device: str = "auto",
) -> Found:
    """Search the network of a space that is best for a cost, with shared weights (arXiv:2008.06120).

    Stopped, the same call goes on where it was.

    Args:
        space: a space or the name of one; `functools.partial(mv.spaces.v4_fine, size=64)` limits it.
        data: where the pictures are, as for `fit`.
        target_ms: milliseconds in the runtime that the network may take.
        targets: other costs, by name: "macs", "params", "peak_bytes", "roofline".
        to: folder of the search; None takes one in `runs`, named after the pictures and the space.
        table: times of rows; None takes one in the folder, which fills itself.
        runtime: whose milliseconds count: "litert", "onnx", "openvino" or "executorch".
        precision: what the timed files compute with: "fp32", "fp16" or "int8".
        threads: of the runtime.
        steps: each trains the shared weights once and the policy once.
        finalists: likely networks that are trained by themselves at the end, to choose among; 1 takes the likeliest.
        recipe: how pictures are varied, and how finalists and random search's networks are trained.
        against_random: whether random search gets the same time afterwards.
        seed: decides the split and everything random.
        device: where networks are trained.

    Raises:
        UsageError: if no network can meet the target, or the folder is in use or holds another search.
        InputError: if there is nothing to train on, or the table is from elsewhere.
    """
    made = find_space(space) if isinstance(space, str) else space
    name = space if isinstance(space, str) else named(space)
    top = largest(made).arch
    brief = Brief(
        method="tunas",
        space=name,
        targets=({} if target_ms is None else {"ms": target_ms}) | dict(targets or {}),
        runtime=runtime,
        precision=precision,
        threads=threads,
        seed=seed,
        numbers={"steps": steps, "finalists": finalists, "largest": top.digest},
    )
    training = recipe.changed({"size": top.size})
    folder = Path("runs") / f"{Path(str(data).rpartition(':')[2]).name}-{name}" if to is None else Path(to)
    facts = run_shared(
        str(data),
        brief,
        setting=Setting(
            folder=folder,
            table=None if table is None else Path(table),
            device=device,
            against_random=against_random,
        ),
        training=training,
        candidates=training,
        space=made,
    )
    return Found(folder, facts)


def named(space: Space) -> str:
    """What a space is called."""
    inner = space.func if isinstance(space, partial) else space
    return getattr(inner, "__name__", type(inner).__name__)
