"""How long files take, measured in a process of their own.

The names are imported when they are first asked for: the process that is timed imports this room without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilevision.timing.clock import Timing, bench, bench_run
    from mobilevision.timing.exported import export
    from mobilevision.timing.layers import Breakdown, break_down
    from mobilevision.timing.versus import Comparison, compare

__all__ = ("Breakdown", "Comparison", "Timing", "bench", "bench_run", "break_down", "compare", "export")

_HOMES = {
    "Breakdown": "layers",
    "Comparison": "versus",
    "Timing": "clock",
    "bench": "clock",
    "bench_run": "clock",
    "break_down": "layers",
    "compare": "versus",
    "export": "exported",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
