"""Combined influence: against explicit Bayesian regression, and in worlds where it is known."""

import numpy as np
import pytest

from memtail_core.errors import EstimationError
from memtail_core.estimation.combined import combined_influence, discoveries
from memtail_core.estimation.combined.likelihood import moderated
from memtail_core.estimation.combined.prior import normal_prior
from memtail_core.estimation.influence.families import Family
from tests.estimation.combined.worlds import World, world

Z95 = 1.959964


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_it_is_explicit_bayesian_regression() -> None:
    """The dense posterior of u and an unknown constant, n × n, at the estimated variances."""
    some = world(25)
    found = some.combined()
    mean, error = some.every(found)
    v, s = found.scale.spread.astype(float), found.scale.factor.astype(float)
    direction = found.power.of(some.direction.astype(np.float32)).astype(float)
    x = np.column_stack([some.inside, np.ones(25)]).astype(float)
    for z in (0, 7, 31):
        noise, signal = found.noise[z] ** 2, found.noise[z] ** 2 / found.noise_ratio[z]
        expected = found.factor[z] * s * direction[:, z]
        precision = np.diag(np.append(1 / (signal * v), 1e-9))
        covariance = np.linalg.inv(precision + x.T @ x / noise)
        right = x.T @ some.outcome[:, z] / noise + precision @ np.append(expected, 0)
        dense, variance = (covariance @ right)[:-1], np.diag(covariance)[:-1]
        score = (dense - expected) / (signal * v)
        held = (1 - variance / (signal * v)) / v  # x_iᵀ (X diag(v) Xᵀ + ρ)⁻¹ x_i
        own = found.dispersion * np.square(expected)
        share = own / (signal + own * held)
        np.testing.assert_allclose(mean[:, z], dense + share * signal * score, rtol=0.02, atol=2e-3)
        assert (error[:, z] ** 2 >= 0.98 * (variance + share * signal)).all()


def test_without_a_prior_it_is_a_ridge_regression() -> None:
    some = world(40)
    found = some.combined(with_prior=False)
    mean, error = some.every(found)
    x = some.inside - some.inside.mean(0)
    for z in (0, 5):
        ratio = found.noise_ratio[z]
        dense = np.linalg.solve(x.T @ x + ratio * np.eye(120), x.T @ some.outcome[:, z])
        np.testing.assert_allclose(mean[:, z], dense, rtol=1e-3, atol=1e-4)
    assert (found.factor == 0).all()
    assert (error > 0).all()


def test_it_is_nearer_than_the_prior_and_than_counting() -> None:
    for t in (20, 100):
        some = world(t)
        mean, _ = some.every(some.combined())
        x = some.inside - some.inside.mean(0)
        counted = x.T @ some.outcome / (x**2).sum(0)[:, None]
        assert correlation(mean, some.influence) > correlation(some.direction, some.influence)
        assert correlation(mean, some.influence) > correlation(counted, some.influence) + 0.1


def test_with_many_trials_it_is_the_regression() -> None:
    """Whatever the prior says, right or wrong; influence itself is 0.16 on average."""
    apart = {}
    for t in (100, 800):
        some = world(t, n=40, noise=0.3)
        x = some.inside - some.inside.mean(0)
        regression = np.linalg.lstsq(x, some.outcome - some.outcome.mean(0), rcond=None)[0]
        wrong = np.random.default_rng(0).permutation(some.direction.ravel()).reshape(40, 60)
        for name, direction in (("right", some.direction), ("wrong", wrong)):
            other = World(some.inside, some.outcome, some.influence, direction)
            mean, _ = other.every(other.combined())
            apart[name, t] = np.sqrt(np.mean((mean - regression) ** 2))
    for name in ("right", "wrong"):
        assert apart[name, 800] < 0.02
        assert apart[name, 800] < 0.5 * apart[name, 100]


@pytest.mark.parametrize("t", [30, 100, 400])
def test_intervals_cover(t: int) -> None:
    covered, strong = [], []
    for seed in range(4):
        some = world(t, seed=seed)
        mean, error = some.every(some.combined())
        holds = np.abs(mean - some.influence) <= Z95 * error
        covered.append(holds.mean())
        strong.append(holds[np.abs(mean) > np.quantile(np.abs(mean), 0.95)].mean())
    assert 0.93 <= np.mean(covered) <= 0.995
    assert np.mean(strong) >= 0.88


def test_the_false_discovery_rate_holds() -> None:
    """Signs are wrong no more often than promised, and without influence nothing is found."""
    for t in (30, 150):
        some = world(t, stray=1.0)
        found = discoveries(some.combined(), everyone(some), 0.0, 0.05)
        assert found.n_found > 100
        wrong = some.influence[found.train, found.test] <= 0
        assert wrong.mean() <= 0.07
    listed = [
        discoveries(world(t, signal=0.0, seed=s).combined(), everyone(world(t)), 0.0, 0.05).n_found
        for t in (20, 100)
        for s in range(10)
    ]
    assert np.mean(np.array(listed) > 0) <= 0.1


