"""A web server for a folder, for this machine alone."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mobilevision.errors import UsageError

HERE = "127.0.0.1"
NAMES = (HERE, "localhost")


class Handler(SimpleHTTPRequestHandler):
    """Gives out files, to pages of this machine only, and says nothing of it.

    A page from elsewhere whose name was made to lead here (DNS rebinding) is refused by the name it asks for.
    """

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
    }

    def send_head(self) -> Any:
        """Refuse other names, then as usual."""
        if self.headers.get("Host", "").rpartition(":")[0] not in NAMES:
            self.send_error(421, "this server answers to 127.0.0.1 and localhost only")
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        """Refuse: folders are not listed."""
        self.send_error(404, "there is no such file")

    def end_headers(self) -> None:
        """Have the browser ask again each time: the next demo may be served at the same address."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def server(folder: Path, *, port: int = 0) -> ThreadingHTTPServer:
    """A server of a folder that is open, and answers once its `serve_forever` runs.

    Args:
        folder: what to give out.
        port: 0 takes any that is free.

    Raises:
        UsageError: if the port cannot be had.
    """
    try:
        return ThreadingHTTPServer((HERE, port), partial(Handler, directory=str(folder)))
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be had: {error.strerror}; give another by --port, or 0 for any that is free"
        ) from error


def address(opened: ThreadingHTTPServer) -> str:
    """Where a browser finds the page."""
    return f"http://{HERE}:{opened.server_address[1]}/"
