"""The directive `benchmarks-told`: what every benchmark asks and how, and which page tells what it found.

All of it is read from the benchmarks' own docstrings and from the pages, so that none is left out.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
BUILT = {"_build", "_api", "extend"}


class Told(NamedTuple):
    """A benchmark.

    Attributes:
        name: its file.
        words: the paragraphs of its docstring; those that are indented are commands.
        pages: that tell its results, without ".md".
    """

    name: str
    words: list[str]
    pages: list[str]


def benchmarks(root: Path = ROOT) -> Iterator[Told]:
    """Every file of `benchmarks/` that can be run, by name."""
    for file in sorted((root / "benchmarks").glob("*.py")):
        text = file.read_text(encoding="utf-8")
        if '__name__ == "__main__"' in text:
            words = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")
            yield Told(file.name, words, telling(file.stem, root / "docs"))


def telling(name: str, docs: Path) -> list[str]:
    """The pages with a benchmark's results: of its name, or with its file in their title or one of their headings."""
    found = []
    for page in sorted(docs.rglob("*.md")):
        heads = re.findall(r"^#+ .*$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        named = page.stem == name or any(f"`benchmarks/{name}.py`" in head for head in heads)
        if named and not BUILT & set(page.relative_to(docs).parts):
            found.append(page.relative_to(docs).with_suffix("").as_posix())
    return found


class BenchmarksTold(Directive):
    """`benchmarks-told`: a list of all."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """The list."""
        env = self.state.document.settings.env
        for file in sorted((ROOT / "benchmarks").glob("*.py")):
            env.note_dependency(str(file))
        return [nodes.definition_list("", *(item(each, env.docname) for each in benchmarks()))]


def item(told: Told, here: str) -> nodes.Node:
    """A benchmark's name, its words, and links to its results."""
    name = f"benchmarks/{told.name}"
    parts: list[nodes.Node] = []
    for words in told.words:
        if words.startswith("    "):
            parts.append(nodes.literal_block(words, dedent(words), language="bash"))
        else:
            parts.append(nodes.paragraph("", "", *marked(" ".join(words.split()))))
    if told.pages:
        links: list[nodes.Node] = [nodes.Text("Results: ")]
        for page in told.pages:
            links += [nodes.Text(", ")] if len(links) > 1 else []
            links.append(link(page, here) if page != here else nodes.Text("on this page"))
        parts.append(nodes.paragraph("", "", *links))
    else:
        parts.append(nodes.paragraph("", "", nodes.strong("", "No result is kept beside these pages yet.")))
    term = nodes.term("", "", nodes.literal(name, name))
    return nodes.definition_list_item("", term, nodes.definition("", *parts))


def marked(words: str) -> Iterator[nodes.Node]:
    """Words with what stands between backticks as code."""
    for place, part in enumerate(words.split("`")):
        yield nodes.literal(part, part) if place % 2 else nodes.Text(part)


def link(page: str, here: str) -> nodes.Node:
    """A link to a page of this documentation, by its title."""
    facts = {"refdomain": "std", "reftype": "doc", "refdoc": here, "reftarget": f"/{page}", "refexplicit": False}
    return addnodes.pending_xref("", nodes.inline("", page), **facts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("benchmarks-told", BenchmarksTold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
