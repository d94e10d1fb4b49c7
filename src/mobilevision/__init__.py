"""Vision networks that run on phones: from a folder of pictures to a proven file.

Every name is imported when it is first asked for, so `import mobilevision` does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mobilevision.architecture import Arch
    from mobilevision.cost import walk
    from mobilevision.data.check import check
    from mobilevision.deploy.load import load
    from mobilevision.models import create_model
    from mobilevision.network import Network
    from mobilevision.pages.report import report
    from mobilevision.pages.terminal import show
    from mobilevision.run import Run
    from mobilevision.search import spaces
    from mobilevision.search.found import search_tunas
    from mobilevision.timing import bench, export
    from mobilevision.train import recipes
    from mobilevision.train.loop import fit
    from mobilevision.zoo import arch, list_models

__version__ = "0.1.0"

__all__ = (
    "Arch",
    "Network",
    "Run",
    "arch",
    "bench",
    "check",
    "create_model",
    "export",
    "fit",
    "list_models",
    "load",
    "recipes",
    "report",
    "search_tunas",
    "show",
    "spaces",
    "walk",
)

_HOMES = {
    "Arch": "architecture",
    "Network": "network",
    "Run": "run",
    "arch": "zoo",
    "bench": "timing",
    "check": "data.check",
    "create_model": "models",
    "export": "timing",
    "fit": "train.loop",
    "list_models": "zoo",
    "load": "deploy.load",
    "report": "pages.report",
    "search_tunas": "search.found",
    "show": "pages.terminal",
    "walk": "cost",
}

_MODULES = {"recipes": "train.recipes", "spaces": "search.spaces"}  # names that are whole files of values


def __getattr__(name: str) -> Any:
    """A name of the face, from the room it lives in."""
    if name in _MODULES:
        value: Any = import_module(f"{__name__}.{_MODULES[name]}")
    elif name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What completion offers: the face and nothing else."""
    return sorted((*__all__, "__version__"))
