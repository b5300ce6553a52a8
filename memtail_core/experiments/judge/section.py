"""The section on a judgement: which attribution predicts best what models on subsets do?"""

import pyarrow as pa

from memtail_core.drawing.formatting import MISSING, count, decimal, percent
from memtail_core.drawing.section import Section, TextTable
from memtail_core.experiments.judge import figure
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
            f"models of the same subset differ. {best.name} reaches {percent(best.share, 0)} of it."
        )
    return sentences


def _notes(result: Judgement) -> list[str]:
    notes = [
        "The score is the rank correlation, over models, of a model's outcome on a test example "
        "with the sum of the attribution's scores over the model's training subset. It is about "
        "models of this recipe, trained on this share of these data; it says nothing about others. "
        "Intervals are over models and test examples. Margins and probabilities have the same "
        "ranks, so they give the same score.",
        f"Models from trial {result.first:,} on judge. No score was made from them, as far as "
        "files say what they were made from.",
        "The columns after the ceiling are the scores on test examples that this share of the "
        "judging models gets right; the last says how many networks an attribution took.",
    ]
    if result.ceiling is None:
        notes.append("The highest score possible is not known: --ceiling 50 measures it.")
    else:
        notes.append(
            f"The ceiling comes from {result.retrained:,} of the subsets, trained on once more by "
            "another seed."
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
    groups = [f"right {100 * group.low:.0f}–{group.high:.0%}" for group in result.groups]
    columns = ("scores", "LDS", "95% interval", "behind the best", "of ceiling", *groups, "trained")
    return TextTable(columns, [_row(each) for each in result.judged])


def _interval(score: Score) -> str:
    return f"{decimal(score.low, 3)} to {decimal(score.high, 3)}"


def _row(each: Judged) -> tuple[str, ...]:
    return (
        each.name,
        decimal(each.score.lds, 3),
        _interval(each.score),
        MISSING if each.behind is None else _interval(each.behind),
        percent(each.share, 0),
        *(decimal(score.lds, 3) for score in each.by_difficulty),
        MISSING if each.trainings is None else f"{each.trainings:,}",
    )


def _table(result: Judgement) -> pa.Table:
    """Return a row for each attribution and group of test examples."""
    groups = [f"right in {group.low:g} to {group.high:g}" for group in result.groups]
    rows = [
        (each.name, of, score)
        for each in result.judged
        for of, score in [
            ("all", each.score),
            *zip((f"class {name}" for name in result.classes), each.by_class, strict=True),
            *zip(groups, each.by_difficulty, strict=True),
        ]
    ]
    return pa.table(
        {
            "scores": pa.array([name for name, _, _ in rows], pa.string()),
            "test_examples": pa.array([of for _, of, _ in rows], pa.string()),
            "lds": pa.array([score.lds for _, _, score in rows], pa.float64()),
            "ci_low": pa.array([score.low for _, _, score in rows], pa.float64()),
            "ci_high": pa.array([score.high for _, _, score in rows], pa.float64()),
            "examples": pa.array([score.examples for _, _, score in rows], pa.int64()),
        }
    )
