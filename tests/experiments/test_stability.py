"""Halves, what they agree on, and what that says of more trials: against worlds that are known."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from memtail_core.analysis.halves import PairComparison, Sample, halves, sizes
from memtail_core.errors import EstimationError
from memtail_core.estimation.growth import Curve, Needed, PowerLaw, Reliability
from memtail_core.estimation.influence import PairsRule
from memtail_core.estimation.influence.bit_counter import BitCounter
from memtail_core.experiments.stability.splits import SplitAgreement, mean, split_agreement, spread
from memtail_core.plan import designs
from memtail_core.running.trials import Trials
from tests.estimation.influence.oracle import all_pairs
from tests.estimation.oracle import difference_of_means
from tests.plan.test_designs import study

THRESHOLDS = (0.1, 0.25, 0.5)
INFLUENCES = (0.15, 0.4)


@dataclass(frozen=True)
class World:
    """Training examples whose probabilities of being right are known."""

    p_in: NDArray[np.float64]
    p_out: NDArray[np.float64]

    @classmethod
    def long_tail(cls, seed: int, n: int) -> "World":
        """Most examples easy, many in between, some only known by having been seen."""
        rng = np.random.default_rng(seed)
        p_out = rng.beta(0.6, 0.25, n)
        return cls(p_out + (1 - p_out) * rng.beta(8, 0.5, n), p_out)

    @property
    def memorization(self) -> NDArray[np.float64]:
        return self.p_in - self.p_out

    def estimates(self, t: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Scores of t trials, every example in 70% of them: by binomials, not by trials."""
        n_in = round(0.7 * t)
        right_in, right_out = rng.binomial(n_in, self.p_in), rng.binomial(t - n_in, self.p_out)
        return np.asarray(right_in / n_in - right_out / (t - n_in))

    def agreement(self, t: int, threshold: float, repeats: int = 10) -> tuple[float, float]:
        """Jaccard and Pearson of two studies of t trials each."""
        rng = np.random.default_rng(t)
        found = []
        for _ in range(repeats):
            one, other = self.estimates(t, rng), self.estimates(t, rng)
            a, b = one >= threshold - 1e-9, other >= threshold - 1e-9
            found.append(((a & b).sum() / (a | b).sum(), np.corrcoef(one, other)[0, 1]))
        jaccard, pearson = np.mean(found, axis=0)
        return float(jaccard), float(pearson)


def simulated(
    world: World, t: int, seed: int, n_test: int = 16, subset: NDArray[np.bool_] | None = None
) -> Trials:
    """A study of the balanced design; every other test example rests on one training example."""
    n, rng = len(world.p_in), np.random.default_rng(seed)
    if subset is None:
        subset = designs.subsets(study(n, 0.7, seed=seed), range(t))
    correct = rng.random((t, n)) < np.where(subset, world.p_in, world.p_out)
    rests_on = np.argsort(-world.memorization)[:n_test]
    helped = subset[:, rests_on] & (np.arange(n_test) % 2 == 0)
    test = rng.random((t, n_test)) < np.where(helped, 0.95, 0.4)
    return of_bits(subset, correct, test)


def of_bits(subset: NDArray, correct: NDArray, test: NDArray) -> Trials:
    packed = (np.packbits(each, axis=1) for each in (subset, correct, test))
    t, n = subset.shape
    return Trials(n, test.shape[1], *packed, None, None, np.arange(t), np.zeros(t), ())


def without(trials: Trials, missing: list[int]) -> Trials:
    keep = np.setdiff1d(np.arange(len(trials)), missing)
    parts = (trials.subset, trials.train_correct, trials.test_correct)
    bits = (each[keep] for each in parts)
    return Trials(trials.n, trials.n_test, *bits, None, None, keep, np.zeros(len(keep)), ())


def measured(trials: Trials, **options: object) -> SplitAgreement:
    settings = {
        "rule": PairsRule(),
        "thresholds": THRESHOLDS,
        "influence_thresholds": INFLUENCES,
        "counter": BitCounter(1),
        **options,
    }
    labels = np.zeros(trials.n, np.int64), np.zeros(trials.n_test, np.int64)
    return split_agreement(trials, 10, *labels, **settings)  # type: ignore[arg-type]


