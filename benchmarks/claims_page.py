"""The page and the drawing of what `benchmarks/claims.py` found."""

import math
import statistics
from collections.abc import Iterator
from typing import Any

from claimed import TRIALS, Claim, Trial, pair
from mobilevision.pages.svg import Element, add, drawing, written

Results = dict[str, dict[str, Any]]
NAMED = {"litert": "LiteRT", "onnx": "ONNX Runtime"}
COLORS = {"litert": "#2f6fc4", "onnx": "#c2609e"}
INK, SOFT = "#5b6675", "#8a94a3"  # read on white and on black
WIDTH, LEFT, RIGHT, ROW, TOP = 860.0, 250.0, 24.0, 46.0, 64.0
LEAST, MOST = 0.08, 1.5  # shares of the time, at the ends of the axis
TICKS = (0.1, 0.2, 0.5, 1.0)


def page(results: Results) -> str:
    """The results as Markdown; the method is written here and nowhere else."""
    rows = "".join(row(trial, claim, results) for trial, claim in claims())
    return f"{METHOD}\n{HEAD}\n{rows}\n{conditions(results)}\n{learning(results)}\n{HONEST}"


METHOD = """# The articles' claims, tried (`benchmarks/claims.py`)

Each claim is an edit of an architecture: the network with the idea beside the same network without it. What an idea
costs in multiply-accumulates is counted; what it takes of the time is measured in two runtimes.

![What each idea leaves of the time and of the multiply-accumulates, and what its paper says](claims.svg)

Below 1 is cheaper: 0.5 means that the network with the idea takes half of what the other takes. Times are of float32
files with random weights, one thread. The networks of a trial run in one process on one core, lap by lap in turns, each
twice in its turn, of which the second counts; six processes, a ratio of medians with its 95 % interval over blocks of
ten laps. What attention adds is measured above the network without it.
"""
HEAD = """| claim | the paper says | where | MACs left | time left, LiteRT | time left, ONNX Runtime |
|---|---|---|---|---|---|"""
HONEST = """## What to make of it

The counts are the papers' own or near them: full convolutions cost 4,867 M multiply-accumulates (4,866 M in the
paper); the cheaper stem saves 10.4 M (10), the cheaper last stage 34.3 M (30); the detector on V3 needs 0.67 of that on
V2 (0.64), the reduced tail leaves 0.85 (0.82). Mobile MQA saves 38 % of the multiply-accumulates and 44 % of the
parameters of plain multi-head attention with 8 heads of 64 channels; the paper has 28.6 % and 25.5 % for blocks that it
does not describe. Spatial reduction saves 8.3 % of the whole where the paper has 3 %: the attention's own products are
counted here.

Published times are of phones and accelerators, these are of a desktop processor: a claim about time that holds on one
need not hold on the other, and the counts do not decide it. The claim of more than 39 % is made for EdgeTPUs and a
phone's GPU, where moving keys and values is what a network waits for; here it is tried on a processor. Table 1 of
MobileNetV4's paper tells what whole searches found, not what one form of its block costs; so there is no published
figure beside the four forms. The paper of MobileNetV2 draws the accuracy of its linear bottleneck on ImageNet; the
training here is of 1,314 photographs at 64 pixels and says no more than that.
"""


def claims() -> Iterator[tuple[Trial, Claim]]:
    return ((trial, claim) for trial in TRIALS for claim in trial.claims)


def row(trial: Trial, claim: Claim, results: Results) -> str:
    """A line of the table."""
    new, old = pair(trial, claim)
    published = f"{claim.says} ({claim.published})"
    times = (shown(share(trial, claim, to, results)) for to in NAMED)
    cells = (claim.name, published, claim.source, f"{new.macs / old.macs:.3f} ({change(new.macs - old.macs)})", *times)
    return f"| {' | '.join(cells)} |\n"


def share(trial: Trial, claim: Claim, to: str, results: Results) -> list[float]:
    """The share of the time with its interval; empty where it was not measured."""
    found: list[float] = results.get(f"{trial.name} {to}", {}).get("shares", {}).get(claim.name, [])
    return found


def shown(ratio: list[float]) -> str:
    return "{:.3f} [{:.3f}, {:.3f}]".format(*ratio) if ratio else "not measured"


def change(macs: int) -> str:
    """Multiply-accumulates more or less, in millions."""
    return f"{macs / 1e6:+.1f} M"


def conditions(results: Results) -> str:
    """Where and when it was measured."""
    timed = [found for key, found in results.items() if "shares" in found]
    if not timed:
        return "Nothing was timed yet."
    runtimes = ", ".join(dict.fromkeys(found["runtime"] for found in timed))
    loads, days = [found["load"] for found in timed], sorted(found["date"] for found in timed)
    machines = ", ".join(dict.fromkeys(found["machine"] for found in timed))
    laps = sorted({found["laps"] for found in timed})
    return (
        f"{machines}; {runtimes}; {days[0]} to {days[-1]}, at a load of {min(loads):.1f} to {max(loads):.1f}; "
        f"{' or '.join(map(str, laps))} laps of each file.\n"
    )


