"""How well each example is told by all others, by a kernel machine and not by a network.

Kernel ridge regression on the inputs gives leave-one-out predictions in closed form: with
H = (K + λ)⁻¹, the prediction without example i is y_i − (H y)_i / H_ii (Allen 1974). The kernel is
exp(−‖x − x'‖ / d) with d the median distance. Many examples are dealt at random into parts of about
5,000, each solved alone, so that time grows no faster than their number (Zhang, Duchi & Wainwright
2015). No model is trained, and of all clues to what held-out networks make of an example it was the
best one.
"""

import numpy as np
from numpy.typing import NDArray

_PART = 6000
_TRY = 1500  # examples on which the ridge is chosen
_RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3)

Floats = NDArray[np.float64]


def leave_one_out_scores(
    inputs: NDArray[np.generic], label: NDArray[np.integer], seed: int = 0
) -> Floats:
    """Return what a kernel machine that leaves each example out makes of it, float64 [n, 4].

    The columns are the score of its label (−1 to 1), the best score of another class, their
    difference, and how unlike the others it is.

    Args:
        inputs: [n, …], numbers of comparable scale.
        label: int [n].
        seed: deals many examples into parts.
    """
    n = len(inputs)
    x = np.ascontiguousarray(inputs.reshape(n, -1), np.float32)
    x /= max(float(x.std(dtype=np.float64)), 1e-12)
    order = np.random.default_rng(seed).permutation(n)
    wanted = np.where(np.unique(label) == label[:, None], 1.0, -1.0).astype(np.float32)
    some = order[:_TRY]
    kernel = _kernel(x[some])
    errors = [((_without(kernel, wanted[some], r)[0] - wanted[some]) ** 2).mean() for r in _RIDGES]
    ridge = _RIDGES[int(np.argmin(errors))]
    found = np.empty((n, 4))
    for part in np.array_split(order, -(-n // _PART)):
        scores, apart = _without(_kernel(x[part]), wanted[part], ridge)
        is_own = wanted[part] > 0
        own = scores[is_own]
        other = np.where(is_own, -np.inf, scores).max(axis=1) if scores.shape[1] > 1 else -own
        found[part] = np.stack([own, other, own - other, apart], axis=1)
    return found


def _without(
    kernel: NDArray[np.float32], wanted: NDArray[np.float32], ridge: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The left-out scores, and 1 / H_ii: what is left of an example's variance, given the rest."""
    from scipy.linalg.lapack import spotrf, spotri

    factor, _ = spotrf(kernel + ridge * np.eye(len(kernel), dtype=np.float32), lower=1)
    inverse, _ = spotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse, -1) + np.tril(inverse).T
    left = 1 / inverse.diagonal()
    return wanted - (inverse @ wanted) * left[:, None], left


def _kernel(x: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = (x**2).sum(axis=1)
    squares = norms[:, None] + norms[None] - 2 * x @ x.T
    distance = np.sqrt(np.maximum(squares, 0))
    np.fill_diagonal(distance, 0)
    found: NDArray[np.float32] = np.exp(-distance / max(float(np.median(distance)), 1e-12))
    return found
