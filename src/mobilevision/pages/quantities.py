"""Numbers as people read them: counts, bytes, shares, milliseconds."""

import math

UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def count(value: float) -> str:
    """Three significant digits and a unit of 1000: 3.50 M, 864."""
    for size, unit in UNITS:
        if value >= 0.9995 * size:
            return f"{_three(value / size)} {unit}"
    return f"{value:.0f}"


def size(value: float) -> str:
    """Bytes as kB, MB or GB of powers of 1000: 13.9 MB."""
    return f"{count(value)}B" if value >= 999.5 else f"{value:.0f} B"


def percent(share: float, *, digits: int = 1) -> str:
    """A share of 0..1 as percent: 94.2 %."""
    return f"{100 * share:.{digits}f} %"


def milliseconds(value: float) -> str:
    """A time in ms with three significant digits: 2.41 ms."""
    return f"{_three(value)} ms"


def seconds(value: float) -> str:
    """A duration as people say it: 45 s, 12 min 5 s, 3 h 20 min."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _three(value: float) -> str:
    """Three significant digits without an exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value) * 1.0005)))
    return f"{value:.{min(digits, 6)}f}"
