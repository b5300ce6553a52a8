"""The section on data values: which training examples help, and which harm?"""

import math

import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.formatting import MISSING, count, decimal, points
from memtail_core.drawing.section import Example, Gallery, Section, TextTable
from memtail_core.experiments.values import figure
from memtail_core.experiments.values.result import MARGIN, Measure, OfClass, Values

_SHOWN = 24  # examples
_CLASSES = 20  # in the summary


def section(result: Values, dataset: Dataset) -> Section:
    """Write, list and draw what each example is worth."""
    return Section(
        name=result.name,
        title="What each training example is worth",
        findings=_findings(result, dataset),
        notes=_notes(result),
        table=values_table(result, dataset),
        summary=_summary(result),
        figures=figure.figures(result),
        galleries=_galleries(result),
    )


def values_table(result: Values, dataset: Dataset) -> pa.Table:
    """Return one row for each training example, the least valuable first."""
    n = len(result.effect)
    columns = {
        "index": pa.array(range(n), pa.int64()),
        "effect": pa.array([figure.EFFECTS[each] for each in result.effect], pa.string()),
    }
    for each in result.measures:
        for name in ("value", "ci_low", "ci_high", "q_value"):
            columns[f"{each.outcome}_{name}"] = pa.array(getattr(each, name), pa.float64())
    columns["data_oob"] = pa.array(result.held_out, pa.float64())
    columns["class"] = pa.array([str(dataset.classes[label]) for label in dataset.y_train])
    columns["name"] = pa.array([dataset.train_name(i) for i in range(n)])
    return pa.table(columns).take(pa.array(_order(result)))


def _order(result: Values) -> list[int]:
    value = result.measures[0].value
    return sorted(range(len(value)), key=lambda i: math.inf if (v := value[i]) is None else v)


def _is_share(result: Values) -> bool:
    return result.measures[0].outcome != MARGIN


def _number(result: Values, value: float | None) -> str:
    """``−0.12``: percentage points, or units of the margin, with its sign."""
    text = points(value, 3) if _is_share(result) else decimal(value, 4)
    return text if value is None or value < 0 else f"+{text}"


def _findings(result: Values, dataset: Dataset) -> list[str]:
    first, outcome = result.measures[0], f"test {result.measures[0].outcome}"
    harmful, helpful = result.effect.count(-1), result.effect.count(1)
    known = [i for i in _order(result) if first.ci_low[i] is not None]
    if not known:
        return [
            f"All models have the same {outcome}: nothing is to be learned about single examples."
        ]
    sentences = [
        f"Of {count(result.examples, 'training example')}, {harmful:,} are found to be harmful to "
        f"the {outcome} and {helpful:,} helpful, at a false discovery rate of {result.fdr:.0%}.",
    ]
    for word, i in (("least", known[0]), ("most", known[-1])):
        low, high = (_number(result, each[i]) for each in (first.ci_low, first.ci_high))
        unit = " percentage points" if _is_share(result) else ""
        sentences.append(
            f"The {word} valuable is example {i} ({dataset.classes[dataset.y_train[i]]}): the "
            f"{outcome} of models with it is {_number(result, first.value[i])}{unit} "
            f"[{low}, {high}] against those without it."
        )
    others = [
        f"{_effects(each, result.fdr, -1):,} harmful and {_effects(each, result.fdr, 1):,} helpful "
        f"to the mean {each.outcome}"
        for each in result.measures[1:]
    ]
    if others:
        sentences.append(f"At the same rate, {', '.join(others)}.")
    if first.signal is not None:
        sentences.append(
            f"{first.signal:.0%} of the variance of the values is between examples; the rest is "
            f"sampling error of {result.trials:,} models."
        )
    return sentences


def _effects(of: Measure, fdr: float, sign: int) -> int:
    pairs = zip(of.value, of.q_value, strict=True)
    return sum(v is not None and q is not None and q <= fdr and v * sign > 0 for v, q in pairs)


def _notes(result: Values) -> list[str]:
    size = f"{result.ratio:.0%} of the training set"
    kind = "the" if math.isclose(result.ratio, 0.5, abs_tol=0.005) else "a weighted"
    notes = [
        "The value of an example is the mean, over test examples, of its influence: models with it "
        f"against models without it. All models train on {size}, so models without it have another "
        "example instead, and values sum to about 0: a harmful example is worth less than the "
        f"average one. Up to that constant it is {kind} Banzhaf value for subsets of this size.",
        "Intervals and q-values take the models as the sample, block by block, and this test set "
        "as given. The lowest of many uncertain values are too low, the highest too high: act on "
        "those that are harmful, and train more models to find others.",
        "The column data_oob is how often models that held an example out get it right, its value "
        "by Data-OOB.",
    ]
    if len(result.by_class) > _CLASSES:
        notes.append(f"The table shows the {_CLASSES} classes with the most harmful examples.")
    if n_missing := len(result.effect) - result.examples:
        notes.append(f"{count(n_missing, 'example')} were in all models, or in none.")
    return notes


def _summary(result: Values) -> TextTable:
    unit = "points" if _is_share(result) else "margin"
    columns = ("class", "examples", f"mean value ({unit})", "harmful", "helpful")
    some = sorted(result.by_class, key=lambda of: (-of.harmful, of.mean or 0.0))[:_CLASSES]
    every = ("all", f"{result.examples:,}", MISSING)
    counts = (f"{result.effect.count(effect):,}" for effect in (-1, 1))
    return TextTable(columns, [(*every, *counts), *(_row(result, each) for each in some)])


def _row(result: Values, each: OfClass) -> tuple[str, ...]:
    mean = _number(result, each.mean)
    return each.name, f"{each.examples:,}", mean, f"{each.harmful:,}", f"{each.helpful:,}"


def _galleries(result: Values) -> list[Gallery]:
    first = result.measures[0]
    known = [i for i in _order(result) if first.ci_low[i] is not None]
    titles = {
        "The least valuable: models with them are worse": known[:_SHOWN],
        "The most valuable: models with them are better": known[: -_SHOWN - 1 : -1],
    }
    return [
        Gallery(title, [Example(i, _caption(result, i)) for i in some])
        for title, some in titles.items()
        if some
    ]


def _caption(result: Values, i: int) -> str:
    effect = f", {figure.EFFECTS[result.effect[i]]}" if result.effect[i] else ""
    return f"{_number(result, result.measures[0].value[i])}{effect}"
