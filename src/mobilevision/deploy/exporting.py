"""From a run to a proven file: convert, run, compare, and only then give it its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.base import INT8, Format, Precision, versions
from mobilevision.deploy.filing import given
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.handover import convert
from mobilevision.deploy.interface import Interface
from mobilevision.deploy.masks import INPUT
from mobilevision.deploy.measured import EXACT, MeasuredProof, measured
from mobilevision.deploy.proof import Proof, side_by_side, weigh
from mobilevision.deploy.quantize import IntegerProof, Quantization, integers, refuse
from mobilevision.deploy.ranges import USUAL
from mobilevision.deploy.rounded import is_rounded, open_run
from mobilevision.deploy.shown import JUDGED, Pictures, proof_pictures, run_data
from mobilevision.errors import ShortfallError, UsageError
from mobilevision.files import sha256, size, write_text
from mobilevision.models import Model
from mobilevision.run import Run

SCORES = Interface()
"""The usual: prepared pictures in, scores out."""


def export(
    run: Run | str | Path,
    to: str = "litert",
    *,
    precision: str = "fp32",
    pictures: Sequence[str | Path] = (),
    max_mb: float | None = None,
    floor: float = 1.0,
    calibrate: int = 128,
    ranges: str = USUAL,
    mask_size: str = INPUT,
    interface: Interface = SCORES,
    seconds: float = 900,
) -> Artifact:
    """Write a run's best weights as a file for a phone, proven against torch in the file's own runtime.

    The file is written into the run's `artifacts/`, with its facts beside it as JSON and the labels as `labels.txt`;
    labels and preprocessing are inside the file too. A file that is refused leaves nothing behind.

    Args:
        run: the run, or its folder.
        to: the format: "litert", "onnx", "openvino", "coreml", "executorch" or "edgetpu".
        precision: what the file computes with.
        pictures: files or folders to prove on; default: the run's validation pictures. A file in 8 bits is judged by
            its accuracy on all of those, and takes no others.
        max_mb: megabytes (10^6 bytes) that the file may have at most.
        floor: points of accuracy, in percent of the pictures, that a file in 8 bits may lose.
        calibrate: training pictures that tell the ranges of 8 bits.
        ranges: how they tell them: "minmax", "percentile" or "mse".
        mask_size: what a segmenter's file gives: "input", the class of every pixel; or "8" (4, 16, 32), scores for each
            8 x 8 pixels.
        interface: whether the file takes pixels as bytes, and gives probabilities, or every box and chooses none.
        seconds: how long the converter may take, and how long the runtime.

    Raises:
        UsageError: if the run, format or precision is unknown, or the format or task has not the interface asked for.
        InputError: if the run holds no weights or there are no pictures to prove on.
        MissingError: if a package is not installed, with the pip command.
        ShortfallError: if the file does not compute what the network computes, is larger than `max_mb`, or holds what
            the device that the format is for does not take.
        MobilevisionError: if the converter or the runtime crashes or takes too long; names its log.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    format_ = find_format(to)
    number = find_precision(format_, precision)
    format_.need_exporter()
    if is_rounded(run.folder) and number is not INT8:
        raise UsageError(
            f"{run.folder} was trained with its rounding inside and is written in int8, not {precision}; "
            "for that, export the run it started from"
        )
    how = Quantization(floor=floor, calibrate=calibrate, ranges=ranges)
    how.check()
    interface.check(format_, run.read("task"))
    model = open_run(run.folder)
    card = make_card(run, model, format_, number) | given(model.task.name, mask_size=mask_size)
    card |= interface.card()
    file = run.artifacts / file_name(run.arch, format_, number, interface)
    proof: Proof | IntegerProof | MeasuredProof
    with format_.writing(file) as beside:
        if number is INT8:
            refuse(pictures)
            logs = partial(_log, file)
            proof, told = integers(run, model, format_, card=card, to=beside, how=how, seconds=seconds, logs=logs)
            check_size(beside, max_mb, name=file.name)
        elif model.task.name in JUDGED:
            refuse(pictures)
            sides = model.preprocessing.size
            convert(model.network, sides, card=card, to=beside, seconds=seconds, log=_log(file, "export"))
            check_size(beside, max_mb, name=file.name)
            proof, told = prove_figure(run, model, beside, card=card, seconds=seconds, log=_log(file, "runtime"))
        else:
            shown = proof_pictures(run, given=pictures)
            sides = model.preprocessing.size
            convert(model.network, sides, card=card, to=beside, seconds=seconds, log=_log(file, "export"))
            check_size(beside, max_mb, name=file.name)
            proof, told = prove(model, beside, shown, precision=number, seconds=seconds, log=_log(file, "runtime"))
        proof.check(file.name)
    return record(
        file, card, told, proof=proof, packages=versions("mobilevision", "torch", *format_.exporter, format_.runtime)
    )


