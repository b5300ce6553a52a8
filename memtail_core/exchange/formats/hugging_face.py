"""Hugging Face: the dataset as ``datasets`` saves it, with memtail's columns beside its own.

    dataset_dict.json
    train/, test/    data-00000-of-00001.arrow, dataset_info.json, state.json

``datasets.load_from_disk(folder)`` reads it, and so does memtail's own source ``hf:``. The columns
are the example (``image``, ``text``, or one per feature), ``label`` (a ClassLabel) and, of the
training set, what memtail says of it: ``memtail_memorization``, ``memtail_mislabeled_probability``…
"""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memtail_core.data import Dataset, Examples
from memtail_core.drawing.pictures import picture
from memtail_core.exchange.example_list import example_list
from memtail_core.exchange.format import Format
from memtail_core.exchange.stored import StoredStudy

_FILE = "data-00000-of-00001.arrow"
_ROWS = 1000  # of a batch
_IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})

Feature = dict[str, Any]
Columns = dict[str, tuple[Feature, pa.DataType]]


def _write(study: StoredStudy, folder: Path) -> None:
    listed = example_list(study, FORMAT.name)
    dataset, said = listed.dataset, listed.table().drop_columns(["index", "label"])
    said = said.rename_columns([f"memtail_{name}" for name in said.column_names])
    splits: dict[str, tuple[Examples, NDArray[np.int64], pa.Table]] = {
        "train": (dataset.train, dataset.y_train, said)
    }
    if len(dataset.y_test):
        names = [dataset.test_name(i) for i in range(len(dataset.y_test))]
        splits["test"] = dataset.test, dataset.y_test, pa.table({"memtail_name": names})
    about = json.dumps({"splits": list(splits)})
    (folder / "dataset_dict.json").write_text(about, encoding="utf-8")
    for split, (examples, labels, more) in splits.items():
        (folder / split).mkdir()
        _write_split(dataset, split, examples, labels, more, folder / split)


def _write_split(
    dataset: Dataset,
    split: str,
    examples: Examples,
    labels: NDArray[np.int64],
    more: pa.Table,
    folder: Path,
) -> None:
    own = _own(dataset)
    label = "label"
    while label in own:  # a feature has that name
        label = f"class_{label}"
    columns: Columns = own | {
        label: ({"names": list(dataset.classes), "_type": "ClassLabel"}, pa.int64())
    }
    columns |= {field.name: (_feature(field.type), field.type) for field in more.schema}
    features = {name: feature for name, (feature, _) in columns.items()}
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    schema = pa.schema(
        [pa.field(name, kind) for name, (_, kind) in columns.items()],
        {"huggingface": json.dumps({"info": {"features": features}}, ensure_ascii=False)},
    )
    with pa.OSFile(str(folder / _FILE), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for start in range(0, len(labels), _ROWS):
            rows = slice(start, start + _ROWS)
            chunk = examples.take(np.arange(*rows.indices(len(labels))))
            arrays = [*_arrays(dataset, split, chunk, start), pa.array(labels[rows])]
            arrays += [each.combine_chunks() for each in more.slice(start, _ROWS).columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
    state: dict[str, Any] = {
        "_data_files": [{"filename": _FILE}],
        "_fingerprint": hashlib.sha256(f"{dataset.sha256} {split}".encode()).hexdigest()[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    for name, content in (("dataset_info.json", info), ("state.json", state)):
        text = json.dumps(content, ensure_ascii=False)
        (folder / name).write_text(text, encoding="utf-8")


def _own(dataset: Dataset) -> Columns:
    """The columns of an example, without the label."""
    if dataset.texts is not None:
        return {"text": (_feature(pa.string()), pa.string())}
    if not dataset.is_shown:
        return {}
    if dataset.modality.is_pictured:
        return {"image": ({"_type": "Image"}, _IMAGE)}
    names = dataset.features or [f"feature_{i}" for i in range(dataset.shape[0])]
    return {name: (_feature(pa.float32()), pa.float32()) for name in names}


def _arrays(dataset: Dataset, split: str, chunk: NDArray[Any], start: int) -> Iterator[pa.Array]:
    """The columns of some examples, the first of which is ``start``."""
    if dataset.texts is not None:
        corpus = dataset.texts.train if split == "train" else dataset.texts.test
        yield pa.array(corpus[start : start + len(chunk)], pa.string())
    elif dataset.is_shown and dataset.modality.is_pictured:
        cells = [{"bytes": _png(image), "path": None} for image in chunk]
        yield pa.array(cells, _IMAGE)
    elif dataset.is_shown:
        yield from (pa.array(np.ascontiguousarray(column)) for column in chunk.T)


def _png(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    picture(image).save(buffer, "png")
    return buffer.getvalue()


def _feature(kind: pa.DataType) -> Feature:
    """What ``datasets`` calls a type of arrow."""
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "Sequence"}
    names = {pa.float64(): "float64", pa.float32(): "float32"}
    return {"dtype": names.get(kind, str(kind)), "_type": "Value"}


FORMAT = Format(
    "huggingface",
    "the dataset with memtail's columns, for load_from_disk",
    write=_write,
    lists_examples=True,
)
