"""What a file format is to the rest of the house. Nothing here imports torch or a runtime."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mobilevision.errors import MissingError, missing_extra
from mobilevision.files import writing

if TYPE_CHECKING:
    from torch import nn

    from mobilevision.deploy.ranges import Rounding

Array = np.ndarray[Any, np.dtype[Any]]
OURS = "mobilevision"


@dataclass(frozen=True)
class Precision:
    """The numbers a file computes with.

    Attributes:
        name: what people call it.
        limit: how far a file's scores may be from torch's, as a share of the largest score.
    """

    name: str
    limit: float


FP32 = Precision("fp32", limit=1e-4)
FP16 = Precision("fp16", limit=5e-3)
"""Weights are held in 16 bits, so half the size; a CPU runtime widens them and computes in float32, where a GPU or a
neural engine computes in float16. Only Core ML's files say float16 for all that is computed."""
INT8 = Precision("int8", limit=float("inf"))  # judged by accuracy, see `quantize`


@dataclass(frozen=True)
class Port:
    """An input or output of a file, as the file itself declares it.

    Attributes:
        name: what a caller names it.
        shape: a word instead of a number where any number will do.
        dtype: numpy's name of the numbers.
        layout: order of an image's axes, "NHWC" or "NCHW"; "" for scores.
        scale: what one step of integers stands for; 0 where numbers are what they stand for.
        zero: the integer that stands for 0.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    layout: str = ""
    scale: float = 0.0
    zero: int = 0

    def facts(self) -> dict[str, Any]:
        """As plain JSON; scale and zero only where there are."""
        told = {"name": self.name, "shape": list(self.shape), "dtype": self.dtype, "layout": self.layout}
        return told | ({"scale": self.scale, "zero": self.zero} if self.scale else {})

    def held(self, values: Array) -> Array:
        """Numbers as the file holds them: what is beyond its integers becomes the nearest of them."""
        if not self.scale:
            return np.ascontiguousarray(values, self.dtype)
        kind, steps = np.iinfo(self.dtype), np.round(values / self.scale) + self.zero
        return np.ascontiguousarray(steps.clip(kind.min, kind.max), self.dtype)

    def meant(self, values: Array) -> Array:
        """What the file's numbers stand for, in float32."""
        numbers: Array = values.astype(np.float32)
        return (numbers - self.zero) * np.float32(self.scale) if self.scale else numbers


@dataclass(frozen=True)
class Layer:
    """An operator of a file, as it computes one picture.

    Attributes:
        name: of the operator alone.
        operator: what it does, by the format's own word.
        macs: multiply-accumulates of convolutions and matrix products; 0 of all else.
        bytes: that it reads and writes at least once: maps, weights, and what it makes.
        piece: which part of the runtime's delegate takes it; "" if none does.
    """

    name: str
    operator: str
    macs: int
    bytes: int
    piece: str


class Runner(Protocol):
    """An exported file in its own runtime, ready to run."""

    @property
    def inputs(self) -> tuple[Port, ...]:
        """What the file takes."""

    @property
    def outputs(self) -> tuple[Port, ...]:
        """What the file gives."""

    @property
    def card(self) -> dict[str, Any]:
        """What was written into the file: labels, preprocessing, task, origin; empty in a stranger's file."""

    def __call__(self, pictures: Array) -> Array:
        """The first output for pictures in the layout and batch size of the first input."""


class Quantize(Protocol):
    """Writes a network in 8 bits."""

    def __call__(
        self, network: nn.Module, pictures: Array, card: dict[str, Any], to: Path, how: Rounding
    ) -> dict[int, float]:
        """Write a network.

        Args:
            network: what to write; in the form that `integer_form` gives, unless the format knows hard swish.
            pictures: prepared calibration pictures. Shape: (N, channels, height, width).
            card: as for `Format.export`.
            to: where to write.
            how: what tells the ranges.

        Returns:
            What each convolution's output is off by in the file, as a share of its mean square root, by its place among
            the convolutions; empty if the format does not tell.
        """


