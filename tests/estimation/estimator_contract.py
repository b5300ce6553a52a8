"""What every estimator of memorization has to do. To try one of your own, call :func:`check`."""

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation import Memorization
from memtail_core.estimation.estimator import Context, Estimator, Observations
from memtail_core.plan import designs
from tests.plan.test_designs import study

_N = 120
_NEIGHBOURS = 5
_FLOATS = ("memorization", "standard_error", "ci_low", "ci_high", "accuracy_in", "accuracy_out")


def observed(n_trials: int, *, values: bool = True, context: bool = True) -> Observations:
    """Some trials on 120 examples: all get easier when trained on, the first ones most."""
    rng = np.random.default_rng(n_trials)
    inside = designs.subsets(study(_N, 0.7, "balanced"), range(n_trials))
    hard = np.linspace(-1, 3, _N)
    margin = np.where(inside, 3, hard) + rng.normal(0, 1, inside.shape)
    index = (np.arange(_N)[:, None] + np.arange(1, _NEIGHBOURS + 1)) % _N
    known = Context(index, np.abs(hard[index] - hard[:, None]), (hard + 1)[:, None])
    return Observations(
        subset=np.packbits(inside, axis=1),
        correct=np.packbits(margin > 0, axis=1),
        n=_N,
        labels=np.arange(_N) % 4,
        values=margin.astype(np.float16) if values else None,
        find_context=(lambda: known) if context else None,
    )


def check(estimator: Estimator) -> None:
    """Assert all of the contract."""
    for assertion in CONTRACT:
        assertion(estimator)


def arrays_have_one_number_for_each_example(estimator: Estimator) -> None:
    for n_trials in (1, 2, 12):
        found = estimator.memorization(observed(n_trials))
        for name in _FLOATS:
            values = getattr(found, name)
            assert values.shape == (_N,), name
            assert values.dtype == np.float64, name
        for name in ("n_in", "n_out"):
            assert getattr(found, name).dtype == np.int64, name


def counts_are_those_of_the_subsets(estimator: Estimator) -> None:
    seen = observed(12)
    inside, _ = seen.unpacked()
    found = estimator.memorization(seen)
    np.testing.assert_array_equal(found.n_in, inside.sum(axis=0))
    np.testing.assert_array_equal(found.n_out, (~inside).sum(axis=0))


def an_estimate_lies_in_its_interval_and_both_are_possible(estimator: Estimator) -> None:
    for n_trials in (2, 3, 12, 40):
        found = estimator.memorization(observed(n_trials))
        there = ~np.isnan(found.memorization)
        low, at, high = (each[there] for each in (found.ci_low, found.memorization, found.ci_high))
        assert ((low <= at) & (at <= high)).all()
        assert ((low >= -1) & (high <= 1)).all()
        assert (found.standard_error[there] >= 0).all()


def an_estimate_is_the_difference_of_its_accuracies(estimator: Estimator) -> None:
    found = estimator.memorization(observed(12))
    np.testing.assert_allclose(found.memorization, found.accuracy_in - found.accuracy_out)


def what_is_missing_is_missing_in_all_that_follows_from_it(estimator: Estimator) -> None:
    """With one trial no example is both in and out: NaN everywhere, or an estimate everywhere."""
    for n_trials in (1, 2):
        found = estimator.memorization(observed(n_trials))
        missing = np.isnan(found.memorization)
        for name in ("standard_error", "ci_low", "ci_high"):
            np.testing.assert_array_equal(np.isnan(getattr(found, name)), missing, name)
        counted = (found.n_in > 0) & (found.n_out > 0)
        assert not missing[counted].any()
        assert missing.all() or not missing[~counted].any() or missing[~counted].all()


def it_makes_do_without_values_and_without_context(estimator: Estimator) -> None:
    for seen in (observed(6, values=False), observed(6, context=False)):
        found = estimator.memorization(seen)
        assert not np.isnan(found.memorization[(found.n_in > 0) & (found.n_out > 0)]).any()


def the_same_trials_give_the_same_bits(estimator: Estimator) -> None:
    _assert_same(estimator.memorization(observed(7)), estimator.memorization(observed(7)))


def the_order_of_the_trials_changes_no_bit(estimator: Estimator) -> None:
    seen = observed(7)
    order = np.random.default_rng(1).permutation(7)
    values = None if seen.values is None else seen.values[order]
    shuffled = replace(seen, subset=seen.subset[order], correct=seen.correct[order], values=values)
    _assert_same(estimator.memorization(seen), estimator.memorization(shuffled))


def the_order_of_the_examples_hardly_matters(estimator: Estimator) -> None:
    """Not the same bits: an estimator may deal examples into folds. But of the same worth."""
    seen = observed(20)
    order = np.random.default_rng(2).permutation(_N)
    found, other = estimator.memorization(seen), estimator.memorization(_reordered(seen, order))
    np.testing.assert_array_equal(other.n_in, found.n_in[order])
    one, two = found.memorization[order], other.memorization
    np.testing.assert_array_equal(np.isnan(one), np.isnan(two))
    assert np.nanmax(np.abs(one - two)) < 0.5
    assert np.nanmean(np.abs(one - two)) < 0.05


def it_changes_nothing_that_it_is_given(estimator: Estimator) -> None:
    seen = observed(6)
    assert seen.values is not None
    assert seen.context is not None
    given = [seen.subset, seen.correct, seen.labels, seen.values, *vars(seen.context).values()]
    before = [each.tobytes() for each in given]
    for each in given:
        each.flags.writeable = False
    estimator.memorization(seen)
    assert [each.tobytes() for each in given] == before


def without_values_it_says_that_it_needs_none(estimator: Estimator) -> None:
    """An estimator that does not ask for values must not depend on them."""
    if not estimator.needs_values:
        with_values, without = observed(6), observed(6, values=False)
        _assert_same(estimator.memorization(with_values), estimator.memorization(without))


CONTRACT = (
    arrays_have_one_number_for_each_example,
    counts_are_those_of_the_subsets,
    an_estimate_lies_in_its_interval_and_both_are_possible,
    an_estimate_is_the_difference_of_its_accuracies,
    what_is_missing_is_missing_in_all_that_follows_from_it,
    it_makes_do_without_values_and_without_context,
    the_same_trials_give_the_same_bits,
    the_order_of_the_trials_changes_no_bit,
    the_order_of_the_examples_hardly_matters,
    it_changes_nothing_that_it_is_given,
    without_values_it_says_that_it_needs_none,
)


def _reordered(seen: Observations, order: NDArray[np.int64]) -> Observations:
    inside, correct = seen.unpacked()
    place = np.argsort(order)
    context = seen.context
    assert context is not None
    known = Context(
        place[context.neighbours[order]], context.distances[order], context.kernel_scores[order]
    )
    return Observations(
        subset=np.packbits(inside[:, order], axis=1),
        correct=np.packbits(correct[:, order], axis=1),
        n=seen.n,
        labels=seen.labels[order],
        values=None if seen.values is None else seen.values[:, order],
        find_context=lambda: known,
    )


def _assert_same(one: Memorization, other: Memorization) -> None:
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        assert mine.tobytes() == theirs.tobytes(), field.name
