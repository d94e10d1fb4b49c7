"""Handing a network to an exporter, which works in a process of its own: the two sides of the same desk."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from mobilevision import jobs
from mobilevision.architecture import Arch
from mobilevision.deploy.base import INT8
from mobilevision.deploy.doors import with_doors
from mobilevision.deploy.equalize import correct_, equalize_
from mobilevision.deploy.filing import PLAIN, filing_
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.integers import form_for
from mobilevision.deploy.interface import taken
from mobilevision.deploy.ranges import LOOK, Rounding, find_estimator
from mobilevision.deploy.rounded import rebuilt
from mobilevision.deploy.simulate import sensitivity
from mobilevision.network import Network

MEANS = 64
"""Calibration pictures that tell the means of channels; they are all in memory at a time."""


def convert(
    network: Network, size: tuple[int, int], *, card: dict[str, Any], to: Path, seconds: float, log: Path | None = None
) -> None:
    """Have a network written to a file.

    Args:
        network: what to write.
        size: height and width of a picture.
        card: what stands inside the file; its "format" and "precision" say how to write it.
        to: path of the file.
        seconds: how long it may take.
        log: where the exporter's words go; kept if it fails.

    Raises:
        MobilevisionError: if the exporter crashes or takes too long; names the log.
    """
    with tempfile.TemporaryDirectory() as folder:
        payload = _described(network, size, Path(folder)) | {"card": card, "to": str(to)}
        jobs.call("mobilevision.deploy.handover:write", payload, seconds=seconds, log=log)


def convert_integers(
    network: Network,
    pictures: Tensor,
    *,
    card: dict[str, Any],
    to: Path,
    how: dict[str, Any],
    seconds: float,
    log: Path | None = None,
) -> dict[str, Any]:
    """Have a network written to a file that computes in 8 bits.

    Args:
        network: what to write.
        pictures: calibration pictures. Shape: (N, channels, height, width).
        card: what stands inside the file; its "format" says how to write it.
        to: path of the file.
        how: "ranges", "equalize" and "correct" of a `Quantization`; "wide": which convolutions stay in fp32; "rounded":
            whether the network was trained with its rounding inside, which is then taken as it is; "lost": what an
            earlier call told of the same network, which takes most of the time to find out; none looks anew.
        seconds: how long it may take.
        log: where the exporter's words go; kept if it fails.

    Returns:
        "lost": what each convolution loses when it alone is rounded, worst first: {"layer", "place", "divergence"},
        and "error", what its output is off by in the file, as a share of its root mean square, if the format tells.

    Raises:
        MobilevisionError: if the exporter crashes or takes too long; names the log.
    """
    with tempfile.TemporaryDirectory() as folder:
        shown = Path(folder) / "pictures.safetensors"
        save_file({"pictures": pictures}, shown)
        height, width = pictures.shape[2:]
        payload = _described(network, (height, width), Path(folder))
        payload |= {"card": card, "to": str(to), "pictures": str(shown), "how": how}
        told: dict[str, Any] = jobs.call(
            "mobilevision.deploy.handover:write_integers", payload, seconds=seconds, log=log
        )
        return told


def write(arch: str, outputs: int, shape: Sequence[int], weights: str, card: dict[str, Any], to: str) -> None:
    """The exporter's side: build the network again, prepare it for phones, and write it.

    Args:
        arch: the architecture as JSON.
        outputs: of its head.
        shape: channels, height and width of a picture.
        weights: path of its tensors, a safetensors file.
        card: what stands inside the file; its "format" and "precision" say how to write it.
        to: path of the file.
    """
    format_ = find_format(card["format"])
    precision = find_precision(format_, card["precision"])
    network = _rebuilt(arch, outputs, shape, weights)
    filing = filing_(network, card, _sides(shape))
    ready = with_doors(filing.finished(form_for(network, format_, precision)), card)
    format_.export(ready, _sides(shape), card, Path(to), precision)


def write_integers(
    arch: str,
    outputs: int,
    shape: Sequence[int],
    weights: str,
    card: dict[str, Any],
    to: str,
    pictures: str,
    how: dict[str, Any],
) -> dict[str, Any]:
    """The exporter's side for 8 bits: prepare for integers, write in fp32, and round that.

    Args:
        arch: the architecture as JSON.
        outputs: of its head.
        shape: channels, height and width of a picture.
        weights: path of its tensors, a safetensors file.
        card: what stands inside the file; its "format" says how to write it.
        to: path of the file.
        pictures: path of the calibration pictures, a safetensors file.
        how: see `convert_integers`.

    Returns:
        See `convert_integers`.
    """
    format_ = find_format(card["format"])
    assert format_.quantize is not None
    shown = load_file(pictures)["pictures"]
    rounding = Rounding(find_estimator(how["ranges"]), how["wide"])
    filing = PLAIN
    if how["rounded"]:
        trained = rebuilt(Arch.from_json(arch), outputs, shape[0], _sides(shape)[1:], load_file(weights))
        network, rounding = trained.exact(), replace(rounding, trained=trained.trained(shown))
        lost = how.get("lost") or sensitivity(network, shown[:LOOK])
    else:
        opened = _rebuilt(arch, outputs, shape, weights)
        filing = filing_(opened, card, _sides(shape))
        network = form_for(opened, format_, INT8)
        if how["equalize"]:
            equalize_(network, shown)
        lost = how.get("lost") or sensitivity(filing.rows(network), shown[:LOOK])
        if how["correct"]:
            correct_(network, shown[:MEANS])
    ready, pictures_taken = with_doors(filing.finished(network), card), taken(shown.numpy(), card)
    off = format_.quantize(ready, pictures_taken, card, Path(to), rounding)
    return {"lost": [each | {"error": off.get(each["place"])} for each in lost]}


def _described(network: Network, size: tuple[int, int], folder: Path) -> dict[str, Any]:
    """A network as plain JSON, its weights in a file of `folder`."""
    weights = folder / "weights.safetensors"
    save_file({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}, weights)
    return {
        "arch": network.arch.to_json(),
        "outputs": network.outputs,
        "shape": [network.channels, *size],
        "weights": str(weights),
    }


def _rebuilt(arch: str, outputs: int, shape: Sequence[int], weights: str) -> Network:
    network = Network(Arch.from_json(arch), outputs, channels=shape[0])
    network.load_state_dict(load_file(weights))
    return network


def _sides(shape: Sequence[int]) -> tuple[int, int, int]:
    channels, height, width = shape
    return channels, height, width
