"""Two studies of worlds that are known: what differs is found, and what is noise is not."""

from dataclasses import replace
from math import isnan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom, norm

from memtail_core.analysis.disagreements import Counts, disagreements, p_values
from memtail_core.analysis.halves import PairComparison, Sample
from memtail_core.errors import EstimationError
from memtail_core.estimation.influence import PairsRule
from memtail_core.estimation.influence.bit_counter import BitCounter
from memtail_core.estimation.intervals import agresti_caffo
from memtail_core.experiments.comparison.plan import compare
from memtail_core.experiments.comparison.result import Comparison
from memtail_core.experiments.comparison.yardstick import Side, Yardstick, _four, yardstick
from memtail_core.running.trials import Trials
from tests.estimation.oracle import difference_of_means
from tests.experiments.test_stability import World, of_bits, simulated, without

THRESHOLDS = (0.25, 0.5)
INFLUENCES = (0.15, 0.4)


def compared(one: Trials, other: Trials, **options: object) -> Comparison:
    settings = {
        "rule": PairsRule(),
        "thresholds": THRESHOLDS,
        "influence_thresholds": INFLUENCES,
        "counter": BitCounter(1),
        **options,
    }
    labels = np.zeros(one.n, np.int64), np.zeros(one.n_test, np.int64)
    return compare(
        *sides(one, other),
        *labels,
        **settings,  # type: ignore[arg-type]
    )


def sides(one: Trials, other: Trials) -> tuple[Side, Side]:
    return Side("one-1", "one", one, 10), Side("other-2", "other", other, 10)


def measured(one: Trials, other: Trials, size: int, splits: int = 1) -> Yardstick:
    labels = np.zeros(one.n, np.int64), np.zeros(one.n_test, np.int64)
    look = PairComparison(*labels, PairsRule(), INFLUENCES, BitCounter(1))
    return yardstick(*sides(one, other), size, look, THRESHOLDS, splits, 0, None)


def other_network(world: World, seed: int) -> World:
    """A network that memorizes partly other examples."""
    rng = np.random.default_rng(seed)
    p_out = np.clip(world.p_out + 0.3 * rng.standard_normal(len(world.p_out)), 0, 1)
    return World(np.maximum(world.p_in, p_out), p_out)


def counted(p: World, t: int, rng: np.random.Generator, repeats: int = 1) -> Counts:
    """Counts of t trials; ``repeats`` studies end to end."""
    n_in, size = round(0.7 * t), (repeats, len(p.p_in))
    right_in, right_out = rng.binomial(n_in, p.p_in, size), rng.binomial(t - n_in, p.p_out, size)
    every = np.ones(size, np.int64).ravel()
    return Counts(right_in.ravel(), n_in * every, right_out.ravel(), (t - n_in) * every)


def worlds(kind: str, n: int) -> tuple[World, World]:
    """Anything, or as it is where memorization lives: two networks of which each has its own."""
    rng = np.random.default_rng(0)
    if kind == "any":
        return World(*rng.random((2, n))), World(*rng.random((2, n)))
    both = [World(1 - 0.2 * rng.beta(0.3, 8, n), rng.beta(0.5, 0.5, n)) for _ in range(2)]
    return both[0], both[1]


TRIALS = [(20, 20), (20, 200), (50, 50), (200, 1000), (1000, 1000)]


@pytest.mark.parametrize("kind", ["any", "memorized"])
@pytest.mark.parametrize(("t", "t_other"), TRIALS)
def test_the_interval_of_the_difference_covers(t: int, t_other: int, kind: str) -> None:
    one, other = worlds(kind, 20_000)
    rng = np.random.default_rng(t)
    found = disagreements(counted(one, t, rng), counted(other, t_other, rng))
    truth = (one.memorization - other.memorization)[found.index]
    covered = (found.ci_low <= truth) & (truth <= found.ci_high)
    assert 0.945 <= covered.mean() <= 0.985


