"""The section on subgroups: what each example of the long tail is, and what to do with it."""

import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.formatting import count, decimal
from memtail_core.drawing.section import Example, Gallery, Section, TextTable
from memtail_core.estimation.counted import COUNTED
from memtail_core.experiments.subgroups import figure
from memtail_core.experiments.subgroups.result import CATEGORIES, STRONG, Member, Subgroups

_SHOWN = 24  # examples of a category
_CLUSTERS, _CLUSTER = 6, 12  # clusters to show; training, and test, examples of each
_MEANING = {
    "typical": "models get them right without training on them",
    "atypical-useful": "memorized; the label is plausible or a test example rests on it: keep",
    "likely-mislabeled": "memorized; the label is doubtful and little rests on it: check the label",
    "duplicate": "nearly equals an example of the same label: drop one; in the test set, a leak",
    "only-of-class": "memorized; the only example of its class, so no model can judge its label",
}


def section(result: Subgroups, dataset: Dataset) -> Section:
    """Write, list and draw what each example is."""
    return Section(
        name=result.name,
        title="What the long tail is made of",
        findings=_findings(result),
        notes=_notes(result),
        table=members_table(result, dataset),
        summary=_summary(result),
        figures=figure.figures(result),
        galleries=[*_galleries(result, dataset), *_clusters(result)],
    )


def members_table(result: Subgroups, dataset: Dataset) -> pa.Table:
    """One row for each example that is not typical, the evidence in columns."""
    rows = []
    for each in result.members:
        test = each.duplicate_in == "test"
        partner = each.duplicate_of
        name = None
        if partner is not None:
            name = dataset.test_name(partner) if test else dataset.train_name(partner)
        row = each.model_dump()
        row["class"] = str(dataset.classes[dataset.y_train[each.index]])
        row["name"] = dataset.train_name(each.index)
        rows.append(row | {"duplicate_name": name})
    return pa.Table.from_pylist(rows)


def _findings(result: Subgroups) -> list[str]:
    counts = result.counts
    useful = [each for each in result.members if each.category == "atypical-useful"]
    carrying = sum(each.supports > 0 for each in useful)
    return [
        f"Of {result.examples:,} training examples, {counts['likely-mislabeled']:,} are likely "
        f"mislabeled, {counts['duplicate']:,} near-duplicates, {counts['atypical-useful']:,} "
        f"atypical but useful, and the other {counts['typical']:,} typical.",
        *(
            [
                f"Memorized and alone in their class: {count(alone, 'example')}. Models that held "
                "one out have never seen its class, so nothing says whether its label is right."
            ]
            if (alone := counts.get("only-of-class", 0))
            else []
        ),
        f"About {result.noise:.1%} of the labels are estimated to be wrong.",
        f"{count(result.carried, 'test example')}, in {count(result.n_clusters, 'cluster')}, "
        f"significantly {'rests' if result.carried == 1 else 'rest'} on memorized training "
        f"examples; {carrying:,} of the "
        "atypical examples support at least one.",
    ]


def _notes(result: Subgroups) -> list[str]:
    source = "probability" if result.has_margins else "share of votes"
    notes = [
        f"An example is memorized if its memorization is ≥ {result.theta_mem:g}. A test example "
        f"rests on it if the influence is ≥ {result.theta_infl:g}"
        + (f" and significant at a false discovery rate of {result.fdr:.0%}" if result.fdr else "")
        + f". It is likely mislabeled if no influence is ≥ {STRONG:g} and its label is wrong with "
        f"probability ≥ {result.doubted:g}. That probability follows from the {source} that "
        "networks which held the example out give its label, if labels go wrong at random. "
        "Systematic confusions look more plausible than they are."
        + (
            " Its 95% intervals (wrong_low, wrong_high) are for what infinitely many networks of "
            "this recipe would give; they do not ask whether labels go wrong at random."
            if result.has_margins
            else ""
        ),
        "An atypical example whose label is plausible is called useful even if no test example "
        "rests on it, because a test set holds few examples of each rare kind.",
    ]
    if result.estimator != COUNTED.name:
        notes.append(
            f"Memorization and its intervals are those of the {result.estimator} estimator, which "
            "decide who is memorized. The false discovery rate of pairs has not been simulated for "
            "this choice."
        )
    return notes


def _summary(result: Subgroups) -> TextTable:
    rows = [
        (category, _MEANING[category], f"{result.counts[category]:,}", _share(result, category))
        for category in CATEGORIES
        if result.counts.get(category) or category != "only-of-class"
    ]
    return TextTable(("category", "what it means", "examples", "share"), rows, words=2)


def _share(result: Subgroups, category: str) -> str:
    return f"{result.counts[category] / result.examples:.1%}"


def _galleries(result: Subgroups, dataset: Dataset) -> list[Gallery]:
    titles = {
        "likely-mislabeled": "Likely mislabeled, the least plausible labels first",
        "atypical-useful": "Atypical but useful, those that support most test examples first",
        "duplicate": "Near-duplicates",
        "only-of-class": "The only example of its class",
    }
    made = []
    for category, title in titles.items():
        some = [each for each in result.members if each.category == category]
        if category == "atypical-useful":
            some = sorted(some, key=lambda each: -each.supports)
        examples = []
        for each in some[:_SHOWN]:
            examples.append(Example(each.index, _caption(each)))
            if category == "duplicate" and each.duplicate_of is not None:
                is_test = each.duplicate_in == "test"
                label = (dataset.y_test if is_test else dataset.y_train)[each.duplicate_of]
                of = f"of the {'test' if is_test else 'training'} set: {dataset.classes[label]}"
                examples.append(Example(each.duplicate_of, of, is_test=is_test))
        if examples:
            made.append(Gallery(title, examples))
    return made


def _caption(each: Member) -> str:
    if each.category == "likely-mislabeled":
        said = f"wrong: {decimal(each.wrong_probability)}"
        if each.wrong_low is None:
            return said
        return f"{said} ({decimal(each.wrong_low)} to {decimal(each.wrong_high)})"
    if each.category == "atypical-useful":
        return (
            f"supports {each.supports}" if each.supports else f"mem. {decimal(each.memorization)}"
        )
    return f"mem. {decimal(each.memorization)}"


def _clusters(result: Subgroups) -> list[Gallery]:
    made = []
    for number, each in enumerate(result.clusters[:_CLUSTERS], 1):
        examples = [Example(i, "training") for i in each.train[:_CLUSTER]]
        examples += [Example(j, "test", is_test=True) for j in each.test[:_CLUSTER]]
        title = (
            f"Cluster {number}: {count(len(each.train), 'memorized training example')}, "
            f"{count(len(each.test), 'test example')} that rest on them"
        )
        made.append(Gallery(title, examples))
    return made
