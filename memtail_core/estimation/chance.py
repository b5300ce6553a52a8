"""How many high-influence pairs would be found if no training example had any influence.

If example i does not matter to test example j, the trials that contain i are as good as drawn at
random: of the K_j trials that got j right, the number that contain i is hypergeometric. So the
probability that a pair passes the influence threshold by chance is exact, and its sum over all
pairs the rule looks at is the expected number of false pairs, whatever their dependence.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from memtail_core.estimation.influence import PairsRule, blocks
from memtail_core.estimation.memorization import column_sums


def pairs_by_chance(
    subset: NDArray[np.uint8],
    test_correct: NDArray[np.uint8],
    memorization: NDArray[np.float64],
    y_train: NDArray[np.int64],
    y_test: NDArray[np.int64],
    rule: PairsRule = PairsRule(),
) -> float:
    """Return the expected number of pairs that pass ``rule`` with no influence anywhere.

    Arguments are those of :func:`~memtail_core.estimation.influence.pairs`.
    """
    t = len(subset)
    n_in = column_sums(subset, len(y_train))
    correct = column_sums(test_correct, len(y_test))
    expected = 0.0
    for rows, columns in blocks(memorization, y_train, y_test, rule):
        sizes, n_rows = np.unique(n_in[rows], return_counts=True)
        totals, n_columns = np.unique(correct[columns], return_counts=True)
        is_known = (sizes > 0) & (sizes < t)
        sizes, n_rows = sizes[is_known, None], n_rows[is_known, None]
        # x / n_in − (K − x) / n_out ≥ θ  ⇔  x ≥ n_in (K + θ n_out) / t
        least = np.ceil(sizes * (totals + rule.theta_infl * (t - sizes)) / t - 1e-9)
        chance = hypergeom.sf(least - 1, t, totals, sizes)
        expected += float((chance * n_rows * n_columns).sum())
    return expected
