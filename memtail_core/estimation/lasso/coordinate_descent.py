"""Coordinate descent on the few regressors that matter, with products of bits counted as bits.

Of n regressors x_j ∈ {0, 1}^T a problem has some members W. Their Gram matrix

    G_jk = (#{t: x_tj = x_tk = 1} − n_j n_k / T) / T,    n_j = #{t: x_tj = 1},

is a population count of ANDs, exact and so cheap that each problem makes its own. With it a step
costs |W| products and not T (covariance updates, Friedman, Hastie & Tibshirani 2010).
"""

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled, ones

Floats = NDArray[np.float64]
_MOST_SWEEPS = 10_000


@compiled
def descend(
    words: NDArray[np.uint64],
    inside: NDArray[np.uint8],
    which: NDArray[np.int64],
    linear: Floats,
    outcome: Floats,
    alpha: Floats,
    tolerance: float,
    is_member: NDArray[np.bool_],
    weights: Floats,
    residual: NDArray[np.float32],
) -> None:
    """Solve problems among their members, from the weights they have.

    Args:
        words, inside: the regressors, as in :class:`.inclusion.Inclusion`.
        which: int64 [p], rows of the problems to solve, of q.
        linear: float64 [q, n], x_j · y / T with y centred.
        outcome: float64 [q, T], y, centred.
        alpha: float64 [q], the penalties.
        tolerance: of the largest step of a sweep, in relation to the penalty.
        is_member: bool [q, n], the regressors whose weights may be other than 0.
        weights: float64 [q, n], written.
        residual: float32 [q, T], written: y − Σ_j w_j (x_j − n_j / T).
    """
    trials = inside.shape[1]
    for z in which:
        members = np.flatnonzero(is_member[z])
        m = len(members)
        chosen, sums = words[members], np.empty(m)
        for a in range(m):
            total = np.uint64(0)
            for word in chosen[a]:
                total += ones(word)
            sums[a] = total
        gram = np.empty((m, m))
        for a in range(m):
            for b in range(a + 1):
                total = np.uint64(0)
                for k in range(chosen.shape[1]):
                    total += ones(chosen[a, k] & chosen[b, k])
                gram[a, b] = (total - sums[a] * sums[b] / trials) / trials
                gram[b, a] = gram[a, b]
        w, g = weights[z][members], linear[z][members]
        for a in range(m):
            if w[a] != 0:
                g -= w[a] * gram[a]
        _sweep(gram, w, g, alpha[z], tolerance)
        rest, level = outcome[z].copy(), 0.0
        for a in range(m):
            j = members[a]
            weights[z, j] = w[a]
            if w[a] != 0:
                level += w[a] * sums[a] / trials
                for t in range(trials):
                    rest[t] -= w[a] * inside[j, t]
        for t in range(trials):
            residual[z, t] = rest[t] + level


@compiled
def _sweep(gram: Floats, w: Floats, g: Floats, alpha: float, tolerance: float) -> None:
    """Minimize over the members' weights; g is the gradient's negative, kept up to date.

    Sweeps over all members alternate with sweeps over those whose weights are not 0.
    """
    m, is_whole = len(w), True
    for _ in range(_MOST_SWEEPS):
        largest = 0.0
        for a in range(m):
            old, curvature = w[a], gram[a, a]
            if curvature <= 0 or (old == 0 and (not is_whole or abs(g[a]) <= alpha)):
                continue
            u = g[a] + curvature * old
            new = (u - alpha if u > 0 else u + alpha) / curvature if abs(u) > alpha else 0.0
            if new != old:
                step = new - old
                w[a] = new
                for b in range(m):
                    g[b] -= step * gram[a, b]
                largest = max(largest, curvature * abs(step))
        is_still = largest <= tolerance * alpha
        if is_still and is_whole:
            return
        is_whole = is_still


@compiled
def admit(
    gradient: NDArray[np.float32],
    which: NDArray[np.int64],
    least: Floats,
    is_member: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Make members of regressors whose gradient exceeds ``least``; return the problems that grew.

    Args:
        gradient: float32 [q, n], x_j · residual / T.
        which: int64 [p], the problems to look at.
        least: float64 [q].
        is_member: bool [q, n], written.
    """
    grown = np.zeros(len(which), np.bool_)
    for row in range(len(which)):
        z = which[row]
        for j in range(gradient.shape[1]):
            if abs(gradient[z, j]) > least[z] and not is_member[z, j]:
                is_member[z, j] = True
                grown[row] = True
    return which[grown]
