"""How `make docs` builds these pages; warnings are errors."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE / "_ext")]

from mobilevision import __version__  # noqa: E402  the path comes first

project = "mobilevision"
author = "The mobilevision authors"
project_copyright = "2026, the mobilevision authors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "benchmarks_told",
    "drawn_network",
    "plain_docstrings",
    "works_where",
]
exclude_patterns = ["_build", "_templates"]
suppress_warnings = ["ref.python"]  # two classes may share a name; an annotation that means one of them is no link
if tags.has("written"):  # noqa: F821  Sphinx brings `tags`; -t written leaves out the reference, which takes minutes
    exclude_patterns += ["api.md", "_api"]
    suppress_warnings += ["toc.not_readable"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # the attributes of a dataclass are told once, by its own docstring

html_theme = "furo"
html_title = "mobilevision"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]
