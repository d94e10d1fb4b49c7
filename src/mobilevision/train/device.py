"""Where a training runs, and how precisely."""

import os

import torch
from lightning_fabric import Fabric

from mobilevision.errors import MissingError, UsageError, nearest

PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
DEVICES = ("auto", "cpu", "cuda", "mps")


def make_fabric(device: str, precision: str) -> Fabric:
    """Lightning Fabric on one device, or under torchrun on one device for each process it started.

    Several processes, on one machine or more, average their gradients (DistributedDataParallel).

    Args:
        device: "auto", "cpu", "cuda" or "mps"; auto takes the fastest that is here.
        precision: "auto", "32", "bf16" or "16" (mixed); auto mixes on CUDA only: on a CPU it is slower.

    Raises:
        UsageError: if a word is not known.
        MissingError: if the device is not here, or cannot compute in that precision.
    """
    device = pick_device(device)
    if precision == "auto":
        precision = "32" if device != "cuda" else "bf16" if torch.cuda.is_bf16_supported() else "16"
    if precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r} is not known; {nearest(precision, [*PRECISIONS, 'auto'])}")
    if precision == "16" and device == "cpu":
        raise MissingError("a CPU does not train in 16 bits of this kind; use --precision bf16 or 32")
    here, everywhere = (int(os.environ.get(name, "1")) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    fabric = Fabric(
        accelerator=device,
        devices=here,
        num_nodes=max(1, everywhere // here),
        strategy="ddp" if everywhere > 1 else "auto",
        precision=PRECISIONS[precision],  # type: ignore[arg-type]  # Fabric lists its words; ours are among them
    )
    if everywhere > 1:
        fabric.launch()
    return fabric


def pick_device(name: str) -> str:
    """The name of a device that is here; "auto" prefers CUDA, then MPS.

    Raises:
        UsageError: if the word is not known.
        MissingError: if the device is not here.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name not in DEVICES:
        raise UsageError(f"device {name!r} is not known; choose one of {', '.join(DEVICES)}")
    if name == "auto":
        return next(device for device, there in here.items() if there)
    if not here[name]:
        raise MissingError(f"there is no {name} device here; use --device auto or cpu")
    return name