@pytest.mark.parametrize("kind", ["any", "memorized"])
@pytest.mark.parametrize(("t", "t_other"), TRIALS)
@pytest.mark.slow
def test_of_equal_networks_nothing_differs(t: int, t_other: int, kind: str) -> None:
    """Anything found is false: in at most 5% of 200 studies, up to what chance makes of that."""
    one, _ = worlds(kind, 1000)
    rng = np.random.default_rng(t)
    p = p_values(counted(one, t, rng, 200), counted(one, t_other, rng, 200)).reshape(200, 1000)
    assert (p <= 0.05).mean() <= 0.052, "each test by itself"
    rank = np.arange(1, 1001)
    false = (np.sort(p, axis=1) <= 0.05 * rank / 1000).any(axis=1).sum()
    assert false <= binom.ppf(0.999, 200, 0.05)


def test_few_examples_that_differ_are_found_and_few_others() -> None:
    """5% of the examples are memorized by one network alone; 100 to 1,000 trials each."""
    n, rng = 4000, np.random.default_rng(0)
    one = World(np.full(n, 0.98), rng.beta(8, 0.5, n))
    differs = np.arange(n) < 200
    other = World(one.p_in, np.where(differs, 0.2, one.p_out))
    one = World(one.p_in, np.where(differs, 0.9, one.p_out))
    for t, power in ((100, 0.5), (1000, 0.99)):
        found = disagreements(counted(one, t, rng), counted(other, t, rng))
        sure = found.index[found.q_value <= 0.05]
        assert differs[sure].sum() >= power * 200
        assert (~differs[sure]).mean() <= 0.08
        assert differs[found.index[:100]].all(), "the largest sure differences come first"


def test_the_p_value_is_the_level_at_which_the_interval_touches_0() -> None:
    """By scipy's root of the formula written out, one at a time."""
    rng = np.random.default_rng(0)
    one, other = worlds("memorized", 30)
    mine, theirs = counted(one, 50, rng), counted(other, 200, rng)
    found = p_values(mine, theirs)
    for i in range(30):
        sides = [
            (int(c.in_correct[i]), int(c.n_in[i]), int(c.out_correct[i]), int(c.n_out[i]))
            for c in (mine, theirs)
        ]

        def margin(z: float, sides: list = sides) -> float:
            centre, variance = 0.0, 0.0
            for sign, (k, n, k_out, n_out) in zip((1, -1), sides, strict=True):
                a = max(1.0, z * z / 4)
                p, q = (k + a) / (n + 2 * a), (k_out + a) / (n_out + 2 * a)
                centre += sign * (p - q)
                variance += p * (1 - p) / (n + 2 * a) + q * (1 - q) / (n_out + 2 * a)
            return abs(centre) - z * sqrt(variance)

        z = brentq(margin, 0, 50)
        assert found[i] == pytest.approx(2 * norm.sf(z), rel=1e-6)


def test_six_of_six_against_none_is_no_miracle() -> None:
    """Of one and the same coin it happens in 1 of 2,048 pairs of studies."""
    six, none, rest = np.array([6]), np.array([0]), np.array([100])
    (p,) = p_values(Counts(rest, rest, six, six), Counts(rest, rest, none, six))
    assert 2 / 2**12 < p < 0.01


def test_the_interval_combines_the_two_of_each_side() -> None:
    """MOVER of half-widths; counts in the middle, where nothing is cut at 1."""
    mine = Counts(*(np.array([k]) for k in (30, 50, 12, 25)))
    theirs = Counts(*(np.array([k]) for k in (60, 140, 31, 60)))
    ends = [
        [float(end[0]) for end in agresti_caffo(c.in_correct, c.n_in, c.out_correct, c.n_out)]
        for c in (mine, theirs)
    ]
    (low, high), (low_other, high_other) = ends
    centre, centre_other = (low + high) / 2, (low_other + high_other) / 2
    found = disagreements(mine, theirs)
    width = sqrt((centre - low) ** 2 + (high_other - centre_other) ** 2)
    assert found.ci_low[0] == pytest.approx(centre - centre_other - width)
    assert found.ci_high[0] == pytest.approx(centre - centre_other + width)
    assert found.difference[0] == pytest.approx(30 / 50 - 12 / 25 - 60 / 140 + 31 / 60)


