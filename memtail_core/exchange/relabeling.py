"""The next study: the same data with corrected labels, and a study file like the study's own.

data.npz         examples, names and classes as the study has them, with the corrected labels
study.toml       the same recipe, plan and seed on these data
tokenizer.json   of texts: so that their tokens stay the same
changes.csv      what changed: index, name, before, after
"""

import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.exchange import array_files, labels
from memtail_core.exchange.corrections import Change, applied
from memtail_core.exchange.exporting import in_new_folder
from memtail_core.report.table_files import to_csv
from memtail_core.study import Study, SubsetsTable

_SUFFIX = "-relabeled"
_DERIVED = ("version", "source_sha256")


def write(study: Study, dataset: Dataset, trials: int, changes: list[Change], to: Path) -> None:
    """Write the next study's data and study file into a new or empty folder.

    Args:
        study, dataset: the study, and its data.
        trials: how many models it is to have.
        changes: the corrected labels.
        to: the folder.

    Raises:
        StudyError: nobody can train the study, or its examples are unknown.
        StoreError: the folder is not empty, or cannot be written.
    """
    check(study, dataset)
    relabeled = replace(dataset, y_train=applied(changes, dataset))
    in_new_folder(to, lambda folder: _write(study, relabeled, trials, changes, folder, to))


def check(study: Study, dataset: Dataset) -> None:
    """Raise StudyError if there can be no next study."""
    study.check_trainable()
    if not dataset.is_labelled:
        raise StudyError(f"{study.id} has no labels to correct")
    if not isinstance(study.subsets, SubsetsTable):
        raise StudyError(f"{study.id} is part of an experiment: relabel the study it belongs to")


def _write(
    study: Study, dataset: Dataset, trials: int, changes: list[Change], folder: Path, to: Path
) -> None:
    known = labels.arrays_of(dataset)
    known["features"] = np.array(dataset.features, np.str_)
    if dataset.texts is not None:
        known["x_train"] = np.array(list(dataset.texts.train), np.str_)
        known["x_test"] = np.array(list(dataset.texts.test), np.str_)
        (folder / "tokenizer.json").write_text(dataset.texts.tokenizer, encoding="utf-8")
    else:
        known["modality"] = np.array(dataset.modality.name)
    with zipfile.ZipFile(folder / "data.npz", "w") as archive:
        for name, array in known.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
        if dataset.texts is None:
            array_files.write_rows(archive, "x_train", dataset.train)
            array_files.write_rows(archive, "x_test", dataset.test)
    text = _toml(_tables(study, dataset, trials, to))
    (folder / "study.toml").write_text(text, encoding="utf-8")
    rows = pa.Table.from_pylist([asdict(change) for change in changes])
    (folder / "changes.csv").write_bytes(to_csv(rows))


def _tables(study: Study, dataset: Dataset, trials: int, to: Path) -> dict[str, dict[str, Any]]:
    """The tables of the study file; a None is left out."""
    name = study.name.removesuffix(_SUFFIX)[: 40 - len(_SUFFIX)].rstrip("-") + _SUFFIX
    tables: dict[str, dict[str, Any]] = {
        "study": {
            "name": name,
            "seed": study.seed,
            "trials": trials,
            "shard_size": study.shard_size,
            "margins": study.margins,
            "probabilities": study.probabilities or None,
        },
        "dataset": {"source": f"npz:{(to / 'data.npz').as_posix()}"},
        "subsets": study.subsets.model_dump(mode="json"),
        "training": {k: v for k, v in study.training.items() if k not in _DERIVED},
    }
    if dataset.texts is not None:
        tokenizer = (to / "tokenizer.json").as_posix()
        tables["dataset.tokens"] = {"tokenizer": tokenizer, "length": dataset.shape[0]}
    return tables


def _toml(tables: dict[str, dict[str, Any]]) -> str:
    """Write tables of plain values as TOML."""
    lines = []
    for title, table in tables.items():
        lines.append(f"[{title}]")
        lines += [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]
        lines.append("")
    return "\n".join(lines)


def _value(value: Any) -> str:
    """Write one value; texts, numbers, true and false are written as in JSON."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
