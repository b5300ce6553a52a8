"""``examples.csv``: a row per training example, for spreadsheets and ``memtail relabel``."""

from pathlib import Path

from memtail_core.exchange.example_list import example_list, flat
from memtail_core.exchange.format import Format
from memtail_core.exchange.stored import StoredStudy
from memtail_core.report.table_files import to_csv

_NAME = "examples.csv"


def _write(study: StoredStudy, folder: Path) -> None:
    table = flat(example_list(study, FORMAT.name).table())
    (folder / _NAME).write_bytes(to_csv(table))


FORMAT = Format("csv", f"a row per training example, {_NAME}", write=_write, lists_examples=True)
