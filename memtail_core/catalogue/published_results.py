"""What the stored report says already, for those who would read all trials to say the same again.

Reading the trials of a large study and counting its pairs takes minutes. Its report holds the
scores and the pairs of the usual thresholds; where it is of the trials that are stored now, whoever
asks for these gets them from there.
"""

from dataclasses import dataclass
from typing import Any

from memtail_core.catalogue import goals, reports
from memtail_core.catalogue.reports import Manifest
from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import StoreError
from memtail_core.estimation.thresholds import THETA_INFL, THETA_MEM
from memtail_core.plan.shards import planned
from memtail_core.store import ObjectStore
from memtail_core.study import Study

_QUICK = 2**25  # bytes of bits: less is read and counted again, which also verifies it


@dataclass(frozen=True, eq=False)
class Published:
    """A report of all trials that are stored, by counting correctness, at the usual thresholds.

    Attributes:
        summary: the content of ``summary.json``.
    """

    summary: dict[str, Any]
    _store: ObjectStore
    _study: Study
    _manifest: Manifest

    def file(self, name: str) -> bytes | None:
        """Return a file of the report, verified; None if it is being replaced."""
        return reports.read(self._store, self._study, self._manifest, name)


def published(store: ObjectStore, study: Study) -> Published | None:
    """Return the report if it says what the stored trials say, and saying it again would take long.

    None if the study is small, if there is no such report, if another version of memtail made it,
    or if trials were added since.
    """
    n_trials = len(stored_shards(store, study)) * study.shard_size
    n, n_test = study.dataset.n_train, study.dataset.n_test
    if n_trials * (2 * n + n_test) // 8 < _QUICK:
        return None
    manifest = reports.latest(store, study)
    if manifest is None or (manifest.trials, manifest.version) != (n_trials, reports.VERSION):
        return None
    content = reports.read(store, study, manifest, "summary.json")
    if content is None:
        return None
    goal = max(n_trials, len(planned(study, goals.goal(store, study))) * study.shard_size)
    try:
        summary = reports.summary(content, study)
    except StoreError:
        return None
    return Published(summary, store, study, manifest) if _is_usual(summary, goal) else None


def _is_usual(summary: dict[str, Any], goal: int) -> bool:
    """Whether a report is as ``memtail report`` makes it without options, of the goal of now."""
    memorization, pairs = summary.get("memorization"), summary.get("pairs")
    if not isinstance(memorization, dict) or not isinstance(pairs, dict):
        return False
    return (
        summary.get("goal") == goal
        and memorization.get("estimator") == "counted"
        and "measure" not in memorization
        and bool(memorization.get("scored"))
        and pairs.get("theta_mem") == THETA_MEM
        and pairs.get("theta_infl") == THETA_INFL
        and pairs.get("same_class") is True
        and pairs.get("fdr") is None
    )
