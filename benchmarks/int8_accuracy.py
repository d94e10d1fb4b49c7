"""How much of a network's accuracy its files in 8 bits keep: each in its own runtime, beside torch in float32.

    python benchmarks/int8_accuracy.py photographs --weights mobilenet_v2-b0353104.pth --data FOLDER --to litert
    python benchmarks/int8_accuracy.py run RUN --to litert,onnx,executorch
    python benchmarks/int8_accuracy.py qat RUN RUN-int8 --to litert,onnx,executorch

"photographs" needs no labels: it asks how often an ImageNet network in 8 bits names the same class as in float32. "run"
writes a trained run in 8 bits and judges the file on the run's test pictures, which neither training nor calibration
has seen; "qat" does so with a run that was trained on with its rounding inside, beside the float32 run it started from.
Each result goes into the JSON file under its name, beside those of earlier calls.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mobilevision.data.pictures import find_pictures, open_picture
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.base import Array
from mobilevision.deploy.formats import find_format
from mobilevision.deploy.handover import convert_integers
from mobilevision.deploy.proof import accuracy, file_scores, torch_scores
from mobilevision.deploy.quantize import Quantization, divergence
from mobilevision.deploy.ranges import USUAL
from mobilevision.deploy.rounded import is_rounded, open_run
from mobilevision.deploy.shown import calibration_pictures, readable, run_data
from mobilevision.files import write_json
from mobilevision.models import create_model
from mobilevision.network import Network
from mobilevision.run import Run, processor

PACKAGED = (("sklearn.datasets", "images/china.jpg"), ("sklearn.datasets", "images/flower.jpg"))
PACKAGED += (("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),)
CROPS = 40
"""Crops of each photograph that are judged on."""

SECONDS = 1800.0


def main() -> None:
    options = read_options()
    torch.set_num_threads(1)
    for name, result in options.measure(options):
        told = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
        told[name] = result | {"machine": processor(), "date": time.strftime("%Y-%m-%d")}
        write_json(options.out, told)
        print(name, json.dumps({key: value for key, value in result.items() if key != "layers"}), flush=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    photographs = verbs.add_parser("photographs")
    photographs.add_argument(
        "--weights", type=Path, required=True, help="an ImageNet MobileNetV2, as torchvision saves it"
    )
    photographs.add_argument("--data", type=Path, required=True, help="folder with photos/, sign_digits/ and bccd/")
    photographs.set_defaults(measure=of_photographs)
    run = verbs.add_parser("run")
    run.add_argument("run", type=Path)
    run.set_defaults(measure=of_run)
    qat = verbs.add_parser("qat")
    qat.add_argument("start", type=Path)
    qat.add_argument("run", type=Path)
    qat.set_defaults(measure=of_qat)
    for verb in (photographs, run, qat):
        verb.add_argument("--to", default="litert,onnx,executorch")
        verb.add_argument("--ranges", default=USUAL)
        verb.add_argument("--plain", action="store_true", help="no equalization and no bias correction")
        verb.add_argument("--out", type=Path, default=Path("int8_accuracy.json"))
    return parser.parse_args()


def of_photographs(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Agreement of an ImageNet network with itself in 8 bits, set by set, calibrated apart from what is judged."""
    network = create_model("mobilenetv2_100", pretrained=options.weights).eval()
    for name, (shown, judged) in picture_sets(options.data, network.preprocessing).items():
        reference = torch_scores(network, judged)
        for to in options.to.split(","):
            scores, told = in_integers(network, shown, judged, to=to, options=options)
            yield f"photographs/{name}/{to}{kind(options)}", compared(scores, reference) | told


