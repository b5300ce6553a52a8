"""How likely each label is wrong, by what held-out networks and a kernel machine make of it.

Hard examples with correct labels are as implausible to networks as some wrong labels are. What
tells them apart is that a wrong label is implausible to everything that learned from other
examples. A kernel machine that left the example out (:mod:`.calibrated.kernel_machine`) is a second
witness. Its evidence does not depend on the example's own label, so a study itself shows what
evidence of wrong labels looks like: replace each label by one of the others at random. The evidence
of a label y is

    z = (logit p_y of networks, ln q_y − max ln q of another class, their product / 10)

with q a softmax of the kernel machine's scores, as steep as makes the labels most likely. With a
share ε of wrong labels, examples are a mixture of right and wrong ones, f₁ / f₀ = exp(α + βz), so

    P(label is wrong | z) = ε e^(α + βz) / (ε e^(α + βz) + 1 − ε)

f₁ is known from the replaced labels. α, β and ε are fitted by EM (Dempster, Laird & Rubin 1977; the
tilt is that of Anderson, "Separate sample logistic discrimination", Biometrika 59, 1972), in which
labels that are probably wrong do not count as right ones. Networks' probabilities of other classes
are not stored: what they leave to these is shared out as by q.

The interval comes from bootstrap samples of the examples, and from how few networks held each out.
It takes wrong labels to be random ones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, logit, logsumexp

from memtail_core.estimation.label_noise import LabelNoise

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_REPLACED = 3  # times that each label is replaced
_STEPS, _SETTLED = 60, 1e-5
_FIRST_RATE, _LEAST_RATE = 0.02, 1e-6
_LEAST_P = 1e-3  # of a class, to networks and to the kernel machine
_PENALTY = 1.0
_RESAMPLED = 40
_MOST = 10_000  # examples to fit to; more tell little
_TAILS = (0.025, 0.975)


def mislabeling(
    label_probability: Floats,
    judges: NDArray[np.integer],
    scores: NDArray[np.floating],
    labels: Labels,
    seed: int = 0,
) -> LabelNoise:
    """Estimate the share of wrong labels, and how likely each is.

    Args:
        label_probability: float64 [n], p of each label, by networks that held the example out; NaN
            where none can tell: then neither can this.
        judges: int [n], how many networks those are.
        scores: float [n, C], of each class, by a machine that left the example out.
        labels: int64 [n], 0 … C − 1.
        seed: of the replaced labels, and of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    known = np.flatnonzero(~np.isnan(label_probability))
    nothing = np.full((3, len(labels)), np.nan)
    if len(known) == 0 or scores.shape[1] < 2:
        return LabelNoise(0.0, *nothing)
    p, y, n_judges = label_probability[known], labels[known], judges[known]
    log_q = _log_softmax(scores[known].astype(np.float64), y)
    right = _evidence(p, log_q, y)
    some = np.sort(rng.permutation(len(y))[:_MOST])
    wrong = [_of_replaced(p[some], log_q[some], y[some], rng) for _ in range(_REPLACED)]
    fitted = right[some], np.vstack(wrong)
    at = _fit(*fitted, np.ones(len(some)), _START)
    found = np.empty((_RESAMPLED, len(y)))
    for each in found:
        weight = rng.multinomial(len(some), np.full(len(some), 1 / len(some)))
        again = _evidence(_redrawn(p, n_judges, rng), log_q, y)
        each[:] = _fit(*fitted, weight.astype(np.float64), at).of(again)
    probability = at.of(right)
    low, high = np.quantile(found, _TAILS, axis=0)
    nothing[:, known] = probability, np.minimum(low, probability), np.maximum(high, probability)
    return LabelNoise(at.rate, *nothing)


@dataclass(frozen=True, eq=False)
class _Tilt:
    """α, β and ε."""

    slopes: Floats
    rate: float

    def of(self, evidence: Floats) -> Floats:
        """P(label is wrong), float64 [n]."""
        odds = logit(self.rate) + self.slopes[0] + evidence @ self.slopes[1:]
        p: Floats = expit(odds)
        return p


_START = _Tilt(np.zeros(4), _FIRST_RATE)


def _fit(right: Floats, wrong: Floats, weight: Floats, start: _Tilt) -> _Tilt:
    """Fit by EM; ``weight``: float64 [n], how often an example and its replaced labels count."""
    x = np.vstack([right, wrong])
    x = np.column_stack([np.ones(len(x)), x])
    sign = np.repeat([-1.0, 1.0], [len(right), len(wrong)])
    times = np.concatenate([weight, np.tile(weight, _REPLACED)])
    of_wrong = times[len(right) :].sum()
    at = start
    for _ in range(_STEPS):
        doubt = at.of(right)
        counted = weight * (1 - doubt)
        share = np.concatenate([counted / counted.sum(), times[len(right) :] / of_wrong])
        share *= len(right)

        def loss(slopes: Floats, share: Floats = share) -> tuple[float, Floats]:
            found = sign * (x @ slopes)
            gradient = -((share * sign * expit(-found)) @ x)
            penalty = _PENALTY * np.r_[0.0, slopes[1:]]
            value = -(share * log_expit(found)).sum() + (penalty @ slopes) / 2
            return float(value), gradient + penalty

        slopes = minimize(loss, at.slopes, jac=True, method="L-BFGS-B").x
        mean = float(np.average(_Tilt(slopes, at.rate).of(right), weights=weight))
        before, at = at, _Tilt(slopes, min(max(mean, _LEAST_RATE), 0.5))
        if abs(at.rate - before.rate) < _SETTLED:
            break
    return at


def _evidence(p: Floats, log_q: Floats, y: Labels) -> Floats:
    """z of each label, float64 [n, 3]."""
    rows = np.arange(len(y))
    own = log_q[rows, y]
    others = log_q.copy()
    others[rows, y] = -np.inf
    by_networks = logit(np.clip(p, _LEAST_P, 1 - _LEAST_P))
    by_kernel = own - others.max(axis=1)
    return np.stack([by_networks, by_kernel, by_networks * by_kernel / 10], axis=1)


def _of_replaced(p: Floats, log_q: Floats, y: Labels, rng: np.random.Generator) -> Floats:
    """z of a random other label of each example."""
    n, n_classes = log_q.shape
    other = (y + rng.integers(1, n_classes, n)) % n_classes
    rows = np.arange(n)
    share = np.exp(log_q[rows, other]) / np.maximum(1 - np.exp(log_q[rows, y]), _LEAST_P)
    return _evidence((1 - p) * np.minimum(share, 1), log_q, other)


def _log_softmax(scores: Floats, y: Labels) -> Floats:
    """Return ln q, float64 [n, C], as steep as makes the labels most likely."""

    def log_q(log_steepness: float) -> Floats:
        raised = np.exp(log_steepness) * scores
        of: Floats = raised - logsumexp(raised, axis=1, keepdims=True)
        return np.maximum(of, np.log(_LEAST_P))

    def loss(log_steepness: float) -> float:
        return -float(log_q(log_steepness)[np.arange(len(y)), y].sum())

    return log_q(float(minimize_scalar(loss, bounds=(-2, 4), method="bounded").x))


def _redrawn(p: Floats, judges: NDArray[np.integer], rng: np.random.Generator) -> Floats:
    """p as other networks, as many as judged, might give it (at most as variable as bits)."""
    a = np.maximum(p * judges, 1e-2), np.maximum((1 - p) * judges, 1e-2)
    return rng.beta(*a)
