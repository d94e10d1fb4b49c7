"""Exports that are timed as well, so that a file's facts tell all that is to be known of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from mobilevision.deploy import exporting
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.formats import format_of
from mobilevision.timing.clock import bench

Options = ParamSpec("Options")


def timed(artifact: Artifact) -> Artifact:
    """The file with its time and memory among its facts; as it is, where its runtime cannot be on this machine."""
    if format_of(artifact.path).away or "timing" in artifact.facts:
        return artifact
    bench(artifact)
    return Artifact.open(artifact.path)


def _with_times(write: Callable[Options, Artifact]) -> Callable[Options, Artifact]:
    @wraps(write)
    def export(*args: Options.args, **options: Options.kwargs) -> Artifact:
        return timed(write(*args, **options))

    return export


export = _with_times(exporting.export)
"""As `mobilevision.deploy.export`, whose file is timed on one thread then."""
