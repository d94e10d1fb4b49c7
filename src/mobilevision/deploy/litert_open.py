"""Opening a .tflite file in LiteRT's interpreter, with its XNNPACK delegate where that takes the file's integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mobilevision.deploy.associated import read_card
from mobilevision.errors import InputError, ShortfallError

REFUSED = "XNNPACK"
"""What the interpreter's words hold when the delegate refuses a graph that is whole."""


def interpreter(file: Path, threads: int = 1) -> Any:
    """A file ready to run.

    The delegate refuses a convolution whose scales lie further apart than its kernels can shift by, and the interpreter
    fails with it. A phone would fail so too. An EdgeTPU has no such delegate: its files then run in plain kernels.

    Args:
        file: to open.
        threads: of the interpreter and its delegate.

    Raises:
        InputError: if it is not a whole .tflite file.
        ShortfallError: if the delegate refuses it.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        work = Interpreter(model_path=str(file), num_threads=threads)
        work.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        if REFUSED not in str(error):
            raise InputError(f"{file} is not a whole .tflite file: {error}; export it again") from error
        if read_card(file).get("format") != "edgetpu":
            raise ShortfallError(
                f"XNNPACK refuses the integers of {file.name}: somewhere what is added or multiplied differs by more "
                "than its kernels can shift by; export it in fp32, or train again at a lower learning rate"
            ) from error
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        work = Interpreter(model_path=str(file), num_threads=threads, experimental_op_resolver_type=plain)
        work.allocate_tensors()
    return work
