"""A network with its rounding inside, as torchao's PT2E prepares it for training and converts it for ExecuTorch.

Weights have a scale for each output and are symmetric; maps have a scale and a zero for each tensor. LiteRT, ONNX
Runtime and ExecuTorch's XNNPACK all take that, so what is trained with this rounding keeps its accuracy in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, fx, nn
from torchao.quantization.pt2e import FakeQuantizeBase
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e
from torchao.quantization.pt2e.quantizer import (
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)

from mobilevision.deploy.attention import ConvolutionalChannelNorm, PlainChannelNorm
from mobilevision.deploy.base import Array
from mobilevision.deploy.doors import blank
from mobilevision.deploy.ranges import Mark, Range, Rounding, marks, told
from mobilevision.deploy.regions import owners, region
from mobilevision.deploy.tails import Operation, tail
from mobilevision.network import Network

aten = torch.ops.aten
CONVOLUTION, CLIP, MOVE = "convolution", "clip", "move"
CONVOLUTIONS = {aten.conv2d.default, aten.conv2d.padding}
CLIPS = {aten.relu.default, aten.relu_.default, aten.relu6.default, aten.hardtanh.default, aten.hardtanh_.default}
SAME = {  # what moves values without changing any; the zeros of a pad are on every grid
    *(aten.permute.default, aten.transpose.int, aten.reshape.default, aten.view.default, aten.flatten.using_ints),
    *(aten.slice.Tensor, aten.select.int, aten.contiguous.default, aten.squeeze.dim, aten.unsqueeze.default),
    aten.pad.default,
}
SUMS = {aten.add.Tensor, aten.mul.Tensor}
STILL = (MOVE, "get_attr", "output")
"""Kinds of nodes that change no value."""
NORMS = (PlainChannelNorm, ConvolutionalChannelNorm)
ALONE = {aten.sub.Tensor, aten.rsqrt.default, aten.softmax.int, aten.unbind.int}
"""What stays in float32: differences and roots lose all in 8 bits; the others are not single tensors."""

EVEN = 0.1
"""The root mean square of an output's weights while they are trained: about that of a network before its norms are
folded, for which the usual learning rates are meant."""


class RoundedWeight(FakeQuantizeBase):  # type: ignore[misc]  # torchao is not typed
    """A weight as 8 bits hold it: on a symmetric grid of 255 for each output, which follows the weight.

    What comes in may be counted in a unit of each output, as `even_` sets it.
    """

    dtype, quant_min, quant_max = torch.int8, -127, 127
    qscheme, ch_axis, is_dynamic = torch.per_channel_symmetric, 0, False

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(1)
        self.register_buffer("unit", torch.ones(1, 1, 1, 1))

    @classmethod
    def with_args(cls, **_: object) -> type[RoundedWeight]:
        """The class itself, which says all that a specification says."""
        return cls

    def forward(self, weight: Tensor) -> Tensor:
        """Keeps the shape; gradients pass as if nothing were rounded."""
        weight = weight * self.unit
        self.scale = weight.detach().flatten(1).abs().amax(1).clamp(min=1e-12) / self.quant_max
        if not self.fake_quant_enabled[0]:
            return weight
        zeros = torch.zeros(len(weight), dtype=torch.int32, device=weight.device)
        return torch.fake_quantize_per_channel_affine(weight, self.scale, zeros, 0, self.quant_min, self.quant_max)

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero of each output, of the weight seen last."""
        return self.scale, torch.zeros(len(self.scale), dtype=torch.int64)


