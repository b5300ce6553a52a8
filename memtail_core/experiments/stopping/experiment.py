"""Stopping rules: ``memtail run --until`` applies them and keeps the result."""

from typing import TYPE_CHECKING

from memtail_core.experiments.experiment import Experiment
from memtail_core.experiments.stopping.result import StoppingHistory

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Section


def section(result: StoppingHistory, dataset: "Dataset") -> "Section":
    """Make the section of the report."""
    from memtail_core.experiments.stopping.section import section

    return section(result)


EXPERIMENT = Experiment(StoppingHistory, section)
