"""Put a report into the store, beside the shards it was made of: ``studies/<id>/report/``.

``manifest.json``, written last, has the digest of every other file. Where it and the files agree,
the report is whole: made by one publisher, who was not interrupted.
"""

import hashlib
import json
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationError

from memtail_core.errors import DamagedError
from memtail_core.report import figures, tables
from memtail_core.report.analysis import Analysis
from memtail_core.report.page import page
from memtail_core.store import ObjectStore
from memtail_core.study import Study

PAGE = "index.html"


class Manifest(BaseModel):
    """What a report consists of.

    Attributes:
        trials: how many it was made of.
        files: name below ``report/`` → SHA-256.
    """

    model_config = ConfigDict(frozen=True)

    trials: int
    files: dict[str, str]


def publish(store: ObjectStore, analysis: Analysis) -> str:
    """Write tables, figures, summary and page; return the key of the page.

    All is made before anything is written, and what an earlier report had more is removed.
    """
    prefix = _prefix(analysis.study)
    files = dict(_files(analysis))
    for name, content in files.items():
        store.put(prefix + name, content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = Manifest(trials=len(analysis.trials), files=digests)
    store.put(_manifest(analysis.study), manifest.model_dump_json(indent=2).encode())
    for key in set(store.list(prefix)) - {prefix + name for name in files}:
        if key != _manifest(analysis.study):
            store.delete(key)
    return prefix + PAGE


def published(store: ObjectStore, study: Study) -> Manifest | None:
    """What the stored report consists of; None if there is none that is whole."""
    try:
        manifest = Manifest.model_validate_json(store.get(_manifest(study)))
        whole = all(
            store.digest(_prefix(study) + name) == digest for name, digest in manifest.files.items()
        )
    except (KeyError, ValidationError, DamagedError):
        return None
    return manifest if whole else None


def fetch(store: ObjectStore, study: Study) -> dict[str, bytes] | None:
    """Every file of the stored report by name; None if there is none that is whole."""
    try:
        manifest = Manifest.model_validate_json(store.get(_manifest(study)))
        files = {name: store.get(_prefix(study) + name) for name in manifest.files}
    except (KeyError, ValidationError, DamagedError):
        return None
    same = all(
        hashlib.sha256(content).hexdigest() == manifest.files[name]
        for name, content in files.items()
    )
    return files if same else None


def _prefix(study: Study) -> str:
    return f"{study.prefix}report/"


def _manifest(study: Study) -> str:
    return f"{_prefix(study)}manifest.json"


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
    yield PAGE, page(analysis, drawn).encode()
