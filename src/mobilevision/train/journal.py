"""What a training writes down as it goes: log.jsonl and TensorBoard's files."""

import json
from types import TracebackType
from typing import Any, Self

from mobilevision.files import write_text
from mobilevision.run import Run


class Journal:
    """One line an epoch.

    Args:
        run: whose journal it is.
        epochs: those that count; later lines, of an epoch that is done again, are taken away.
    """

    def __init__(self, run: Run, *, epochs: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        lines = [json.dumps(facts) + "\n" for facts in run.history()[:epochs]]
        write_text(run.folder / "log.jsonl", "".join(lines))
        self.run = run
        self.board = SummaryWriter(str(run.folder / "tensorboard"), purge_step=epochs + 1)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close TensorBoard's file."""
        self.board.close()

    def write(self, facts: dict[str, Any]) -> None:
        """Write the facts of an epoch."""
        self.run.log(**facts)
        for name, value in facts.items():
            self.board.add_scalar(name, value, facts["epoch"])
