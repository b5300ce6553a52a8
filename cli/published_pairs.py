"""``memtail pairs`` of a large study, from its report instead of all its trials."""

import io
from typing import Any

from memtail_core import catalogue
from memtail_core.store import ObjectStore
from memtail_core.study import Study


def published_pairs(
    store: ObjectStore, study: Study, top: int | None
) -> tuple[Any, dict[str, Any]] | None:
    """Return the pairs of the usual thresholds and what is said beside them; None: count them."""
    report = catalogue.published(store, study)
    content = None if report is None else report.file("pairs.parquet")
    if report is None or content is None:
        return None
    import pyarrow.parquet

    table, said = pyarrow.parquet.read_table(io.BytesIO(content)), report.summary
    summary = {
        "study": study.id,
        "trials": said["trials"],
        "tested": said["pairs"]["tested"],
        "found": said["pairs"]["pairs"],
        "expected_by_chance": said["pairs"]["expected_by_chance"],
        "fdr": None,
    }
    return table.slice(0, top), summary