@given(
    st.sampled_from([1, 5, 10]),
    st.integers(2, 20),
    st.sets(st.integers(0, 199), max_size=30),
    st.integers(0, 100),
)
def test_halves_are_disjoint_and_of_whole_blocks(
    block: int, n_blocks: int, missing: set[int], seed: int
) -> None:
    trials = np.array([t for t in range(block * n_blocks) if t not in missing], np.int64)
    whole = {b for b in range(n_blocks) if not missing & {*range(b * block, (b + 1) * block)}}
    sides = [trials[at] for at in halves(trials, block, np.random.default_rng(seed))]
    blocks = [set((side // block).tolist()) for side in sides]
    assert not blocks[0] & blocks[1]
    assert len(blocks[0]) == len(blocks[1]) == len(whole) // 2
    for side, of_side in zip(sides, blocks, strict=True):
        assert of_side <= whole
        expected = sorted(b * block + k for b in of_side for k in range(block))
        assert side.tolist() == expected


def test_every_block_comes_into_either_half_equally_often() -> None:
    rng, counts = np.random.default_rng(0), np.zeros(60)
    for _ in range(2000):
        counts[halves(np.arange(60), 10, rng, 20)[0]] += 1
    assert np.ptp(counts.reshape(6, 10), axis=1).max() == 0
    np.testing.assert_allclose(counts / 2000, 2 / 6, atol=5 * np.sqrt(2 / 9 / 2000))


@pytest.mark.parametrize(
    ("block", "t", "expected"),
    [
        (10, 1000, [30, 60, 120, 250, 500]),
        (10, 40, [20]),
        (10, 59, [20]),
        (20, 160, [40, 80]),
        (1, 200, [25, 50, 100]),
        (1, 40, [20]),
    ],
)
def test_sizes_double_up_to_half(block: int, t: int, expected: list[int]) -> None:
    assert sizes(np.arange(t), block).tolist() == expected


@pytest.mark.parametrize(("block", "t", "there"), [(10, 39, 3), (1, 39, 39), (20, 0, 0)])
def test_too_few_trials_are_said_in_one_line(block: int, t: int, there: int) -> None:
    with pytest.raises(EstimationError, match=f"there are {there}: train at least") as error:
        sizes(np.arange(t), block)
    assert "\n" not in str(error.value)


def test_every_figure_is_that_of_plain_sets() -> None:
    """One split of a small study, done again trial by trial."""
    world = World.long_tail(0, 24)
    trials = simulated(world, 60, seed=0, n_test=12)
    found = measured(trials, splits=1, rule=PairsRule(theta_mem=0.1))
    assert found.sizes.tolist() == [30]
    subset = np.unpackbits(trials.subset, axis=1, count=24).astype(bool)
    correct = np.unpackbits(trials.train_correct, axis=1, count=24).astype(bool)
    test = np.unpackbits(trials.test_correct, axis=1, count=12).astype(bool)
    rng = np.random.default_rng([0, 30, 0])
    scores, pairs = [], []
    for at in halves(trials.trials, 10, rng, 30):
        each = [difference_of_means(subset[at], correct[at], i, i)["estimate"] for i in range(24)]
        scores.append(np.array(each))
        memorized = [i for i in range(24) if each[i] >= 0.1 - 1e-9]
        pairs.append(list(all_pairs(subset[at], test[at], memorized)))
    assert found.pearson[0, 0] == pytest.approx(np.corrcoef(scores[0], scores[1])[0, 1])
    assert found.overall[0, 0] == pytest.approx(np.abs(scores[0] - scores[1]).mean())
    for k, threshold in enumerate(THRESHOLDS):
        one, other = ({i for i in range(24) if s[i] >= threshold - 1e-9} for s in scores)
        assert found.jaccard[0, 0, k] == len(one & other) / len(one | other)
        assert found.n_memorized[0, 0, k] == (len(one) + len(other)) / 2
        apart = [abs(scores[0][i] - scores[1][i]) for i in one | other]
        assert found.difference[0, 0, k] == pytest.approx(np.mean(apart))
    for k, theta in enumerate(INFLUENCES):
        bar = Fraction(str(theta))
        one, other = ({(p.train, p.test) for p in side if p.influence >= bar} for side in pairs)
        assert len(one & other) > 0
        assert found.pairs[0, 0, k] == len(one & other) / len(one | other)
        assert found.n_pairs[0, 0, k] == (len(one) + len(other)) / 2


def test_pairs_of_an_example_that_one_side_has_no_score_for_are_no_disagreement() -> None:
    """Example 0 is never held out in the first half; in the second it decides a test example."""
    rng = np.random.default_rng(0)
    subset = rng.random((80, 3)) < 0.7
    subset[:40, 0] = True
    trials = of_bits(subset, subset, subset[:, :2])
    labels = np.zeros(3, np.int64), np.zeros(2, np.int64)
    look = PairComparison(*labels, PairsRule(), (0.5,), BitCounter(1))
    one, other = Sample(trials, np.arange(40)), Sample(trials, np.arange(40, 80))
    assert np.isnan(one.memorization).tolist() == [True, False, False]
    assert [each.key.tolist() for each in look.pairs([other, other])] == [[0, 3]] * 2
    assert [each.key.tolist() for each in look.pairs([one, other])] == [[3]] * 2


def test_incomplete_blocks_are_left_out_and_counted() -> None:
    trials = simulated(World.long_tail(0, 50), 100, seed=0)
    found = measured(without(trials, [13, 57]), splits=2)
    assert found.sizes.tolist() == [20, 40]
    assert found.n_left_out == 18


def test_splits_come_from_the_seed_and_progress_is_told() -> None:
    trials, told = simulated(World.long_tail(0, 50), 100, seed=0), []
    one = measured(trials, splits=3, seed=1, progress=told.append)
    again, other = measured(trials, splits=3, seed=1), measured(trials, splits=3, seed=2)
    np.testing.assert_array_equal(one.pearson, again.pearson)
    assert not (one.pearson == other.pearson).any()
    assert len(set(one.pearson[-1])) == 3
    assert sum(told) == 3 * len(one.sizes)


def test_empty_and_uncounted_are_missing_and_never_zero() -> None:
    trials = simulated(World.long_tail(0, 50), 100, seed=0)
    found = measured(trials, splits=2, thresholds=(0.25, 1.5), influence_thresholds=(0.3, 1.5))
    assert found.empty_thresholds.tolist() == [1.5]
    assert found.empty_influence_thresholds.tolist() == [1.5]
    assert np.isnan(found.jaccard[..., 1]).all()
    assert np.isnan(found.pairs[..., 1]).all()
    assert found.jaccard_curves[1].needed(0.5) is None
    too_many = measured(trials, splits=2, most=0)
    assert np.isnan(too_many.pairs).all()
    assert len(too_many.empty_influence_thresholds) == 0, "too many is not none"
    assert not np.isnan(too_many.jaccard).any()


def test_mean_and_spread_leave_out_what_is_missing() -> None:
    values = np.array([[1.0, 2.0, np.nan, 6.0], [np.nan] * 4, [3.0, *[np.nan] * 3]])
    np.testing.assert_array_equal(mean(values), [3, np.nan, 3])
    np.testing.assert_allclose(spread(values), [np.std([1, 2, 6], ddof=1), np.nan, np.nan])


def planted(values: NDArray, **figures: NDArray) -> SplitAgreement:
    """Agreement of splits whose figures are given."""
    s = len(values)
    t = 20 * 2 ** np.arange(s)
    plain, by_threshold = values[:, None], values[:, None, None]
    arrays = {
        **dict.fromkeys(("overall", "pearson", "spearman", "top"), plain),
        **dict.fromkeys(("jaccard", "difference", "pairs"), by_threshold),
        **dict.fromkeys(("n_memorized", "n_pairs"), np.full((s, 1, 1), 1e6)),
        **figures,
    }
    one = np.array([0.5])
    return SplitAgreement(t, one, one, n_missing=np.zeros((s, 1), int), n_left_out=0, **arrays)


def test_the_reliability_is_found_and_turned_round() -> None:
    t = 20 * 2 ** np.arange(4)
    curve = planted(t / (t + 70)).pearson_curve
    assert isinstance(curve.law, Reliability)
    assert curve.law.t0 == pytest.approx(70, rel=1e-4)
    assert curve.expected(630) == pytest.approx(0.9, rel=1e-4)
    needed = curve.needed(0.9)
    assert needed is not None
    assert not needed.is_measured
    assert abs(needed.trials - 630) <= 1
    assert curve.needed(1.0) is None


def test_the_power_law_is_found_and_turned_round() -> None:
    t = 20 * 2 ** np.arange(4)
    found = planted(1 - 2 * t**-0.5)
    (curve,) = found.jaccard_curves
    assert isinstance(curve.law, PowerLaw)
    assert (curve.law.a, curve.law.b) == (pytest.approx(2), pytest.approx(0.5))
    assert curve.expected(1600) == pytest.approx(0.95)
    assert curve.needed(0.95001) == Needed(1601, False)
    shrinking = planted(2 * t**-0.5).overall_curve
    assert shrinking.expected(1600) == pytest.approx(0.05)
    assert shrinking.needed(0.04999) == Needed(1601, False)
    assert shrinking.needed(0.3) == Needed(46, True)  # 40 · 2^0.17, between 40 and 80


@pytest.mark.parametrize(
    "values",
    [
        [0.9, 0.8, 0.7, 0.6],  # falls
        [np.nan, np.nan, 0.5, 0.6],  # two points lie on any line
        [0.0, 0.0, 0.5, 0.6],  # nothing agrees yet
        [1.0, 1.0, 1.0, 1.0],  # no shortfall to shrink
    ],
)
def test_no_law_is_made_up(values: list[float]) -> None:
    (curve,) = planted(np.array(values)).jaccard_curves
    assert curve.law is None
    assert curve.expected(1000) is None
    assert curve.needed(1.01) is None


def test_what_was_measured_is_interpolated() -> None:
    curve = Curve(np.array([20, 40, 80]), np.array([0.5, 0.6, 0.8]), None)
    assert curve.needed(0.7) == Needed(57, True)  # √(40 · 80) = 56.6
    assert curve.needed(0.6) == Needed(40, True)
    assert curve.needed(0.3) == Needed(20, True)
    assert curve.needed(0.9) is None
    with_gap = Curve(np.array([20, 40, 80]), np.array([0.5, np.nan, 0.7]), None)
    assert with_gap.needed(0.6) == Needed(40, True)
    noise_agrees = Curve(np.array([20, 40, 80]), np.array([0.4, 0.1, 0.7]), None)
    assert noise_agrees.needed(0.4) == Needed(57, True), "from where on all suffice"


def test_the_law_never_says_that_a_measured_size_was_enough_when_it_was_not() -> None:
    t = 20 * 2 ** np.arange(4)
    curve = Curve(t, np.array([0.5, 0.6, 0.7, 0.7]), Reliability(10))
    assert curve.needed(0.8) == Needed(161, False)


def test_the_reliability_is_that_of_the_known_variances() -> None:
    """t₀ = σ² / V, σ² = p_in q_in / 0.7 + p_out q_out / 0.3."""
    world = World.long_tail(1, 3000)
    noise = world.p_in * (1 - world.p_in) / 0.7 + world.p_out * (1 - world.p_out) / 0.3
    law = measured(simulated(world, 200, seed=1), splits=3).pearson_curve.law
    assert isinstance(law, Reliability)
    assert law.t0 == pytest.approx(noise.mean() / world.memorization.var(), rel=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_what_a_quarter_measured_holds_at_half_and_at_twice_the_trials(seed: int) -> None:
    """Sizes up to T/4 = 160: what two studies of 320 and of 1,280 trials agree on, to 0.02."""
    world = World.long_tail(seed, 3000)
    found = measured(simulated(world, 320, seed), splits=5)
    assert found.sizes[-1] == 160
    for t in (320, 1280):
        for threshold, curve in zip(THRESHOLDS, found.jaccard_curves, strict=True):
            jaccard, pearson = world.agreement(t, threshold)
            assert curve.expected(t) == pytest.approx(jaccard, abs=0.02)
            assert found.pearson_curve.expected(t) == pytest.approx(pearson, abs=0.005)


@pytest.mark.parametrize(("jaccard", "is_measured"), [(0.8, True), (0.9, False)])
@pytest.mark.slow
def test_the_trials_needed_are_enough_and_not_far_too_many(
    jaccard: float, is_measured: bool
) -> None:
    """Of 20 studies, 18 at least say a number at which agreement is within 0.02 of the wanted."""
    good = 0
    for seed in range(20):
        world = World.long_tail(100 + seed, 1500)
        needed = measured(simulated(world, 240, seed), splits=5).jaccard_curves[1].needed(jaccard)
        assert needed is not None
        assert needed.is_measured == is_measured
        good += abs(world.agreement(needed.trials, 0.25)[0] - jaccard) < 0.02
    assert good >= 18


@pytest.mark.slow
def test_of_few_examples_the_law_does_not_follow_their_noise() -> None:
    """Some 60 memorized examples, halves of up to 120 trials: what two studies of 960 agree on.

    Root mean square error over 25 studies; a free exponent errs by 0.027.
    """
    errors = []
    for seed in range(25):
        world = World.long_tail(200 + seed, 150)
        found = measured(simulated(world, 240, seed), splits=5)
        expected = found.jaccard_curves[1].expected(960)
        assert expected is not None
        errors.append(expected - world.agreement(960, 0.25, repeats=40)[0])
    assert np.sqrt(np.mean(np.square(errors))) < 0.02
