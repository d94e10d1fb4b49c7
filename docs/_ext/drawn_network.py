"""The directive `network`: the drawing of a named network, made from its `Arch` while the pages are built."""

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from mobilevision.pages.picture import picture
from mobilevision.zoo import arch, catalog


class DrawnNetwork(Directive):
    """`network` with a name of the catalog: its drawing, and its counts under it."""

    required_arguments = 1
    has_content = False

    def run(self) -> list[nodes.Node]:
        """The drawing as inline SVG with a line of words that other writers than HTML show too."""
        name = self.arguments[0]
        facts = catalog()[name]
        drawn = nodes.raw("", picture(arch(name)), format="html")
        told = (
            f"{name}, drawn from its rows: {facts['params']:,} parameters and {facts['macs']:,} multiply-accumulates "
            f"at {facts['size']} pixels."
        )
        return [drawn, nodes.paragraph(told, told, classes=["caption"])]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("network", DrawnNetwork)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
