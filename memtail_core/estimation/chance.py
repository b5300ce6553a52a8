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
    sizes, size_of = np.unique(column_sums(subset, len(y_train)), return_inverse=True)
    totals, total_of = np.unique(column_sums(test_correct, len(y_test)), return_inverse=True)
    n_pairs = np.zeros((len(sizes), len(totals)))  # looked at, by n_in and K
    for rows, columns in blocks(memorization, y_train, y_test, rule):
        n_rows = np.bincount(size_of[rows], minlength=len(sizes))
        n_pairs += np.outer(n_rows, np.bincount(total_of[columns], minlength=len(totals)))
    n_pairs[(sizes == 0) | (sizes == t)] = 0  # no estimate, so never found
    at = np.nonzero(n_pairs)
    n_in, k = sizes[at[0]], totals[at[1]]
    # x / n_in − (K − x) / n_out ≥ θ  ⇔  x ≥ n_in (K + θ n_out) / t
    least = np.ceil(n_in * (k + rule.theta_infl * (t - n_in)) / t - 1e-9)
    return float((hypergeom.sf(least - 1, t, k, n_in) * n_pairs[at]).sum())
