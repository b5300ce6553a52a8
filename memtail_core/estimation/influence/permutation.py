"""A check of what chance is said to do: count again with the trials permuted.

What the models got right is dealt to other subsets than those they were trained on. Then nothing
has any influence, while test examples remain as alike as they are and training examples keep their
trials; only what the exact distribution of a pair assumes is left to be seen.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.count_thresholds import CountThreshold
from memtail_core.estimation.influence.counter import PairCounter
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.influence.scan import scan


def pairs_of_permuted(
    evidence: Evidence,
    family: Family,
    threshold: CountThreshold,
    seeds: range,
    *,
    counter: PairCounter,
) -> NDArray[np.int64]:
    """Count the pairs that reach ``threshold`` with permuted trials, int64 [len(seeds)].

    To be compared with the number expected by chance, of which it is a sample.
    """
    family = family.testable(evidence)
    found = []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(evidence.trials)
        dealt = replace(evidence, correct=evidence.correct.permuted(order))
        counts = scan(dealt, family, threshold, lambda found: len(found.train), counter=counter)
        found.append(sum(part.value for part in counts))
    return np.array(found, np.int64)
