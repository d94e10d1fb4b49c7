"""What a file's door is worth: bytes in and probabilities out, and channels last, each beside the same network without.

    python benchmarks/interface_latency.py --files FILES --write
    python benchmarks/interface_latency.py --files FILES
    python benchmarks/interface_latency.py --page docs/interface_latency.md

The first line writes the files, which needs no quiet; the second races those that are there, which does. Results join
what stands in the JSON file, a network and format that is in it is not raced again without `--again`, and the last line
makes a page of it. These gains are a program's and are counted nowhere else: `export_latency` gives both sides the same
picture.

A program holds a picture as a decoder gives it, 224 x 224 x 3 bytes for example. Two questions are asked. First, our
plain file, for which the program scales and normalizes in NumPy and makes probabilities of the scores, beside our file
of `export --pixels --softmax`, which takes the bytes. The plain file's picture is prepared in two ways: "usual" is the
line that people write, `(pixels / 255 - mean) / std`, and "careful" a product and a difference over whole rows (or
planes), each in place, which is as quick as NumPy gets. Second, in LiteRT, timm's network with channels last at its
door, as `export_latency` has it, beside timm's as its own converter leaves it: channels first, and a transpose inside.
"Alone" is the file without the program around it.

Weights are random, those of `export_latency`; both files of a pair hold the same. All run in one process after another,
on one core, lap by lap in turns, each call twice in its turn, of which the second counts; each of the six processes
opens the files in an order of its own; an interval is drawn over blocks of ten laps.
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from export_latency import ours, settle, theirs, without_norms
from mobilevision import zoo
from mobilevision.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from mobilevision.deploy.associated import attach
from mobilevision.deploy.base import FP32, Array, Format, Runner
from mobilevision.deploy.formats import find_format
from mobilevision.deploy.interface import GIVES, PIXELS, PROBABILITIES, TAKES, WHITE, taken
from mobilevision.deploy.litert_int8 import quantize
from mobilevision.deploy.ranges import Rounding, minmax
from racing import NUMBERS, OURS, STARTS, THEIRS, Entrant, facts, main, opened, raced, shown, taking_turns, to_one_core

NETWORKS = ("mobilenetv2_100", "mobilenetv3_small_100", "mobilenetv4_conv_small")

BYTES, FIRST = "bytes", "first"
"""The sides beside `OURS` and `THEIRS`: our file that takes bytes, and timm's with channels first at its door."""

ALONE, USUAL, CAREFUL, WHOLE = "alone", "usual", "careful", "whole"
WAYS: Mapping[str, tuple[str, ...]] = {
    OURS: (ALONE, USUAL, CAREFUL),
    BYTES: (ALONE, WHOLE),
    THEIRS: (ALONE, CAREFUL),
    FIRST: (ALONE, CAREFUL),
}
"""How the file of a side is called."""

PAIRS: tuple[tuple[Entrant, Entrant], ...] = tuple(
    ((one, number, way), (other, number, against))
    for number in NUMBERS
    for one, way, other, against in (
        (BYTES, WHOLE, OURS, USUAL),
        (BYTES, WHOLE, OURS, CAREFUL),
        (BYTES, ALONE, OURS, ALONE),
        (THEIRS, CAREFUL, FIRST, CAREFUL),
        (THEIRS, ALONE, FIRST, ALONE),
    )
)

MEAN, STD = (np.array(each, np.float32) for each in (IMAGENET_MEAN, IMAGENET_STD))


def sides(to: str) -> list[tuple[str, str]]:
    """Channels stand first at the door of an .onnx file on every side, so there is no second question."""
    asked = (OURS, BYTES, THEIRS, FIRST) if to == "litert" else (OURS, BYTES)
    return [(side, number) for number in NUMBERS for side in asked]


