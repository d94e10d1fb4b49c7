"""Other ways to write attention, layer norms and gates, raced in each runtime against the one that is exported.

Files are written first, which needs no quiet and goes on where it was stopped; those that are there are raced then:
    python benchmarks/other_forms.py emo_1m openvino --folder runs/forms --write
    python benchmarks/other_forms.py emo_1m openvino --folder runs/forms --json there.json

All forms compute the same, with the weights of `export_latency.py`, whose "theirs" stands beside them; turns and
intervals are its too. A ratio is a form's time by that of the form that is exported, "ours": above 1 it is slower.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F

import export_latency
from mobilevision import zoo
from mobilevision.blocks.uib import MultiQuery
from mobilevision.deploy.attention import (
    ConvolutionalChannelNorm,
    FirstChannelNorm,
    FirstGridAttention,
    PlainChannelNorm,
    PlainGridAttention,
)
from mobilevision.deploy.formats import find_format
from mobilevision.deploy.prepare import Forms, reform_
from mobilevision.layers import Chain, SqueezeExcite
from racing import NUMBERS, OURS, STARTS, THEIRS, facts, make, place, raced, shown


class Queries(nn.Module):
    """Mobile MQA with the parts of the one that is exported. Shape: (N, cin, H, W) -> (N, out, H, W)."""

    def __init__(self, attention: MultiQuery) -> None:
        super().__init__()
        self.heads, self.dim, self.scale = attention.heads, attention.dim, attention.temperature
        self.query, self.key, self.value = attention.query, attention.key, attention.value
        self.project = attention.project

    def rows(self, x: Tensor) -> Tensor:
        """Pixels as rows. Shape: (N, C, H, W) -> (N, H * W, C)."""
        return x.permute(0, 2, 3, 1).flatten(1, 2)


class WholeQueries(Queries):
    """Both products and the softmax as torch's one operator."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H, W)."""
        n, _, h, w = x.shape
        q = self.rows(self.query(x)).reshape(n, 1, -1, self.dim)
        k, v = (self.rows(part(x))[:, None] for part in (self.key, self.value))
        y = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return self.project(y.reshape(n, h, w, -1).permute(0, 3, 1, 2))


class FirstQueries(Queries):
    """Channels first: the map of weights has a column for each query, so that nothing but heads is moved."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H, W)."""
        n, _, h, w = x.shape
        q = (self.query(x) * self.scale).reshape(n, self.heads, self.dim, h * w)
        k = self.rows(self.key(x))[:, None]  # (N, 1, hw, dim)
        v = self.value(x).flatten(2)[:, None]  # (N, 1, dim, hw)
        y = v @ (k @ q).softmax(2)  # (N, heads, dim, H * W)
        return self.project(y.reshape(n, -1, h, w))


class RowQueries(Queries):
    """Keys as rows, which the first product turns."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H, W)."""
        n, _, h, w = x.shape
        q = self.rows(self.query(x)).reshape(n, -1, self.dim)
        k, v = self.rows(self.key(x)), self.rows(self.value(x))
        y = torch.bmm(torch.bmm(q * self.scale, k.transpose(1, 2)).softmax(-1), v)
        return self.project(y.reshape(n, h, w, -1).permute(0, 3, 1, 2))


class HeadQueries(Queries):
    """A product for each head."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H, W)."""
        n, _, h, w = x.shape
        k, v = self.key(x).flatten(2) * self.scale, self.rows(self.value(x))
        heads = self.rows(self.query(x)).split(self.dim, 2)
        y = torch.cat([torch.bmm(torch.bmm(q, k).softmax(-1), v) for q in heads], 2)
        return self.project(y.reshape(n, h, w, -1).permute(0, 3, 1, 2))


