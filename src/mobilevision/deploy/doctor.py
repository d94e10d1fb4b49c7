"""Which exporters and runtimes work on this machine: each is really imported, in a process of its own."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mobilevision import jobs
from mobilevision.deploy.base import Format, versions
from mobilevision.deploy.formats import FORMATS
from mobilevision.errors import MobilevisionError

MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "ai-edge-quantizer": "ai_edge_quantizer.quantizer",
    "executorch": "executorch.exir",
}
"""What is imported of a package, where its name alone brings nothing that could break."""


@dataclass(frozen=True)
class Health:
    """A package that a format needs.

    Attributes:
        format: the format's name.
        part: "exporter" or "runtime".
        package: pip's name of it.
        version: "" if it is not installed.
        works: whether it could be imported.
        seconds: how long that took.
        trouble: why it does not work, or what is to be known of it.
        command: what installs it, "" if it works.
    """

    format: str
    part: str
    package: str
    version: str
    works: bool
    seconds: float
    trouble: str
    command: str

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def examine(*, seconds: float = 120) -> list[Health]:
    """Look at every package of every format, one after another.

    Args:
        seconds: how long each may take to be imported.
    """
    return [
        _health(format_, part, package, seconds=seconds)
        for format_ in FORMATS.values()
        for part, packages in (("exporter", format_.exporter), ("runtime", (format_.runtime,)))
        for package in packages
    ]


def importing(module: str) -> None:
    """The job: import a module."""
    import_module(module)


def _health(format_: Format, part: str, package: str, *, seconds: float) -> Health:
    begun, trouble = time.perf_counter(), ""
    if find_spec(package.replace("-", "_")) is None:
        trouble = "not installed"
    else:
        module = MODULES.get(package, package.replace("-", "_"))
        try:
            jobs.call("mobilevision.deploy.doctor:importing", {"module": module}, seconds=seconds)
        except MobilevisionError as error:
            trouble = str(error)
    return Health(
        format=format_.name,
        part=part,
        package=package,
        version=versions(package).get(package, ""),
        works=not trouble,
        seconds=round(time.perf_counter() - begun, 2),
        trouble=trouble or (format_.away if part == "runtime" else ""),
        command=f"pip install 'mobilevision[{format_.extra}]'" if trouble else "",
    )