def export_each(files: Sequence[tuple[str, str]], make: Callable[[str, str], Artifact]) -> list[Artifact]:
    """Make file after file; one that falls short does not keep the others from being made.

    Args:
        files: format and precision of each.
        make: makes the file of a format and a precision.

    Raises:
        ShortfallError: in the end, with what was said of each that fell short.
    """
    made, short = [], []
    for to, precision in files:
        try:
            made.append(make(to, precision))
        except ShortfallError as error:
            short.append(str(error))
    if short:
        raise ShortfallError("; ".join(short))
    return made


def check_size(file: Path, max_mb: float | None, *, name: str) -> None:
    """Refuse a file that is too large.

    Raises:
        ShortfallError: with its size and what makes it smaller.
    """
    found = size(file) / 1e6
    if max_mb is not None and found > max_mb:
        raise ShortfallError(
            f"{name} has {found:.2f} MB, more than the {max_mb:g} MB allowed; it was not kept: "
            "choose a smaller precision, width or architecture"
        )


def file_name(arch: Arch, format_: Format, precision: Precision, interface: Interface = SCORES) -> str:
    """The file's name: architecture, precision, what it takes and gives where that is not the usual, suffix."""
    safe = re.sub(r"[^\w.-]+", "-", arch.name)
    return "_".join((safe, precision.name, *interface.asked)) + format_.suffix


def make_card(run: Run, model: Model, format_: Format, precision: Precision) -> dict[str, Any]:
    """What stands inside the file: how to use it, and where it is from."""
    return {
        "format": format_.name,
        "precision": precision.name,
        "arch": run.arch.name,
        "arch_digest": run.arch.digest,
        "weights_sha256": sha256(run.best),
        **model.task.facts(),
        "preprocessing": model.preprocessing.facts(),
    }


def prove(
    model: Model, file: Path, pictures: Pictures, *, precision: Precision, seconds: float, log: Path | None = None
) -> tuple[Proof, dict[str, Any]]:
    """Run a file and the network on the same pictures; also what the file says of itself."""
    sides = side_by_side(model, file, pictures, seconds=seconds, log=log)
    format_ = find_format(sides.told["card"]["format"])
    proof = weigh(sides, pictures, limit=precision.limit, runtime=format_.runtime_version)
    return replace(proof, ran=not format_.away), sides.told


def prove_figure(
    run: Run, model: Model, file: Path, *, card: dict[str, Any], seconds: float, log: Path | None = None
) -> tuple[MeasuredProof, dict[str, Any]]:
    """Measure a file and the network by the figure of their task; also what the file says of itself."""
    format_ = find_format(card["format"])
    runtime, data = format_.runtime_version, run_data(run)
    near = find_precision(format_, card["precision"]).limit
    proof, told = measured(
        model, file, data, card=card, limit=EXACT, runtime=runtime, seconds=seconds, near=near, log=log
    )
    return replace(proof, ran=not format_.away), told


def record(
    file: Path,
    card: dict[str, Any],
    told: dict[str, Any],
    *,
    proof: Proof | IntegerProof | MeasuredProof,
    packages: dict[str, str],
) -> Artifact:
    """Write the facts beside a proven file."""
    facts = {
        "file": file.name,
        "bytes": size(file),
        "sha256": sha256(file),
        **card,
        "remains": find_format(card["format"]).remains,
        "inputs": told["inputs"],
        "outputs": told["outputs"],
        "operators": told["operators"],
        "coverage": told["coverage"],
        "proof": proof.facts(),
        "versions": packages,
    }
    write_text(file.with_name("labels.txt"), "".join(f"{label}\n" for label in card["labels"]))
    artifact = Artifact(file, facts)
    artifact.write()
    return artifact


def _log(file: Path, what: str) -> Path:
    return file.with_name(f"{file.name}.{what}.log")
