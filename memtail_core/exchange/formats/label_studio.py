"""Label Studio: tasks to import, each with a prediction, and the labeling interface to paste.

    tasks.json   a list of tasks, those whose labels are most likely wrong first:
                 data         the example (an image as a data URI, a text, or the row of a table),
                              its index, name and label, and what memtail says of it
                 predictions  one: the predicted class where the study keeps probabilities, else the
                              label, with its probability as ``score`` and the study as
                              ``model_version``
    labels.xml   the labeling interface: one choice among the classes

``memtail relabel`` reads the JSON that Label Studio exports of these tasks.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from memtail_core.data import Dataset
from memtail_core.drawing.pictures import data_uri
from memtail_core.exchange.example_list import ExampleList, example_list
from memtail_core.exchange.format import Format
from memtail_core.exchange.stored import StoredStudy

_TAGS = {"images": "Image", "text": "Text", "features": "Table"}


def _write(study: StoredStudy, folder: Path) -> None:
    listed = example_list(study, FORMAT.name)
    kind = listed.dataset.modality.name if listed.dataset.is_shown else "features"
    (folder / "labels.xml").write_text(_interface(kind, listed.dataset.classes), encoding="utf-8")
    with (folder / "tasks.json").open("w", encoding="utf-8") as file:
        for number, task in enumerate(_tasks(listed, study.study.id)):
            file.write("[\n" if number == 0 else ",\n")
            json.dump(task, file, ensure_ascii=False, allow_nan=False)
        file.write("\n]\n")


def _interface(kind: str, classes: tuple[str, ...]) -> str:
    choices = "".join(f"\n    <Choice value={quoteattr(name)}/>" for name in classes)
    return (
        f'<View>\n  <Header value="labeled: $label, $name"/>\n  <{_TAGS[kind]} name="example" '
        f'value="$example"/>\n  <Choices name="label" toName="example" choice="single">{choices}\n'
        "  </Choices>\n</View>\n"
    )


def _tasks(listed: ExampleList, version: str) -> Iterator[dict[str, Any]]:
    dataset = listed.dataset
    best, probability = listed.predicted()
    table = listed.table().drop_columns(["neighbour_labels"])
    for i in listed.order.tolist():
        about = {k: v for k, v in table.slice(i, 1).to_pylist()[0].items() if v is not None}
        chosen, score = (
            (int(best[i]), float(probability[i]))
            if best[i] >= 0
            else (int(dataset.y_train[i]), float(np.nan_to_num(listed.label_probability[i])))
        )
        yield {
            "data": {"example": _shown(dataset, i), **about},
            "predictions": [
                {
                    "model_version": version,
                    "score": score,
                    "result": [
                        {
                            "id": f"example-{i}",
                            "from_name": "label",
                            "to_name": "example",
                            "type": "choices",
                            "value": {"choices": [dataset.classes[chosen]]},
                        }
                    ],
                }
            ],
        }


def _shown(dataset: Dataset, i: int) -> Any:
    """What an annotator looks at: a data URI, a text, or columns and their values."""
    if dataset.texts is not None:
        return dataset.texts.train[i]
    if not dataset.is_shown:
        return {"name": dataset.train_name(i)}
    example = dataset.train.take([i])[0]
    if dataset.modality.is_pictured:
        return data_uri(example, is_exact=True)
    names = dataset.features or tuple(map(str, range(len(example))))
    return dict(zip(names, example.tolist(), strict=True))


FORMAT = Format(
    "label-studio", "tasks with predictions, ready to import", write=_write, lists_examples=True
)
