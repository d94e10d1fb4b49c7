"""The verbs of the command line, each a call; torch and the rooms are imported inside them."""

from mobilevision.cli.app import main

__all__ = ["main"]
