"""Of what is called significant, few are false: shown with influence planted and with none."""

import numpy as np
import pytest

from memtail_core.estimation.influence import Family, PairCounter, Pairs, find
from tests.estimation.influence.simulated import (
    EVERY_PAIR,
    N_TEST,
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
    family = Family.of(world.memorized(), np.arange(N_TEST))
    return find(world.evidence, family, -1, FDR, counter=counter)


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


@pytest.mark.parametrize("trials", [100, 300])
@pytest.mark.slow
def test_where_luck_alone_chooses_the_rate_holds_if_other_trials_choose(
    counter: PairCounter, trials: int
) -> None:
    """No example is memorized: those chosen were in trials that were better on all examples.

    The same trials then also find influence of these, more often than the rate allows.
    """
    setting = Setting(trials=trials, planted=(), shared=0.6, memorized=0)
    half = slice(0, trials // 2), slice(trials // 2, None)

    def chosen_by_others(world: World) -> Pairs:
        family = Family.of(world.memorized(half[0]), np.arange(N_TEST))
        rest = World(
            world.subset[half[1]],
            world.train_correct[half[1]],
            world.correct[half[1]],
            world.influence,
        )
        return find(rest.evidence, family, -1, FDR, counter=counter)

    same, _ = false_discoveries(setting, lambda world: chosen(world, counter))
    others, _ = false_discoveries(setting, chosen_by_others)
    print(f"{setting}: by the same trials {same}, by others {others}")
    assert others.is_at_most(FDR)
    assert others.mean < same.mean
