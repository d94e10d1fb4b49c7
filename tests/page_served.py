"""A folder that a browser of the tests can ask for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mobilevision.pages.demo.serving import address, server


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, as long as it is given out."""
    with server(folder) as opened:
        thread = threading.Thread(target=opened.serve_forever)
        thread.start()
        yield address(opened)
        opened.shutdown()
        thread.join()
