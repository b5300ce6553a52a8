"""How well each example is told by all others, by a kernel machine and not by a network.

Kernel ridge regression on the inputs gives leave-one-out predictions in closed form: with the
residuals r of the fit on everything and its leverages h, the prediction without example i is
y_i − r_i / (1 − h_i) (Allen 1974). The kernel is exp(−‖x − x'‖ / d), d the median distance, and where
there are many examples it is approximated from a random part of them (Williams & Seeger 2001).
It needs no training run, and it is the best single clue to what held-out networks make of an example.
"""

import numpy as np
from numpy.typing import NDArray

_LANDMARKS = 2000
_RIDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_CHUNK = 4096

Floats = NDArray[np.float64]


def left_out(
    inputs: NDArray[np.floating], label: NDArray[np.integer], n_classes: int, seed: int = 0
) -> Floats:
    """Return what a kernel machine that leaves each example out makes of it, float64 [n, 4].

    The columns are the score of its label, the best score of another class, their difference, and
    the leverage, that is how unlike the others it is.

    Args:
        inputs: float [n, …], of comparable scale.
        label: int [n].
        n_classes: C.
        seed: which examples stand for all, where there are more than 2,000.
    """
    n = len(inputs)
    x = np.ascontiguousarray(inputs.reshape(n, -1), np.float32)
    rng = np.random.default_rng(seed)
    marks = x if n <= _LANDMARKS else x[np.sort(rng.choice(n, _LANDMARKS, replace=False))]
    apart = _distances(marks, marks)
    scale = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
    values, vectors = np.linalg.eigh(np.exp(-apart / scale))
    kept = values > 1e-5 * values[-1]
    to_features = (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float32)
    features = np.empty((n, int(kept.sum())), np.float32)
    for start in range(0, n, _CHUNK):
        near = np.exp(-_distances(x[start : start + _CHUNK], marks) / scale)
        features[start : start + _CHUNK] = near @ to_features
    return _scores(features, label, n_classes)


def _scores(features: NDArray[np.float32], label: NDArray[np.integer], n_classes: int) -> Floats:
    """Ridge regression of the labels; its strength is the one of the least left-out error."""
    wanted = np.where(np.arange(n_classes) == label[:, None], 1.0, -1.0).astype(np.float32)
    values, vectors = np.linalg.eigh((features.T @ features).astype(np.float64))
    turned = features @ vectors.astype(np.float32)
    towards, squares = turned.T @ wanted, turned**2
    best, least = wanted, np.inf
    leverage = np.zeros(len(label), np.float32)
    for ridge in _RIDGES:
        shrunk = (1 / (np.maximum(values, 0) + ridge)).astype(np.float32)
        used = np.minimum(squares @ shrunk, 0.999)
        scores = wanted - (wanted - turned @ (towards * shrunk[:, None])) / (1 - used)[:, None]
        error = float(((scores - wanted) ** 2).mean())
        if error < least:
            best, least, leverage = scores, error, used
    rows = np.arange(len(label))
    own, others = best[rows, label].copy(), best.copy()
    others[rows, label] = -np.inf
    other = others.max(axis=1) if n_classes > 1 else np.zeros_like(own)
    return np.stack([own, other, own - other, leverage], axis=1).astype(np.float64)


def _distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    found: NDArray[np.float32] = np.sqrt(np.maximum(squares, 0))
    return found
