"""cleanlab: what ``Datalab.find_issues`` takes, and the issues that memtail finds (Northcutt 2021).

    pred_probs.npy   float32 [m, C]  mean probabilities by the models that held each example out
    spread.npy       float16 [m, C]  their standard deviation between these models
    labels.npy       int64 [m]       class indices
    features.npy     float32 [m, p]  the examples as memtail compares them
    classes.json     the C names
    issues.csv       a row per example; is_label_issue, label_score, given_label and predicted_label
                     mean what they mean in cleanlab's own table

m are the training examples that at least one model held out, all of an ordinary study; the column
``index`` of issues.csv says which. Every example is predicted by models that never saw it, as
cleanlab asks, and by all of them: its own way is one model of a k-fold cross-validation.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from memtail_core.errors import EstimationError
from memtail_core.exchange.example_list import example_list, flat
from memtail_core.exchange.format import Format
from memtail_core.exchange.stored import StoredStudy
from memtail_core.report.table_files import to_csv
from memtail_core.running.loading import NO_PROBABILITIES


def _write(study: StoredStudy, folder: Path) -> None:
    if not study.study.probabilities:
        raise EstimationError(
            f"cleanlab needs probabilities of classes: {NO_PROBABILITIES.format(study.study.id)}"
        )
    listed = example_list(study, FORMAT.name)
    assert listed.held_out is not None
    rows = np.flatnonzero(listed.held_out.n_out > 0)
    probabilities = listed.held_out.mean[rows]
    probabilities /= probabilities.sum(1, keepdims=True)  # float16 rounds each by itself
    np.save(folder / "pred_probs.npy", probabilities.astype(np.float32))
    np.save(folder / "spread.npy", listed.held_out.spread[rows].astype(np.float16))
    np.save(folder / "labels.npy", listed.dataset.y_train[rows])
    np.save(folder / "features.npy", listed.vectors[rows])
    classes = json.dumps(listed.dataset.classes, ensure_ascii=False)
    (folder / "classes.json").write_text(classes, encoding="utf-8")
    table = flat(listed.table()).take(rows)
    issue = pa.array(listed.is_doubted[rows])
    score = pa.array(1 - np.nan_to_num(listed.wrong_probability[rows], nan=0.0))
    table = table.add_column(2, "is_label_issue", issue).add_column(3, "label_score", score)
    renamed = {"label": "given_label", "predicted": "predicted_label"}
    table = table.rename_columns([renamed.get(name, name) for name in table.column_names])
    (folder / "issues.csv").write_bytes(to_csv(table))


FORMAT = Format(
    "cleanlab",
    "out-of-sample pred_probs, labels, features and issues",
    write=_write,
    lists_examples=True,
)