class WholeGrids(FirstGridAttention):
    """Both products and the softmax as torch's one operator."""

    def mixed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Shape: three of (grids, heads, head, pixels) -> the same."""
        q, k, v = (each.transpose(2, 3) for each in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, scale=1.0).transpose(2, 3)


class WholeNorm(nn.Module):
    """A layer norm as torch's one operator, between two permutes. Keeps the shape (N, C, H, W)."""

    def __init__(self, norm: PlainChannelNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        y = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return y.permute(0, 3, 1, 2)


class WeighedProjection(nn.Module):
    """A gate on the weights of the 1x1 convolution that reads the map, not on the map; a product instead of it."""

    def __init__(self, gate: SqueezeExcite, conv: nn.Conv2d) -> None:
        super().__init__()
        self.squeeze, self.excite = gate.squeeze, gate.excite
        self.weight, self.bias = nn.Parameter(conv.weight.detach().flatten(1)), conv.bias

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (1, cin, H, W) -> (1, out, H, W)."""
        weight = self.weight * self.excite(self.squeeze(x.mean((2, 3), keepdim=True))).flatten(1)
        y = x.permute(0, 2, 3, 1).flatten(0, 2) @ weight.T + self.bias
        return y.reshape(1, *x.shape[2:], -1).permute(0, 3, 1, 2)


class PooledGate(nn.Module):
    """A gate whose mean is an average pool. Keeps the shape (N, C, H, W)."""

    def __init__(self, gate: SqueezeExcite) -> None:
        super().__init__()
        self.squeeze, self.excite = gate.squeeze, gate.excite

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        return x * self.excite(self.squeeze(F.avg_pool2d(x, x.shape[2:])))


class SpelledSwish(nn.Module):
    """Hard swish as a sum, a clip and two products. Keeps the shape."""

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        return x * (F.relu6(x + 3) * (1 / 6))


def weighed(part: Chain) -> Chain:
    """A block's chain with its gate on the weights of what reads the map, if it has one."""
    if part._modules.keys() >= {"gate", "project"}:
        part.project.conv = WeighedProjection(part.gate, part.project.conv)
        part.gate = nn.Identity()
    return part


QUERIES: Mapping[str, Forms] = {
    "one operator": {MultiQuery: WholeQueries},
    "channels first": {MultiQuery: FirstQueries},
    "keys as rows": {MultiQuery: RowQueries},
    "a product for each head": {MultiQuery: HeadQueries},
}
GRIDS: Mapping[str, Forms] = {
    "channels first": {PlainGridAttention: FirstGridAttention},
    "channels first, norms too": {PlainGridAttention: FirstGridAttention, PlainChannelNorm: FirstChannelNorm},
    "one operator": {PlainGridAttention: WholeGrids},
    "norms whole": {PlainChannelNorm: WholeNorm},
    "norms whole, channels first": {PlainGridAttention: FirstGridAttention, PlainChannelNorm: WholeNorm},
    "norms as convolutions": {PlainChannelNorm: ConvolutionalChannelNorm},
}
GATES: Mapping[str, Forms] = {
    "gates on weights": {Chain: weighed},
    "means as pools": {SqueezeExcite: PooledGate},
    "hard swish spelled out": {nn.Hardswish: lambda _: SpelledSwish()},
}
FORMS = {
    "mobilenetv3_large_100": GATES,
    "mobilenetv3_small_100": GATES,
    "mobilenetv4_hybrid_medium": QUERIES,
    "emo_1m": GRIDS,
    "emo_5m": GRIDS,
}


def main(
    network: Annotated[str, typer.Argument(help=f"One of {', '.join(FORMS)}.")],
    to: Annotated[str, typer.Argument(help="The format.")],
    folder: Annotated[Path, typer.Option(help="Where the files are kept.")] = Path("runs/forms"),
    numbers: Annotated[str, typer.Option(help="Precisions.")] = ",".join(NUMBERS),
    rounds: Annotated[int, typer.Option(help="Laps of each file, taken in turns.")] = 240,
    write: Annotated[bool, typer.Option("--write", help="Write the files that are missing, race nothing.")] = False,
    out: Annotated[Path | None, typer.Option("--json", help="Also write what came out to this file.")] = None,
) -> None:
    """Write files, or race them."""
    sides = [(side, number) for number in numbers.split(",") for side in (OURS, THEIRS, *FORMS[network])]
    files = {entrant: place(folder, network, entrant[0].replace(" ", "_"), to, entrant[1]) for entrant in sides}
    if write:
        for (side, number), file in files.items():
            job = "other_forms:write_form" if side in FORMS[network] else "export_latency:write"
            make(file, to, job, {"name": network, "side": side, "to": to, "number": number})
        return
    files = {entrant: file for entrant, file in files.items() if file.exists()}
    told = raced(list(files.values()), rounds // STARTS)
    laps = dict(zip(files, told["laps"], strict=True))
    pairs = [((side, number), (OURS, number)) for side, number in files if side != OURS]
    found = facts(network, to, laps, told["load"], pairs=pairs)
    found["pieces"] = {" ".join(entrant): count for entrant, count in zip(files, told["pieces"], strict=True)}
    for name, ratio in found["ratios"].items():
        print(f"{network} {to} {name}: {shown(ratio)}")
    if out:
        out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def write_form(name: str, side: str, to: str, number: str, file: str) -> None:
    """A job: a network with a form in the place of ours, as a file, once it has been seen to compute the same."""
    torch.manual_seed(0)
    size = zoo.arch(name).size
    network = export_latency.ours(name, number, find_format(to)).eval()
    with torch.no_grad():
        picture = torch.randn(1, 3, size, size)
        wanted = network(picture)
        reform_(network, FORMS[name][side])
        torch.testing.assert_close(network(picture), wanted, atol=1e-4 * float(wanted.abs().max()), rtol=0)
    export_latency.save(network, size, to, number, Path(file))


if __name__ == "__main__":
    typer.run(main)
