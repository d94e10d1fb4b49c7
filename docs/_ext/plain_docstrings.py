"""Docstrings are plain words with code between single backticks; here they become what Sphinx reads."""

import re
from typing import Any

from sphinx.application import Sphinx

CODE = re.compile(r"(`[^`]*`)")
MARKUP = re.compile(r"([*|])")


def marked(text: str) -> str:
    """Code as literals, and the signs that mean something elsewhere as themselves.

    A name with an underscore behind it would be a link, a star emphasis, a bar a substitution.
    """
    parts = CODE.split(text)
    return "".join(f"`{part}`" if i % 2 else MARKUP.sub(r"\\\1", part) for i, part in enumerate(parts))


def _process(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    if not name.startswith("mobilevision"):  # of a parent class elsewhere
        return
    lines[:] = marked("\n".join(lines)).split("\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Read docstrings before napoleon does."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
