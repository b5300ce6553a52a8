"""How much the training examples of one class matter to the test examples of another."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.evidence import Evidence


def by_class(
    evidence: Evidence,
    y_train: NDArray[np.int64],
    y_test: NDArray[np.int64],
    n_classes: int,
) -> NDArray[np.float64]:
    """Return the mean influence of class a's training on class b's test examples, [a, b] float64.

    The sums factor, so that no pair is ever looked at: with c_k(b) the number of test examples of
    class b that trial k gets right,

        Σ_i∈a Σ_j∈b infl_ij = Σ_k c_k(b) Σ_i∈a (1[i ∈ I_k] / n_in,i − 1[i ∉ I_k] / n_out,i)

    NaN for a class without an estimable training example or without a test example.
    """
    n_in, trials = evidence.n_in, evidence.trials
    keep = np.flatnonzero(evidence.is_estimable)
    labels = y_train[keep]
    inside, outside = 1 / n_in[keep], 1 / (trials - n_in[keep])
    base = np.bincount(labels, outside, n_classes)
    sums = np.zeros((n_classes, n_classes))
    for word in range(evidence.members.words.shape[1]):
        member, correct = evidence.members.unpacked(word), evidence.correct.unpacked(word)
        for in_trial, right in zip(member.T, correct.T, strict=True):
            right_of = np.bincount(y_test, right, n_classes)
            weights = np.bincount(labels, (inside + outside) * in_trial[keep], n_classes)
            sums += np.outer(weights - base, right_of)
    n_train, n_test = (np.bincount(y, minlength=n_classes) for y in (labels, y_test))
    pairs = np.outer(n_train, n_test)
    return np.divide(sums, pairs, out=np.full_like(sums, np.nan), where=pairs > 0)
