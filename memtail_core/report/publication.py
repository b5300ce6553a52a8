"""Makes every file of a report and stores them beside the shards of the study."""

import json
from collections.abc import Iterator
from contextlib import suppress

from memtail_core.analysis.analysis import Analysis
from memtail_core.catalogue import account_of, reports
from memtail_core.drawing.charts import png, svg
from memtail_core.errors import DamagedError, EstimationError
from memtail_core.estimation.measures import CORRECTNESS
from memtail_core.experiments import registry
from memtail_core.report import figures, table_files, tables
from memtail_core.report.exploration import encoded, explore
from memtail_core.report.exploration.explorer_data import subgroups_of
from memtail_core.report.exploration.token_shades import TokenShades
from memtail_core.report.page import linked, page
from memtail_core.running import features, loading
from memtail_core.store import ObjectStore


def publish(store: ObjectStore, analysis: Analysis) -> str:
    """Write tables, figures, summary and page, with all experiments; return the key of the page.

    Everything is made before anything is written.

    Raises:
        EstimationError: the analysis is by a measure that is no share.
    """
    if not analysis.measure.is_share:
        raise EstimationError(
            f"a report shows shares, from 0 to 1, and no {analysis.measure.name}: choose "
            "--measure probability"
        )
    reports.write(store, analysis.study, dict(_files(store, analysis)), len(analysis.trials))
    return reports.page_key(analysis.study)


def _files(store: ObjectStore, analysis: Analysis) -> Iterator[tuple[str, bytes]]:
    yield "scores.parquet", table_files.to_parquet(tables.scores_table(analysis))
    pairs = tables.pairs_table(analysis.pairs, analysis.dataset, analysis.scores.memorization)
    if analysis.measure is not CORRECTNESS:
        pairs = tables.with_measure(pairs, analysis.measure)
    yield "pairs.parquet", table_files.to_parquet(pairs)
    yield "memorization.npz", tables.to_npz(analysis)
    summary = analysis.summary()
    yield (
        "summary.json",
        json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False).encode(),
    )
    drawn = figures.figures(analysis)
    sections = list(registry.sections(store, analysis.study, analysis.dataset))
    of_sections = {name: each.figure for s in sections for name, each in s.figures.items()}
    for name, figure in (drawn | of_sections).items():
        yield f"figures/{name}.png", png(figure)
        yield f"figures/{name}.svg", svg(figure)
        yield f"figures/{name}.csv", table_files.to_csv(figure.data)
    for section in sections:
        yield f"experiments/{section.name}.csv", table_files.to_csv(section.table)
    subgroups = subgroups_of(store, analysis)
    train, test = linked(analysis, sections)
    compared = features.stored(store, analysis.study, analysis.dataset)
    shades = _shades(store, analysis)
    explored = encoded(
        explore(
            analysis,
            subgroups,
            shown_train=train,
            shown_test=test,
            compared=compared,
            shades=shades,
        )
    )
    account = account_of(store, analysis.study)
    yield reports.PAGE, page(analysis, drawn, sections, explored, account, shades).encode()


def _shades(store: ObjectStore, analysis: Analysis) -> TokenShades | None:
    """Shades of documents, if the study keeps losses of tokens and has their texts.

    There are none while a shard is damaged: the page says how many are.
    """
    if analysis.dataset.texts is None:
        return None
    with suppress(DamagedError):
        losses = loading.load_token_losses(store, analysis.study)
        return None if losses is None else TokenShades.of(analysis.dataset, losses)
    return None
