"""The results of a stored study: scores, pairs and the report, and how a notebook shows them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memtail_core import catalogue
from memtail_core.analysis.analysis import Analysis
from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.estimation.measures import CORRECTNESS
from memtail_core.notebook import showing
from memtail_core.report import tables
from memtail_core.report.publication import publish
from memtail_core.report.stored_analysis import analyse_stored
from memtail_core.settings import settings
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import Study


@dataclass(frozen=True, eq=False)
class Results:
    """What a study's stored models say; made by :func:`train` and :func:`open_results`.

    In a notebook it shows itself: counts, a histogram and the most memorized examples.

    Attributes:
        store: where the study is.
        study: which.
    """

    store: ObjectStore
    study: Study

    @cached_property
    def analysis(self) -> Analysis:
        """All of it, as :func:`memtail_core.analyse` gives it.

        Raises:
            EstimationError: no model is stored yet.
        """
        return analyse_stored(self.store, self.study)

    @property
    def id(self) -> str:
        """The study's name and the digest of its data, recipe and plan."""
        return self.study.id

    @property
    def dataset(self) -> Dataset:
        """The data of the study."""
        return self.analysis.dataset

    @property
    def trials(self) -> int:
        """How many models are stored."""
        return len(self.analysis.trials)

    @property
    def memorization(self) -> NDArray[np.float64]:
        """Memorization of each training example, float64 [n]; NaN where there is no estimate."""
        return self.analysis.scores.memorization

    @cached_property
    def scores(self) -> pa.Table:
        """A row per training example, as ``scores.parquet`` of the report has it.

        ``scores.to_pandas()`` is a frame.
        """
        return tables.scores_table(self.analysis)

    @cached_property
    def pairs(self) -> pa.Table:
        """A row per high-influence pair, as ``pairs.parquet`` of the report has it."""
        found = self.analysis
        made = tables.pairs_table(found.pairs, found.dataset, found.scores.memorization)
        of = found.measure
        return made if of is CORRECTNESS else tables.with_measure(made, of)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Counts, accuracies and warnings, as ``summary.json`` of the report has them."""
        return self.analysis.summary()

    def most_memorized(self, n: int = 10) -> NDArray[np.int64]:
        """The ``n`` training examples of the highest memorization, int64, the highest first."""
        return showing.most_memorized(self.analysis.scores, n)

    def report(self) -> str:
        """Write the report into the store and return where its page is.

        Experiments that were run on the study are in it, as in that of ``memtail report``.
        """
        return f"{self.store.location}/{publish(self.store, self.analysis)}"

    def __repr__(self) -> str:
        """A few lines of text."""
        return "\n".join(showing.lines(self.analysis))

    def _repr_html_(self) -> str:
        return showing.html(self.analysis)


def open_results(name: str, store: ObjectStore | str | Path | None = None) -> Results:
    """The results of a study that is stored already, whoever trained it.

    Args:
        name: the study's id, or what it begins with.
        store: where it is, a folder or ``s3://bucket``; by default ``MEMTAIL_STORE``, or ``runs``.

    Raises:
        StudyError: no study, or several, are called so.
    """
    where = opened(store)
    return Results(where, catalogue.find(where, name))


def opened(store: ObjectStore | str | Path | None) -> ObjectStore:
    """The store that was given, or that of this place.

    Raises:
        StudyError: it is none.
    """
    if store is None:
        return open_store(settings().store)
    if isinstance(store, str | Path):
        return open_store(str(store))
    if not hasattr(store, "put"):
        raise StudyError(f"store is a {type(store).__name__}: give a folder, or s3://bucket")
    return store
