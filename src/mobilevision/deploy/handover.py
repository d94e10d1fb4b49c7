"""Handing a network to an exporter, which works in a process of its own: the two sides of the same desk."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from mobilevision import jobs
from mobilevision.architecture import Arch
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.prepare import deployable
from mobilevision.network import Network


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
        weights = Path(folder) / "weights.safetensors"
        save_file({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}, weights)
        payload = {
            "arch": network.arch.to_json(),
            "outputs": network.outputs,
            "shape": [network.channels, *size],
            "weights": str(weights),
            "card": card,
            "to": str(to),
        }
        jobs.call("mobilevision.deploy.handover:write", payload, seconds=seconds, log=log)


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
    channels, height, width = shape
    network = Network(Arch.from_json(arch), outputs, channels=channels)
    network.load_state_dict(load_file(weights))
    format_ = find_format(card["format"])
    precision = find_precision(format_, card["precision"])
    format_.export(deployable(network), (channels, height, width), card, Path(to), precision)