def learning(results: Results) -> str:
    """What the training said."""
    found = results.get("learned")
    if not found:
        return ""
    lines = [
        f"| {name} | {' | '.join(f'{100 * one:.1f} %' for one in top1)} | {100 * statistics.mean(top1):.1f} % |"
        for name, top1 in found["top1"].items()
    ]
    mean, low, high = (100 * one for one in found["lead"])
    return LEARNED.format(**found, rows="\n".join(lines), mean=mean, low=low, high=high)


LEARNED = """## The linear bottleneck, trained

{network} at {size} pixels, {epochs} epochs of the recipe `scratch_small` over {data} from random weights, with the
projection as it is and with ReLU6 behind it (before the sum, as in the paper's figure 6a). Top-1 on the 418 test
pictures, one column a seed. {machine}, {date}.

| bottleneck | seed 0 | seed 1 | seed 2 | mean |
|---|---|---|---|---|
{rows}

The linear one leads by {mean:+.1f} points on average, from {low:+.1f} to {high:+.1f} seed by seed.
"""


def drawn(results: Results) -> str:
    """Each claim's share of time and arithmetic on one axis, with what the paper says."""
    known = list(claims())
    root = drawing(WIDTH, TOP + ROW * len(known) + 28, name="claims", title="What each idea leaves")
    axis(root, TOP + ROW * len(known))
    legend(root)
    for i, (trial, claim) in enumerate(known):
        y = TOP + ROW * (i + 0.5)
        add(root, "text", {"x": 8, "y": y + 4, "font-size": 14, "fill": INK}, claim.name)
        new, old = pair(trial, claim)
        diamond(root, new.macs / old.macs, y, SOFT)
        for value in claim.share:
            add(root, "line", stroke("#b34a1d", 3) | {"x1": at(value), "x2": at(value), "y1": y - 15, "y2": y + 15})
        for to, down in (("litert", -7), ("onnx", 7)):
            if ratio := share(trial, claim, to, results):
                measured(root, ratio, y + down, COLORS[to])
    return written(root)


def measured(root: Element, ratio: list[float], y: float, color: str) -> None:
    middle, low, high = ratio
    add(root, "line", stroke(color, 2.5) | {"x1": at(low), "x2": at(high), "y1": y, "y2": y})
    add(add(root, "circle", {"cx": at(middle), "cy": y, "r": 4.5, "fill": color}), "title", {}, shown(ratio))


def axis(root: Element, bottom: float) -> None:
    for value in TICKS:
        x = at(value)
        add(root, "line", stroke(SOFT, 1.5 if value == 1 else 0.5) | {"x1": x, "x2": x, "y1": TOP, "y2": bottom})
        add(
            root,
            "text",
            {"x": x, "y": bottom + 18, "font-size": 13, "text-anchor": "middle", "fill": INK},
            f"{value:g}",
        )
    add(root, "text", {"x": 8, "y": bottom + 18, "font-size": 13, "fill": INK}, "of the network without the idea")


def legend(root: Element) -> None:
    x = 8.0
    for name, mark in (("time, LiteRT", COLORS["litert"]), ("time, ONNX Runtime", COLORS["onnx"])):
        add(root, "circle", {"cx": x + 5, "cy": 22, "r": 4.5, "fill": mark})
        add(root, "text", {"x": x + 16, "y": 27, "font-size": 13, "fill": INK}, name)
        x += 32 + 8 * len(name)
    diamond(root, 0, 22, SOFT, x=x + 5)
    add(root, "text", {"x": x + 16, "y": 27, "font-size": 13, "fill": INK}, "multiply-accumulates, counted")
    x += 260
    add(root, "line", stroke("#b34a1d", 3) | {"x1": x, "x2": x, "y1": 12, "y2": 32})
    add(root, "text", {"x": x + 10, "y": 27, "font-size": 13, "fill": INK}, "time, as the paper says")


def diamond(root: Element, value: float, y: float, color: str, *, x: float | None = None) -> None:
    x = at(value) if x is None else x
    points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
    add(root, "polygon", {"points": points, "fill": "none", "stroke": color, "stroke-width": 2})


def stroke(color: str, width: float) -> dict[str, object]:
    return {"stroke": color, "stroke-width": width}


def at(value: float) -> float:
    """Where a share stands, on an axis by its logarithm; what is beyond it stands at its end."""
    value = min(max(value, LEAST), MOST)
    return LEFT + (math.log(value) - math.log(LEAST)) / (math.log(MOST) - math.log(LEAST)) * (WIDTH - LEFT - RIGHT)
