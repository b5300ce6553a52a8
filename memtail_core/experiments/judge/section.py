"""The section on a judgement: which attribution predicts best what models on subsets do?"""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from memtail_core.drawing.formatting import MISSING, count, decimal, percent
from memtail_core.drawing.section import Section, TextTable
from memtail_core.experiments.judge import figure
from memtail_core.experiments.judge.figure import examples_named, tests_named
from memtail_core.experiments.judge.result import Judged, Judgement, Score


def section(result: Judgement) -> Section:
    """Write, list and draw how well each attribution predicts."""
    return Section(
        name=result.name,
        title="Which attribution predicts what models do?",
        findings=_findings(result),
        notes=_notes(result),
        table=_table(result),
        summary=_summary(result),
        figures=figure.figures(result),
    )


def _findings(result: Judgement) -> list[str]:
    best = result.judged[0]
    if best.score.lds is None:
        return ["All judging models treat every test example alike: there is nothing to predict."]
    sentences = [
        f"{best.name} predicts the {result.outcome} of models on other subsets best: its linear "
        f"datamodeling score is {with_interval(best.score)}, a mean over "
        f"{count(best.score.examples, 'test example')} and {result.trials:,} models."
    ]
    close = [
        each.name
        for each in result.judged[1:]
        if each.behind is not None and each.behind.low is not None and each.behind.low <= 0
    ]
    if close:
        sentences.append(f"It may be no better than {', '.join(close)}.")
    if result.ceiling is not None and result.ceiling.lds is not None:
        sentences.append(
            f"No attribution can score more than about {with_interval(result.ceiling)}, because "
            f"models of the same subset differ. {best.name} reaches {_share(best)} of it."
        )
    return [*sentences, *_removed(result), *_wrong(result), *_duplicates(result)]


def _removed(result: Judgement) -> list[str]:
    sentences = []
    for number, most in enumerate(loss.removed for loss in result.judged[0].losses):
        first = max(result.judged, key=lambda each: each.losses[number].loss)
        loss = first.losses[number]
        close = [
            each.name
            for each in result.judged
            if each is not first and (each.losses[number].behind_low or 0) <= 0
        ]
        sentences.append(
            f"Without the {count(most, 'training example')} that score highest by {first.name}, "
            f"the {result.outcome} of a test example is {loss.loss:.3f} [{loss.low:.3f}, "
            f"{loss.high:.3f}] lower than without as many random ones"
            + (f". Those of {', '.join(close)} may cost as much." if close else ".")
        )
    return sentences


def _wrong(result: Judgement) -> list[str]:
    every = [(found, each.name) for each in result.judged for found in each.mislabeled]
    if not every:
        return []
    best, name = max(every, key=lambda pair: pair[0].auroc)
    return [
        f"The {best.by} of {name} finds the {count(result.wrong_labels, 'wrong label')} best: area "
        f"under the ROC curve {best.auroc:.3f} [{best.low:.3f}, {best.high:.3f}]."
    ]


def _duplicates(result: Judgement) -> list[str]:
    every = [(each.duplicates[-1], each.name) for each in result.judged if each.duplicates]
    if not every:
        return []
    best, name = max(every, key=lambda pair: pair[0].share)
    return [
        f"A near-duplicate in the training set is among the {best.among} highest scores of {name} "
        f"for {best.share:.0%} [{best.low:.0%}, {best.high:.0%}] of the "
        f"{count(result.with_duplicate, 'test example')} that have one."
    ]


def _notes(result: Judgement) -> list[str]:
    notes = [
        "The score is the rank correlation, over models, of a model's outcome on a test example "
        "with the sum of the attribution's scores over the model's training subset. It is about "
        "models of this recipe, trained on this share of these data; it says nothing about others. "
        "Intervals are over models and test examples. Margins and probabilities have the same "
        "ranks, so they give the same score.",
        f"Models from trial {result.first:,} on judge. No score was made from them, as far as "
        "files say what they were made from.",
        "The last column says how many networks an attribution took.",
    ]
    if result.ceiling is None:
        notes.append("The highest score possible is not known: --ceiling 50 measures it.")
    else:
        notes.append(
            f"The ceiling comes from {result.retrained:,} of the subsets, trained on once more by "
            "another seed. With too few of them a share of it has no interval: raise --ceiling."
        )
    if result.tests:
        notes.append(
            f"Loss: for each of {count(result.tests, 'test example')} drawn at random, "
            f"{result.repeats} networks were trained on all training examples but those that score "
            f"highest for it, and from the same weights as many without random ones. The loss is "
            f"how much lower the {result.outcome} is. Intervals are over networks and test "
            "examples; they are in the figure and the table."
        )
    if result.wrong_labels:
        notes.append(
            "AUROC: how well scores tell training examples with wrong labels from the others. Harm "
            "is minus the mean score over test examples; self-influence is the score of a "
            "training example for itself, where an attribution has one."
        )
    if result.with_duplicate:
        notes.append(
            "Duplicate in 10: of the test examples with a near-duplicate of their class in the "
            "training set, those for which it is among the 10 highest scores."
        )
    if result.undecided:
        notes.append(
            f"{count(result.undecided, 'test example')} had the same outcome in all models: they "
            "have no score."
        )
    return notes


