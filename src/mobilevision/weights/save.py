"""Our own files: tensors as safetensors, facts as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from mobilevision.files import write_json, writing
from mobilevision.network import Network
from mobilevision.weights.read import FACTS

CONFIG, TENSORS = "config.json", "model.safetensors"
CRITERION = "criterion."  # what a loss learns belongs to the training, not to the network


def save_weights(network: Network, path: str | Path, metadata: Mapping[str, Any] | None = None) -> Path:
    """Write the weights of `network` as safetensors, with its facts as JSON in the file's header.

    The same weights and facts give the same bytes.

    Args:
        network: what to save.
        path: the file, ".safetensors".
        metadata: plain facts beside those of the network (see `facts_of`), which they override.
    """
    path = Path(path)
    own = {key: tensor for key, tensor in network.state_dict().items() if not key.startswith(CRITERION)}
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in own.items()}
    facts = facts_of(network) | dict(metadata or {})
    with writing(path) as beside:
        save_file(tensors, beside, metadata={FACTS: json.dumps(facts)})
    return path


def save_model(network: Network, folder: str | Path, metadata: Mapping[str, Any] | None = None) -> Path:
    """Write config.json and model.safetensors into `folder`, as a repository of the hub holds them."""
    folder = Path(folder)
    save_weights(network, folder / TENSORS, metadata)
    write_json(folder / CONFIG, facts_of(network) | dict(metadata or {}))
    return folder


def facts_of(network: Network) -> dict[str, Any]:
    """What a file of weights tells of its network: architecture, outputs, channels, labels, preprocessing."""
    return {
        "format": FACTS,
        "arch": json.loads(network.arch.to_json()),
        "outputs": network.outputs,
        "channels": network.channels,
        "labels": list(network.labels),
        "preprocessing": network.preprocessing.facts() if network.preprocessing else None,
    }