def test_the_largest_sure_difference_comes_first_and_the_missing_not_at_all() -> None:
    zero = np.zeros(5, int)
    mine = Counts(zero + 70, zero + 70, np.array([0, 15, 30, 29, 3]), np.array([30, 30, 30, 30, 3]))
    theirs = replace(mine, out_correct=np.array([30, 15, 0, 15, 0]), n_out=np.array([30] * 4 + [0]))
    found = disagreements(mine, theirs)
    assert found.index.tolist() == [0, 2, 3, 1], "0 and 2 differ by 1, alike but for the sign"
    assert found.difference[:2].tolist() == [1, -1]
    assert found.ci_low[0] == pytest.approx(-found.ci_high[1])
    assert (found.q_value >= found.p_value).all()


def test_variances_have_no_bias() -> None:
    rng = np.random.default_rng(0)
    world = World(np.array([0.9, 0.5]), np.array([0.3, 0.0]))
    counts = counted(world, 20, rng, 20_000)
    truth = np.array([0.09 / 14 + 0.21 / 6, 0.25 / 14])
    found = counts.variance.reshape(-1, 2).mean(axis=0)
    np.testing.assert_allclose(found, truth, rtol=0.02)
    one = Counts(*(np.array([k]) for k in (1, 1, 5, 10)))
    assert isnan(one.variance[0]), "of one trial nothing is known of the variance"


