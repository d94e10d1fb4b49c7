"""Our detector and segmenter exported, against torchvision's own exported, interleaved in one run.

    python benchmarks/dense_latency.py --files FILES --write
    python benchmarks/dense_latency.py --files FILES
    python benchmarks/dense_latency.py --page docs/dense_latency.md

The first line writes the files, which needs no quiet; the second races those that are there, which does. Results join
what stands in the JSON file, a network and format that is in it is not raced again without `--again`, and the last line
makes a page of it: so a long run can be cut into parts.

Both sides hold the same weights: random ones, whose norms have seen smooth colored scenes, made by torchvision and
loaded into ours by its names. Both take the same picture (layout, size, float32) and go through the same official
converter, torchvision's network in its own modules as they stand: backbone and head, without what comes before
(resizing and scaling) and behind (boxes decoded and chosen; scores enlarged to the picture). Both give the same
numbers: a detector's scores and offsets of every anchor, a segmenter's scores at stride 8. In 8 bits both go through
the same quantizer with the same pictures, range estimator and list of what stays in float32. All files of a network and
format run in one process after another, on one core, lap by lap in turns, each file twice in its turn, of which the
second counts; each of the six processes opens them in an order of its own; an interval is drawn over blocks of ten
laps.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision import jobs, zoo
from mobilevision.deploy.base import INT8, Array, Format, Precision
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.ranges import Rounding, minmax
from racing import OURS, STARTS, THEIRS, facts, main, ours_and_theirs, raced, shown

NETWORKS = ("ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large")
COLUMNS = {"ssdlite320_mobilenet_v3_large": 91, "lraspp_mobilenet_v3_large": 21}
"""Scores of an anchor or a pixel, the background's among them."""

AIM = 0.92
NEAR = 1e-4
"""How far our outputs may be from torchvision's in torch, as a share of the largest."""


