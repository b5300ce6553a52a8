"""The scores and the pairs as tables, and in the formats people read: Parquet, CSV, npz."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from memtail_core.data import Dataset
from memtail_core.report.analysis import Analysis

_SCORES = (
    "memorization",
    "standard_error",
    "ci_low",
    "ci_high",
    "n_in",
    "n_out",
    "accuracy_in",
    "accuracy_out",
)


def scores_table(analysis: Analysis) -> pa.Table:
    """One row per training example, in the dataset's order; missing estimates are null."""
    dataset = analysis.dataset
    columns = {
        "index": pa.array(np.arange(analysis.trials.n)),
        "label": pa.array(dataset.y_train),
    }
    for name in _SCORES:
        values = getattr(analysis.scores, name)
        mask = np.isnan(values) if values.dtype.kind == "f" else None
        columns[name] = pa.array(values, mask=mask)
    columns["class"] = pa.array(np.array(dataset.classes, dtype=object)[dataset.y_train])
    columns["name"] = pa.array([dataset.train_name(i) for i in range(analysis.trials.n)])
    return pa.table(columns)


def pairs_table(analysis: Analysis) -> pa.Table:
    """One row per high-influence pair, by falling influence."""
    pairs, dataset = analysis.pairs, analysis.dataset
    return pa.table(
        {
            "train_index": pairs.train_index,
            "test_index": pairs.test_index,
            "influence": pairs.influence,
            "standard_error": pairs.standard_error,
            "memorization": pairs.memorization,
            "train_label": dataset.y_train[pairs.train_index],
            "test_label": dataset.y_test[pairs.test_index],
            "train_name": pa.array([dataset.train_name(i) for i in pairs.train_index], pa.string()),
            "test_name": pa.array([dataset.test_name(i) for i in pairs.test_index], pa.string()),
        }
    )


def to_parquet(table: pa.Table) -> bytes:
    """Encode; the same table gives the same bytes."""
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def to_csv(table: pa.Table) -> bytes:
    """Encode; a missing number is an empty field."""
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(table, buffer)
    return buffer.getvalue()


def to_npz(analysis: Analysis) -> bytes:
    """Encode memorization under the key names of the authors' published files.

    ``tr_mem`` float64 [n] (NaN where missing), ``tr_labels`` int64 [n], ``tt_labels`` int64.
    """
    dataset: Dataset = analysis.dataset
    buffer = io.BytesIO()
    np.savez(
        buffer,
        tr_mem=analysis.scores.memorization,
        tr_labels=dataset.y_train,
        tt_labels=dataset.y_test,
    )
    return buffer.getvalue()


def to_json(table: pa.Table) -> bytes:
    """Encode as a list of rows; a missing number is null."""
    return json.dumps(table.to_pylist(), ensure_ascii=False).encode() + b"\n"
