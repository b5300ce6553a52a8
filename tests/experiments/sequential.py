"""Studies of simulated trials that stop by a rule: what their intervals then hold."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.experiments.stopping.intervals import deciding, widened
from memtail_core.experiments.stopping.looks import looks
from memtail_core.experiments.stopping.rules import Rule, Tally
from memtail_core.running.trials import Trials

Floats = NDArray[np.float64]

BLOCK, HELD_OUT = 10, 3


def simulated(p_in: Floats, p_out: Floats, n_trials: int, rng: np.random.Generator) -> Trials:
    """Trials of the balanced design that get example i right with probability p_in or p_out."""
    n = len(p_in)
    ranks = rng.random((n_trials // BLOCK, BLOCK, n)).argsort(axis=1)
    subset = (ranks >= HELD_OUT).reshape(n_trials, n)
    correct = rng.random((n_trials, n)) < np.where(subset, p_in, p_out)
    return Trials(
        n=n,
        n_test=1,
        subset=np.packbits(subset, axis=1),
        train_correct=np.packbits(correct, axis=1),
        test_correct=np.zeros((n_trials, 1), np.uint8),
        train_values=None,
        test_values=None,
        trials=np.arange(n_trials),
        seconds=np.ones(n_trials),
        about=(),
    )


def stopped(trials: Trials, rules: Sequence[Rule], at: Iterator[int]) -> Trials | None:
    """The first trials that meet all rules, at a look that ``at`` names; None: there are none."""
    for look in at:
        if look > len(trials):
            return None
        some = trials.taken(np.arange(look))
        tally = Tally(some, BLOCK)
        if all(rule.look(tally).met for rule in rules):
            return some
    return None


def misses(
    p_in: Floats,
    p_out: Floats,
    rules: Sequence[Rule],
    *,
    repeats: int,
    most: int,
    seed: int,
    every: int | None = None,
    wide: bool = True,
) -> tuple[Floats, Floats]:
    """How often each example's 95% interval misses, float64 [n], and how many trials it took.

    Args:
        p_in, p_out: float64 [n].
        rules: all of which have to be met.
        repeats: studies.
        most: trials of a study.
        seed: of the studies.
        every: look after so many trials; None: as a run does.
        wide: whether intervals are widened.
    """
    rng = np.random.default_rng(seed)
    missed, took = np.zeros(len(p_in)), []
    for _ in range(repeats):
        found = stopped(
            simulated(p_in, p_out, most, rng),
            rules,
            looks(BLOCK) if every is None else iter(range(20, most + 1, every)),
        )
        assert found is not None, "raise most"
        scores = found.counted()
        if wide:
            scores = widened(scores, found, deciding(found, rules, BLOCK))
        truth = p_in - p_out
        missed += (scores.ci_low > truth) | (truth > scores.ci_high)
        took.append(len(found))
    return missed / repeats, np.array(took, np.float64)
