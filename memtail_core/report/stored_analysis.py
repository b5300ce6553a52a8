"""Analyses a stored study the way its report shows it, with stopping rules and damaged shards."""

from dataclasses import replace

from memtail_core import catalogue
from memtail_core.analysis import Analysis, analyse
from memtail_core.analysis.measuring import estimator_of
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
    estimator: Estimator | None = None,
) -> Analysis:
    """Analyse all stored trials of a study; damaged shards are left out and counted.

    Without an ``estimator``, by that of the study's default measure.

    Raises:
        EstimationError: there are no trials.
    """
    estimator = estimator or estimator_of(study)
    dataset = catalogue.load_dataset(store, study)
    loaded, damaged = loading.load(store, study, values=estimator.needs_values)
    analysis = analyse(study, dataset, loaded, catalogue.goal(store, study), rule, estimator)
    return as_stopped(store, replace(analysis, damaged=tuple(damaged)))
