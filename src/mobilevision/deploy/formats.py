"""The formats by name."""

from collections.abc import Sequence
from pathlib import Path

from mobilevision.deploy.base import Format, Precision
from mobilevision.deploy.coreml import COREML
from mobilevision.deploy.edgetpu import EDGETPU
from mobilevision.deploy.executorch import EXECUTORCH
from mobilevision.deploy.litert import LITERT
from mobilevision.deploy.onnx import ONNX
from mobilevision.deploy.openvino import OPENVINO
from mobilevision.errors import InputError, UsageError, nearest

FORMATS = {each.name: each for each in (LITERT, ONNX, OPENVINO, COREML, EXECUTORCH, EDGETPU)}


SUFFIXES = {each.suffix for each in FORMATS.values()}
"""How exported files end; where a format is a folder, it tells one from a run."""


def find_format(name: str) -> Format:
    """The format called `name`.

    Raises:
        UsageError: if there is none.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}; {nearest(name, FORMATS)}; choose from {', '.join(FORMATS)}")
    return FORMATS[name]


def find_precision(format_: Format, name: str) -> Precision:
    """The precision called `name` of a format.

    Raises:
        UsageError: if the format is not written in it.
    """
    known = {each.name: each for each in format_.precisions}
    if name not in known:
        raise UsageError(format_.without(name))
    return known[name]


def wanted(to: Sequence[str], precision: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The files to write where several formats and precisions are asked for, before any work is done.

    Args:
        to: names of formats.
        precision: names of precisions; a format is written in those it knows.

    Returns:
        The format and precision of each file, and a sentence for each that its format does not know.

    Raises:
        UsageError: if a name is unknown, or a format is written in none of the precisions.
        MissingError: if a package is not installed, with the pip command.
    """
    files, left_out = [], []
    everywhere = {number.name for each in FORMATS.values() for number in each.precisions}
    for format_ in map(find_format, to):
        known = [number.name for number in format_.precisions]
        for name in precision:
            if name in known:
                files.append((format_.name, name))
            elif name in everywhere and not set(known).isdisjoint(precision):
                left_out.append(format_.without(name))
            else:
                find_precision(format_, name)
        format_.need_exporter()
    return files, left_out


def format_of(file: Path) -> Format:
    """The format of a file, by its suffix.

    Raises:
        InputError: if no format ends like this.
    """
    for each in FORMATS.values():
        if file.suffix == each.suffix:
            return each
    known = ", ".join(each.suffix for each in FORMATS.values())
    raise InputError(f"{file} is not an exported file: its name ends in none of {known}")
