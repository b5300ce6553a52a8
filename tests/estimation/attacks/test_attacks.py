"""Every attack of the registry against its formula, with each target left out for real."""

import numpy as np
import pytest

from memtail_core.estimation import membership
from memtail_core.estimation.attacks.bayesian import trigamma_inverse
from memtail_core.estimation.attacks.registry import ATTACKS
from memtail_core.estimation.attacks.tiles import Models
from memtail_core.estimation.membership import Attacks
from tests.estimation.attacks.oracle import ORACLES, Seen, World, made

EVERY = tuple(ATTACKS.values())


def models(world: World) -> Models:
    return Models(world.margin, np.packbits(world.subset, axis=1), world.population)


def scored(attacks: Attacks) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Scores [K, m] by the word of each attack, and which examples."""
    parts = list(attacks.parts())
    scores = {
        word: np.concatenate([part.scores[each.name] for part in parts], axis=1)
        for word, each in ATTACKS.items()
        if each.name in attacks.fits
    }
    return scores, np.concatenate([part.examples for part in parts])


def test_every_attack_has_an_oracle() -> None:
    assert set(ORACLES) == set(ATTACKS)
    assert len({each.name for each in EVERY}) == len(EVERY)
    assert all(each.source and word == each.word for word, each in ATTACKS.items())


@pytest.mark.parametrize("at_once", [2**20, 40])
@pytest.mark.parametrize("word", ATTACKS)
def test_each_model_is_attacked_by_all_others(
    monkeypatch: pytest.MonkeyPatch, word: str, at_once: int
) -> None:
    monkeypatch.setattr(membership, "_AT_ONCE", at_once)
    world = made(16, 12)
    scores, examples = scored(Attacks.of(models(world), attacks=EVERY))
    assert len(examples) == 12
    for target in range(16):
        expected = ORACLES[word](Seen.without(world, target, examples))
        np.testing.assert_allclose(scores[word][target], expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("word", ATTACKS)
def test_other_models_are_attacked_by_all_references(word: str) -> None:
    world, others = made(14, 10), made(3, 10, seed=1)
    targets = Models(others.margin, None, others.population)
    scores, examples = scored(Attacks.of(models(world), targets, EVERY))
    for row in range(3):
        seen = Seen.of(world, np.arange(14), others.margin[row], others.population[row], examples)
        np.testing.assert_allclose(scores[word][row], ORACLES[word](seen), rtol=2e-4, atol=2e-4)


def test_a_score_does_not_depend_on_other_targets() -> None:
    world, others = made(14, 10), made(3, 10, seed=1)
    together, _ = scored(Attacks.of(models(world), models(others), EVERY))
    alone, _ = scored(Attacks.of(models(world), models(others).taken(np.array([1])), EVERY))
    for word, scores in alone.items():
        np.testing.assert_array_equal(scores[0], together[word][1])


def test_without_a_population_rmia_is_left_out() -> None:
    world = made(14, 10)
    bare = Models(world.margin, np.packbits(world.subset, axis=1))
    found = set(Attacks.of(bare, attacks=EVERY).fits)
    assert found == {each.name for each in EVERY if not each.needs_population}
    assert len(found) == len(EVERY) - 2


def test_a_shared_prior_helps_where_references_are_few() -> None:
    """Four models with each example and four without: variances of their own are a guess."""
    rng = np.random.default_rng(0)
    subset = np.zeros((9, 4000), bool)
    subset[:4] = True
    subset = rng.permuted(subset, axis=0)
    margin = rng.normal(rng.normal(3, 2, 4000) + 2.5 * subset, 1).astype(np.float16)
    world = World(margin, subset, np.zeros((9, 0), np.float16))
    reference = np.arange(8)
    target = Models(margin[8:], np.packbits(subset[8:], axis=1))
    scores, examples = scored(Attacks.of(models(world).taken(reference), target, EVERY))
    members = subset[8, examples]

    def detected(word: str) -> float:
        found = scores[word][0]
        threshold = np.quantile(found[~members], 0.99)
        return float((found[members] > threshold).mean())

    assert detected("bayes") > detected("lira") + 0.1
    assert detected("bayes") >= detected("lira-pooled")


@pytest.mark.parametrize("value", [1e-4, 0.01, 0.5, 3.0, 1e4])
def test_the_inverse_of_trigamma(value: float) -> None:
    from scipy.special import polygamma

    (found,) = trigamma_inverse(np.array([value]))
    assert polygamma(1, found) == pytest.approx(value, rel=1e-9)


def test_variances_that_do_not_differ_are_one() -> None:
    assert trigamma_inverse(np.array([0.0, -1.0])).tolist() == [1e4, 1e4]