def with_interval(score: Score) -> str:
    """``0.359 [0.341, 0.377]``, or a dash where there is no score."""
    if score.lds is None:
        return MISSING
    return f"{score.lds:.3f} [{decimal(score.low, 3)}, {decimal(score.high, 3)}]"


def _summary(result: Judgement) -> TextTable:
    columns = ["scores", "LDS", "95% interval", "behind the best", "of ceiling"]
    columns += [f"loss of {loss.removed:,}" for loss in result.judged[0].losses]
    columns += [f"AUROC, {by}" for by in _by(result)]
    columns += [f"duplicate in {each.among:,}" for each in result.judged[0].duplicates]
    return TextTable((*columns, "trained"), [_row(each, _by(result)) for each in result.judged])


def _by(result: Judgement) -> list[str]:
    """Name the scores that find wrong labels."""
    return list(dict.fromkeys(found.by for each in result.judged for found in each.mislabeled))


def _interval(score: Score) -> str:
    return f"{decimal(score.low, 3)} to {decimal(score.high, 3)}"


def _share(each: Judged) -> str:
    if each.share is None:
        return MISSING
    share = percent(each.share, 0)
    if each.share_low is None or each.share_high is None:
        return share
    return f"{share} [{each.share_low:.0%}, {each.share_high:.0%}]"


def _row(each: Judged, by: Sequence[str]) -> tuple[str, ...]:
    area = {found.by: f"{found.auroc:.3f}" for found in each.mislabeled}
    return (
        each.name,
        decimal(each.score.lds, 3),
        _interval(each.score),
        MISSING if each.behind is None else _interval(each.behind),
        _share(each),
        *(decimal(loss.loss, 3) for loss in each.losses),
        *(area.get(name, MISSING) for name in by),
        *(percent(recall.share, 0) for recall in each.duplicates),
        MISSING if each.trainings is None else f"{each.trainings:,}",
    )


Number = float | None
Line = tuple[str, str, Number, Number, Number, int | None]


def _lines(result: Judgement, each: Judged) -> Iterator[Line]:
    """Yield every number of an attribution: measure, of what, value, interval, test examples."""
    scores = [("all test examples", each.score)]
    scores += zip((f"class {name}" for name in result.classes), each.by_class, strict=True)
    scores += zip(map(tests_named, result.groups), each.by_difficulty, strict=True)
    scores += zip(map(examples_named, result.memorized), each.by_memorization, strict=False)
    for of, score in scores:
        yield "LDS", of, score.lds, score.low, score.high, score.examples
    if each.behind is not None:
        behind = each.behind
        yield "behind the best", "LDS", behind.lds, behind.low, behind.high, behind.examples
    if each.share is not None:
        yield "share of ceiling", "LDS", each.share, each.share_low, each.share_high, None
    for loss in each.losses:
        of = f"without the {loss.removed} highest"
        yield f"loss of {result.outcome}", of, loss.loss, loss.low, loss.high, result.tests
        if loss.behind is not None:
            lead = loss.behind, loss.behind_low, loss.behind_high
            yield "behind the best", of, *lead, result.tests
    for found in each.mislabeled:
        yield "AUROC of wrong labels", found.by, found.auroc, found.low, found.high, None
    for recall in each.duplicates:
        of, size = f"among the {recall.among} highest", result.with_duplicate
        yield "duplicate recall", of, recall.share, recall.low, recall.high, size


def _table(result: Judgement) -> pa.Table:
    rows = [(each.name, *line) for each in result.judged for line in _lines(result, each)]
    names, measures, of, value, low, high, examples = zip(*rows, strict=True)
    return pa.table(
        {
            "scores": pa.array(names, pa.string()),
            "measure": pa.array(measures, pa.string()),
            "of": pa.array(of, pa.string()),
            "value": pa.array(value, pa.float64()),
            "ci_low": pa.array(low, pa.float64()),
            "ci_high": pa.array(high, pa.float64()),
            "test_examples": pa.array(examples, pa.int64()),
        }
    )
