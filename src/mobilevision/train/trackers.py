"""Services that keep the curves of many trainings: MLflow, Weights & Biases."""

from collections.abc import Callable
from typing import Any, Protocol

from mobilevision.errors import UsageError, missing_extra, nearest
from mobilevision.run import Run


class Tracker(Protocol):
    """Where the facts of an epoch go."""

    def write(self, facts: dict[str, Any]) -> None:
        """Write the facts of an epoch."""

    def close(self) -> None:
        """Say that nothing more comes."""


class MLflow:
    """A run of MLflow, where MLFLOW_TRACKING_URI says; a training that goes on goes on there too.

    Args:
        run: the training.

    Raises:
        MissingError: if mlflow is not installed.
    """

    def __init__(self, run: Run) -> None:
        try:
            import mlflow
        except ModuleNotFoundError:
            raise missing_extra("mlflow", "mlflow") from None
        self.mlflow: Any = mlflow
        known = _known(run, "mlflow")
        active = mlflow.start_run(run_id=known, run_name=None if known else run.folder.name)
        if known is None:
            run.write("trackers", _all(run) | {"mlflow": active.info.run_id})
            mlflow.log_params(run.read("recipe"))

    def write(self, facts: dict[str, Any]) -> None:
        """A point on each curve."""
        self.mlflow.log_metrics({name: float(value) for name, value in facts.items()}, step=facts["epoch"])

    def close(self) -> None:
        """End the run."""
        self.mlflow.end_run()


class WeightsAndBiases:
    """A run of Weights & Biases, where its environment says; a training that goes on goes on there too.

    Args:
        run: the training.

    Raises:
        MissingError: if wandb is not installed.
    """

    def __init__(self, run: Run) -> None:
        try:
            import wandb
        except ModuleNotFoundError:
            raise missing_extra("wandb", "wandb") from None
        known = _known(run, "wandb")
        self.run: Any = wandb.init(
            project="mobilevision",
            name=run.folder.name,
            id=known,
            resume="allow",
            config=run.read("recipe"),
            dir=str(run.folder),
        )
        if known is None:
            run.write("trackers", _all(run) | {"wandb": self.run.id})

    def write(self, facts: dict[str, Any]) -> None:
        """A point on each curve."""
        self.run.log(dict(facts), step=facts["epoch"])

    def close(self) -> None:
        """End the run."""
        self.run.finish()


TRACKERS: dict[str, Callable[[Run], Tracker]] = {"mlflow": MLflow, "wandb": WeightsAndBiases}


def find_tracker(name: str) -> Callable[[Run], Tracker]:
    """The tracker called `name`.

    Raises:
        UsageError: if there is none.
    """
    if name not in TRACKERS:
        raise UsageError(f"there is no tracker {name!r}; {nearest(name, TRACKERS)}; known are {', '.join(TRACKERS)}")
    return TRACKERS[name]


def _known(run: Run, name: str) -> str | None:
    """What the tracker called this training before it was stopped."""
    found: str | None = _all(run).get(name)
    return found


def _all(run: Run) -> dict[str, str]:
    facts: dict[str, str] = run.read("trackers") if run.has("trackers") else {}
    return facts