@dataclass(frozen=True)
class Format:
    """A kind of file: how it is written, read and run.

    Attributes:
        name: what people ask for.
        suffix: how its files end.
        extra: the pip extra that brings its packages.
        precisions: what it can be written in here.
        exporter: pip packages that write it; each is imported under its name with underscores.
        runtime: the pip package that runs it.
        export: writes a network for pictures of a shape (channels, height, width), with a card, to a path. Works in a
            process of its own.
        operators: the names of a file's operators, in order.
        runner: opens a file with a number of threads.
        writing: what makes its files whole or absent: of a file, or of a folder.
        note: what is to be known of how the runtime computes here.
        away: why the runtime is not on this machine at all; then `runner` computes what the file says by itself.
        quantize: writes a network in 8 bits.
        remains: what is left to do before the device that the files are for can run them.
        delegate: what takes as much of a file as it can, and leaves the rest to the runtime's plain kernels.
        layers: a file's operators with what they cost, in order.
        channels_last: whether its runtime holds maps so, and attention is best written for that.
        hard_swish: whether its integer kernels take a hard swish whole; else it is written as a sum and a product.
        lacks: why it is not written in a precision that others are written in, by the precision's name.
        closed: why a file of it cannot take "pixels", or have a "softmax", by that name; see `Interface`.
    """

    name: str
    suffix: str
    extra: str
    precisions: tuple[Precision, ...]
    exporter: tuple[str, ...]
    runtime: str
    export: Callable[[nn.Module, tuple[int, int, int], dict[str, Any], Path, Precision], None]
    operators: Callable[[Path], tuple[str, ...]]
    runner: Callable[[Path, int], Runner]
    writing: Callable[[Path], AbstractContextManager[Path]] = writing
    note: str = ""
    away: str = ""
    quantize: Quantize | None = None
    remains: str = ""
    delegate: str = ""
    layers: Callable[[Path], tuple[Layer, ...]] | None = None
    channels_last: bool = True
    hard_swish: bool = False
    lacks: Mapping[str, str] = field(default_factory=dict)
    closed: Mapping[str, str] = field(default_factory=dict)

    def need_exporter(self) -> None:
        """Check that files can be written and proven here.

        Raises:
            MissingError: with the pip command.
        """
        for package in self.exporter:
            self._need(package)
        self.need_runtime()

    def need_runtime(self) -> None:
        """Check that files can be run here.

        Raises:
            MissingError: with the pip command.
        """
        self._need(self.runtime)

    def need_device(self) -> None:
        """Check that the runtime itself is here, so that times mean something.

        Raises:
            MissingError: with the reason why it cannot be.
        """
        if self.away:
            raise MissingError(f"a {self.suffix} file is not timed here: {self.away}")

    def without(self, precision: str) -> str:
        """A sentence for who asks for a precision that it is not written in: why not, and what it is written in."""
        why = f": {self.lacks[precision]}" if precision in self.lacks else ""
        known = ", ".join(each.name for each in self.precisions)
        return f"{self.name} is not written in {precision} here{why}; it is in {known}"

    @property
    def mixes(self) -> bool:
        """Whether a file in 8 bits may hold layers in fp32."""
        return FP32 in self.precisions

    @property
    def runtime_version(self) -> str:
        """The runtime's package with its version and what is to be known of it; or that it was none."""
        if self.away:
            return f"not run: {self.away}; {self.note}"
        note = f" ({self.note})" if self.note else ""
        return f"{self.runtime} {metadata.version(self.runtime)}{note}"

    def _need(self, package: str) -> None:
        if find_spec(package.replace("-", "_")) is None:
            raise missing_extra(package, self.extra)


def card_of(properties: Mapping[str, str]) -> dict[str, Any]:
    """What a file says of itself: those of its properties that are JSON; a stranger's file may hold others."""
    card = {}
    for name, text in properties.items():
        try:
            card[name] = json.loads(text)
        except json.JSONDecodeError:
            continue
    return card


def through_file(
    export: Callable[[nn.Module, tuple[int, int, int], dict[str, Any], Path, Precision], None],
    rounded: Callable[[Path, Array, Path, Rounding], dict[int, float]],
) -> Quantize:
    """How a format is written in 8 bits whose fp32 file is what is rounded."""

    def quantize(
        network: nn.Module, pictures: Array, card: dict[str, Any], to: Path, how: Rounding
    ) -> dict[int, float]:
        channels, height, width = pictures.shape[1:]
        with tempfile.TemporaryDirectory() as folder:
            exact = Path(folder) / f"exact{to.suffix}"
            export(network, (channels, height, width), card, exact, INT8)
            return rounded(exact, pictures, to, how)

    return quantize


def versions(*packages: str) -> dict[str, str]:
    """The versions of those packages that are installed; our own is known from the source too."""
    found = {}
    for package in packages:
        if package == OURS:
            found[package] = import_module(OURS).__version__
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