def everyone(some: World) -> Family:
    n, n_test = some.influence.shape
    return Family.of(np.arange(n), np.arange(n_test))


def test_discoveries_are_what_the_moments_say() -> None:
    some = world(60)
    combined = some.combined()
    mean, error = some.every(combined)
    found = discoveries(combined, everyone(some), 0.2)
    i, j = np.nonzero(mean >= 0.2)
    assert sorted(zip(found.train, found.test, strict=True)) == sorted(zip(i, j, strict=True))
    assert (np.diff(found.influence) <= 0).all()
    np.testing.assert_allclose(found.standard_error, error[found.train, found.test], rtol=1e-5)
    expected = mean[found.train, found.test] + Z95 * error[found.train, found.test]
    np.testing.assert_allclose(found.ci_high, expected, rtol=1e-5)
    np.testing.assert_allclose(found.ci_high - found.influence, found.influence - found.ci_low)
    rate = np.sort(found.false_sign_rate)
    assert (found.q_value <= np.maximum(found.false_sign_rate, 1e-12)).all()
    assert (rate <= 0.5).all()
    first = discoveries(combined, everyone(some), 0.2, top=5)
    np.testing.assert_array_equal(first.train, found.train[:5])
    assert first.n_found == len(found)
    harm = discoveries(combined, everyone(some), 0.2, harmful=True)
    i, j = np.nonzero(mean <= -0.2)
    assert sorted(zip(harm.train, harm.test, strict=True)) == sorted(zip(i, j, strict=True))
    assert (harm.influence >= 0.2).all()


def test_blocks_are_parts_of_the_whole() -> None:
    some = world(30)
    found = some.combined()
    mean, error = some.every(found)
    rows, columns = np.array([3, 50, 7]), np.array([1, 59])
    for part, whole in zip(found.moments(rows, columns), (mean, error), strict=True):
        np.testing.assert_allclose(part, whole[np.ix_(rows, columns)], rtol=2e-4, atol=1e-6)
    np.testing.assert_array_equal(found.mean(rows, columns), found.moments(rows, columns)[0])


def test_the_unit_of_the_prior_does_not_matter() -> None:
    some = world(30)
    other = World(some.inside, some.outcome, some.influence, 1e-4 * some.direction)
    np.testing.assert_allclose(
        other.every(other.combined())[0], some.every(some.combined())[0], rtol=0.01, atol=1e-3
    )


def test_a_prior_that_says_nothing_or_the_opposite_is_not_used() -> None:
    some = world(60)
    alone, _ = some.every(some.combined(with_prior=False))
    for direction in (np.zeros((120, 60)), -some.direction):
        other = World(some.inside, some.outcome, some.influence, direction)
        np.testing.assert_allclose(other.every(other.combined())[0], alone, rtol=1e-4, atol=1e-5)


def test_a_test_example_on_which_all_agree_has_no_influence() -> None:
    some = world(30)
    some.outcome[:, 4] = 3.0
    found = some.combined()
    mean, error = some.every(found)
    assert np.isfinite(mean).all() and np.isfinite(error).all()
    assert np.abs(mean[:, 4]).max() < 1e-6


def test_what_cannot_be_estimated_is_refused() -> None:
    some = world(30)
    with pytest.raises(EstimationError, match="3 models: influence is combined from at least 4"):
        combined_influence(some.inside[:3], some.outcome[:3])
    with pytest.raises(EstimationError, match="all models were trained on the same examples"):
        combined_influence(np.ones_like(some.inside), some.outcome, some.prior)
    some.outcome[2, 3] = np.nan
    with pytest.raises(EstimationError, match="outcome is not finite"):
        combined_influence(some.inside, some.outcome)


def test_variances_are_moderated() -> None:
    """Noisy estimates of one variance all become that; of very different ones stay."""
    rng = np.random.default_rng(0)
    same = moderated(rng.chisquare(5, 2000) / 5 * 3.0, 5)
    assert same.std() < 0.2 and same.mean() == pytest.approx(3.0, rel=0.1)
    true = np.exp(rng.normal(0, 3, 2000))
    raw = true * rng.chisquare(50, 2000) / 50
    assert np.median(np.abs(moderated(raw, 50) / raw - 1)) < 0.05


def test_the_distribution_of_what_is_estimated() -> None:
    rng = np.random.default_rng(1)
    error = rng.uniform(0.5, 2, 4000)
    mean, spread = normal_prior(
        rng.normal(1.5, 0.7, 4000) + error * rng.normal(size=4000), error**2
    )
    assert mean == pytest.approx(1.5, abs=0.05)
    assert spread == pytest.approx(0.49, abs=0.1)