def run(name: str, to: str, files: dict[tuple[str, str], Path], rounds: int) -> dict[str, Any]:
    """Race the files of a network and format, called in every way."""
    told = raced(list(files.values()), rounds // STARTS, job="interface_latency:race")
    laps = dict(zip(entrants(files), told["laps"], strict=True))
    found = facts(name, to, laps, told["load"], pairs=PAIRS)
    medians = {" ".join(entrant): float(np.median(each)) for entrant, each in laps.items()}
    return found | {"median_ms": medians, "apart": told["apart"]}


def entrants(files: Sequence[tuple[str, str]] | Mapping[tuple[str, str], Path]) -> list[Entrant]:
    return [(side, number, way) for side, number in files for way in WAYS[side]]


def race(files: list[str], rounds: int, seed: int) -> dict[str, Any]:
    """A job: all files in one process, on one core, called in every way their sides have.

    "apart" is how far the probabilities of the file that takes bytes are from those of the plain one, by numbers.
    """
    load, chance = to_one_core(), np.random.default_rng(seed)
    runners, asked = opened(files, chance), [tuple(Path(file).stem.rsplit("_", 2)[1:]) for file in files]
    side = runners[0].inputs[0].shape[-2]
    assert isinstance(side, int)
    pixels = chance.integers(0, 256, (side, side, len(MEAN)), dtype=np.uint8)
    calls = {
        (*entrant, way): call(runner, pixels, way)
        for entrant, runner in zip(asked, runners, strict=True)
        for way in WAYS[entrant[0]]
    }
    apart = {
        number: float(np.abs(calls[BYTES, number, WHOLE]() - calls[OURS, number, CAREFUL]()).max())
        for number in NUMBERS
        if (BYTES, number, WHOLE) in calls and (OURS, number, CAREFUL) in calls
    }
    return {"load": load, "laps": taking_turns(list(calls.values()), rounds, chance), "apart": apart}


def call(runner: Runner, pixels: Array, way: str) -> Callable[[], Array]:
    """A program that has a picture's bytes, height by width by channels, and wants probabilities; or the file alone."""
    last = runner.inputs[0].shape[-1] == pixels.shape[-1]
    if way == ALONE:
        prepared = laid(pixels, last) if runner.inputs[0].dtype == "uint8" else usual(pixels, last)
        return partial(runner, prepared)
    if way == WHOLE:
        return lambda: runner(laid(pixels, last))
    prepare = {USUAL: usual, CAREFUL: careful}[way]
    return lambda: softmax(runner(prepare(pixels, last)))


def laid(pixels: Array, last: bool) -> Array:
    """One picture as a file's door has its axes."""
    return np.ascontiguousarray(pixels if last else pixels.transpose(2, 0, 1))[None]


def usual(pixels: Array, last: bool) -> Array:
    return laid((pixels / np.float32(WHITE) - MEAN) / STD, last)


def careful(pixels: Array, last: bool) -> Array:
    """The same over whole rows or planes: NumPy is slow where the innermost loop is of three channels."""
    height, width, channels = pixels.shape
    times, less = 1 / (np.float32(WHITE) * STD), MEAN / STD
    if last:
        rows = np.multiply(pixels.reshape(height, -1), np.tile(times, width), dtype=np.float32)
        rows -= np.tile(less, width)
        return rows.reshape(1, height, width, channels)
    planes = np.multiply(laid(pixels, last)[0], times[:, None, None], dtype=np.float32)
    planes -= less[:, None, None]
    return planes[None]


def softmax(scores: Array) -> Array:
    """Shape: (1, outputs), both."""
    powers = np.exp(scores - scores.max())
    shares: Array = powers / powers.sum()
    return shares


def write(name: str, side: str, to: str, number: str, file: str) -> None:
    """A job: one side as a file."""
    import torch

    torch.manual_seed(0)
    format_, size = find_format(to), zoo.arch(name).size
    pictures = np.random.default_rng(0).standard_normal((4, 3, size, size)).astype(np.float32)
    WRITERS[side](name, number, format_, pictures, Path(file))


def plain(name: str, number: str, format_: Format, pictures: Array, file: Path) -> None:
    finish(ours(name, number, format_).eval(), number, format_, pictures, {"labels": []}, file)


def with_bytes(name: str, number: str, format_: Format, pictures: Array, file: Path) -> None:
    from mobilevision.data.preprocessing import Preprocessing
    from mobilevision.deploy.doors import with_doors

    size = zoo.arch(name).size
    card = {"labels": [], TAKES: PIXELS, GIVES: PROBABILITIES, "preprocessing": Preprocessing((size, size)).facts()}
    network = with_doors(ours(name, number, format_), card).eval()
    finish(network, number, format_, taken(pictures, card), card, file)


def timms(name: str, number: str, format_: Format, pictures: Array, file: Path) -> None:
    finish(theirs(name).eval(), number, format_, pictures, {"labels": []}, file)


def finish(network: Any, number: str, format_: Format, pictures: Array, card: dict[str, Any], file: Path) -> None:
    if number == FP32.name:
        format_.export(network, pictures.shape[1:], card, file, FP32)
        return
    assert format_.quantize is not None
    format_.quantize(network, pictures, card, file, Rounding(minmax))


def channels_first(name: str, number: str, format_: Format, pictures: Array, file: Path) -> None:
    """Timm's network as its converter leaves it when nobody asks for another layout."""
    import litert_torch
    import timm
    import torch

    size = pictures.shape[-1]
    network = without_norms(settle(timm.create_model(name, exportable=True), size), size).eval()
    with tempfile.TemporaryDirectory() as folder:
        exact = Path(folder) / "exact.tflite"
        litert_torch.convert(network, (torch.zeros(1, *pictures.shape[1:]),)).export(str(exact))
        attach(exact, {"labels": []})
        if number == FP32.name:
            shutil.copy(exact, file)
        else:
            quantize(exact, pictures.transpose(0, 3, 1, 2), file, Rounding(minmax))  # it puts the second axis last


WRITERS = {OURS: plain, BYTES: with_bytes, THEIRS: timms, FIRST: channels_first}


METHOD = f"""# What a file's door is worth (`benchmarks/interface_latency.py`)

A program {(__doc__ or "").partition("A program ")[2].strip()}

A ratio is a median by a median, with its 95 % interval; below 1 the first is faster.
"""

DOORS = """## Bytes in, probabilities out

| network | format | numbers | plain ms: usual, careful, alone | bytes ms: whole, alone | / usual | / careful | alone |
|---|---|---|---|---|---|---|---|"""

LAYOUTS = """## Channels last

| network | numbers | first ms: with its program, alone | last ms: the same | last / first | alone |
|---|---|---|---|---|---|"""


def page(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    rows = list(results.values())
    dates, loads = sorted(found["date"] for found in rows), [found["load"] for found in rows]
    runtimes = ", ".join(dict.fromkeys(found["runtime"] for found in rows))
    apart = {number: max(found["apart"].get(number, 0.0) for found in rows) for number in NUMBERS}
    machine = (
        f"{rows[0]['machine']}, one thread; {runtimes}; raced {dates[0]} to {dates[-1]} UTC at a load of "
        f"{min(loads):.1f} to {max(loads):.1f}. Probabilities of both files of a pair are at most "
        f"{apart['fp32']:.1g} apart in fp32 and {apart['int8']:.1g} in int8."
    )
    doors = [line for found in rows for number in NUMBERS for line in door(found, number)]
    layouts = [line for found in rows for number in NUMBERS for line in layout(found, number)]
    return "\n".join([METHOD, machine, "", DOORS, *doors, "", LAYOUTS, *layouts, ""])


def door(found: dict[str, Any], number: str) -> list[str]:
    """The row of a network in one precision, if both files were there."""
    pairs = [(WHOLE, USUAL), (WHOLE, CAREFUL), (ALONE, ALONE)]
    ratios = [found["ratios"].get(f"{BYTES} {number} {way} / {OURS} {number} {against}") for way, against in pairs]
    if None in ratios:
        return []
    plain, whole = ms(found, OURS, number, (USUAL, CAREFUL, ALONE)), ms(found, BYTES, number, (WHOLE, ALONE))
    return [line(f"{found['network']}, {found['size']} px", found["format"], number, plain, whole, *map(shown, ratios))]


def layout(found: dict[str, Any], number: str) -> list[str]:
    """The same for both layouts."""
    ratios = [found["ratios"].get(f"{THEIRS} {number} {way} / {FIRST} {number} {way}") for way in (CAREFUL, ALONE)]
    if None in ratios:
        return []
    first, last = (ms(found, side, number, (CAREFUL, ALONE)) for side in (FIRST, THEIRS))
    return [line(f"{found['network']}, {found['size']} px", number, first, last, *map(shown, ratios))]


def ms(found: dict[str, Any], side: str, number: str, ways: Sequence[str]) -> str:
    return ", ".join(f"{found['median_ms'][f'{side} {number} {way}']:.2f}" for way in ways)


def line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main(
        __doc__ or "",
        script="interface_latency",
        networks=NETWORKS,
        to="litert,onnx",
        run=run,
        page=page,
        sides=sides,
    )
