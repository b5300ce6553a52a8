"""Collects the data of the page's explorer from an analysis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.analysis import Analysis
from memtail_core.data import Dataset
from memtail_core.data.neighbours import Neighbours, Space
from memtail_core.estimation import Memorization
from memtail_core.estimation.influence import Family, Pairs, PairsRule, counter_for
from memtail_core.estimation.measures import CORRECTNESS, Measure
from memtail_core.experiments.results import kept
from memtail_core.experiments.subgroups.result import CATEGORIES, Subgroups
from memtail_core.report.exploration import near_duplicates
from memtail_core.report.exploration.feature_text import words_of
from memtail_core.report.exploration.measured_influence import (
    means,
    measured_partners,
    significant_pairs,
)
from memtail_core.report.exploration.near_duplicates import NearDuplicates
from memtail_core.report.exploration.shown_examples import (
    Shown,
    Spoken,
    room_for_pictures,
    shown_examples,
)
from memtail_core.report.exploration.sprites import Sheets
from memtail_core.report.exploration.strongest_influence import (
    Partners,
    partners,
    significance_level,
)
from memtail_core.report.exploration.thumbnails import BUDGET, Ranking, pictures
from memtail_core.report.exploration.token_shades import TokenShades
from memtail_core.store import ObjectStore

_SUPPORTED = 5  # test examples listed of a training example
_SUPPORTERS = 8  # training examples listed of a test example
_NEIGHBOURS = 6
_MOST_PAIRS = 5000

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Exploration:
    """The data of the explorer for n training and n_test test examples.

    Texts, partners, neighbours and thumbnails are those of the examples on the page, in the order
    of their indices: s training and s_test test examples, all of them if ``shown`` is None.
    Partners and neighbours are indices into the whole dataset.

    Attributes:
        dataset, rule, trials, scores: the study's data, the rule of pairs, how many models, and
            memorization.
        test_accuracy: float64 [n_test], the mean of the measure over models: of correctness, the
            share of models that got each test example right.
        categories: names of the categories of ``memtail subgroups`` other than typical; none if
            it was not run.
        category: int64 [n], an index into ``categories``; −1 if typical or unknown.
        train_shades: of each document on the page, how dark its characters are; None without.
        train_text, test_text: the rows of a table, or texts, in words; None for images.
        supported: the test examples that rest on each training example.
        supporters: the training examples that each test example rests on.
        neighbours: the nearest other training examples of each training example.
        duplicates: near-duplicates of training examples.
        pairs: all pairs of the rule, the strongest first; the page shows ``n_pairs_shown``.
        pair_is_duplicate: bool [n_pairs_shown], whether a pair is a near-duplicate.
        train_sheets, test_sheets: thumbnails; None for tables.
        measure: what memorization and influence are differences of.
        shown: which examples the page holds; None: all.
        is_by_backbone: whether neighbours are near by the features of the study's backbone.
    """

    dataset: Dataset
    rule: PairsRule
    trials: int
    scores: Memorization
    test_accuracy: NDArray[np.float64]
    categories: tuple[str, ...]
    category: Indices
    train_text: Sequence[str] | None
    test_text: Sequence[str] | None
    supported: Partners
    supporters: Partners
    neighbours: Neighbours
    duplicates: NearDuplicates
    pairs: Pairs
    pair_is_duplicate: NDArray[np.bool_]
    train_sheets: Sheets | None
    test_sheets: Sheets | None
    measure: Measure = CORRECTNESS
    shown: Shown | None = None
    is_by_backbone: bool = False
    train_shades: Sequence[str] | None = None

    @property
    def n_pairs_shown(self) -> int:
        """How many pairs the page shows."""
        return len(self.pair_is_duplicate)


def explore(
    analysis: Analysis,
    subgroups: Subgroups | None = None,
    *,
    shown_train: Iterable[int] = (),
    shown_test: Iterable[int] = (),
    budget: int = BUDGET,
    compared: Dataset | None = None,
    shades: TokenShades | None = None,
) -> Exploration:
    """Collect the data of the explorer.

    Args:
        analysis: the study's scores and pairs.
        subgroups: the result of ``memtail subgroups`` on the same trials, from
            :func:`subgroups_of`.
        shown_train, shown_test: indices of examples that the page shows elsewhere; they get a
            thumbnail first.
        budget: the size that all thumbnails may have, in bytes.
        compared: what neighbours are near by, and near-duplicates besides: the same examples as a
            backbone sees them, from :func:`.features.stored`; None: as they are.
        shades: of the tokens of training documents.
    """
    dataset, trials, rule = analysis.dataset, analysis.trials, analysis.rule
    train, test = (
        index[:_MOST_PAIRS] for index in (analysis.pairs.train_index, analysis.pairs.test_index)
    )
    linked, linked_test = _indices(shown_train), _indices(shown_test)
    of_tests = _test_accuracy(analysis)
    spoken = Spoken(np.concatenate([linked, train]), np.concatenate([linked_test, test]))
    shown = shown_examples(dataset, analysis.scores.memorization, of_tests, spoken)
    part = dataset if shown is None else shown.part(dataset)
    supported, supporters = _influences(analysis, shown)
    if subgroups is None:
        duplicates = near_duplicates.in_test_set(dataset, np.unique(train), compared)
    else:
        duplicates = near_duplicates.of_subgroups(subgroups)
    train_sheets = test_sheets = train_text = test_text = train_shades = None
    if dataset.modality.is_pictured:
        partner = _listed(supporters.index), _listed(supported.index)
        copies = list(duplicates.of.values())
        copied = [_indices(j for is_test, j in copies if is_test == of) for of in (False, True)]
        train_sheets, test_sheets = pictures(
            dataset.modality.pictures(part.train),
            dataset.modality.pictures(part.test),
            _of_train(analysis, [linked, train, partner[0], copied[0]], shown),
            _of_test(analysis, [linked_test, test, partner[1], copied[1]], shown),
            min(budget, room_for_pictures(part)),
        )
    else:
        train_text = list(words_of(part, "train"))
        test_text = list(words_of(part, "test"))
        if shades is not None:
            on_page = np.arange(trials.n) if shown is None else shown.train
            train_shades = shades.encoded(on_page, train_text)
    return Exploration(
        dataset=dataset,
        rule=rule,
        trials=len(trials),
        scores=analysis.scores,
        measure=analysis.measure,
        test_accuracy=of_tests,
        categories=() if subgroups is None else CATEGORIES[1:],
        category=_category(trials.n, subgroups),
        train_text=train_text,
        test_text=test_text,
        supported=supported,
        supporters=supporters,
        neighbours=_neighbours(compared or dataset, shown),
        duplicates=duplicates,
        pairs=analysis.pairs,
        pair_is_duplicate=duplicates.are_pairs(train, test),
        train_sheets=train_sheets,
        test_sheets=test_sheets,
        shown=shown,
        is_by_backbone=compared is not None,
        train_shades=train_shades,
    )


def _test_accuracy(analysis: Analysis) -> NDArray[np.float64]:
    if analysis.measure is not CORRECTNESS:
        return means(analysis.trials, analysis.measure)
    evidence = analysis.trials.evidence()
    return evidence.n_correct / evidence.trials


def _influences(analysis: Analysis, shown: Shown | None) -> tuple[Partners, Partners]:
    """Partners of the training examples and of the test examples that are shown."""
    dataset, trials, measure = analysis.dataset, analysis.trials, analysis.measure
    labels = (dataset.y_train, dataset.y_test) if analysis.rule.same_class else None
    every = np.arange(trials.n), np.arange(trials.n_test)
    family = Family.of(*every, labels)
    train, test = every if shown is None else (shown.train, shown.test)
    if measure is not CORRECTNESS:
        pairs = significant_pairs(trials, family, measure, analysis.pairs)
        return (
            measured_partners(pairs, trials.n, _SUPPORTED, "train").of(train),
            measured_partners(pairs, trials.n_test, _SUPPORTERS, "test").of(test),
        )
    evidence, engine = trials.evidence(), counter_for("cpu")
    level = significance_level(evidence, family, engine)
    return (
        partners(evidence, family, level, _SUPPORTED, "train", engine=engine, examples=train),
        partners(evidence, family, level, _SUPPORTERS, "test", engine=engine, examples=test),
    )


def _neighbours(dataset: Dataset, shown: Shown | None) -> Neighbours:
    """The nearest of the training examples that are shown, as indices into the whole dataset."""
    found = Space.of(dataset if shown is None else shown.part(dataset)).of_train(_NEIGHBOURS)
    if shown is None:
        return found
    return replace(found, index=np.where(found.index < 0, -1, shown.train[found.index]))


def subgroups_of(store: ObjectStore, analysis: Analysis) -> Subgroups | None:
    """Return the result of ``memtail subgroups`` on these trials, if there is one.

    Raises:
        StoreError: the stored result is damaged.
    """
    results = kept(store, analysis.study, Subgroups)
    of_these = [each for each in results if each.trials == len(analysis.trials)]
    return of_these[-1] if of_these else None


def _category(n: int, subgroups: Subgroups | None) -> Indices:
    category = np.full(n, -1, np.int64)
    for each in subgroups.members if subgroups is not None else ():
        category[each.index] = CATEGORIES.index(each.category) - 1
    return category


def _of_train(analysis: Analysis, needed: list[Indices], shown: Shown | None) -> Ranking:
    """Rank the memorized, the most memorized first, then the needed ones, then the others."""
    memorization = analysis.scores.memorization
    if shown is not None:
        memorization = memorization[shown.train]
        needed = [_places(each, shown.train) for each in needed]
    order = np.argsort(-memorization, kind="stable")  # missing ones last
    memorized = order[analysis.rule.is_memorized(memorization[order])]
    return Ranking.of(np.concatenate([memorized, *needed]), order)


def _of_test(analysis: Analysis, needed: list[Indices], shown: Shown | None) -> Ranking:
    """Rank the needed ones, then the others."""
    if shown is None:
        return Ranking.of(np.concatenate(needed), np.arange(analysis.trials.n_test))
    places = [_places(each, shown.test) for each in needed]
    return Ranking.of(np.concatenate(places), np.arange(len(shown.test)))


def _places(examples: Indices, shown: Indices) -> Indices:
    """Where these examples are among those shown; others are left out."""
    place: Indices = np.minimum(np.searchsorted(shown, examples), len(shown) - 1)
    there: Indices = place[shown[place] == examples]
    return there


def _listed(index: Indices) -> Indices:
    """The listed partners: the first of every list before the second of any list."""
    columns = index.T.ravel()
    return columns[columns >= 0]


def _indices(examples: Iterable[int]) -> Indices:
    return np.array(list(examples), np.int64)
