"""All experiments, in the order of the report and of ``memtail --help``: one line each."""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from memtail_core.experiments.experiment import Experiment
from memtail_core.experiments.results import Result, kept
from memtail_core.store import ObjectStore
from memtail_core.study import Study

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section

FOLDERS = (  # each holds ``experiment.py``, which defines EXPERIMENT
    "memtail_core.experiments.stability",
    "memtail_core.experiments.removal",
    "memtail_core.experiments.comparison",
    "memtail_core.experiments.subgroups",
    "memtail_core.experiments.last_layer",
    "memtail_core.experiments.consistency",
    "memtail_core.experiments.privacy",
    "memtail_core.experiments.judge",
    "memtail_core.experiments.datamodels",
    "memtail_core.experiments.values",
    "memtail_core.experiments.stopping",
)


def experiments() -> list[Experiment[Any]]:
    """Return all experiments."""
    return [import_module(f"{folder}.experiment").EXPERIMENT for folder in FOLDERS]


def sections(store: ObjectStore, study: Study, dataset: "Dataset") -> "Iterator[Section]":
    """Make the sections of all results that are kept beside a study.

    Raises:
        StoreError: a result is damaged.
    """
    for experiment in experiments():
        for result in kept(store, study, experiment.result):
            yield experiment.section(result, dataset)


def section(result: Result, dataset: "Dataset") -> "Section":
    """Make the section of one result."""
    (experiment,) = (each for each in experiments() if each.result is type(result))
    return experiment.section(result, dataset)
