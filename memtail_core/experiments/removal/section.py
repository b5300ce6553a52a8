"""The section on removal: what test accuracy costs without the memorized examples."""

import pyarrow as pa

from memtail_core.drawing.section import Section, Shown, count, interval, points
from memtail_core.estimation.thresholds import THETA_MEM
from memtail_core.experiments.removal import figure
from memtail_core.experiments.removal.figure import left_of_whole
from memtail_core.experiments.removal.plan import Removal, Removed

_SURE = 0.05
_TITLE = "What memorized examples are worth"


def section(found: Removal) -> Section:
    """Say, list and draw what was found."""
    return Section(
        name=found.name,
        title=_TITLE + ("" if found.deduplicated is None else ", near-duplicates left out"),
        findings=_findings(found),
        notes=_notes(found),
        table=_table(found),
        shown=_shown(found),
        figures=figure.figures(found),
    )


def _findings(found: Removal) -> list[str]:
    n_sure = sum(_costs_more(cut) for cut in found.cuts)
    said = [_cost(found, _headline(found))]
    said.append(
        f"They cost significantly more than random ones at {n_sure} of {len(found.cuts)} cuts "
        "(at 5%, corrected for the number of cuts)."
    )
    of_pairs = next((cut for cut in found.cuts if cut.threshold is None), None)
    if not found.test_in_pairs:
        return [*said, "No test example is in a significant high-influence pair."]
    if of_pairs and of_pairs is not _headline(found):
        said.append(_cost(found, of_pairs))
    cut = of_pairs or _headline(found)
    said.append(
        f"Of that drop of {interval(cut.drop)} points, {interval(cut.drop_in_pairs)} are on "
        f"{count(found.test_in_pairs, 'test example')} ({found.test_in_pairs / found.tested:.1%}), "
        f"those in high-influence pairs, and {interval(cut.drop_elsewhere)} on all others."
    )
    return said


def _headline(found: Removal) -> Removed:
    """The cut at the paper's threshold or next to it: chosen before anything is known of it."""
    cuts = [cut for cut in found.cuts if cut.threshold is not None] or found.cuts
    return min(cuts, key=lambda cut: abs((cut.threshold or 0.0) - THETA_MEM))


def _cost(found: Removal, cut: Removed) -> str:
    return (
        f"Without the {_what(cut)} ({cut.removed / found.examples:.1%} of the training set) test "
        f"accuracy falls from {found.whole.mean:.2%} to {cut.memorized.mean:.2%}; without as many "
        f"random ones, to {cut.random.mean:.2%}: a difference of {interval(cut.difference)} "
        "percentage points."
    )


def _notes(found: Removal) -> list[str]:
    said = [
        f"{found.repeats} networks for each of {1 + 2 * len(found.cuts)} training sets; intervals "
        "are 95%, from the differences within each repeat. What to remove was chosen by half of "
        f"the {found.trials:,} models of the study, the test examples in pairs (significant at a "
        "false discovery rate of 5%) by the other half; the networks compared are new. "
        "*: significant at 5%, corrected for the number of cuts.",
        f"Held-in accuracy is {found.whole.held_in:.2%} with nothing removed: networks that do not "
        "fit show smaller drops.",
    ]
    if found.dropped:
        said.append(
            f"Left out, for they select nothing, the same examples as another, or more than 90% of "
            f"a class: {', '.join(f'{threshold:g}' for threshold in found.dropped)}."
        )
    if found.deduplicated is not None:
        said.append(
            f"{found.deduplicated:,} training examples that nearly equal a test example were left "
            "out of every training set first."
        )
    return said


def _table(found: Removal) -> pa.Table:
    rows = []
    for cut in found.cuts:
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


def _shown(found: Removal) -> Shown:
    columns = ("removed", "examples", "left", "accuracy", "random", "cost more", "drop in pairs")
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
        for cut in found.cuts
    ]
    whole = f"{points(found.whole.mean)} ± {points(found.whole.sd)}"
    nothing = ("nothing", "0", f"{left_of_whole(found):.1%}", whole, "", "", "")
    return Shown(columns, [nothing, *rows])


def _what(cut: Removed) -> str:
    if cut.threshold is None:
        return f"{count(cut.removed, 'training example')} of the high-influence pairs"
    return f"{count(cut.removed, 'training example')} with memorization ≥ {cut.threshold:g}"


def _costs_more(cut: Removed) -> bool:
    return cut.difference.mean > 0 and cut.p_value is not None and cut.p_value <= _SURE
