"""FiftyOne: images with memtail's fields, a folder that FiftyOne imports without any code.

    fiftyone datasets create --name NAME --dataset-dir FOLDER --type fiftyone.types.FiftyOneDataset

    metadata.json    the medium and the names of the classes
    samples.json     a sample per training example: filepath, ground_truth, prediction (where the
                     study keeps probabilities), tags, and what memtail says in a field each
    data/            the images as PNG

This is the first layout that FiftyOne had, which all its versions import: it needs no identifiers
of a database. Tags are ``doubted``, where a label is more likely wrong than right, and what
``memtail subgroups`` says, if it ran.
"""

import json
from pathlib import Path
from typing import Any

from memtail_core.drawing.pictures import picture
from memtail_core.errors import EstimationError
from memtail_core.exchange.example_list import ExampleList, example_list
from memtail_core.exchange.format import Format
from memtail_core.exchange.stored import StoredStudy

_OWN = ("label", "predicted", "predicted_probability", "category")  # have another form here


def _write(study: StoredStudy, folder: Path) -> None:
    dataset = study.dataset
    if not (dataset.is_shown and dataset.modality.is_pictured):
        raise EstimationError(
            f"fiftyone shows images, and {study.study.id} has none: choose --to csv, huggingface "
            "or label-studio"
        )
    listed = example_list(study, FORMAT.name)
    (folder / "data").mkdir()
    metadata = {"media_type": "image", "info": {"study": study.study.id, "made_by": "memtail"}}
    _dump(metadata | {"default_classes": list(dataset.classes)}, folder / "metadata.json")
    samples, i = [], 0
    rows = listed.table().to_pylist()
    for chunk in dataset.train.chunks():
        for image in chunk:
            file = f"data/{i:07d}.png"
            picture(image).save(folder / file)
            samples.append(_sample(listed, i, rows[i], file))
            i += 1
    _dump({"samples": samples}, folder / "samples.json")


def _sample(listed: ExampleList, i: int, row: dict[str, Any], file: str) -> dict[str, Any]:
    tags = ["doubted"] if listed.is_doubted[i] else []
    sample = {
        "filepath": file,
        "tags": tags + ([row["category"]] if row["category"] else []),
        "ground_truth": _classification(row["label"]),
    }
    if row["predicted"] is not None:
        sample["prediction"] = _classification(row["predicted"], row["predicted_probability"])
    return sample | {name: value for name, value in row.items() if name not in _OWN}


def _classification(label: str, confidence: float | None = None) -> dict[str, Any]:
    sure = {} if confidence is None else {"confidence": confidence}
    return {"_cls": "Classification", "label": label, **sure}


def _dump(content: dict[str, Any], file: Path) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")


FORMAT = Format(
    "fiftyone", "images with memtail's fields, to import", write=_write, lists_examples=True
)
