"""Attacks in closed form, against shadow models that are really left out one by one."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from memtail_core.estimation import membership
from memtail_core.estimation.attacks.tiles import Models
from memtail_core.estimation.membership import BASIC, Attacks, membership_auc
from memtail_core.estimation.roc import auc_of_columns

Scores = dict[str, np.ndarray]
OWN, POOLED, LOSS = (each.name for each in BASIC)


def attacked(margin: np.ndarray, subset: np.ndarray) -> tuple[Scores, np.ndarray, np.ndarray]:
    """Scores [T, m] of every attack, membership, and which examples."""
    parts = list(Attacks.of(Models(margin, np.packbits(subset, axis=1))).parts())
    scores = {
        name: np.concatenate([part.scores[name] for part in parts], axis=1)
        for name in (OWN, POOLED, LOSS)
    }
    members = np.concatenate([part.is_member for part in parts], axis=1)
    return scores, members, np.concatenate([part.examples for part in parts])


def made(n_trials: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    subset = rng.random((n_trials, n)) < 0.6
    spread = rng.uniform(0.5, 2, n)
    margin = rng.normal(rng.normal(3, 4, n) + 2 * subset, spread)
    return margin.astype(np.float16), subset


@pytest.mark.parametrize("at_once", [2**20, 40])
def test_every_target_is_left_out_of_its_shadow_models(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(membership, "_AT_ONCE", at_once)
    margin, subset = made(14, 9)
    scores, members, examples = attacked(margin, subset)
    assert (members == subset[:, examples]).all()
    x = margin.astype(np.float64)
    for target in range(14):
        rest = np.arange(14) != target
        groups = {
            (side, i): x[rest & (subset[:, i] == side), i]
            for i in examples
            for side in (True, False)
        }
        pooled = {}
        for side in (True, False):
            some = [groups[side, i] for i in examples]
            squares = sum(((each - each.mean()) ** 2).sum() for each in some)
            pooled[side] = np.sqrt(squares / sum(len(each) - 1 for each in some))
        for column, i in enumerate(examples):
            of = groups[True, i], groups[False, i]
            density = [norm.logpdf(x[target, i], each.mean(), each.std(ddof=1)) for each in of]
            assert scores[OWN][target, column] == pytest.approx(density[0] - density[1], rel=1e-4)
            density = [
                norm.logpdf(x[target, i], each.mean(), pooled[side])
                for each, side in zip(of, (True, False), strict=True)
            ]
            assert scores[POOLED][target, column] == pytest.approx(
                density[0] - density[1], rel=1e-4, abs=1e-5
            )
            assert scores[LOSS][target, column] == x[target, i]


def test_with_many_shadow_models_it_is_the_likelihood_ratio() -> None:
    """Of margins that are normal indeed, and an area that is Φ(d / √2) for a distance of d."""
    rng = np.random.default_rng(1)
    n_trials, distance = 600, np.repeat([0.0, 1.0, 3.0], 60)
    subset = rng.random((n_trials, len(distance))) < 0.5
    margin = rng.normal(5 + distance * subset, 1).astype(np.float16)
    scores, members, _ = attacked(margin, subset)
    x = margin.astype(np.float64)
    truth = norm.logpdf(x, 5 + distance, 1) - norm.logpdf(x, 5, 1)
    for name in (OWN, POOLED):
        assert np.abs(scores[name] - truth).mean() < 0.25, name
        assert np.corrcoef(scores[name].ravel(), truth.ravel())[0, 1] > 0.995, name
    is_odd = np.arange(n_trials) % 2 == 1
    for variance in (None, np.ones(2)):
        found = membership_auc(x, members, is_odd, variance).reshape(3, -1).mean(axis=1)
        np.testing.assert_allclose(found, norm.cdf([0, 1 / 2**0.5, 3 / 2**0.5]), atol=0.01)


def test_where_there_is_nothing_to_tell_it_is_a_coin() -> None:
    """Which leaving out one at a time would not give, however many trials there are."""
    rng = np.random.default_rng(3)
    subset = rng.random((60, 3000)) < 0.5
    x = rng.normal(size=subset.shape)
    found = membership_auc(x, subset, np.arange(60) % 2 == 1)
    assert found.mean() == pytest.approx(0.5, abs=4 * found.std() / 3000**0.5)
    scores, members, _ = attacked(x.astype(np.float16), subset)
    assert auc_of_columns(scores[OWN], members).mean() < 0.48


def test_halves_without_shadow_models_tell_nothing() -> None:
    subset = np.zeros((12, 2), bool)
    subset[:6, 0] = subset[::2, 1] = True
    x = np.random.default_rng(0).normal(size=(12, 2))
    found = membership_auc(x, subset, np.arange(12) < 6)
    assert np.isnan(found[0])
    assert 0 <= found[1] <= 1


def test_the_order_of_the_loss_attack_is_that_of_the_losses() -> None:
    margin, subset = made(20, 5)
    scores, _, examples = attacked(margin, subset)
    loss = np.log1p(np.exp(-margin[:, examples].astype(np.float64)))
    np.testing.assert_array_equal(np.argsort(scores[LOSS].ravel()), np.argsort(-loss.ravel()))


def test_an_examples_area_is_that_of_scikit_learn() -> None:
    margin, subset = made(40, 6)
    scores = margin.round().astype(np.float32)  # with ties
    found = auc_of_columns(scores, subset)
    for i in range(6):
        assert found[i] == pytest.approx(roc_auc_score(subset[:, i], scores[:, i]), abs=1e-12)


def test_examples_without_shadow_models_are_left_out() -> None:
    margin, subset = made(10, 4)
    subset[:, 0], subset[:, 1] = True, False
    subset[:, 2] = [True, True, *[False] * 8]  # a target, and one shadow model
    subset[:, 3] = [True] * 3 + [False] * 7
    scores, _, examples = attacked(margin, subset)
    assert examples.tolist() == [3]
    assert np.isfinite(scores[OWN]).all()


def test_margins_that_never_differ_are_no_infinite_evidence() -> None:
    subset = np.random.default_rng(0).random((20, 3)) < 0.5
    scores, _, _ = attacked(np.full((20, 3), 7, np.float16), subset)
    assert np.abs(scores[OWN]).max() < 1e-6
