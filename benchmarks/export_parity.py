"""How far exported files are from torch, for networks of the zoo, format by format: a table and JSON.

    python benchmarks/export_parity.py PICTURES --to parity.json [--networks 'mobilenetv4*'] [--formats litert,onnx]

Weights are random, but the batch norms take their statistics from the pictures: fresh statistics prove nothing. A
difference is the largest absolute difference of a score as a share of the largest score, in fp32 held to 1e-4. Results
are written after each file, and a file that has its result already is not made again, so a long run can go on later.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mobilevision.data.pictures import find_pictures, open_picture
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.base import Format, versions
from mobilevision.deploy.formats import FORMATS, find_format, find_precision
from mobilevision.deploy.handover import convert
from mobilevision.deploy.proof import compare, file_scores, torch_scores
from mobilevision.errors import MobilevisionError
from mobilevision.files import size, write_json
from mobilevision.models import create_model
from mobilevision.network import Network
from mobilevision.zoo import list_models


def main() -> None:
    """Prove each network in each format."""
    asked = arguments()
    torch.manual_seed(0)
    results: dict[str, Any] = json.loads(asked.to.read_text()) if asked.to.is_file() else {"differences": {}}
    results |= {"precision": asked.precision, "versions": versions("torch", *packages())}
    for name in list_models(asked.networks):
        network = create_model(name)
        pictures = prepared(asked.pictures, network.arch.size, count=asked.count)
        has_seen_(network, pictures)
        for to in asked.formats.split(","):
            key = f"{name} {to}"
            if key in results["differences"]:
                continue
            found = proven(network, pictures, find_format(to), precision=asked.precision)
            results["differences"][key] = found
            print(f"{key:50} {found.get('largest_difference', found.get('error'))}", flush=True)
            write_json(asked.to, results)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="folder of photographs")
    parser.add_argument("--to", type=Path, default=Path("export_parity.json"))
    parser.add_argument("--networks", default="*", help="pattern of names")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--count", type=int, default=64, help="pictures at most")
    return parser.parse_args()


def packages() -> list[str]:
    return [package for each in FORMATS.values() for package in (*each.exporter, each.runtime)]


def prepared(folder: Path, side: int, *, count: int) -> Tensor:
    """Shape: (N, 3, side, side)."""
    files = find_pictures(folder)
    preprocessing = Preprocessing((side, side))
    chosen = files[:: max(1, len(files) // count)][:count]
    return torch.stack([preprocessing.tensor(open_picture(file)) for file in chosen])


def has_seen_(network: Network, pictures: Tensor) -> None:
    """Let batch norms take their statistics from the pictures."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain mean over what is seen
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        network.train()(pictures[:8])
    network.eval()


def proven(network: Network, pictures: Tensor, format_: Format, *, precision: str) -> dict[str, Any]:
    """The proof of one file, or why there is none."""
    number = find_precision(format_, precision)
    height, width = pictures.shape[2:]
    card = {"format": format_.name, "precision": precision, "labels": list(network.labels)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"network{format_.suffix}"
        try:
            with format_.writing(file) as beside:
                convert(network, (height, width), card=card, to=beside, seconds=900)
            scores, told = file_scores(file, pictures.numpy(), seconds=900)
        except MobilevisionError as error:
            return {"error": str(error)}
        reference = torch_scores(network, pictures)
        runtime = format_.runtime_version
        proof = compare(scores, reference, source="photographs", limit=number.limit, runtime=runtime)
        return proof.facts() | {"bytes": size(file), "operators": told["operators"]}


if __name__ == "__main__":
    main()
