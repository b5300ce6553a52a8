"""``train``: what ``memtail run`` does, from Python and with a progress bar in a notebook."""

from pathlib import Path
from typing import Any

from memtail_core import catalogue
from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.notebook.progress import TrainingProgress
from memtail_core.notebook.results import Results, opened
from memtail_core.running import execution, tuning
from memtail_core.running.listeners import together
from memtail_core.running.preparation import prepare
from memtail_core.running.tracking import Tracker, Tracking
from memtail_core.store import ObjectStore
from memtail_core.study import MOST_TRIALS, Spec, shipped
from memtail_core.training.device import resolve_device

GIVEN = "given in Python"
"""The source of a study whose data no file describes; they are kept in the store."""


def train(
    what: Dataset | Spec | str | Path,
    *,
    trials: int | None = None,
    name: str | None = None,
    training: dict[str, Any] | None = None,
    subsets: dict[str, Any] | None = None,
    study: dict[str, Any] | None = None,
    store: ObjectStore | str | Path | None = None,
    workers: int | None = None,
    device: str = "auto",
    stack: int | None = None,
    progress: bool = True,
    callback: Tracker | None = None,
) -> Results:
    """Train what is missing of a study, show the progress, and return its results.

    The same call continues an interrupted study; more ``trials`` make it grow. Nothing is trained
    twice. The data are kept in the store with the study, so the command line knows it too:
    ``memtail report NAME``, ``memtail run NAME --trials 400``.

    Args:
        what: data, as from :func:`from_arrays`; a study file or preset, as ``"study.toml"`` or
            ``"digits"``; or a :class:`Spec`.
        trials: models in total; by default as many as were asked for before, else 200.
        name: of the study, in lower case with hyphens; by default ``"study"``, or the file's.
        training: the table ``[training]``, as ``{"recipe": "mlp", "epochs": 20}``.
        subsets: the table ``[subsets]``, as ``{"ratio": 0.5}``.
        study: the table ``[study]``, as ``{"seed": 1, "shard_size": 20}``.
        store: where studies are kept, a folder or ``s3://bucket``; by default ``MEMTAIL_STORE``,
            or the folder ``runs``.
        workers: processes; by default as many as are fastest, measured.
        device: "auto", "cpu", "cuda" or "cuda:1".
        stack: networks that a process trains at once; by default what is fastest, measured.
        progress: show a bar, in a notebook or on a terminal.
        callback: an experiment tracker that settings, accuracies and results are logged to: the
            module ``mlflow``, or an object with its three methods (:class:`.Tracker`).

    Raises:
        StudyError, DatasetError: the description is wrong, or does not suit the data.
        TrainingError, StoreError: what is stored stays, and the same call continues.

    Example:
        >>> import memtail_core as memtail, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> quick = {"widths": [16], "epochs": 2}
        >>> results = memtail.train(
        ...     "digits", trials=10, training=quick, store=folder.name, workers=1
        ... )
        >>> len(results.scores), results.scores.column_names[:3]
        (1438, ['index', 'label', 'memorization'])
    """
    tables = {"study": study or {}, "subsets": subsets or {}, "training": training or {}}
    spec, dataset = _spec(what, tables, name)
    bound, dataset = prepare(spec, dataset)
    where = opened(store)
    goal = _goal(spec, catalogue.goal(where, bound)) if trials is None else trials
    if not 1 <= goal <= MOST_TRIALS:
        raise StudyError(f"trials = {goal!r}: give a number from 1 to {MOST_TRIALS:,}")
    tuning.check(bound, stack)
    tracking = None if callback is None else Tracking(callback, bound)
    bar = TrainingProgress(bound, goal, is_shown=progress)
    with bar:
        execution.run(
            bound,
            where,
            dataset,
            goal,
            workers=workers,
            device=resolve_device(device),
            stack=stack,
            observer=bar if tracking is None else together(bar, tracking),
        )
    results = Results(where, bound)
    if tracking is not None:
        tracking.analysed(results.summary)
    return results


def _spec(
    what: Dataset | Spec | str | Path, tables: dict[str, dict[str, Any]], name: str | None
) -> tuple[Spec, Dataset | None]:
    """The study that is described, and its data if they were given."""
    if name is not None:
        tables = tables | {"study": tables["study"] | {"name": name}}
    if isinstance(what, Dataset):
        if name in shipped():
            raise StudyError(
                f"name = '{name}' is a study that ships with memtail, which memtail run {name} "
                "would train: choose another name"
            )
        return Spec.parse(tables | {"dataset": {"source": GIVEN}}), what
    if isinstance(what, Spec):
        spec = what
    elif isinstance(what, str | Path):
        spec = Spec.load(str(what))
    else:
        raise StudyError(
            f"a {type(what).__name__} is nothing to train on: give a Dataset, as from_torch or "
            "from_pandas make, or a study file"
        )
    if any(tables.values()):
        given = spec.model_dump(mode="python", exclude_unset=True)
        spec = Spec.parse(given | {key: given.get(key, {}) | tables[key] for key in tables})
    return spec, None


def _goal(spec: Spec, before: int) -> int:
    """How many trials a study is to have whose caller does not say."""
    is_stated = "trials" in spec.study.model_fields_set
    return max(spec.study.trials, before) if is_stated or not before else before