class RoundedMap(FakeQuantizeBase):  # type: ignore[misc]  # torchao is not typed
    """A map as 8 bits hold it: on a grid of 256 over a range that is calibrated first and stretched by training.

    The gradient of the stretch weighs what is clipped against what is rounded (arXiv:1902.08153, section 2.1, for the
    logarithm of the step).
    """

    dtype, quant_min, quant_max = torch.int8, -128, 127
    qscheme, is_dynamic = torch.per_tensor_affine, False

    def __init__(self) -> None:
        super().__init__()
        self.stretch = nn.Parameter(torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("zero", torch.zeros(1, dtype=torch.int32))

    @classmethod
    def with_args(cls, **_: object) -> type[RoundedMap]:
        """The class itself, which says all that a specification says."""
        return cls

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape; gradients pass where nothing is clipped."""
        if not self.fake_quant_enabled[0]:
            return x
        by = self.stretch.exp()
        low, high = self.quant_min, self.quant_max
        return torch.fake_quantize_per_tensor_affine(x / by, self.scale, self.zero, low, high) * by

    @torch.no_grad()
    def cover_(self, low: float, high: float) -> None:
        """Take a range, widened so that 0 is on the grid."""
        low, high = min(low, 0.0), max(high, 0.0)
        step = max(high - low, 1e-9) / (self.quant_max - self.quant_min)
        self.scale.fill_(step)
        self.zero.fill_(max(self.quant_min, min(self.quant_max, round(self.quant_min - low / step))))
        self.stretch.zero_()

    @property
    def range(self) -> Range:
        """What the grid covers, from its least to its largest value."""
        step, zero = self.scale.item() * self.stretch.exp().item(), self.zero.item()
        return (self.quant_min - zero) * step, (self.quant_max - zero) * step

    def calculate_qparams(self) -> tuple[Tensor, Tensor]:
        """Scale and zero of the grid."""
        return self.scale * self.stretch.detach().exp(), self.zero.to(torch.int64)


WEIGHT = QuantizationSpec(
    torch.int8, RoundedWeight, quant_min=-127, quant_max=127, qscheme=torch.per_channel_symmetric, ch_axis=0
)
MAP = QuantizationSpec(torch.int8, RoundedMap, quant_min=-128, quant_max=127, qscheme=torch.per_tensor_affine)


class EveryMap(Quantizer):  # type: ignore[misc]  # torchao is not typed
    """Rounds the weights of convolutions and each map once, where it is made.

    A layer norm computes in float32, and so does what stands behind the last convolutions, see `tails`.

    Args:
        wide: which convolutions keep weights and maps in float32, counted from 0 in the order in which they run.
        moved: whether a map that is only moved is marked once more, as a runtime asks to see that it is in integers.
    """

    def __init__(self, wide: Sequence[int] = (), *, moved: bool = False) -> None:
        super().__init__()
        self.wide, self.moved = set(wide), moved

    def transform_for_annotation(self, model: fx.GraphModule) -> fx.GraphModule:
        """Numbers that are added or multiplied become tensors, which can be rounded."""
        for node in list(model.graph.nodes):
            if node.target in SUMS and _is_map(node) and isinstance(node.args[1], int | float):
                name = f"number_{node.name}"
                axes = [1] * node.meta["val"].dim()  # XNNPACK's layout pass moves a map to meet what has fewer
                model.register_buffer(name, torch.full(axes, float(node.args[1])))
                with model.graph.inserting_before(node):
                    node.args = (node.args[0], model.graph.get_attr(name))
        model.recompile()
        return model

    def annotate(self, model: fx.GraphModule) -> fx.GraphModule:
        """Say of each node what is rounded."""
        operations = [_operation(node) for node in model.graph.nodes]
        places, exact = owners(operations, (CONVOLUTION,)), region(operations, (CONVOLUTION,), self.wide)
        behind = {each.makes[0] for each in tail(operations, (CONVOLUTION,), STILL, (CLIP,))}
        for i, node in enumerate(model.graph.nodes):
            if places[node.name] in self.wide or node.name in behind or _stays_exact(node):
                continue
            weights = {node.args[1]: WEIGHT} if operations[i].kind == CONVOLUTION and i not in exact else {}
            node.meta["quantization_annotation"] = QuantizationAnnotation(
                input_qspec_map=weights, output_qspec=self._result(model, node), _annotated=True
            )
        return model

    def validate(self, model: fx.GraphModule) -> None:
        """Nothing to refuse: what is not known stays in float32."""

    def _result(self, model: fx.GraphModule, node: fx.Node) -> QuantizationSpec | SharedQuantizationSpec | None:
        """How a node's value is rounded, if it is."""
        if node.op == "get_attr":
            return MAP if str(node.target).startswith("number_") else None
        if node.op not in ("placeholder", "call_function") or node.target in ALONE or not _is_map(node):
            return None
        readers = list(node.users)
        if len(readers) == 1 and readers[0].target in CLIPS:
            return None
        return self._moved(node) if node.target in SAME and not _norm(node) else MAP

    def _moved(self, node: fx.Node) -> SharedQuantizationSpec | None:
        """How a map that is only moved is rounded: as it was before."""
        source = node.all_input_nodes[0]
        made = source.meta.get("quantization_annotation") if self.moved else None
        return SharedQuantizationSpec(source) if made is not None and made.output_qspec is not None else None


class RoundedNetwork(Network):
    """A network that rounds as it computes, to be trained; its weights are those of the integer form.

    Args:
        network: in the form that `integer_form` gives.
        program: what `prepared` gives of it.
    """

    def __init__(self, network: Network, program: fx.GraphModule) -> None:
        nn.Module.__init__(self)
        self.arch, self.outputs, self.channels = network.arch, network.outputs, network.channels
        self.labels, self.preprocessing = network.labels, network.preprocessing
        self.stages, self.head = nn.ModuleList(), nn.Identity()  # nothing is left to chance in the program
        self.program = program
        self._exact = (network,)  # in a tuple, so that its weights are not counted twice

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N, outputs)."""
        scores: Tensor = self.program(x)
        return scores

    def train(self, mode: bool = True) -> RoundedNetwork:
        """Training changes nothing of how the program computes: its norms are folded."""
        self.training = mode
        return self

    def exact(self) -> Network:
        """The network in the integer form, with the weights as they are before any rounding."""
        own = {name: value.detach() for name, value in self.program.named_parameters() if ".stretch" not in name}
        own |= {name: own[name] * module.unit for name, module in weights_of(self.program).items()}
        network = deepcopy(self._exact[0])
        network.load_state_dict(own)
        return network

    def trained(self, pictures: Tensor) -> list[tuple[Mark, Range]]:
        """The range of each map as training left it, with the map's mark on some pictures."""
        maps = maps_of(self.program)
        return [(mark, maps[name].range) for name, mark in marks(lambda: exact_maps(self.program, pictures)).items()]


