"""Every section that a study's experiments have earned it, in the order of the report."""

from collections.abc import Callable, Iterator
from typing import Any

from memtail_core.data import Dataset
from memtail_core.drawing.section import Section
from memtail_core.experiments.comparison import section as comparison
from memtail_core.experiments.comparison.result import ComparisonFound
from memtail_core.experiments.consistency import section as consistency
from memtail_core.experiments.consistency.result import ConsistencyFound
from memtail_core.experiments.last_layer import section as last_layer
from memtail_core.experiments.last_layer.plan import LastLayer
from memtail_core.experiments.privacy import section as privacy
from memtail_core.experiments.privacy.result import PrivacyFound
from memtail_core.experiments.removal import section as removal
from memtail_core.experiments.removal.plan import Removal
from memtail_core.experiments.results import Result, kept
from memtail_core.experiments.stability import section as stability
from memtail_core.experiments.stability.result import StabilityFound
from memtail_core.experiments.stopping import section as stopping
from memtail_core.experiments.stopping.result import StoppingFound
from memtail_core.experiments.subgroups import section as subgroups
from memtail_core.experiments.subgroups.result import SubgroupsFound
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
