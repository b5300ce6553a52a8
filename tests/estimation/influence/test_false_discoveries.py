"""Of what is called significant, few are false: shown with influence planted and with none."""

from dataclasses import replace

import pytest

from memtail_core.estimation.influence import PairCounter, Pairs, find
from tests.estimation.influence.simulated import (
    EVERY_PAIR,
    NULLS,
    Setting,
    World,
    false_discoveries,
)

FDR = 0.1
DESIGNS = pytest.mark.parametrize("design", ["balanced", "independent"])


@DESIGNS
@pytest.mark.parametrize("shared", [0.3, 0.6])
@pytest.mark.slow
def test_of_the_pairs_found_no_more_are_false_than_was_allowed(
    counter: PairCounter, design: str, shared: float
) -> None:
    """30,000 pairs of which 75 are real, 200 trials, test examples right and wrong together."""
    setting = Setting(design=design, shared=shared)
    rate, power = false_discoveries(
        setting, lambda world: find(world.evidence, EVERY_PAIR, -1, FDR, counter=counter)
    )
    print(f"{setting}: FDR {rate}, power {power}")
    assert rate.is_at_most(FDR)
    assert power[0.3] > 0.5
    assert power[0.4] > 0.9
    assert power[0.5] > 0.99


@DESIGNS
def test_where_nothing_has_influence_seldom_is_anything_found(
    counter: PairCounter, design: str
) -> None:
    """Whatever is found is false, so the rate is the share of replications with a finding."""
    setting = Setting(design=design, planted=(), shared=0.6)
    rate, _ = false_discoveries(
        setting, lambda world: find(world.evidence, EVERY_PAIR, -1, FDR, counter=counter)
    )
    print(f"{setting}: any finding {rate}")
    assert rate.is_at_most(FDR)


def chosen(world: World, counter: PairCounter) -> Pairs:
    return find(world.evidence, world.family, -1, FDR, counter=counter)


@pytest.mark.parametrize("trials", [100, 300])
@pytest.mark.slow
def test_the_rate_holds_among_examples_chosen_by_memorization_in_the_same_trials(
    counter: PairCounter, trials: int
) -> None:
    """A third is memorized; some others are chosen because they were in the better trials."""
    setting = Setting(trials=trials, shared=0.6)
    rate, power = false_discoveries(setting, lambda world: chosen(world, counter))
    print(f"{setting}: FDR {rate}, power {power}")
    assert rate.is_at_most(FDR)
    assert power[0.5] > (0.8 if trials == 100 else 0.99)


def test_the_power_is_nearly_that_of_a_test_that_ignores_the_choice(counter: PairCounter) -> None:
    setting = Setting(trials=100, shared=0.6)

    def ignoring(world: World) -> Pairs:
        evidence = replace(world.evidence, own=None)
        return find(evidence, world.family, -1, FDR, counter=counter)

    _, power = false_discoveries(setting, lambda world: chosen(world, counter), 20)
    _, most = false_discoveries(setting, ignoring, 20)
    print(f"{setting}: power {power}, ignoring the choice {most}")
    for size, found in power.items():
        assert most[size] - 0.07 <= found <= most[size]


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(("trials", "design"), [(40, "independent"), (100, "balanced")])
def test_where_nothing_has_influence_the_choice_of_examples_hardly_ever_finds_any(
    counter: PairCounter, null: str, trials: int, design: str
) -> None:
    setting = replace(NULLS[null], trials=trials, design=design)
    rate, _ = false_discoveries(setting, lambda world: chosen(world, counter), 60)
    print(f"{null}, {trials} trials, {design}: any finding {rate}")
    assert rate.mean <= FDR


def test_ignoring_the_choice_finds_influence_where_there_is_none(counter: PairCounter) -> None:
    """The fault that testing given the choice mends."""
    setting = replace(NULLS["no memorization"], trials=100)
    with_own, without = [
        false_discoveries(
            setting,
            lambda world, own=own: find(  # type: ignore[misc]
                replace(world.evidence, own=world.evidence.own if own else None),
                world.family,
                -1,
                FDR,
                counter=counter,
            ),
        )[0]
        for own in (True, False)
    ]
    print(f"given the choice {with_own}, ignoring it {without}")
    assert with_own.mean <= FDR
    assert without.is_above(0.1)