def rounded_network(network: Network, size: tuple[int, int]) -> RoundedNetwork:
    """A network with its rounding inside, over ranges that are still to be told.

    Args:
        network: in the form that `integer_form` gives; not touched.
        size: height and width of a picture.
    """
    program = prepared(deepcopy(network), (network.channels, *size))  # it would share its weights with the network
    even_(program)
    return RoundedNetwork(network, program)


def integer_program(network: nn.Module, pictures: Array, how: Rounding) -> fx.GraphModule:
    """A network with integers in it, as ExecuTorch takes it, for one picture at a time.

    Args:
        network: in the form that `integer_form` gives; not touched.
        pictures: calibration pictures. Shape: (N, channels, height, width).
        how: what tells the ranges.
    """
    channels, height, width = pictures.shape[1:]
    program, shown = prepared(network, (channels, height, width), wide=how.wide, one=True), torch.from_numpy(pictures)
    settle_(program, shown, how)
    program(shown[:1])  # the scales of the weights are those of the weights that ran last
    integers: fx.GraphModule = convert_pt2e(program)
    return integers


def prepared(
    network: nn.Module, shape: tuple[int, int, int], *, wide: Sequence[int] = (), one: bool = False
) -> fx.GraphModule:
    """A network as a program that rounds as it computes.

    Args:
        network: whose norms are folded; not touched.
        shape: channels, height and width of a picture.
        wide: which convolutions stay in float32, counted from 0 in the order in which they run.
        one: whether it takes one picture at a time, to be converted, or any number, to be trained.
    """
    pictures = blank(network, 1 if one else 2, shape)
    shapes = None if one else ({0: torch.export.Dim.DYNAMIC},)
    exported = torch.export.export(network.eval(), (pictures,), dynamic_shapes=shapes)
    program: fx.GraphModule = prepare_qat_pt2e(exported.module(check_guards=False), EveryMap(wide, moved=one))
    return program.requires_grad_()


