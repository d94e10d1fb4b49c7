"""An index: the vectors of many pictures in one file, and the nearest of them to another."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mobilevision.errors import InputError, UsageError
from mobilevision.files import writing
from mobilevision.tasks.retrieval import nearest

FACTS = "mobilevision-index"  # key of the facts in the header
VECTORS = "vectors"


@dataclass(frozen=True)
class Hit:
    """A picture that was found.

    Attributes:
        file: where it is.
        cosine: of the angle between its vector and the one that was asked for; 1 is the same direction.
    """

    file: str
    cosine: float

    def facts(self) -> dict[str, Any]:
        """The hit as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Index:
    """The vectors of a folder's pictures, and which weights made them: vectors of other weights mean nothing here.

    Attributes:
        vectors: of length 1, float32. Shape: (pictures, numbers).
        files: the pictures, in the order of the vectors.
        source: the run or the exported file that made them.
        weights_sha256: names the weights that made them.
    """

    vectors: Tensor
    files: tuple[str, ...]
    source: str
    weights_sha256: str

    def __len__(self) -> int:
        """How many pictures it holds."""
        return len(self.files)

    def save(self, path: str | Path) -> Path:
        """Write it as safetensors, its facts as JSON in the header; whole or not at all."""
        path = Path(path)
        facts = {"files": self.files, "source": self.source, "weights_sha256": self.weights_sha256}
        with writing(path) as beside:
            save_file({VECTORS: self.vectors.contiguous()}, beside, metadata={FACTS: json.dumps(facts)})
        return path

    @classmethod
    def open(cls, path: str | Path) -> Index:
        """The index that `save` wrote.

        Raises:
            UsageError: if there is no such file.
            InputError: if it is no index, or not whole.
        """
        path = Path(path)
        if not path.is_file():
            raise UsageError(f"there is no index {path}; make one with: mobilevision index FOLDER --run RUN")
        try:
            with safe_open(path, "pt") as file:
                facts = json.loads((file.metadata() or {})[FACTS])
                vectors: Tensor = file.get_tensor(VECTORS)
            found = cls(vectors, tuple(map(str, facts["files"])), str(facts["source"]), str(facts["weights_sha256"]))
        except (SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise InputError(f"{path} is not a whole index: {error}; make it again") from error
        if vectors.ndim != 2 or len(vectors) != len(found.files) or not torch.isfinite(vectors).all():
            raise InputError(f"{path} holds {tuple(vectors.shape)} numbers for {len(found)} pictures; make it again")
        return found

    def check_weights(self, weights_sha256: str, source: str | Path) -> None:
        """Refuse vectors of other weights.

        Raises:
            InputError: if `source`, whose weights have that sha256, did not make this index.
        """
        if self.weights_sha256 != weights_sha256:
            raise InputError(
                f"the index was made by other weights ({self.weights_sha256[:12]} of {self.source}) than {source} has "
                f"({weights_sha256[:12]}), and their vectors cannot be compared; make the index again with {source}"
            )

    def nearest(self, vector: Tensor, topk: int = 5) -> list[Hit]:
        """The pictures nearest to a vector, nearest first, all compared.

        Args:
            vector: of length 1. Shape: (numbers,).
            topk: how many, at most as many as there are.

        Raises:
            InputError: if the vector has another number of numbers.
        """
        if vector.shape != self.vectors.shape[1:]:
            raise InputError(f"a vector of {vector.numel()} numbers does not fit an index of {self.vectors.shape[1]}")
        found = nearest(vector[None].to(self.vectors), self.vectors, topk)
        pairs = zip(found.places[0].tolist(), found.cosines[0].tolist(), strict=True)
        return [Hit(self.files[place], cosine) for place, cosine in pairs]