def of_run(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Accuracy of a run's files in 8 bits on its test pictures, and their agreement with float32."""
    yield from judged_run(options, reference=options.run)


def of_qat(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same of a run that was trained on with its rounding inside, beside the run it started from."""
    yield from judged_run(options, reference=options.start)


def judged_run(options: argparse.Namespace, *, reference: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    run = Run.open(options.run)
    model, data = open_run(run.folder), run_data(run)
    shown = calibration_pictures(data, model, count=Quantization().calibrate)
    known = {sample.file: sample.labels for sample in data.test}
    files, judged = readable(list(known), model)
    labels = [known[file] for file in files]
    right = torch_scores(open_run(reference).network, judged)
    own = torch_scores(model.network, judged)
    for to in options.to.split(","):
        scores, told = in_integers(model.network, shown, judged, to=to, options=options, run=run)
        result = compared(scores, right) | accuracies(labels, float32=right, file=scores)
        if is_rounded(run.folder):
            result |= {"accuracy_rounded_torch": accuracy(own, labels), "agreement_rounded": agreement(scores, own)}
        yield (
            f"{run.folder.name}/{to}{kind(options)}",
            {"arch": run.arch.name, "size": judged.shape[-1]} | result | told,
        )


def in_integers(
    network: Network, shown: Tensor, judged: Tensor, *, to: str, options: argparse.Namespace, run: Run | None = None
) -> tuple[Array, dict[str, Any]]:
    """The scores of a file in 8 bits in its own runtime, and the layers that are off most."""
    plain = not options.plain
    how = asdict(Quantization(ranges=options.ranges, equalize=plain, correct=plain)) | {"wide": []}
    how["rounded"] = run is not None and is_rounded(run.folder)
    card = {"format": to, "precision": "int8", "labels": []}
    format_ = find_format(to)
    with tempfile.TemporaryDirectory() as folder, format_.writing(Path(folder) / f"network{format_.suffix}") as file:
        told = convert_integers(network, shown, card=card, to=file, how=how, seconds=SECONDS)
        scores, facts = file_scores(file, judged.numpy(), seconds=SECONDS)
    layers = [{name: each[name] for name in ("layer", "divergence", "error")} for each in told["lost"][:5]]
    return scores, {"calibration": len(shown), "layers": layers, "operators": facts["operators"]}


def compared(scores: Array, reference: Array) -> dict[str, Any]:
    sure = torch.from_numpy(reference).softmax(1).amax(1).numpy()
    return {
        "pictures": len(scores),
        "agreement": agreement(scores, reference),
        "agreement_where_sure": agreement(scores[sure >= 0.5], reference[sure >= 0.5]),
        "sure": float((sure >= 0.5).mean()),
        "divergence": divergence(reference, scores),
    }


def accuracies(labels: Sequence[tuple[int, ...]], **scores: Array) -> dict[str, Any]:
    return {f"accuracy_{name}": accuracy(each, labels) for name, each in scores.items()}


def agreement(one: Array, other: Array) -> float:
    return float((one.argmax(1) == other.argmax(1)).mean()) if len(one) else float("nan")


def kind(options: argparse.Namespace) -> str:
    plain = "/plain" if options.plain else ""
    return plain if options.ranges == USUAL else f"/{options.ranges}{plain}"


def picture_sets(data: Path, preprocessing: Preprocessing) -> dict[str, tuple[Tensor, Tensor]]:
    """For each set: what calibrates, and what is judged; never crops of the same photograph."""
    photographs = sorted(find_pictures(data / "photos"))
    photographs += [Path(str(files(package) / name)) for package, name in PACKAGED]
    hands = [sorted(find_pictures(data / "sign_digits" / split)) for split in ("train", "test")]
    blood = sorted(find_pictures(data / "bccd" / "images"))
    one, other = photographs[::2], photographs[1::2]
    crops = {path: cropped(path, preprocessing, count=CROPS, seed=i) for i, path in enumerate(photographs)}
    even, odd = (torch.cat([crops[path] for path in half]) for half in (one, other))
    return {
        "ImageNet-like photographs, even": (some(odd, 128), even),
        "ImageNet-like photographs, odd": (some(even, 128), odd),
        "hands (not in ImageNet)": (whole(hands[0][::12][:128], preprocessing), whole(hands[1], preprocessing)),
        "blood cells (not in ImageNet)": (whole(blood[:128], preprocessing), whole(blood[128:328], preprocessing)),
    }


def cropped(path: Path, preprocessing: Preprocessing, *, count: int, seed: int) -> Tensor:
    """Random crops of a fifth of the area or more, half of them mirrored."""
    chance, image = np.random.default_rng(seed), open_picture(path)
    found = []
    for _ in range(count):
        side = int(min(image.size) * chance.uniform(0.45, 1.0))
        left, top = (int(chance.integers(0, length - side + 1)) for length in image.size)
        crop = image.crop((left, top, left + side, top + side))
        if chance.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        found.append(preprocessing.tensor(crop))
    return torch.stack(found)


def some(pictures: Tensor, count: int) -> Tensor:
    return pictures[torch.linspace(0, len(pictures) - 1, count).long()]


def whole(paths: Sequence[Path], preprocessing: Preprocessing) -> Tensor:
    return torch.stack([preprocessing.tensor(open_picture(path)) for path in paths])


if __name__ == "__main__":
    main()
