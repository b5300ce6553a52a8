"""The partners the page lists for each example, by looking at every pair another way."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from memtail_core.estimation.influence import Family, counter_for
from memtail_core.report.exploration.strongest_influence import partners, significance_level
from tests.estimation.influence.oracle import Pair, all_pairs, evidence

ENGINE = counter_for("cpu")


def planted() -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray, NDArray]:
    """80 trials of 30 and 24 examples of three classes; each of the first 12 carries two."""
    chance = np.random.default_rng(5)
    subset = chance.random((80, 30)) < 0.6
    subset[:, 29] = True  # never held out
    correct = chance.random((80, 24)) < chance.uniform(0.3, 1, 24)
    correct[:, 23] = True
    for i in range(12):
        for j in (i, i + 9):
            correct[:, j] = np.where(chance.random(80) < 0.7, subset[:, i], correct[:, j])
    return subset, correct, np.arange(30) % 3, np.arange(24) % 3


def significant(pairs: list[Pair], level: float) -> set[tuple[int, int]]:
    """Benjamini & Hochberg on thresholds 16 to a decade, with exact p-values."""
    thresholds = [10 ** (-step / 16) for step in range(5, 400)]
    for threshold in thresholds:
        below = {(pair.train, pair.test) for pair in pairs if pair.p_value <= threshold}
        if below and len(pairs) * threshold <= level * len(below):
            return below
    return set()


@pytest.mark.parametrize("of", ["train", "test"])
@pytest.mark.parametrize("same_class", [True, False])
def test_partners_are_those_of_every_pair_looked_at(of: Any, same_class: bool) -> None:
    subset, correct, y_train, y_test = planted()
    k = 3 if same_class else 8  # four times as many are all
    labels = (y_train, y_test) if same_class else None
    every = list(all_pairs(subset, correct, list(range(30)), labels))
    surviving = significant(every, 0.05)
    assert 10 < len(surviving) < len(every) / 2

    from_bits = evidence(subset, correct)
    family = Family.of(np.arange(30), np.arange(24), labels)
    level = significance_level(from_bits, family, ENGINE)
    found = partners(from_bits, family, level, k, of, engine=ENGINE)
    n_listed = 0
    for example in range(30 if of == "train" else 24):
        mine = [
            (pair.influence, pair.standard_error, pair.test if of == "train" else pair.train,
             (pair.train, pair.test) in surviving)
            for pair in every
            if (pair.train if of == "train" else pair.test) == example
            and pair.influence >= Fraction(1, 20)
            and float(pair.influence) >= 2 * pair.standard_error
        ]  # fmt: skip
        mine.sort(key=lambda each: (not each[3], -each[0], each[2]))
        expected = sorted(mine[:k], key=lambda each: (-each[0], each[2]))
        there = found.index[example] >= 0
        assert found.index[example][there].tolist() == [each[2] for each in expected]
        assert there.tolist() == sorted(there.tolist(), reverse=True)
        for column, (value, error, _, survives) in enumerate(expected):
            assert found.influence[example, column] == pytest.approx(float(value))
            assert found.standard_error[example, column] == pytest.approx(error)
            assert found.is_significant[example, column] == survives
        assert np.isnan(found.influence[example][~there]).all()
        assert not found.is_significant[example][~there].any()
        n_listed += len(expected)
    assert n_listed > 20


def test_without_influence_nothing_is_significant() -> None:
    chance = np.random.default_rng(0)
    from_bits = evidence(chance.random((100, 40)) < 0.7, chance.random((100, 30)) < 0.8)
    family = Family.of(np.arange(40), np.arange(30))
    level = significance_level(from_bits, family, ENGINE)
    found = partners(from_bits, family, level, 5, "train", engine=ENGINE)
    assert level is None and not found.is_significant.any()
    assert (found.index >= 0).any()  # listed all the same: the page says which are significant


def test_where_nothing_can_be_said_no_partner_is_listed() -> None:
    subset = np.random.default_rng(0).random((50, 20)) < 0.7
    for correct, labels in (
        (np.ones((50, 9), bool), None),  # always right
        (subset[:, :9], (np.zeros(20, np.int64), np.ones(9, np.int64))),  # no class in common
    ):
        from_bits = evidence(subset, correct)
        family = Family.of(np.arange(20), np.arange(9), labels)
        level = significance_level(from_bits, family, ENGINE)
        found = partners(from_bits, family, level, 5, "test", engine=ENGINE)
        assert level is None and found.index.shape == (9, 5) and (found.index == -1).all()
