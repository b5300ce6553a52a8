"""Every section that a study's experiments have earned it, in the order of the report."""

from collections.abc import Callable, Iterator
from typing import Any

from memtail_core.data import Dataset
from memtail_core.experiments.comparison_found import ComparisonFound
from memtail_core.experiments.consistency import ConsistencyFound
from memtail_core.experiments.last_layer import LastLayer
from memtail_core.experiments.privacy import PrivacyFound
from memtail_core.experiments.removal import Removal
from memtail_core.experiments.results import Result, kept
from memtail_core.experiments.stability_found import StabilityFound
from memtail_core.experiments.stopping_found import StoppingFound
from memtail_core.experiments.subgroups_found import SubgroupsFound
from memtail_core.report.sections import (
    comparison,
    consistency,
    last_layer,
    privacy,
    removal,
    stability,
    stopping,
    subgroups,
)
from memtail_core.report.sections.section import Section
from memtail_core.store import ObjectStore
from memtail_core.study import Study

_Make = Callable[[Any, Dataset], Section]
_SECTIONS: dict[type[Result], _Make] = {
    StabilityFound: lambda found, _: stability.section(found),
    Removal: lambda found, _: removal.section(found),
    ComparisonFound: comparison.section,
    SubgroupsFound: subgroups.section,
    LastLayer: lambda found, _: last_layer.section(found),
    ConsistencyFound: consistency.section,
    PrivacyFound: privacy.section,
    StoppingFound: lambda found, _: stopping.section(found),
}


def of_study(store: ObjectStore, study: Study, dataset: Dataset) -> Iterator[Section]:
    """Make the sections of all results that are kept beside a study.

    Raises:
        StoreError: a result is damaged.
    """
    for kind in _SECTIONS:
        for found in kept(store, study, kind):
            yield of_result(found, dataset)


def of_result(found: Result, dataset: Dataset) -> Section:
    """Make the section of one result."""
    return _SECTIONS[type(found)](found, dataset)
