"""How far exported files are from torch, for every network of the zoo in every format: a page and JSON.

    python benchmarks/zoo_parity.py PICTURES --to docs/zoo_parity [--minutes 7] [--networks 'emo*'] [--formats onnx]

Weights are random, but the batch norms take their statistics from the pictures: fresh statistics prove nothing. A
difference is the largest absolute difference of a score as a share of the largest score, in fp32 held to 1e-4. Each
file is written and run in processes of its own. Results are kept after each file, and a file that has its result
already is not made again, so a long run can be taken in parts: --minutes starts nothing new after that time.
"""

import argparse
import json
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mobilevision.blocks import Classifier
from mobilevision.data.pictures import find_pictures, open_picture
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.base import FP32, Format, versions
from mobilevision.deploy.filing import filing_
from mobilevision.deploy.formats import FORMATS, find_format
from mobilevision.deploy.handover import convert
from mobilevision.deploy.proof import compare, file_scores, torch_scores
from mobilevision.errors import MobilevisionError
from mobilevision.files import size, write_json, write_text
from mobilevision.models import create_model
from mobilevision.network import Network
from mobilevision.run import commit
from mobilevision.tasks.catalog import task_of
from mobilevision.zoo import arch, catalog, list_models

DENSE = 20
"""Classes of detectors and segmenters."""

FORMATS_HERE = ("litert", "onnx", "openvino", "executorch")


def main() -> None:
    asked = arguments()
    path, page = asked.to.with_suffix(".json"), asked.to.with_suffix(".md")
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"files": {}}
    results["versions"] = versions("torch", *packages())
    until = time.monotonic() + 60 * asked.minutes
    for name in names(asked.networks):
        todo = [to for to in asked.formats.split(",") if f"{name} {to}" not in results["files"]]
        if not todo or time.monotonic() > until:
            continue
        network, pictures = seen(name, asked.pictures)
        for to in todo:
            if time.monotonic() < until:
                results["files"][f"{name} {to}"] = told = proven(network, pictures, find_format(to))
                print(f"{name:32} {to:12} {told.get('largest_difference', told.get('error'))}", flush=True)
                write_json(path, results)
                write_text(page, written(results))
    print(f"{len(results['files'])} of {len(names('*')) * len(FORMATS_HERE)} files have their result in {path}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="folder of photographs")
    parser.add_argument("--to", type=Path, default=Path("zoo_parity"), help="the JSON and the page, without a suffix")
    parser.add_argument("--networks", default="*", help="pattern of names")
    parser.add_argument("--formats", default=",".join(FORMATS_HERE))
    parser.add_argument("--minutes", type=float, default=1e6, help="start nothing new after this time")
    return parser.parse_args()


def names(pattern: str) -> list[str]:
    """The zoo, least arithmetic first; MetaMobile's names are EMO's networks again."""
    found = [name for name in list_models(pattern) if not name.startswith("metamobile")]
    return sorted(found, key=lambda name: catalog()[name]["macs"])


def packages() -> list[str]:
    return [package for to in FORMATS_HERE for package in (*FORMATS[to].exporter, FORMATS[to].runtime)]


def seen(name: str, folder: Path) -> tuple[Network, Tensor]:
    """A network whose norms have taken their statistics from the pictures, and those, at its own size."""
    torch.manual_seed(0)
    dense = not isinstance(arch(name).head, Classifier)
    network = create_model(name, num_classes=DENSE if dense else None)
    preprocessing = Preprocessing((network.arch.size, network.arch.size))
    pictures = torch.stack([preprocessing.tensor(open_picture(file)) for file in find_pictures(folder)])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain mean over what is seen
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        network.train()(pictures)
    return network.eval(), pictures


def proven(network: Network, pictures: Tensor, format_: Format) -> dict[str, Any]:
    """The proof of one file, or why there is none."""
    height, width = pictures.shape[2:]
    card = {"format": format_.name, "precision": "fp32", "labels": list(network.labels)} | gives(network)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"network{format_.suffix}"
        try:
            with format_.writing(file) as beside:
                convert(network, (height, width), card=card, to=beside, seconds=900)
            scores, told = file_scores(file, pictures.numpy(), seconds=900)
        except MobilevisionError as error:
            return {"error": str(error), "side": height, "commit": commit()}
        copy = deepcopy(network)
        filing = filing_(copy, card, (network.channels, height, width))
        reference = torch_scores(filing.finished(copy), pictures)
        proof = compare(scores, reference, source="photographs", limit=FP32.limit, runtime=format_.runtime_version)
        facts = proof.facts() | {"side": height, "bytes": size(file), "operators": told["operators"]}
        return facts | {"commit": commit()}


def gives(network: Network) -> dict[str, Any]:
    """What a file's card says of dense outputs: those of every anchor, or the scores of pixels."""
    if isinstance(network.arch.head, Classifier):
        return {}
    task = task_of(network.arch, tuple(map(str, range(network.outputs))))
    return task.facts() | {"raw": task.name == "detect", "mask_size": "8"}


def written(results: dict[str, Any]) -> str:
    """The page: a row a network, a column a format."""
    files = results["files"]
    rows = [f"| {name} | {' | '.join(cell(files.get(f'{name} {to}')) for to in FORMATS_HERE)} |" for name in names("*")]
    known = [each for each in files.values() if "largest_difference" in each]
    worst = max((each["largest_difference"] for each in known), default=0.0)
    passed = sum(each["passed"] for each in known)
    commits = sorted({(each["commit"] or "unknown")[:9] for each in files.values()})
    lines = [
        "# Every network of the zoo in four formats, fp32, beside torch",
        "",
        "Written by `benchmarks/zoo_parity.py`. Weights are random with batch norms that took their statistics from",
        f"{known[0]['pictures'] if known else 'the'} photographs, on which files and torch are then compared, each",
        "network at its own picture size. A number is the largest difference of a score as a share of the largest",
        f"score; the limit is {FP32.limit:.0e}. OpenVINO runs with its f32 hint: its default may compute in bfloat16.",
        "Core ML is not among them: off a Mac its files are computed by our own reading of them, not by its runtime.",
        "",
        f"{passed} of {len(files)} files pass, of {len(names('*')) * len(FORMATS_HERE)} asked for; the largest",
        f"difference is {worst:.1e}. Commits: {', '.join(commits)}. Versions: {spelled(results['versions'])}.",
        "",
        f"| network | {' | '.join(FORMATS_HERE)} |",
        f"|---|{'---|' * len(FORMATS_HERE)}",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def cell(told: dict[str, Any] | None) -> str:
    if told is None:
        return "not run yet"
    return f"{told['largest_difference']:.1e}" if "largest_difference" in told else f"error: {told['error'][:80]}"


def spelled(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


if __name__ == "__main__":
    main()
