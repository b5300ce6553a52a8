"""Single examples as the page shows them without a script: a picture or a row, and the scores."""

from dataclasses import dataclass
from typing import Any

from memtail_core.analysis.analysis import Analysis
from memtail_core.data import Dataset, Examples
from memtail_core.drawing.pictures import data_uri
from memtail_core.drawing.section import Example
from memtail_core.report.exploration.words import first_phrases


@dataclass(frozen=True)
class Looks:
    """One example; the scores are None for a test example.

    Attributes:
        anchor: the page's address of it, ``train-17``.
        picture: the source of an ``<img>``; None for a row of a table.
        features: a row of a table in words.
    """

    anchor: str
    index: int
    name: str
    label: str
    picture: str | None
    features: str
    is_memorized: bool = False
    memorization: float | None = None
    low: float | None = None
    high: float | None = None
    accuracy_in: float | None = None
    accuracy_out: float | None = None


def of_train(analysis: Analysis, i: int) -> Looks:
    """Training example ``i``."""
    dataset, scores = analysis.dataset, analysis.scores
    return Looks(
        anchor=f"train-{i}",
        index=i,
        name=dataset.train_name(i),
        label=dataset.classes[dataset.y_train[i]],
        **_looks(dataset, dataset.train, i),
        is_memorized=bool(analysis.rule.is_memorized(scores.memorization[i])),
        memorization=float(scores.memorization[i]),
        low=float(scores.ci_low[i]),
        high=float(scores.ci_high[i]),
        accuracy_in=float(scores.accuracy_in[i]),
        accuracy_out=float(scores.accuracy_out[i]),
    )


def of_test(analysis: Analysis, j: int) -> Looks:
    """Test example ``j``."""
    dataset = analysis.dataset
    return Looks(
        anchor=f"test-{j}",
        index=j,
        name=dataset.test_name(j),
        label=dataset.classes[dataset.y_test[j]],
        **_looks(dataset, dataset.test, j),
    )


def of_experiment(analysis: Analysis, example: Example) -> dict[str, Any]:
    """An example that an experiment shows, with what it says of it."""
    looks = (of_test if example.is_test else of_train)(analysis, example.index)
    kind = "test example" if example.is_test else "training example"
    return {"e": looks, "said": example.caption, "kind": kind}


def _looks(dataset: Dataset, examples: Examples, i: int) -> dict[str, Any]:
    """How the page shows example ``i`` of the training or test set."""
    modality = dataset.modality
    if modality.is_pictured:
        return {"picture": data_uri(modality.pictures(examples).take([i])[0]), "features": ""}
    words = first_phrases(modality, examples.take([i])[0], dataset.features)
    return {"picture": None, "features": words}
