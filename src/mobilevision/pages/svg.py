"""Scalable vector graphics as a tree of elements, so that every text and number is escaped."""

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as Tree

Element = Tree.Element
NAMESPACE = "http://www.w3.org/2000/svg"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def drawing(width: float, height: float, *, name: str, title: str, description: str = "") -> Element:
    """An empty drawing that scales to the width it is given.

    Args:
        width: of the coordinates, in pixels at full size.
        height: likewise.
        name: its CSS class.
        title: what a screen reader says it is.
        description: what a screen reader says it shows.
    """
    facts = {
        "xmlns": NAMESPACE,
        "viewBox": f"0 0 {number(width)} {number(height)}",
        "class": name,
        "role": "img",
        "aria-label": title,
        "font-family": FONT,
        "fill": "currentColor",
    }
    root = Tree.Element("svg", facts)
    add(root, "title", {}, title)
    if description:
        add(root, "desc", {}, description)
    return root


def add(parent: Element, name: str, facts: Mapping[str, object], text: str = "") -> Element:
    """A new element in `parent`; numbers among its facts are rounded to a tenth of a pixel."""
    plain = {key: number(value) if isinstance(value, int | float) else str(value) for key, value in facts.items()}
    child = Tree.SubElement(parent, name, plain)
    child.text = text or None
    return child


def polygon(parent: Element, points: Sequence[tuple[float, float]], facts: Mapping[str, object]) -> Element:
    """A filled shape with straight sides."""
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return add(parent, "polygon", {"points": corners} | dict(facts))


def written(root: Element) -> str:
    """The drawing as text."""
    return Tree.tostring(root, encoding="unicode")


def number(value: float) -> str:
    """A coordinate, rounded to a tenth, without needless zeros."""
    return f"{round(value, 1):g}"


def text_width(text: str, size: float) -> float:
    """About how wide a text of font size `size` is, for fonts without serifs: enough to keep labels apart."""
    return size * sum(_letter(letter) for letter in text)


def _letter(letter: str) -> float:
    """About how wide a letter is, as a share of the font size."""
    if letter in "iljtfrI.,:;' |()":
        return 0.38
    return 0.74 if letter.isupper() or letter in "mw%" else 0.6


def mixed(color: str, other: str, share: float) -> str:
    """A color with a share of another; both "#rrggbb"."""
    pairs = ((int(color[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(mine + (yours - mine) * share):02x}" for mine, yours in pairs)
