"""The section on removal: what does test accuracy lose without the memorized examples?"""

import pyarrow as pa

from memtail_core.drawing.formatting import count, interval, points
from memtail_core.drawing.section import Section, TextTable
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.experiments.removal import figure
from memtail_core.experiments.removal.figure import left_of_whole
from memtail_core.experiments.removal.result import Removal, Removed

_SURE = 0.05
_TITLE = "What memorized examples are worth"


def section(result: Removal) -> Section:
    """Write, list and draw what each removal costs."""
    return Section(
        name=result.name,
        title=_TITLE + ("" if result.deduplicated is None else ", near-duplicates left out"),
        findings=_findings(result),
        notes=_notes(result),
        table=_table(result),
        summary=_summary(result),
        figures=figure.figures(result),
    )


def _findings(result: Removal) -> list[str]:
    n_sure = sum(_costs_more(cut) for cut in result.cuts)
    sentences = [_cost(result, _headline(result))]
    sentences.append(
        f"Removing memorized examples costs significantly more than removing random ones in "
        f"{n_sure} of {len(result.cuts)} cuts (at 5%, corrected for the number of cuts)."
    )
    of_pairs = next((cut for cut in result.cuts if cut.threshold is None), None)
    if not result.test_in_pairs:
        return [*sentences, "No test example is in a significant high-influence pair."]
    if of_pairs and of_pairs is not _headline(result):
        sentences.append(_cost(result, of_pairs))
    cut = of_pairs or _headline(result)
    sentences.append(
        f"Of the loss of {interval(cut.drop)} points compared with removing nothing, "
        f"{interval(cut.drop_in_pairs)} are on the {count(result.test_in_pairs, 'test example')} "
        f"({result.test_in_pairs / result.tested:.1%}) in high-influence pairs, and "
        f"{interval(cut.drop_elsewhere)} on all others."
    )
    return sentences


def _headline(result: Removal) -> Removed:
    """Return the cut nearest to the paper's threshold: a choice that does not look at results."""
    cuts = [cut for cut in result.cuts if cut.threshold is not None] or result.cuts
    return min(cuts, key=lambda cut: abs((cut.threshold or 0.0) - THETA_MEM))


def _cost(result: Removal, cut: Removed) -> str:
    return (
        f"Without the {_what(cut)} ({cut.removed / result.examples:.1%} of the training set) test "
        f"accuracy goes from {result.whole.mean:.2%} to {cut.memorized.mean:.2%}; without as many "
        f"random ones, to {cut.random.mean:.2%}. The difference is {interval(cut.difference)} "
        "percentage points."
    )


def _notes(result: Removal) -> list[str]:
    notes = [
        f"{result.repeats} networks were trained on each of {1 + 2 * len(result.cuts)} training "
        "sets. Intervals are 95%, from the differences within each repeat. Half of the "
        f"{result.trials:,} models of the study chose what to remove, the other half the test "
        "examples in pairs (significant at a false discovery rate of 5%). The networks that are "
        "compared are new. *: significant at 5%, corrected for the number of cuts.",
        f"Held-in accuracy is {result.whole.held_in:.2%} with nothing removed. Networks that do "
        "not fit their training set show smaller losses.",
    ]
    if result.estimator != COUNTED.name:
        notes.append(
            f"What is removed is chosen by the {result.estimator} estimator, also for what similar "
            "examples show. The networks that are compared are new, so drops, their intervals and "
            "p-values hold as with counting. That pairs are significant has not been simulated for "
            "this choice."
        )
    if result.dropped:
        notes.append(
            "Some thresholds were left out, because they select nothing, the same examples as "
            "another, or more than 90% of a class: "
            f"{', '.join(f'{threshold:g}' for threshold in result.dropped)}."
        )
    if result.deduplicated is not None:
        notes.append(
            f"{result.deduplicated:,} training examples that nearly equal a test example were left "
            "out of every training set."
        )
    return notes


def _table(result: Removal) -> pa.Table:
    rows = []
    for cut in result.cuts:
        row: dict[str, float | int | None] = {
            "threshold": cut.threshold,
            "removed": cut.removed,
            "left": cut.left,
            "accuracy_without_memorized": cut.memorized.mean,
            "sd_without_memorized": cut.memorized.sd,
            "accuracy_without_random": cut.random.mean,
            "sd_without_random": cut.random.sd,
            "held_in_without_memorized": cut.memorized.held_in,
            "held_in_without_random": cut.random.held_in,
        }
        for name in ("difference", "drop", "random_drop", "drop_in_pairs", "drop_elsewhere"):
            of = getattr(cut, name)
            row |= {name: of.mean, f"{name}_low": of.low, f"{name}_high": of.high}
        rows.append(row | {"p_value_holm": cut.p_value})
    return pa.Table.from_pylist(rows)


def _summary(result: Removal) -> TextTable:
    columns = ("removed", "examples", "left", "accuracy", "random", "difference", "loss in pairs")
    rows = [
        (
            "of pairs" if cut.threshold is None else f"mem. ≥ {cut.threshold:g}",
            f"{cut.removed:,}",
            f"{cut.left:.1%}",
            f"{points(cut.memorized.mean)} ± {points(cut.memorized.sd)}",
            f"{points(cut.random.mean)} ± {points(cut.random.sd)}",
            interval(cut.difference) + (" *" if _costs_more(cut) else ""),
            f"{points(cut.drop_in_pairs.mean)} of {points(cut.drop.mean)}",
        )
        for cut in result.cuts
    ]
    whole = f"{points(result.whole.mean)} ± {points(result.whole.sd)}"
    nothing = ("nothing", "0", f"{left_of_whole(result):.1%}", whole, "", "", "")
    return TextTable(columns, [nothing, *rows])


def _what(cut: Removed) -> str:
    if cut.threshold is None:
        return f"{count(cut.removed, 'training example')} of the high-influence pairs"
    return f"{count(cut.removed, 'training example')} with memorization ≥ {cut.threshold:g}"


def _costs_more(cut: Removed) -> bool:
    return cut.difference.mean > 0 and cut.p_value is not None and cut.p_value <= _SURE
