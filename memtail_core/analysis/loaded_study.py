"""A study in memory: its dataset and every whole trial stored so far."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from memtail_core import catalogue
from memtail_core.analysis import measuring
from memtail_core.analysis.analysis import refuse_experiments
from memtail_core.analysis.observations import estimate, observations
from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Estimator, Signals
from memtail_core.estimation.influence import Evidence
from memtail_core.estimation.mean_influence import MeanEvidence
from memtail_core.estimation.measures import MARGIN
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study


@dataclass(frozen=True, eq=False)
class LoadedStudy:
    """What a question is answered from: the data and every whole trial stored so far."""

    study: Study
    dataset: Dataset
    trials: Trials
    n_damaged: int = 0
    estimator: Estimator = COUNTED
    signals: Signals | None = None  # of recorded models, for estimators that read them

    @classmethod
    def load(
        cls,
        store: ObjectStore,
        study: Study,
        *,
        margins: bool = False,
        estimator: Estimator = COUNTED,
    ) -> Self:
        """Load it, with the models' values if the estimator needs them.

        Also if margins are asked for, and the values are margins.

        Raises:
            EstimationError: there are no trials.
        """
        refuse_experiments(study)
        are_margins = margins and measuring.value_of(study) == MARGIN.value
        values = are_margins or estimator.needs_values
        loaded, damaged = loading.load(store, study, values=values)
        if len(loaded) == 0:
            raise EstimationError(f"{study.id} has no trained model yet: start it with memtail run")
        dataset = catalogue.load_dataset(store, study)
        return cls(study, dataset, loaded, len(damaged), estimator)

    @cached_property
    def scores(self) -> Memorization:
        """The training examples' memorization, by the estimator."""
        seen = observations(self.trials, self.dataset, self.signals)
        return estimate(self.study, seen, self.estimator)

    @cached_property
    def evidence(self) -> Evidence:
        """What influence on correctness is estimated from."""
        return self.trials.evidence()

    @cached_property
    def mean_evidence(self) -> MeanEvidence:
        """What influence by the estimator's measure is estimated from.

        Raises:
            EstimationError: the models have no values.
        """
        return measuring.mean_evidence(self.trials, self.estimator.measure)
