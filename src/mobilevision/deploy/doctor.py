"""Which formats work on this machine: each writes a tiny network and runs it, in processes of their own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mobilevision import jobs
from mobilevision.deploy.base import FP32, Format, versions
from mobilevision.deploy.formats import FORMATS, find_format
from mobilevision.errors import InputError, MobilevisionError

SHAPE = (3, 16, 16)  # of the tiny network's picture: channels, height, width
AT_ONCE = 2

UNTRIED = "not tried, since there is no file to run"


@dataclass(frozen=True)
class Health:
    """One side of a format: what writes its files, or what runs them.

    Attributes:
        format: the format's name.
        part: "exporter" or "runtime".
        packages: pip's names of what it takes, with their versions; "" for one that is not installed.
        works: whether a tiny network was written, or what was written gave the scores it should.
        seconds: how long that took, imports included.
        trouble: why it does not work, or what is to be known of it.
        command: what installs it, "" if it works or only took too long.
    """

    format: str
    part: str
    packages: dict[str, str]
    works: bool
    seconds: float
    trouble: str
    command: str

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def examine(*, seconds: float = 300) -> Iterator[tuple[Health, Health]]:
    """Try format after format: first its exporter, then its runtime on what that wrote.

    Args:
        seconds: how long each may take.

    Yields:
        Exporter and runtime of a format, as soon as both are known.
    """
    with ThreadPoolExecutor(AT_ONCE) as desk:
        yield from desk.map(partial(_examined, seconds=seconds), FORMATS.values())


def write(format: str, to: str) -> list[list[float]]:
    """The job of an exporter: write a tiny network, in 8 bits too or alone, as the format has it.

    Returns:
        The scores that its runtime should give. Shape: (1, outputs).
    """
    import torch
    from torch import nn

    from mobilevision.deploy.ranges import Rounding, minmax

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    format_, picture = find_format(format), torch.ones(1, *SHAPE)
    if format_.mixes:
        format_.export(network, SHAPE, {"labels": []}, Path(to), FP32)
    if format_.quantize is not None:
        rounded = Path(to).with_name(f"int8{format_.suffix}") if format_.mixes else Path(to)
        shown = torch.cat([torch.rand(2, *SHAPE), picture])
        with format_.writing(rounded) as beside:
            format_.quantize(network, shown.numpy(), {"labels": []}, beside, Rounding(minmax))
    with torch.no_grad():
        scores: list[list[float]] = network(picture).tolist()
    return scores


def run(file: str, expected: list[list[float]]) -> None:
    """The job of a runtime: run what was written on a white picture.

    Raises:
        InputError: if the scores are not those expected.
    """
    import numpy as np

    from mobilevision.deploy.runtime import open_file, scores

    found = scores(open_file(Path(file)), np.ones((1, *SHAPE), np.float32))
    worst = float(np.abs(found - np.array(expected)).max())
    if not worst <= 1e-2:  # Core ML's may be computed in 16 bits
        raise InputError(f"the scores of a tiny network are off by {worst:.2g}")


def _examined(format_: Format, *, seconds: float) -> tuple[Health, Health]:
    with tempfile.TemporaryDirectory() as folder:
        file, expected = Path(folder) / f"tiny{format_.suffix}", []

        def export() -> None:
            with format_.writing(file) as beside:
                payload = {"format": format_.name, "to": str(beside)}
                expected.extend(jobs.call("mobilevision.deploy.doctor:write", payload, seconds=seconds))

        def execute() -> None:
            if not expected:
                raise InputError(UNTRIED)
            jobs.call("mobilevision.deploy.doctor:run", {"file": str(file), "expected": expected}, seconds=seconds)

        exporter = _health(format_, "exporter", format_.exporter, work=export, seconds=seconds)
        runtime = _health(format_, "runtime", (format_.runtime,), work=execute, seconds=seconds)
        return exporter, replace(runtime, command=exporter.command) if runtime.trouble == UNTRIED else runtime


def _health(
    format_: Format, part: str, packages: tuple[str, ...], *, work: Callable[[], None], seconds: float
) -> Health:
    begun, late = time.perf_counter(), False
    absent = [package for package in packages if find_spec(package.replace("-", "_")) is None]
    trouble = f"{', '.join(absent)} not installed" if absent else ""
    if not absent:
        try:
            work()
        except MobilevisionError as error:
            late = time.perf_counter() - begun >= seconds
            trouble = f"{error}; try again when the machine is less busy" if late else str(error)
    found = versions(*packages)
    return Health(
        format=format_.name,
        part=part,
        packages={package: found.get(package, "") for package in packages},
        works=not trouble,
        seconds=round(time.perf_counter() - begun, 1),
        trouble=trouble or (format_.away or format_.remains if part == "runtime" else ""),
        command=f"pip install 'mobilevision[{format_.extra}]'" if trouble and not late else "",
    )
