"""Published latencies of phones, and the ridge points at which the roofline tells them best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional import spearman_corrcoef

from mobilevision.cost import roofline, walk
from mobilevision.zoo import arch

Array = NDArray[np.float64]
RESAMPLES = 500
NONE = math.nan

NETWORKS = (  # name, width, size of the image, and then ms as in arXiv:2404.10518, table 6, a device of DEVICES each
    ("mobilenetv2", 0.5, 224, (2.4, 0.7, 0.5, 2.9, 8.3, 1.8, 1.9)),
    ("mobilenetv3_large", 0.5, 224, (2.4, 0.8, 0.45, 3.5, 9.9, 2.0, 2.1)),
    ("mobilenetv2", 1.0, 224, (5.0, 0.7, 0.7, 3.9, 13.6, 4.1, 2.5)),
    ("mobilenetv4_conv_small", None, 224, (2.4, 0.7, 0.6, 2.4, 8.4, 1.8, 2.0)),
    ("mobilenetv1", 1.0, 224, (6.1, 0.8, 0.7, 3.2, 13.0, 4.6, 2.1)),
    ("mobilenetv2", 1.5, 224, (9.3, 0.9, 1.0, 5.6, 16.4, 7.3, 3.3)),
    ("mobilenetv2", 2.0, 224, (13.9, 1.1, 1.5, 6.9, 19.1, 10.6, 4.2)),
    ("mobilenetv4_conv_medium", None, 256, (11.4, 1.1, 1.1, 7.3, 18.1, 8.6, 4.1)),
    ("mobilenetv4_hybrid_medium", None, 256, (14.3, 1.5, NONE, NONE, 17.9, 10.8, 5.9)),
    ("mobilenetv4_conv_large", None, 384, (59.9, 2.4, 3.0, 20.8, 37.6, 43.0, 13.2)),
    ("mobilenetv4_hybrid_large", None, 384, (87.6, 3.8, NONE, NONE, 61.3, 61.8, 18.1)),
)


class Device(NamedTuple):
    """A device of table 6, and what the paper found for it on many more networks (table 16).

    Attributes:
        name: what it is.
        ridge: the paper's ridge point, multiply-accumulates a byte; None where it gives none.
        rank: the paper's rank correlation of the roofline with the latencies.
        macs_rank: the same of multiply-accumulates alone.
    """

    name: str
    ridge: float | None = None
    rank: float | None = None
    macs_rank: float | None = None


DEVICES = (
    Device("Pixel 6 CPU", 31.2, 0.973, 0.962),
    Device("Pixel 8 EdgeTPU", 433.8, 0.973, 0.857),
    Device("iPhone 13 Neural Engine"),
    Device("Pixel 4 Hexagon", 347.3, 0.962, 0.758),
    Device("Pixel 7 GPU"),
    Device("Galaxy S23 CPU", 39.7, 0.962, 0.940),
    Device("Galaxy S23 GPU"),
)


@dataclass(frozen=True)
class Fit:
    """How well the roofline tells a device's latencies.

    Attributes:
        device: whose.
        networks: how many of `NETWORKS` it ran.
        ridge: the middle of the ridge points whose rank correlation is the highest.
        rank: that rank correlation.
        interval: of 95 %, over networks drawn again, at that ridge point.
        macs_rank: rank correlation of multiply-accumulates alone.
        times_ridge: the ridge point that tells the times best, up to one factor.
        times_error: the spread of the times about that, as a fraction.
        macs_error: the same for multiply-accumulates alone.
    """

    device: Device
    networks: int
    ridge: float
    rank: float
    interval: tuple[float, float]
    macs_rank: float
    times_ridge: float
    times_error: float
    macs_error: float


def fits(ridges: Sequence[float] = tuple(map(float, range(501)))) -> tuple[Fit, ...]:
    """A fit for each device; the first of `ridges` must be 0."""
    rows = [walk(arch(name, width=width) if width else arch(name), size) for name, width, size, _ in NETWORKS]
    modeled = np.array([[roofline(each, ridge=ridge) for ridge in ridges] for each in rows])
    measured = np.array([ms for *_, ms in NETWORKS])
    return tuple(_fit(device, modeled, measured[:, place], ridges) for place, device in enumerate(DEVICES))


def _fit(device: Device, modeled: Array, measured: Array, ridges: Sequence[float]) -> Fit:
    """Shapes: modeled (networks, ridges), measured (networks), with nan where a network did not run."""
    ran = ~np.isnan(measured)
    modeled, measured = modeled[ran], measured[ran]
    ranks = [_rank(modeled[:, at], measured) for at in range(len(ridges))]
    top = [at for at, rank in enumerate(ranks) if rank == max(ranks)]
    best = top[len(top) // 2]
    errors = np.std(np.log(modeled) - np.log(measured)[:, None], axis=0)
    return Fit(
        device,
        int(ran.sum()),
        ridges[best],
        ranks[best],
        _interval(modeled[:, best], measured),
        ranks[0],
        ridges[int(errors.argmin())],
        float(errors.min()),
        float(errors[0]),
    )


def _rank(modeled: Array, measured: Array) -> float:
    """Spearman's rank correlation; equal values share their rank."""
    return float(spearman_corrcoef(torch.from_numpy(modeled.copy()), torch.from_numpy(measured.copy())))


def _interval(modeled: Array, measured: Array) -> tuple[float, float]:
    """Of 95 %, by drawing networks again; draws of one network alone have no ranks and are left out."""
    chance = np.random.default_rng(0)
    draws = (chance.integers(0, len(measured), len(measured)) for _ in range(RESAMPLES))
    ranks = [_rank(modeled[draw], measured[draw]) for draw in draws if len(set(measured[draw])) > 1]
    low, high = np.quantile(ranks, (0.025, 0.975))
    return float(low), float(high)
