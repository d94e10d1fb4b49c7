"""The formats by name."""

from pathlib import Path

from mobilevision.deploy.base import Format, Precision
from mobilevision.deploy.coreml import COREML
from mobilevision.deploy.executorch import EXECUTORCH
from mobilevision.deploy.litert import LITERT
from mobilevision.deploy.onnx import ONNX
from mobilevision.deploy.openvino import OPENVINO
from mobilevision.errors import InputError, UsageError, nearest

FORMATS = {each.name: each for each in (LITERT, ONNX, OPENVINO, COREML, EXECUTORCH)}


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
        raise UsageError(f"{format_.name} is not written in {name!r} here; choose from {', '.join(known)}")
    return known[name]


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
