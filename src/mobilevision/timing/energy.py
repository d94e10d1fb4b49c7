"""The energy that a processor took, where it counts it: the running average power limit (RAPL) on Linux."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Counters:
    """The energy counters of a machine's processor packages.

    Attributes:
        places: the folder of each package's counter.
        trouble: why there are none to read, "" if there are.
    """

    places: tuple[Path, ...]
    trouble: str = ""

    def read(self) -> tuple[int, ...]:
        """Microjoules of each package since it began to count."""
        return tuple(int((place / "energy_uj").read_text()) for place in self.places)

    def joules(self, before: tuple[int, ...], after: tuple[int, ...]) -> float | None:
        """What all packages took between two readings; None if there are no counters. A counter may run over once."""
        if self.trouble:
            return None
        spans = [int((place / "max_energy_range_uj").read_text()) for place in self.places]
        return sum((b - a) % (span + 1) for a, b, span in zip(before, after, spans, strict=True)) / 1e6


def counters(folder: Path = POWERCAP) -> Counters:
    """The counters that this process may read."""
    packages = [place for place in sorted(folder.glob("*-rapl:*")) if _is_package(place)]
    if not packages:
        return Counters((), f"this machine shows no energy counters in {folder}")
    try:
        for place in packages:
            (place / "energy_uj").read_text()
    except OSError as error:
        return Counters((), f"the energy counters may not be read: {error.strerror}; ask as root, or grant the right")
    return Counters(tuple(packages))


def _is_package(place: Path) -> bool:
    name = place / "name"
    return name.is_file() and name.read_text().startswith("package")
