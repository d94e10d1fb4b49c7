"""The choice among boxes by ONNX's own operator, NonMaxSuppression: each class by itself, just as torch chooses.

The exporter writes one node of a name of ours where the choice is made, and `write_operator_` puts the format's
operators in its place: how many boxes stay is known only when a picture comes, which a traced network cannot say.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mobilevision.deploy.boxes import Choose, Detector

DOMAIN, STAYS = "mobilevision", "Stays"


class ChooseEach(Choose):
    """As torch chooses: the best candidates of each class, of those that cover each other the best, of those the best.

    Args:
        choose: the same in plain operators.
    """

    def __init__(self, choose: Choose) -> None:
        super().__init__(choose.task, choose.style, choose.corners)

    def forward(self, scores: Tensor, offsets: Tensor) -> Tensor:
        """Shape: (N, anchors, columns), (N, anchors, 4) -> (N, most, 6), see `mobilevision.tasks.filed`."""
        task, chances = self.task, self.style.probabilities(scores).transpose(1, 2)  # (N, classes, anchors)
        count = min(task.candidates, chances.shape[2])
        best, place = chances.topk(count, dim=2)  # (N, classes, count)
        boxes = _rows(self.decoded(offsets), place.flatten(1))  # (N, classes * count, 4)
        stays = _stays(boxes.view(-1, count, 4), best.flatten(0, 1), task.overlap, task.least)
        kept, row = (best.flatten(1) * stays.view(-1, task.outputs * count)).topk(
            min(task.most, task.outputs * count), dim=1
        )
        label = torch.arange(task.outputs, device=row.device).repeat_interleave(count)[row]
        return torch.cat([_rows(boxes, row), kept[..., None], label[..., None].to(kept.dtype)], -1)


def operator_form(network: nn.Module) -> nn.Module:
    """A detector that chooses by ONNX's operator; any other network as it is."""
    return Detector(network.network, ChooseEach(network.choose)) if isinstance(network, Detector) else network


def write_operator_(model: Any) -> None:
    """Put NonMaxSuppression, and what makes its answer 1 for boxes that stay and else 0, where our own node stands.

    Args:
        model: an ONNX model.
    """
    graph = model.graph
    for place, node in reversed(list(enumerate(graph.node))):
        if (node.domain, node.op_type) == (DOMAIN, STAYS):
            written = _operators(node)
            del graph.node[place]
            for each in reversed(written):
                graph.node.insert(place, each)
    own = [each for each in model.opset_import if each.domain == DOMAIN]
    for each in own:
        model.opset_import.remove(each)


def _operators(node: Any) -> list[Any]:
    """What our node stands for. Shape: boxes (sets, boxes, 4), scores (sets, boxes) -> (sets, boxes)."""
    import numpy as np
    from onnx import helper, numpy_helper

    boxes, scores = node.input
    asked = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    made: list[Any] = []

    def name(word: str) -> str:
        return f"{node.output[0]}.{word}"

    def constant(word: str, value: Any) -> str:
        made.append(helper.make_node("Constant", [], [name(word)], name(word), value=numpy_helper.from_array(value)))
        return name(word)

    def operator(word: str, kind: str, *inputs: str, **attributes: Any) -> str:
        made.append(helper.make_node(kind, list(inputs), [name(word)], name(word), **attributes))
        return name(word)

    most = constant("most", np.array([np.iinfo(np.int32).max], np.int64))
    overlap, least = (constant(word, np.array([asked[word]], np.float32)) for word in ("overlap", "least"))
    single = operator("single", "Unsqueeze", scores, constant("class", np.array([1], np.int64)))
    chosen = operator("chosen", "NonMaxSuppression", boxes, single, most, overlap, least)  # (M, 3): set, class, box
    places = operator("places", "Gather", chosen, constant("columns", np.array([0, 2], np.int64)), axis=1)
    ones = operator("ones", "ConstantOfShape", operator("count", "Shape", chosen, end=1), value=_float(1))
    zeros = operator("zeros", "ConstantOfShape", operator("shape", "Shape", scores), value=_float(0))
    made.append(helper.make_node("ScatterND", [zeros, places, ones], list(node.output), name("stays")))
    return made


def _float(value: float) -> Any:
    import numpy as np
    from onnx import numpy_helper

    return numpy_helper.from_array(np.array([value], np.float32))


def _rows(boxes: Tensor, place: Tensor) -> Tensor:
    """Shape: (N, boxes, 4), (N, rows) -> (N, rows, 4)."""
    return torch.gather(boxes, 1, place[..., None].expand(-1, -1, 4))


def _stays(boxes: Tensor, scores: Tensor, overlap: float, least: float) -> Tensor:
    """1 for boxes that stay, else 0, of each set by itself. Shape: (sets, boxes, 4), (sets, boxes) -> (sets, boxes)."""
    return torch.onnx.ops.symbolic(
        f"{DOMAIN}::{STAYS}",
        (boxes, scores),
        {"overlap": overlap, "least": least},
        dtype=scores.dtype,
        shape=scores.shape,
        version=1,
    )
