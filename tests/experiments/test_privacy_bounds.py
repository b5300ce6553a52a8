"""Lower bounds on ε from whole studies: they hold for a mechanism whose ε is known."""

from dataclasses import replace

import numpy as np
import pytest

from memtail_core.experiments.privacy.lower_bound import Claim, study_bound
from memtail_core.plan import designs
from tests.simulated_privacy import PURE, block_of, known_bounds, private_study, respond


@pytest.mark.slow
@pytest.mark.parametrize("design", ["balanced", "independent"])
def test_a_private_study_is_hardly_ever_called_less_private(design: str) -> None:
    study = private_study(design)
    found = known_bounds(study, 1.0, 40, 30)
    assert np.mean(found > 2.0) <= 0.05 + 3 * (0.05 * 0.95 / 30) ** 0.5
    assert found.mean() > 0.8
    assert np.mean(known_bounds(study, 0.0, 40, 30) > 0) <= 0.05 + 3 * (0.05 * 0.95 / 30) ** 0.5


def test_references_of_the_targets_own_block_would_give_its_members_away() -> None:
    """Every example is in 7 of a block's 10 subsets: nine of them tell of the tenth."""
    study = private_study("balanced")
    subset = designs.subsets(study, range(10))
    assert (subset.sum(axis=0) == 7).all()
    told = 7 - subset[1:].sum(axis=0)
    assert (told == subset[0]).all()
    block = block_of(study, 60)
    made, _ = study_bound(study, respond(study, 60, 1.0), block, PURE)
    assert made is not None
    assert (made.models, made.references) == (3, 30), "one of every second block of 10"


def test_where_no_bound_would_hold_none_is_given() -> None:
    study = private_study("balanced")
    one_block = respond(study, 10, 1.0)
    found, reason = study_bound(study, one_block, block_of(study, 10), PURE)
    assert found is None
    assert "needs models of two independent blocks" in reason
    imported = study.model_copy(update={"training": {"recipe": "imported"}})
    found, reason = study_bound(imported, respond(study, 60, 1.0), block_of(study, 60), PURE)
    assert found is None
    assert "imported" in reason


def test_a_claim_is_refuted_or_not() -> None:
    study = private_study("balanced")
    models, block = respond(study, 60, 3.0), block_of(study, 60)
    for epsilon, refuted in ((1.0, True), (6.0, False)):
        made, _ = study_bound(study, models, block, Claim(0.0, epsilon))
        assert made is not None
        assert made.p_value is not None
        assert (made.p_value < 0.05) == refuted == (made.bound > epsilon)
        assert made.p_value_of_one is not None
        assert made.p_value_of_one >= made.p_value
        assert (made.p_value_of_one < 0.05) == (made.bound_of_one > epsilon)
        assert made.bound_of_one == pytest.approx(made.bound / 2)


def test_the_choice_of_guesses_does_not_look_at_targets() -> None:
    """Other targets, same pairs and number of guesses: only what is right differs."""
    study = private_study("independent")
    models, block = respond(study, 40, 1.0), block_of(study, 40)
    made, _ = study_bound(study, models, block, PURE)
    targets = np.flatnonzero(block % 2 == 1)
    margin = models.margin.copy()
    margin[targets] = np.random.default_rng(0).normal(size=margin[targets].shape)
    other, _ = study_bound(study, replace(models, margin=margin), block, PURE)
    assert made is not None
    assert other is not None
    assert (made.canaries, made.guesses) == (other.canaries, other.guesses)
    assert other.bound == 0 < made.bound
