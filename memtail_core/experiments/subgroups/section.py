"""The section on subgroups: what each example of the long tail is, and the list to act on."""

import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.section import Example, Gallery, Section, Shown, count, decimal
from memtail_core.experiments.subgroups import figure
from memtail_core.experiments.subgroups.plan import CATEGORIES, STRONG
from memtail_core.experiments.subgroups.result import Member, SubgroupsFound

_SHOWN = 24  # examples of a category
_CLUSTERS, _CLUSTER = 6, 12  # shown; examples of each, of either kind
_MEANING = {
    "typical": "models know them anyway",
    "atypical-useful": "memorized, the label plausible or a test example resting on it: keep",
    "likely-mislabeled": "memorized, the label doubted, hardly anything resting on it: check it",
    "duplicate": "nearly equal another example of the same label: drop one, or mind the test set",
}


def section(found: SubgroupsFound, dataset: Dataset) -> Section:
    """Say, list and draw what was found."""
    return Section(
        name=found.name,
        title="What the long tail is made of",
        findings=_findings(found),
        notes=_notes(found),
        table=members_table(found, dataset),
        shown=_shown(found),
        figures=figure.figures(found),
        galleries=[*_galleries(found, dataset), *_clusters(found)],
    )


def members_table(found: SubgroupsFound, dataset: Dataset) -> pa.Table:
    """One row for each example that is not typical, the evidence in columns."""
    rows = []
    for each in found.members:
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


def _findings(found: SubgroupsFound) -> list[str]:
    counts = found.counts
    useful = [each for each in found.members if each.category == "atypical-useful"]
    carrying = sum(each.supports > 0 for each in useful)
    return [
        f"Of {found.examples:,} training examples, likely mislabeled: "
        f"{counts['likely-mislabeled']:,}, near-duplicates: {counts['duplicate']:,}, atypical but "
        f"useful: {counts['atypical-useful']:,}; the other {counts['typical']:,} are typical.",
        f"About {found.noise:.1%} of the labels are estimated to be wrong.",
        f"Test examples that significantly rest on memorized training examples: "
        f"{found.carried:,}, in {count(found.n_clusters, 'cluster')}; {carrying:,} of the atypical "
        "examples carry them.",
    ]


def _notes(found: SubgroupsFound) -> list[str]:
    of = "probability" if found.has_margins else "share of votes"
    return [
        f"Memorized: memorization ≥ {found.theta_mem:g}. To rest on: influence ≥ "
        f"{found.theta_infl:g}"
        + (f", significant at a false discovery rate of {found.fdr:.0%}" if found.fdr else "")
        + f". Likely mislabeled: no influence ≥ {STRONG:g}, and a label that is wrong with "
        f"probability ≥ {found.doubted:g}, by the "
        f"{of} that networks that held the example out give it, if labels go wrong at random; "
        "confusions with a reason look more plausible than they are.",
        "An atypical example whose label is plausible is called useful also where no test example "
        "is seen to rest on it: the test set is small, the world is not.",
    ]


def _shown(found: SubgroupsFound) -> Shown:
    rows = [
        (category, _MEANING[category], f"{found.counts[category]:,}", _share(found, category))
        for category in CATEGORIES
    ]
    return Shown(("category", "what that means", "examples", "share"), rows, words=2)


def _share(found: SubgroupsFound, category: str) -> str:
    return f"{found.counts[category] / found.examples:.1%}"


def _galleries(found: SubgroupsFound, dataset: Dataset) -> list[Gallery]:
    titles = {
        "likely-mislabeled": "Likely mislabeled, the least plausible labels first",
        "atypical-useful": "Atypical and useful, those that carry most first",
        "duplicate": "Near-duplicates",
    }
    made = []
    for category, title in titles.items():
        some = [each for each in found.members if each.category == category]
        if category == "atypical-useful":
            some = sorted(some, key=lambda each: -each.supports)
        examples = []
        for each in some[:_SHOWN]:
            examples.append(Example(each.index, _said(each)))
            if category == "duplicate" and each.duplicate_of is not None:
                is_test = each.duplicate_in == "test"
                label = (dataset.y_test if is_test else dataset.y_train)[each.duplicate_of]
                of = f"of the {'test' if is_test else 'training'} set: {dataset.classes[label]}"
                examples.append(Example(each.duplicate_of, of, is_test=is_test))
        if examples:
            made.append(Gallery(title, examples))
    return made


def _said(each: Member) -> str:
    if each.category == "likely-mislabeled":
        return f"wrong: {decimal(each.wrong_probability)}"
    if each.category == "atypical-useful":
        return f"carries {each.supports}" if each.supports else f"mem. {decimal(each.memorization)}"
    return f"mem. {decimal(each.memorization)}"


def _clusters(found: SubgroupsFound) -> list[Gallery]:
    made = []
    for number, each in enumerate(found.clusters[:_CLUSTERS], 1):
        examples = [Example(i, "trained on") for i in each.train[:_CLUSTER]]
        examples += [Example(j, "test", is_test=True) for j in each.test[:_CLUSTER]]
        title = (
            f"Cluster {number}: {count(len(each.train), 'memorized training example')}, "
            f"{count(len(each.test), 'test example')} resting on them"
        )
        made.append(Gallery(title, examples))
    return made