def settle_(program: fx.GraphModule, pictures: Tensor, how: Rounding) -> None:
    """Take the ranges that training found, or calibration pictures tell. Shape: (N, channels, height, width)."""
    maps = maps_of(program)
    for name, (low, high) in told(lambda: exact_maps(program, pictures), how).items():
        maps[name].cover_(low, high)


@torch.no_grad()
def even_(program: fx.GraphModule) -> None:
    """Count the weights of each output in a unit in which they are as large as any other's.

    Where norms and layer scales are folded, the weights of one layer are a fiftieth of another's. An optimizer whose
    steps are of one length for all, as Adam's, would undo the first in a few steps and leave the second where it was.
    """
    parameters = dict(program.named_parameters())
    for name, module in weights_of(program).items():
        size = parameters[name].square().mean((1, 2, 3), keepdim=True).sqrt()
        module.unit = torch.where(size > 0, size / EVEN, 1.0)
        parameters[name].div_(module.unit)


def weights_of(program: fx.GraphModule) -> dict[str, RoundedWeight]:
    """What rounds each weight, by the weight's name."""
    modules = dict(program.named_modules())
    rounding = [node for node in program.graph.nodes if isinstance(modules.get(str(node.target)), RoundedWeight)]
    return {str(node.args[0].target): modules[node.target] for node in rounding}


def maps_of(program: fx.GraphModule) -> dict[str, RoundedMap]:
    """What rounds each map, by the name of the node that makes it."""
    modules = dict(program.named_modules())
    found: dict[str, RoundedMap] = {}
    for node in program.graph.nodes:
        module = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(module, RoundedMap) and module not in found.values():
            found[node.args[0].name] = module
    return found


@torch.no_grad()
def exact_maps(program: fx.GraphModule, pictures: Tensor) -> Iterator[Mapping[str, Array]]:
    """The maps as they are without any rounding, by name, for one picture after another."""
    seen: dict[str, Array] = {}

    def keep(name: str, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen[name] = given[0].numpy()

    hooks = [module.register_forward_pre_hook(partial(keep, name)) for name, module in maps_of(program).items()]
    _round_(program, on=False)
    for picture in pictures:
        program(picture[None])
        yield seen
    _round_(program, on=True)
    for hook in hooks:
        hook.remove()


def _round_(program: fx.GraphModule, *, on: bool) -> None:
    for part in program.modules():
        if isinstance(part, FakeQuantizeBase):
            part.enable_fake_quant(on)


def _operation(node: fx.Node) -> Operation:
    """A node as `regions` reads it; what a layer norm's means are computed by is none of the network's convolutions."""
    kind = MOVE if node.target in SAME else CLIP if node.target in CLIPS else node.op
    if node.target in CONVOLUTIONS and not _norm(node):
        kind = CONVOLUTION
    return Operation(kind, tuple(each.name for each in node.all_input_nodes), (node.name,))


def _stays_exact(node: fx.Node) -> bool:
    """Whether a node's value never leaves its layer norm, whose squares would lose in 8 bits what it is to even out."""
    readers = {_norm(each) for each in node.users}
    if node.op == "get_attr":  # a number, which was taken out of the norm to be rounded
        return bool(readers) and None not in readers
    return _norm(node) is not None and readers == {_norm(node)}


def _norm(node: fx.Node) -> str | None:
    """The name of the layer norm that a node is a part of."""
    kinds = {each.__qualname__ for each in NORMS}
    stack = node.meta.get("nn_module_stack", {}).values()
    return next((name for name, kind in stack if str(kind).rpartition(".")[2] in kinds), None)


def _is_map(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_floating_point()
