"""What stopping rules do to intervals, and the intervals that hold nevertheless.

If an example's own results have a say in when a study stops, its interval can be wrong: a study
stops when errors are small, and errors look smallest when they are underestimated. Without that say
it holds, because the time of stopping is then independent of the interval. So each example i has
its own time Nᵢ, the first look at which the errors of all *other* examples are small enough. Its
interval is the hull of the one at Nᵢ, which holds as often as it claims, and of the one at the end.
Nᵢ is before the end only for an example that kept the study going alone; for all others nothing
changes. Rules about sets of many examples do not depend on single ones.
``tests/experiments/test_stopping.py`` simulates both.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from memtail_core.analysis import Analysis
from memtail_core.analysis.disagreements import Counts
from memtail_core.estimation import Memorization
from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.intervals import agresti_caffo
from memtail_core.experiments.results import kept
from memtail_core.experiments.stopping.looks import looks
from memtail_core.experiments.stopping.result import DecidingExample, StoppingHistory
from memtail_core.experiments.stopping.rules import Rule, SmallError, errors
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore


def deciding(trials: Trials, rules: Sequence[Rule], shard_size: int) -> list[DecidingExample]:
    """Find the examples that alone kept an error from being small enough, at any look."""
    first: dict[int, int] = {}
    bounds = [rule.bound for rule in rules if isinstance(rule, SmallError)]
    if not bounds:
        return []
    of, before = None, 0
    n_first = int((trials.trials == np.arange(len(trials))).sum())  # up to the first gap
    for look in looks(shard_size):
        if look > n_first:
            break
        more = Counts.of(trials.taken(np.arange(before, look)))
        of, before = more if of is None else of.plus(more), look
        for bound in bounds:
            above = np.flatnonzero(errors(of) > bound)
            if len(above) == 1:
                first.setdefault(int(above[0]), look)
    return [
        DecidingExample(index=index, trials=look)
        for index, look in first.items()
        if look < len(trials)
    ]


def widened(
    scores: Memorization, trials: Trials, examples: Sequence[DecidingExample]
) -> Memorization:
    """Return scores with the intervals of these examples widened, as described above."""
    low, high = scores.ci_low.copy(), scores.ci_high.copy()
    for each in examples:
        of = Counts.of(trials.taken(np.arange(each.trials))).where(np.array([each.index]))
        before = agresti_caffo(of.in_correct, of.n_in, of.out_correct, of.n_out)
        low[each.index] = min(low[each.index], before[0][0])
        high[each.index] = max(high[each.index], before[1][0])
    return replace(scores, ci_low=low, ci_high=high)


def as_stopped(store: ObjectStore, analysis: Analysis) -> Analysis:
    """Return the analysis with the intervals that hold if a rule (``--until``) stopped the study.

    They are widened only if the rule stopped it at these very trials. Intervals of estimators
    other than counting are left alone.
    """
    if analysis.estimator is not COUNTED:
        return analysis
    for history in kept(store, analysis.study, StoppingHistory):
        if history.trials == len(analysis.trials):
            scores = widened(analysis.scores, analysis.trials, history.decided)
            return replace(analysis, scores=scores, widened=len(history.decided))
    return replace(analysis, widened=0)
