"""When to stop: the grammar, the looks, the rules, and what looking does to intervals."""

from itertools import islice, pairwise

import numpy as np
import pytest

from memtail_core import estimation
from memtail_core.analysis.disagreements import Counts
from memtail_core.errors import StudyError
from memtail_core.estimation.intervals import agresti_caffo
from memtail_core.experiments.stopping.intervals import deciding, widened
from memtail_core.experiments.stopping.looks import looks
from memtail_core.experiments.stopping.result import DecidingExample
from memtail_core.experiments.stopping.rules import (
    Condition,
    SmallError,
    Stable,
    Tally,
    check,
    errors,
    parse,
)
from memtail_core.experiments.stopping.watch import Watch, expected, look_at
from memtail_core.running.trials import Trials
from tests.conftest import Trained
from tests.experiments.sequential import BLOCK, misses, simulated


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("se<=0.05", [SmallError(0.05)]),
        (" SE ≤ .1 ", [SmallError(0.1)]),
        ("top-1000 stable at 0.9", [Stable(0.9, 1000)]),
        ("memorized  stable at 0.85", [Stable(0.85)]),
        ("se<=0.05 and memorized stable at 0.9", [SmallError(0.05), Stable(0.9)]),
    ],
)
def test_what_can_be_asked_for(text: str, rules: list[SmallError | Stable]) -> None:
    found = parse(text)
    assert found == Condition(tuple(rules))
    assert parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write se<=0.05"),
        ("se>=0.05", "write se<=0.05"),
        ("top-0 stable at 0.9", "write se<=0.05"),
        ("top-10 stable at 0.9 and", "write se<=0.05"),
        ("se<=x", "x is not a number between 0 and 1"),
        ("se<=nan", "nan is not a number between 0 and 1"),
        ("memorized stable at 1", "1 is not a number between 0 and 1"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(StudyError, match=said) as error:
        parse(text)
    assert "\n" not in str(error.value)


def test_what_no_study_of_this_size_can_meet_is_refused(trained: Trained) -> None:
    with pytest.raises(StudyError, match="there are 300 training examples"):
        check([parse("top-300 stable at 0.9")], trained.study)
    with pytest.raises(StudyError, match="takes more than 1,000,000 models"):
        check([parse("se<=0.0001")], trained.study)
    check([parse("top-299 stable at 0.9 and se<=0.01")], trained.study)


@pytest.mark.parametrize("shard", [1, 5, 10, 30])
def test_looks_are_whole_shards_a_tenth_apart(shard: int) -> None:
    found = list(islice(looks(shard), 60))
    assert found[0] >= 20
    assert all(look % shard == 0 for look in found)
    for one, other in pairwise(found):
        assert other == one + shard or 0 <= 10 * other - 11 * one < 10 * shard


def rates(n: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A long tail: most examples are known unseen, some are not."""
    rng = np.random.default_rng(seed)
    p_out = np.where(rng.random(n) < 0.75, rng.beta(30, 0.5, n), rng.beta(1, 1.2, n))
    return np.maximum(p_out, rng.beta(60, 0.6, n)), p_out


def trials(n: int, n_trials: int, seed: int = 0) -> Trials:
    return simulated(*rates(n), n_trials, np.random.default_rng(seed))


def test_the_error_is_that_of_the_interval_and_never_0() -> None:
    counts = Counts.of(trials(40, 60))
    low, high = agresti_caffo(counts.in_correct, counts.n_in, counts.out_correct, counts.n_out)
    inner = (low > -1) & (high < 1)
    assert inner.any()
    np.testing.assert_allclose(errors(counts)[inner], ((high - low) / (2 * 1.959964))[inner])
    agreed = (counts.in_correct == counts.n_in) & (counts.out_correct == counts.n_out)
    assert agreed.any()
    assert (errors(counts)[agreed] > 0).all()


def test_an_example_without_a_score_is_not_waited_for() -> None:
    none = np.zeros(2, np.int64)
    some = Counts(none + 5, none + 5, none, np.array([0, 5]))
    assert errors(some)[0] == 0
    assert errors(some)[1] > 0


def test_the_expected_number_is_the_one_it_takes() -> None:
    every = trials(200, 400)
    rule = SmallError(0.07)
    early = rule.look(Tally(every.taken(np.arange(100)), BLOCK))
    assert not early.met
    assert early.expected is not None
    met = next(
        n for n in range(100, 401, 10) if rule.look(Tally(every.taken(np.arange(n)), 10)).met
    )
    assert early.expected == pytest.approx(met, rel=0.1)
    typical, most = rule.by_design(0.7)
    assert typical is not None
    assert most is not None
    assert typical < most
    assert met <= most
    p = 0.25 / (0.7 * most + 2) + 0.25 / (0.3 * most + 2)
    assert p**0.5 == pytest.approx(0.07, rel=0.01)


def test_stability_is_the_agreement_of_whole_studies() -> None:
    """Two independent studies agree as well as one of them says beforehand."""
    p_in, p_out = rates(400)
    for n_top, n_trials in ((None, 240), (40, 240), (None, 60), (40, 60)):
        said, seen = [], []
        for seed in range(12):
            rng = np.random.default_rng(seed)
            one, other = (simulated(p_in, p_out, n_trials, rng) for _ in range(2))
            said.append(Stable(0.5, n_top).look(Tally(one, BLOCK)).value)
            a, b = (estimation.memorization(t.subset, t.train_correct, 400) for t in (one, other))
            chosen = [
                np.flatnonzero(each.memorization >= 0.25)
                if n_top is None
                else np.argsort(-each.memorization, kind="stable")[:n_top]
                for each in (a, b)
            ]
            both = len(np.intersect1d(*chosen))
            either = n_top if n_top else len(np.union1d(*chosen))
            seen.append(both / either)
        assert np.mean(said) == pytest.approx(np.mean(seen), abs=0.03), (n_top, n_trials)


def test_too_few_trials_say_nothing() -> None:
    verdict = Stable(0.9).look(Tally(trials(50, 30), BLOCK))
    assert verdict.value is None
    assert not verdict.met
    assert verdict.expected is None


def test_an_example_decided_if_without_it_the_study_had_stopped_earlier() -> None:
    """Against leaving each out and looking again."""
    n, rule = 6, SmallError(0.1)
    p_out = np.array([0.5, 0.7, 0.97, 0.99, 1.0, 1.0])
    n_found = 0
    for seed in range(15):
        every = simulated(np.ones(n), p_out, 200, np.random.default_rng(seed))

        def when(kept: np.ndarray, every: Trials = every) -> int:
            return next(
                look
                for look in looks(BLOCK)
                if errors(Counts.of(every.taken(np.arange(look))))[kept].max() <= rule.bound
            )

        end = when(np.arange(n))
        without = {i: when(np.delete(np.arange(n), i)) for i in range(n)}
        found = deciding(every.taken(np.arange(end)), [rule], BLOCK)
        assert {each.index: each.trials for each in found} == {
            i: look for i, look in without.items() if look < end
        }
        n_found += len(found)
    assert n_found > 3, "it happens"


def test_a_widened_interval_holds_both() -> None:
    every = trials(20, 100)
    scores = estimation.memorization(every.subset, every.train_correct, 20)
    early = every.taken(np.arange(40))
    before = estimation.memorization(early.subset, early.train_correct, 20)
    found = widened(scores, every, [DecidingExample(index=3, trials=40)])
    assert found.ci_low[3] == min(scores.ci_low[3], before.ci_low[3])
    assert found.ci_high[3] == max(scores.ci_high[3], before.ci_high[3])
    others = np.arange(20) != 3
    assert (found.ci_low[others] == scores.ci_low[others]).all()
    assert (found.memorization == scores.memorization).all()


_REPEATS = 150


@pytest.mark.parametrize("every", [None, 10])
def test_intervals_hold_where_one_example_decides(every: int | None) -> None:
    """The worst there is: without widening it misses in 6% and, at other rates, up to 10%."""
    found, _ = misses(
        np.array([1.0, 1.0]),
        np.array([0.5, 0.97]),
        [SmallError(0.1)],
        repeats=_REPEATS,
        most=250,
        seed=1,
        every=every,
    )
    assert found[0] <= 0.05, "it is wide"


@pytest.mark.parametrize("rule", [SmallError(0.09), Stable(0.9), Stable(0.75, 8)])
def test_intervals_hold_at_the_time_a_rule_stops(rule: SmallError | Stable) -> None:
    p_in, p_out = rates(60)
    memorized = p_in - p_out >= 0.25
    found, took = misses(p_in, p_out, [rule], repeats=40, most=1500, seed=2)
    error = np.sqrt(0.05 * 0.95 / (40 * memorized.sum()))
    assert found[memorized].mean() <= 0.05 + 3 * error
    assert found.mean() <= 0.05
    assert took.std() > 0, "when it stops depends on the trials"


def test_a_watch_keeps_what_it_saw(trained: Trained) -> None:
    told = []
    conditions = [parse("se<=0.05"), parse("se<=0.2 and memorized stable at 0.01")]
    watch = Watch(trained.study, conditions, told.append)
    assert not watch.enough(trained.trials.taken(np.arange(20)))
    assert watch.enough(trained.trials)
    assert [look.trials for look in told] == [20, 40]
    assert told[1].met == ["se<=0.2 and memorized stable at 0.01"]
    history = watch.history(trained.trials, is_late=False)
    assert (history.reason, history.trials) == ("enough", 40)
    assert [verdict.rule for verdict in history.looks[0].rules] == [
        "se<=0.05",
        "se<=0.2",
        "memorized stable at 0.01",
    ]


def test_what_is_expected_beforehand(trained: Trained) -> None:
    conditions = [parse("se<=0.05"), parse("memorized stable at 0.9 and se<=0.05")]
    small, both = expected(trained.store, trained.study, conditions)
    assert small.trials is not None
    assert small.at_most is not None
    assert 200 < small.trials <= small.at_most == SmallError(0.05).by_design(0.7)[1]
    assert both.trials is not None
    assert both.trials >= small.trials, "all rules have to be met"
    assert (both.at_most, both.known_after) == (None, None)
    look = look_at(trained.study, conditions, trained.trials)
    assert look.rules[0].expected == small.trials
