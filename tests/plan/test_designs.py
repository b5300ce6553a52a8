from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chisquare

from memtail_core.plan import designs
from memtail_core.study import DatasetIdentity, Study, SubsetsTable


def study(n: int = 50, ratio: float = 0.7, design: str = "balanced", seed: int = 0) -> Study:
    data = DatasetIdentity(
        sha256="0" * 64,
        source="test",
        kind="features",
        shape=(1,),
        n_train=n,
        n_test=1,
        classes=("a", "b"),
    )
    return Study(
        name="plan",
        seed=seed,
        shard_size=1,
        margins=True,
        dataset=data,
        subsets=SubsetsTable(ratio=ratio, design=design),  # type: ignore[arg-type]
        training={},
    )


cases = st.builds(
    study,
    n=st.integers(2, 300),
    ratio=st.floats(0.05, 0.95),
    design=st.sampled_from(["balanced", "independent"]),
    seed=st.integers(0, 2**40),
).filter(lambda s: 0 < s.subset_size < s.dataset.n_train)


@settings(max_examples=60, deadline=None)
@given(cases, st.integers(0, 500))
def test_every_subset_has_exactly_m_examples(study: Study, trial: int) -> None:
    rows = designs.subsets(study, range(trial, trial + 3))
    assert rows.dtype == np.bool_
    assert rows.shape == (3, study.dataset.n_train)
    assert (rows.sum(axis=1) == study.subset_size).all()


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 200), st.integers(1, 25))
def test_a_trial_does_not_depend_on_the_shard_it_is_asked_in(
    study: Study, first: int, length: int
) -> None:
    together = designs.subsets(study, range(first, first + length))
    alone = [designs.subsets(study, range(t, t + 1))[0] for t in range(first, first + length)]
    assert (together == np.array(alone)).all()
    seeds = designs.training_seeds(study, range(first, first + length))
    assert seeds[-1] == designs.training_seeds(study, range(first + length - 1, first + length))[0]


@settings(max_examples=60, deadline=None)
@given(cases.filter(lambda s: s.subsets.design == "balanced"), st.integers(0, 5))
def test_a_balanced_block_holds_every_example_out_equally_often(study: Study, block: int) -> None:
    assert isinstance(study.subsets, SubsetsTable)
    size, n, m = designs.block_size(study.subsets.ratio), study.dataset.n_train, study.subset_size
    counts = designs.subsets(study, range(block * size, (block + 1) * size)).sum(axis=0)
    assert counts.min() >= size * m // n
    assert counts.max() <= -(-size * m // n)


def test_blocks_are_whole_for_the_usual_ratios() -> None:
    sizes = {0.7: 10, 0.5: 10, 0.75: 12, 0.9: 10, 0.3: 10, 0.8: 10}
    assert {ratio: designs.block_size(ratio) for ratio in sizes} == sizes


@pytest.mark.parametrize("design", ["balanced", "independent"])
@pytest.mark.parametrize("position", [0, 4, 9])
def test_a_single_trial_is_a_uniformly_random_subset(design: str, position: int) -> None:
    """All 10 subsets of 3 in 5 come up equally often (chi-square), at any place in a block."""
    counts: Counter[tuple[int, ...]] = Counter()
    for seed in range(3000):
        row = designs.subsets(study(5, 0.6, design, seed), range(position, position + 1))[0]
        counts[tuple(np.flatnonzero(row))] += 1
    assert set(counts) == set(combinations(range(5), 3))
    assert chisquare(list(counts.values())).pvalue > 1e-4


def test_within_a_block_an_examples_trials_are_uniformly_random() -> None:
    patterns: Counter[tuple[int, ...]] = Counter()
    for seed in range(600):
        rows = designs.subsets(study(8, 0.5, "balanced", seed), range(10))
        patterns.update(tuple(np.flatnonzero(rows[:, i])) for i in range(8))
    assert len(patterns) == 252, "all subsets of 5 in 10 trials"
    assert chisquare(list(patterns.values())).pvalue > 1e-4


def test_two_examples_are_included_nearly_independently() -> None:
    """Else one example's influence would pass for the other's."""
    rows = designs.subsets(study(400), range(1000)).astype(float)
    correlation = np.corrcoef(rows.T)[np.triu_indices(400, 1)]
    assert abs(correlation.mean() + 1 / 399) < 0.001  # sampling without replacement
    assert correlation.std() < 1.15 / np.sqrt(1000)


def test_the_independent_design_holds_out_binomially() -> None:
    held_out = (~designs.subsets(study(2000, design="independent"), range(20))).sum(axis=0)
    expected = binom.pmf(np.arange(21), 20, 0.3) * 2000
    observed = np.bincount(held_out, minlength=21)
    keep = expected > 5
    scaled = expected[keep] * observed[keep].sum() / expected[keep].sum()
    assert chisquare(observed[keep], scaled).pvalue > 1e-4


def test_seeds_differ_between_trials_studies_and_purposes() -> None:
    seeds = designs.training_seeds(study(), range(5000))
    assert seeds.dtype == np.int64
    assert (seeds >= 0).all()
    assert len(np.unique(seeds)) == 5000
    assert not np.intersect1d(seeds, designs.training_seeds(study(seed=1), range(5000))).size
    assert (designs.subsets(study(), range(1)) != designs.subsets(study(seed=1), range(1))).any()


def test_the_plan_is_the_same_on_every_machine() -> None:
    """Stored shards rest on these bits: if this fails, old studies can no longer be continued."""
    balanced = designs.subsets(study(12), range(2)).astype(int).tolist()
    independent = designs.subsets(study(12, design="independent"), range(1)).astype(int).tolist()
    seeds = designs.training_seeds(study(12), range(2)).tolist()
    assert (balanced, independent, seeds) == PINNED


PINNED: tuple[list[list[int]], list[list[int]], list[int]]
PINNED = (
    [[0, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 1]],
    [[1, 0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 1]],
    [2918264622725855778, 1554199118406742183],
)