@given(st.integers(4, 12), st.integers(4, 12), st.integers(0, 50), st.sets(st.integers(0, 119)))
def test_halves_that_are_compared_across_share_no_block(
    n_one: int, n_other: int, seed: int, missing: set[int]
) -> None:
    gaps = [t for t in missing if t % 10 < 1]
    one = without(simulated(World.long_tail(0, 5), 10 * n_one, 0, n_test=2), [])
    other = without(simulated(World.long_tail(0, 5), 10 * n_other, 0, n_test=2), gaps)
    n = min(n_one, len(set((other.trials // 10).tolist()) - {t // 10 for t in gaps})) // 2
    found = _four(*sides(one, other), (10 * n, 10 * n), np.random.default_rng(seed))
    trials = [one.trials[at] for at in found[:2]] + [other.trials[at] for at in found[2:]]
    a, b, c, d = ({*(each // 10).tolist()} for each in trials)
    assert [len(each) for each in trials] == [10 * n] * 4
    assert [len(each) for each in (a, b, c, d)] == [n] * 4
    for one_half, other_half in ((a, b), (c, d), (a, c), (b, d)):
        assert not one_half & other_half


@pytest.mark.parametrize(("t", "t_other"), [(200, 200), (400, 120)])
def test_one_network_agrees_with_another_study_of_it_as_with_itself(t: int, t_other: int) -> None:
    world = World.long_tail(0, 3000)
    found = compared(simulated(world, t, 1), simulated(world, t_other, 2), splits=4)
    assert not found.shares_subsets
    assert (found.trials, found.other_trials) == (t, t_other)
    assert found.half == (t_other // 2, t_other // 2)
    for row in found.memorized:
        assert row.within_one == pytest.approx(row.between, abs=0.03)
        assert row.within_other == pytest.approx(row.between, abs=0.03)
    assert found.corrected == pytest.approx(1, abs=0.01)
    assert found.beyond_noise < 0.02
    assert found.significant == 0
    assert found.disagreements == []


def test_another_network_is_seen_to_be_another() -> None:
    """The correlation and the difference without noise are those of the known probabilities."""
    world = World.long_tail(0, 3000)
    another = other_network(world, 1)
    one, other = simulated(world, 200, 1), simulated(another, 120, 2)
    found = compared(one, other, splits=4)
    mine, theirs = world.memorization, another.memorization
    truth = np.corrcoef(mine, theirs)[0, 1]
    assert found.corrected == pytest.approx(truth, abs=0.02)
    assert found.pearson < truth - 0.01, "noise takes its share"
    apart = float(np.sqrt(((mine - theirs) ** 2).mean()))
    assert found.beyond_noise == pytest.approx(apart, rel=0.03)
    for row in found.memorized:
        assert row.between < min(row.within_one, row.within_other) - 0.1
    every = disagreements(Counts.of(one), Counts.of(other))
    sure = every.index[every.q_value <= 0.05]
    assert len(sure) == found.significant > 100
    assert [each.index for each in found.disagreements] == sure[:48].tolist()
    assert (np.abs(mine - theirs)[sure] > 0.02).mean() > 0.95


def test_reliability_is_that_of_two_whole_studies() -> None:
    world, rng = World.long_tail(0, 3000), np.random.default_rng(0)
    found = compared(simulated(world, 200, 1), simulated(world, 60, 2), splits=4)
    for t, reliability in zip((200, 60), found.reliability, strict=True):
        both = [np.corrcoef(world.estimates(t, rng), world.estimates(t, rng))[0, 1] for _ in "1234"]
        assert reliability == pytest.approx(np.mean(both), abs=0.005)


def test_noise_of_common_subsets_does_not_pass_for_agreement() -> None:
    """Examples lean on others: on the same subsets both networks err alike, and seem one."""
    rng = np.random.default_rng(0)
    world, another = (World(np.full(3000, 0.95), rng.beta(4, 4, 3000)) for _ in range(2))
    subset = np.unpackbits(simulated(world, 60, 0).subset, axis=1, count=3000).astype(bool)
    leans_on = rng.permutation(3000)
    studies = []
    for network in (world, another):
        # being trained on the other example moves p_out as far as it can within [0, 1]
        room = np.minimum(network.p_out, 1 - network.p_out)
        p_out = network.p_out + room * np.where(subset[:, leans_on], 3 / 7, -1)
        correct = rng.random(subset.shape) < np.where(subset, network.p_in, p_out)
        studies.append(of_bits(subset, correct, rng.random((60, 4)) < 0.5))
    found = compared(*studies, splits=6)
    assert found.shares_subsets
    truth = np.corrcoef(world.memorization, another.memorization)[0, 1]
    apart = np.sqrt(((world.memorization - another.memorization) ** 2).mean())
    naive = found.pearson / np.sqrt(found.reliability[0] * found.reliability[1])
    assert abs(found.corrected - truth) < 0.02 < naive - truth
    assert found.beyond_noise == pytest.approx(apart, rel=0.05)


def test_the_yardstick_is_that_of_plain_sets() -> None:
    one, other = simulated(World.long_tail(0, 40), 60, 1), simulated(World.long_tail(1, 40), 40, 2)
    found = measured(one, other, 20)
    rng = np.random.default_rng([0, 20, 0])
    at = _four(*sides(one, other), (20, 20), rng)
    scores = []
    for trials, each in zip((one, one, other, other), at, strict=True):
        subset = np.unpackbits(trials.subset[each], axis=1, count=40).astype(bool)
        correct = np.unpackbits(trials.train_correct[each], axis=1, count=40).astype(bool)
        every = (difference_of_means(subset, correct, i, i)["estimate"] for i in range(40))
        scores.append(np.array(list(every)))
    for k, threshold in enumerate(THRESHOLDS):
        a, b, c, d = ({i for i in range(40) if s[i] >= threshold - 1e-9} for s in scores)
        jaccard = [len(x & y) / len(x | y) for x, y in ((a, b), (c, d), (a, c), (b, d))]
        expected = [jaccard[0], jaccard[1], (jaccard[2] + jaccard[3]) / 2]
        assert found.jaccard[:, 0, k].tolist() == pytest.approx(expected)
        row = compared(one, other, splits=1).memorized[k]
        assert [row.within_one, row.within_other, row.between] == pytest.approx(expected)
    correlations = [np.corrcoef(scores[i], scores[j])[0, 1] for i, j in ((0, 1), (2, 3))]
    assert found.pearson[:2, 0].tolist() == pytest.approx(correlations)


def test_pairs_that_only_one_has_are_counted_one_by_one() -> None:
    """Benjamini and Hochberg by hand, with every pair either side looks at."""
    world = World.long_tail(0, 40)
    one, other = simulated(world, 300, 1, n_test=16), simulated(world, 200, 2, n_test=16)
    parts = [np.unpackbits(other.subset, axis=1, count=40).astype(bool)]
    parts += [np.unpackbits(other.train_correct, axis=1, count=40).astype(bool)]
    rests_on = np.argsort(world.memorization)[-16:]  # on other examples than in the one
    rng = np.random.default_rng(3)
    test = rng.random((200, 16)) < np.where(parts[0][:, rests_on], 0.95, 0.2)
    other = of_bits(*parts, test)
    rule = PairsRule(theta_mem=0.1)
    found = compared(one, other, splits=1, rule=rule)

    tests, values = {}, {}
    n_tested = 0
    for s, trials in enumerate((one, other)):
        scores = Sample(trials, np.arange(len(trials))).memorization
        subset = np.unpackbits(trials.subset, axis=1, count=40).astype(bool)
        correct = np.unpackbits(trials.test_correct, axis=1, count=16).astype(bool)
        for i in range(40):
            for j in range(16):
                inside, right = subset[:, i], correct[:, j]
                counts = [(inside & right).sum(), inside.sum(), (~inside & right).sum()]
                counts.append((~inside).sum())
                tests[s, i, j] = Counts(*(np.array([k]) for k in counts))
                value = counts[0] / counts[1] - counts[2] / counts[3]
                values[s, i, j] = (value, scores[i] >= 0.1 - 1e-9)
                n_tested += bool(scores[i] >= 0.1 - 1e-9)
    listed = [
        (i, j)
        for i in range(40)
        for j in range(16)
        if any(values[s, i, j][0] >= 0.15 - 1e-9 and values[s, i, j][1] for s in (0, 1))
    ]
    p = {(i, j): float(p_values(tests[0, i, j], tests[1, i, j])[0]) for i, j in listed}
    ranked = sorted(p.values())
    passing = [x for rank, x in enumerate(ranked, 1) if x <= 0.05 * rank / n_tested]
    sure = [pair for pair in listed if p[pair] <= max(passing)]
    for k, theta in enumerate(INFLUENCES):
        row = found.pairs[k]
        for s, only in ((0, row.only_one), (1, row.only_other)):
            has = [
                pair
                for pair in sure
                if values[s, *pair][1]
                and values[s, *pair][0] >= theta - 1e-9 > values[1 - s, *pair][0]
            ]
            assert only == len(has) > 0


def test_too_many_pairs_are_missing_and_not_none() -> None:
    world = World.long_tail(0, 40)
    found = compared(simulated(world, 60, 1), simulated(world, 60, 2), splits=1, most=0)
    for row in found.pairs:
        assert row.only_one is row.only_other is row.jaccard is None
        assert row.within_one is row.within_other is row.between is None


def test_independent_and_balanced_designs_compare() -> None:
    world, told = World.long_tail(0, 200), []
    balanced = simulated(world, 100, 1)
    subset = np.random.default_rng(0).random((90, 200)) < 0.7
    independent = simulated(world, 90, 2, subset=subset)
    labels = np.zeros(200, np.int64), np.zeros(16, np.int64)
    found = compare(
        Side("balanced-1", "balanced", balanced, 10),
        Side("independent-2", "independent", independent, 1),
        *labels,
        PairsRule(),
        thresholds=THRESHOLDS,
        influence_thresholds=INFLUENCES,
        splits=3,
        counter=BitCounter(1),
        progress=told.append,
    )
    assert found.half == (40, 45)
    assert found.names == ("balanced", "independent")
    assert len(found.memorized) == len(found.pairs) == 2
    assert sum(told) == 4


def test_what_cannot_be_compared_is_said() -> None:
    world = World.long_tail(0, 40)
    with pytest.raises(EstimationError, match=r"^other: two halves to compare take 4 complete"):
        compared(simulated(world, 60, 1), simulated(world, 30, 2))
    with pytest.raises(ValueError, match="same examples"):
        compared(simulated(world, 60, 1), simulated(World.long_tail(0, 41), 60, 2))
