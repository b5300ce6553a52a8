"""Put a report into the store, beside the shards it was made of: ``studies/<id>/report/``."""

import json
from collections.abc import Iterator

from memtail_core.report import figures, tables
from memtail_core.report.analysis import Analysis
from memtail_core.report.page import page
from memtail_core.store import ObjectStore


def publish(store: ObjectStore, analysis: Analysis) -> str:
    """Write tables, figures, summary and page; return the key of the page, written last.

    All is made before anything is written, and what an earlier report had more is removed.
    """
    prefix = f"{analysis.study.prefix}report/"
    files = list(_files(analysis))
    for name, content in files:
        store.put(prefix + name, content)
    for key in set(store.list(prefix)) - {prefix + name for name, _ in files}:
        store.delete(key)
    return prefix + files[-1][0]


def _files(analysis: Analysis) -> Iterator[tuple[str, bytes]]:
    yield "scores.parquet", tables.to_parquet(tables.scores_table(analysis))
    yield "pairs.parquet", tables.to_parquet(tables.pairs_table(analysis))
    yield "memorization.npz", tables.to_npz(analysis)
    summary = analysis.summary()
    yield (
        "summary.json",
        json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False).encode(),
    )
    drawn = figures.figures(analysis)
    for name, figure in drawn.items():
        yield f"figures/{name}.png", figures.png(figure)
        yield f"figures/{name}.svg", figures.svg(figure)
    yield "index.html", page(analysis, drawn).encode()
