"""The flatbuffer of a .tflite file, read without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def opened(file: Path) -> tuple[Any, list[str]]:
    """The flatbuffer's root, and the name of each of its operator codes."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(file.read_bytes(), 0)
    words = {code: word for word, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    return model, [words[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes]
