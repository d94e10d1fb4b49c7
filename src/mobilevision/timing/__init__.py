"""How long files take, measured in a process of their own.

The names are imported when they are first asked for: the process that is timed imports this room without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilevision.timing.clock import Timing, bench, bench_run

__all__ = ("Timing", "bench", "bench_run")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.clock"), name)
