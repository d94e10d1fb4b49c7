"""The universal roofline against the latencies that MobileNetV4's paper measured on seven devices (table 6).

For each device: the ridge point that ranks the networks best and how well, with a 95 % interval over networks; what
counting multiply-accumulates alone gives; the paper's own figures (table 16), which stand on many more networks.
    python benchmarks/roofline.py --json docs/roofline.json --picture docs/roofline.svg
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mobilevision.pages.devices import Fit, fits
from mobilevision.pages.roofline import candidate, drawn, sweep
from mobilevision.zoo import arch, list_models

COLUMNS = (
    *("device", "networks", "ridge by ranks", "rank correlation (95 %)", "MACs alone", "ridge by times"),
    *("spread of times", "MACs alone", "paper: ridge, rank, MACs"),
)


def main(
    to: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also draw the zoo's fronts to this SVG file.")] = None,
) -> None:
    """Print a table of the fits, and draw the fronts."""
    found = fits()
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for fit in found:
        print(line(fit))
    if to is not None:
        to.write_text(json.dumps([asdict(fit) for fit in found], indent=1) + "\n", encoding="utf-8")
    if picture is not None:
        networks = [candidate(each) for each in dict.fromkeys(map(arch, list_models()))]
        known = [one for one in networks if one.top1 is not None]
        picture.write_text(drawn(sweep(known)) + "\n", encoding="utf-8")


def line(fit: Fit) -> str:
    """A row of the table."""
    low, high = fit.interval
    paper = ", ".join("-" if value is None else f"{value:g}" for value in fit.device[1:])
    return (
        f"| {fit.device.name} | {fit.networks} | {fit.ridge:.0f} | {fit.rank:.3f} ({low:.2f} to {high:.2f}) "
        f"| {fit.macs_rank:.3f} | {fit.times_ridge:.0f} | {fit.times_error:.0%} | {fit.macs_error:.0%} | {paper} |"
    )


if __name__ == "__main__":
    typer.run(main)
