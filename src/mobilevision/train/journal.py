"""What a training writes down as it goes: log.jsonl, log.csv, TensorBoard's files, and where else it is asked to."""

import csv
import io
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from mobilevision.files import write_text
from mobilevision.run import Run
from mobilevision.train.resume import told_if_unwritable
from mobilevision.train.trackers import Tracker, find_tracker


class Journal:
    """One line an epoch.

    Args:
        run: whose journal it is.
        epochs: those that count; later lines, of an epoch that is done again, are taken away.
        log: trackers to tell as well: "mlflow", "wandb".
        on: whether this process is the one that writes.

    Raises:
        UsageError: if a tracker is not known.
        MissingError: if a tracker is not installed.
    """

    def __init__(self, run: Run, *, epochs: int, log: Sequence[str] = (), on: bool = True) -> None:
        self.run, self.trackers = run, list[Tracker]()
        self.on = on
        if not on:
            return
        lines = [json.dumps(facts) + "\n" for facts in run.history()[:epochs]]
        with told_if_unwritable(run.folder):
            write_text(run.folder / "log.jsonl", "".join(lines))
            self.trackers = [TensorBoard(run, epochs), *(find_tracker(name)(run) for name in log)]

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        for tracker in self.trackers:
            tracker.close()

    def write(self, facts: dict[str, Any]) -> None:
        """Write the facts of an epoch."""
        if not self.on:
            return
        with told_if_unwritable(self.run.folder):
            self.run.log(**facts)
            write_text(self.run.folder / "log.csv", _table(self.run.history()))
            for tracker in self.trackers:
                tracker.write(facts)


class TensorBoard:
    """TensorBoard's files, in the run's folder `tensorboard`.

    Args:
        run: whose they are.
        epochs: those that count; later ones are purged.
    """

    def __init__(self, run: Run, epochs: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.board = SummaryWriter(str(run.folder / "tensorboard"), purge_step=epochs + 1)

    def write(self, facts: dict[str, Any]) -> None:
        """A point on each curve."""
        for name, value in facts.items():
            self.board.add_scalar(name, value, facts["epoch"])

    def close(self) -> None:
        """Write what is left."""
        self.board.close()


def _table(history: list[dict[str, Any]]) -> str:
    """The lines as comma-separated values, with a column for each fact that any of them has."""
    columns = list(dict.fromkeys(name for facts in history for name in facts))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    return text.getvalue()
