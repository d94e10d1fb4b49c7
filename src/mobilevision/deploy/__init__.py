"""From a run to files that phones run, each proven against torch in its own runtime.

The names are imported when they are first asked for: the process of a runtime imports this room without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilevision.deploy.artifact import Artifact
    from mobilevision.deploy.exporting import export

__all__ = ("Artifact", "export")

_HOMES = {"Artifact": "artifact", "export": "exporting"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
