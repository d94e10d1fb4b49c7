"""Small copies of pictures that live inside a page."""

import base64
import io
from pathlib import Path

from mobilevision.data.pictures import open_picture

SIDE = 112  # pixels; drawn at half of that on a sharp screen


def thumbnail(path: str | Path, *, side: int = SIDE) -> str:
    """A picture as a JPEG data URI of at most `side` pixels a side, some 4 kB.

    Raises:
        InputError: if it cannot be read; says why.
    """
    image = open_picture(path, least=side)
    image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=78, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")