def run(name: str, to: str, files: dict[tuple[str, str], Path], rounds: int) -> dict[str, Any]:
    """Race the files of a network and format; beside each stands how far its outputs are from torchvision's."""
    paths = list(files.values())
    far = jobs.call("dense_latency:parity", {"name": name, "files": list(map(str, paths))}, seconds=600)
    told = raced(paths, rounds // STARTS)
    laps = dict(zip(files, told["laps"], strict=True))
    each = {
        f"{side} {number}": {
            "median_ms": float(np.median(laps[side, number])),
            "from_torchvision": apart,
            "moves": moves,
            "pieces": pieces,
        }
        for (side, number), apart, moves, pieces in zip(files, far, told["moves"], told["pieces"], strict=True)
    }
    return facts(name, to, laps, told["load"]) | {"files": each}


def write(name: str, side: str, to: str, number: str, file: str) -> None:
    """A job: one side as a file."""
    reference, size, format_ = torchvisions(name), zoo.arch(name).size, find_format(to)
    precision = find_precision(format_, number)
    network = (ours(name, reference, format_, precision) if side == OURS else Plain(name, reference)).eval()
    if precision != INT8:
        format_.export(network, (3, size, size), {"labels": []}, Path(file), precision)
        return
    assert format_.quantize is not None
    pictures = np.concatenate([scenes(4, size, seed) for seed in range(2)])
    format_.quantize(network, pictures, {"labels": []}, Path(file), Rounding(minmax))


def torchvisions(name: str) -> Any:
    """Torchvision's own network with random weights, the same in every process, whose norms have seen pictures."""
    import torch
    from torchvision.models import detection, segmentation

    torch.manual_seed(0)
    room = detection if hasattr(detection, name) else segmentation
    model = getattr(room, name)(weights=None, weights_backbone=None, num_classes=COLUMNS[name])
    for part in model.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None  # the plain mean
    with torch.no_grad():
        Plain(name, model).train()(torch.from_numpy(scenes(4, zoo.arch(name).size, 0)))
    return model.eval()


def ours(name: str, reference: Any, format_: Format, precision: Precision) -> Any:
    """Our network with the same weights, as its file holds it before what decodes and chooses."""
    from mobilevision.deploy.boxes import open_boxes_
    from mobilevision.deploy.filing import bias_
    from mobilevision.deploy.integers import form_for
    from mobilevision.deploy.masks import without_auxiliary_
    from mobilevision.network import Network
    from mobilevision.tasks.detect import Detect
    from mobilevision.weights.load import load_weights_

    detects, size = name.startswith("ssdlite"), zoo.arch(name).size
    network = Network(zoo.arch(name), COLUMNS[name] - detects)
    load_weights_(network, reference.state_dict())
    network.eval()
    bias_(network)
    if detects:
        open_boxes_(network, Detect(tuple(map(str, range(COLUMNS[name] - 1)))), (3, size, size))
    else:
        without_auxiliary_(network)
    return form_for(network, format_, precision)


def Plain(name: str, model: Any) -> Any:  # noqa: N802  a module, made where torch is known
    """Torchvision's backbone and head, without what comes before and behind."""
    import torch

    class Told(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = model.backbone
            self.head = model.head if name.startswith("ssdlite") else model.classifier

        def forward(self, pictures: Any) -> Any:
            maps = self.backbone(pictures)
            if not name.startswith("ssdlite"):
                return self.head(maps)
            said = self.head(list(maps.values()))
            return said["cls_logits"], said["bbox_regression"]

    return Told()


def scenes(count: int, side: int, seed: int) -> Array:
    """Smooth colored scenes. Shape: (count, 3, side, side)."""
    import torch

    coarse = torch.rand(count, 3, 12, 9, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1) * 4 - 2).numpy()


def parity(name: str, files: Sequence[str]) -> list[float]:
    """A job: how far each file's outputs are from torchvision's in torch, at most, as a share of the largest."""
    import torch

    picture = scenes(1, zoo.arch(name).size, 9)
    with torch.no_grad():
        said = Plain(name, torchvisions(name)).eval()(torch.from_numpy(picture))
    wanted = [part.numpy() for part in (said if isinstance(said, tuple) else (said,))]
    found = []
    for file in files:
        given = {part.size: part for part in outputs(Path(file), picture)}
        off = [np.abs(laid(given[part.size], part.shape) - part).max() / np.abs(part).max() for part in wanted]
        found.append(float(max(off)))
    return found


def laid(given: Array, shape: tuple[int, ...]) -> Array:
    """An output in the order of axes that torch has."""
    return given if given.shape == shape else given.transpose(0, 3, 1, 2)


def outputs(file: Path, picture: Array) -> list[Array]:
    """All that a file gives for a picture of shape (1, 3, H, W)."""
    if file.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        return list(session.run(None, {session.get_inputs()[0].name: picture}))
    from ai_edge_litert.interpreter import Interpreter

    work = Interpreter(model_path=str(file))
    work.allocate_tensors()
    work.set_tensor(work.get_input_details()[0]["index"], np.ascontiguousarray(picture.transpose(0, 2, 3, 1)))
    work.invoke()
    return [work.get_tensor(each["index"]) for each in work.get_output_details()]


METHOD = f"""# Detector and segmenter beside torchvision's (`benchmarks/dense_latency.py`)

Both sides {(__doc__ or "").partition("Both sides ")[2].strip()}

A ratio is a median by a median, with its 95 % interval; below 1 the first is faster. The aim is {AIM} in fp32, with
outputs within {NEAR:g} of the largest of torchvision's own in torch. Random weights lose much in 8 bits, on both sides
alike: these rows are of time alone. What was tried stands in `docs/export_forms.md`.
"""

HEAD = """| network | format | numbers | ours ms | theirs ms | ours / theirs | from torchvision | transposes | pieces |
|---|---|---|---|---|---|---|---|---|"""


def page(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    rows = list(results.values())
    dates, loads = sorted(found["date"] for found in rows), [found["load"] for found in rows]
    runtimes = ", ".join(dict.fromkeys(found["runtime"] for found in rows))
    machine = (
        f"{rows[0]['machine']}, one thread; {runtimes}; raced {dates[0]} to {dates[-1]} UTC at a load of "
        f"{min(loads):.1f} to {max(loads):.1f}."
    )
    return "\n".join([METHOD, machine, "", HEAD, *(line for found in rows for line in table(found)), ""])


def table(found: dict[str, Any]) -> list[str]:
    rows = []
    for number in ("fp32", INT8.name):
        one, other = (found["files"].get(f"{side} {number}") for side in (OURS, THEIRS))
        if one is None or other is None:
            continue
        cells = (
            f"{found['network']}, {found['size']} px",
            found["format"],
            number,
            f"{one['median_ms']:.2f}",
            f"{other['median_ms']:.2f}",
            shown(found["ratios"][f"ours {number} / theirs {number}"]),
            f"{one['from_torchvision']:.1g} / {other['from_torchvision']:.1g}",
            f"{one['moves']['transpose']} / {other['moves']['transpose']}",
            f"{one['pieces'] or '-'} / {other['pieces'] or '-'}",
        )
        rows.append("| " + " | ".join(cells) + " |")
    return rows


if __name__ == "__main__":
    main(
        __doc__ or "",
        script="dense_latency",
        networks=NETWORKS,
        to="litert,onnx",
        run=run,
        page=page,
        sides=ours_and_theirs,
    )
