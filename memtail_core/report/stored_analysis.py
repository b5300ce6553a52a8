"""Analyses a stored study the way its report shows it, with stopping rules and damaged shards."""

from dataclasses import replace

from memtail_core import catalogue
from memtail_core.analysis import Analysis, analyse
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.estimator import Estimator
from memtail_core.estimation.influence import PairsRule
from memtail_core.experiments.stopping.intervals import as_stopped
from memtail_core.running import loading
from memtail_core.store import ObjectStore
from memtail_core.study import Study


def analyse_stored(
    store: ObjectStore,
    study: Study,
    rule: PairsRule | None = None,
    estimator: Estimator = COUNTED,
) -> Analysis:
    """Analyse all stored trials of a study; damaged shards are left out and counted.

    Raises:
        EstimationError: there are no trials.
    """
    dataset = catalogue.load_dataset(store, study)
    loaded, damaged = loading.load(store, study, values=estimator.needs_values)
    analysis = analyse(study, dataset, loaded, catalogue.goal(store, study), rule, estimator)
    return as_stopped(store, replace(analysis, damaged=tuple(damaged)))
