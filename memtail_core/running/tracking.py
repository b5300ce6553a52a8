"""A run that an experiment tracker keeps: MLflow, or whatever takes the same three calls."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any, Protocol

from memtail_core.errors import MachineError
from memtail_core.plan.shards import Shard
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.shard_training import TrainedShard
from memtail_core.study import Study

_LONGEST = 500  # characters of a value or a message
_USER_INFO = re.compile(r"(?<=//)[^/\s@]*@")  # name and password in an address
_PATIENCE = {  # MLflow would try for minutes, while no model trains
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class Tracker(Protocol):
    """Where a run is logged; the module ``mlflow`` is one."""

    def set_tags(self, tags: dict[str, str], /) -> Any:
        """Keep what the run is found by."""

    def log_params(self, params: dict[str, str], /) -> Any:
        """Keep what the run was given."""

    def log_metrics(self, metrics: dict[str, float], /, *, step: int) -> Any:
        """Keep measured numbers, after so many models."""


class Tracking(ProgressListener):
    """Logs a study's description, the accuracies of each shard, and what was found in the end.

    Nothing is logged before there is a model to train, or a result. A tracker that fails ends the
    logging with one warning, never the run.

    Args:
        tracker: where.
        study: which.
    """

    def __init__(self, tracker: Tracker, study: Study) -> None:
        self._tracker, self._study = tracker, study
        self._trained = 0
        self._has_begun, self._has_failed = False, False

    def shard_trained(self, trained: TrainedShard, workers: int) -> None:
        """Log how accurate its models are, and how fast they came."""
        shard = trained.shard
        self._trained += shard.last - shard.first
        rate = workers * (shard.last - shard.first) / max(trained.seconds, 1e-9)
        accuracy = {f"accuracy_{name}": value for name, value in trained.accuracy.items()}
        self._log({**accuracy, "models_per_second": rate}, self._trained)

    def shard_stored_elsewhere(self, shard: Shard) -> None:
        """Count its models."""
        self._trained += shard.last - shard.first

    def analysed(self, summary: Mapping[str, Any]) -> None:
        """Log the numbers of the report."""
        memorization = summary["memorization"]
        accuracy = {f"accuracy_{name}": each["mean"] for name, each in summary["accuracy"].items()}
        found = {
            "models": summary["trials"],
            "memorized": memorization["memorized"],
            "scored": memorization["scored"],
            "mean_memorization": memorization["mean"],
            "largest_standard_error": memorization["largest_standard_error"],
            "pairs": summary["pairs"]["pairs"],
        }
        self._log({**accuracy, **found}, self._trained)

    def tell(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        """Call the tracker, unless it has failed before."""
        if self._has_failed:
            return
        try:
            call(*arguments, **named)
        except Exception as error:  # each tracker fails in its own way
            self._has_failed = True
            reason = _public(next(iter(str(error).splitlines()), "")) or type(error).__name__
            print(
                f"Warning: the tracker failed, and nothing more of this run is logged: {reason}",
                file=sys.stderr,
            )

    def _log(self, numbers: Mapping[str, float | None], step: int) -> None:
        if not self._has_begun:
            self._has_begun = True
            self.tell(self._tracker.set_tags, {"memtail.study": self._study.id})
            self.tell(self._tracker.log_params, described(self._study))
        known = {name: float(x) for name, x in numbers.items() if x is not None and isfinite(x)}
        self.tell(self._tracker.log_metrics, known, step=step)


def described(study: Study) -> dict[str, str]:
    """A study's description in flat names, ``training.recipe``, and values of at most 500
    characters, without names and passwords in addresses.
    """
    tables = study.model_dump(mode="json", exclude={"dataset": {"classes"}})
    flat = {"classes": len(study.dataset.classes)}
    for key, value in tables.items():
        inner = value.items() if isinstance(value, dict) else [(None, value)]
        flat |= {key if name is None else f"{key}.{name}": each for name, each in inner}
    return {key: _public(str(value)) for key, value in flat.items()}


@contextmanager
def in_mlflow(study: Study) -> Iterator[Tracking]:
    """Log to a run of MLflow, named after the study, until the block ends.

    MLflow reads its own variables, ``MLFLOW_TRACKING_URI`` first of all.

    Raises:
        MachineError: MLflow is not installed.
    """
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow
    except ImportError:
        raise MachineError(
            "--log mlflow: MLflow is not installed; pip install 'memtail[mlflow]'"
        ) from None
    tracking = Tracking(mlflow, study)
    tracking.tell(mlflow.start_run, run_name=study.id)
    try:
        yield tracking
    except BaseException:
        tracking.tell(mlflow.end_run, "FAILED")
        raise
    tracking.tell(mlflow.end_run, "FINISHED")


def _public(text: str) -> str:
    """The text without what a tracker must not keep, and not too long."""
    return _USER_INFO.sub("", text)[:_LONGEST]
