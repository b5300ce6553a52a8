"""``memtail pairs`` of a large study, from its report instead of all its trials."""

from collections.abc import Callable, Sequence
from typing import Any

from cli.pair_tables import Destination, pair_console
from memtail_core import catalogue
from memtail_core.store import ObjectStore
from memtail_core.study import Study


def list_published(
    store: ObjectStore,
    study: Study,
    destination: Destination,
    sentences: Callable[[dict[str, Any]], Sequence[str]],
) -> bool:
    """List the pairs of the usual thresholds; return False if there is no report to take them from.

    Args:
        store, study: where, which.
        destination: where to.
        sentences: what people are told, from what JSON says beside the pairs.
    """
    report = catalogue.published(store, study)
    content = None if report is None else report.file("pairs.parquet")
    if report is None or content is None:
        return False
    from memtail_core.report.table_files import from_parquet

    table, said = from_parquet(content), report.summary
    summary = {
        "study": study.id,
        "trials": said["trials"],
        "tested": said["pairs"]["tested"],
        "found": said["pairs"]["pairs"],
        "expected_by_chance": said["pairs"]["expected_by_chance"],
        "fdr": None,
    }
    pair_console(stderr=True).print(f"[dim]from the report of {summary['trials']:,} models[/]")
    destination.take(table, summary, sentences(summary))
    return True
