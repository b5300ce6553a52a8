"""Single examples as the page shows them without a script: a picture or a row, and the scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing.pictures import data_uri
from memtail_core.drawing.section import Example

_SHOWN_FEATURES = 8


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
        **_looks(analysis, dataset.x_train[i]),
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
        **_looks(analysis, dataset.x_test[j]),
    )


def of_experiment(analysis: Analysis, example: Example) -> dict[str, Any]:
    """An example that an experiment shows, with what it says of it."""
    looks = (of_test if example.is_test else of_train)(analysis, example.index)
    kind = "test example" if example.is_test else "training example"
    return {"e": looks, "said": example.caption, "kind": kind}


def _looks(analysis: Analysis, x: Any) -> dict[str, Any]:
    if analysis.dataset.kind == "images":
        return {"picture": data_uri(x), "features": ""}
    shown = _features(analysis.dataset.features, x)
    more = ", …" if len(shown) > _SHOWN_FEATURES else ""
    return {"picture": None, "features": ", ".join(shown[:_SHOWN_FEATURES]) + more}


def _features(names: Sequence[str], x: Any) -> list[str]:
    """Every feature with its name; of a column of words, the one word."""
    if not names:
        return [f"{value:.4g}" for value in x]
    return [
        name if "=" in name and value == 1 else f"{name} {value:.4g}"
        for name, value in zip(names, x, strict=True)
        if "=" not in name or value != 0
    ]
