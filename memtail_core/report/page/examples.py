"""Single examples for the templates: a picture or the text of a row, and the scores."""

from dataclasses import dataclass
from typing import Any

from memtail_core.analysis.analysis import Analysis
from memtail_core.data import Dataset, Examples
from memtail_core.drawing.pictures import data_uri
from memtail_core.drawing.section import Example
from memtail_core.report.exploration.feature_text import words
from memtail_core.report.exploration.token_shades import TokenShades


@dataclass(frozen=True)
class ExampleView:
    """One example; the scores are None for a test example.

    Attributes:
        anchor: its address in the page, as ``train-17``.
        label: its class; empty where examples have no labels.
        picture: the source of an ``<img>``; None for a row of a table.
        features: the row of a table in words, or the beginning of a text, shaded if it is Markup.
        is_text: whether it is a text.
    """

    anchor: str
    index: int
    name: str
    label: str
    picture: str | None
    features: str
    is_text: bool = False
    is_memorized: bool = False
    memorization: float | None = None
    low: float | None = None
    high: float | None = None
    accuracy_in: float | None = None
    accuracy_out: float | None = None


def of_train(analysis: Analysis, i: int, shades: TokenShades | None = None) -> ExampleView:
    """Return the view of training example ``i``, a document shaded."""
    dataset, scores = analysis.dataset, analysis.scores
    return ExampleView(
        anchor=f"train-{i}",
        index=i,
        name=dataset.train_name(i),
        label=_label(dataset, int(dataset.y_train[i])),
        **_appearance(dataset, dataset.train, i, shades),
        is_memorized=bool(analysis.rule.is_memorized(scores.memorization[i])),
        memorization=float(scores.memorization[i]),
        low=float(scores.ci_low[i]),
        high=float(scores.ci_high[i]),
        accuracy_in=float(scores.accuracy_in[i]),
        accuracy_out=float(scores.accuracy_out[i]),
    )


def of_test(analysis: Analysis, j: int) -> ExampleView:
    """Return the view of test example ``j``."""
    dataset = analysis.dataset
    return ExampleView(
        anchor=f"test-{j}",
        index=j,
        name=dataset.test_name(j),
        label=_label(dataset, int(dataset.y_test[j])),
        **_appearance(dataset, dataset.test, j),
    )


def of_experiment(analysis: Analysis, example: Example) -> dict[str, Any]:
    """Return an example that an experiment shows, with the experiment's words about it."""
    view = (of_test if example.is_test else of_train)(analysis, example.index)
    kind = "test example" if example.is_test else "training example"
    return {"e": view, "said": example.caption, "kind": kind}


def _label(dataset: Dataset, label: int) -> str:
    return dataset.classes[label] if dataset.is_labelled else ""


def _appearance(
    dataset: Dataset, examples: Examples, i: int, shades: TokenShades | None = None
) -> dict[str, Any]:
    """The picture or the text of example ``i`` of the training or test set."""
    modality = dataset.modality
    if modality.is_pictured:
        return {"picture": data_uri(modality.pictures(examples).take([i])[0]), "features": ""}
    side = "train" if examples is dataset.train else "test"
    shown = words(dataset, side, i)
    if shades is not None:
        shown = shades.html(i, shown)
    return {"picture": None, "features": shown, "is_text": dataset.texts is not None}
