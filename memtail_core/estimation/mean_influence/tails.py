"""What happens without any influence: the permutation distribution of a pair's sum of levels.

If training example i does not matter to test example j, the n_in trials that contain i are as good
as drawn at random from the T outcomes of j. So the sum X of their levels q_t is that of a sample
without replacement: of independent draws with probabilities π_t = 1 / (1 + e^−(a + b q_t)), given
that there are n_in. Its tail is taken by the saddlepoint approximation for a conditional
distribution (Skovgaard, "Saddlepoint expansions for conditional distributions", Journal of Applied
Probability 24 (1987) 875–887; for permutation tests Robinson, JRSS B 44 (1982) 91–101):

    K(a, b) = Σ_t log(1 + e^(a + b q_t)),    K'(â, b̂) = (n_in, x),    â₀ = logit(n_in / T)
    r = sign(b̂) √( 2 [ â n_in + b̂ x − K(â, b̂) − â₀ n_in + K(â₀, 0) ] )
    u = (1 − e^(−δ b̂)) / δ · √( det K''(â, b̂) / K''_aa(â₀, 0) )
    P[X ≥ x] ≈ Φ(−r*),    r* = r + ln(u / r) / r

δ is the least distance of two levels that occur (the first continuity correction of Daniels 1987),
so that it also holds for outcomes of few different values, bits among them. For the largest sum
that is possible the probability is exact. A normal approximation is wrong by orders of magnitude in
the far tail, where outcomes are skewed.
"""

import math

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled

_ROUNDS = 100
_CLOSE = 1e-6
_NEAR = 0.1  # standard errors from the mean, where r is 0 and its formula has no value

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def log_tails(sums: Counts, n_in: Counts, levels: NDArray[np.int32]) -> Floats:
    """Return ln P[X ≥ sum] without influence, float64 [P].

    Args:
        sums: int64 [P], x: the sums of the levels, −127 … 127, of the trials with the example.
        n_in: int64 [P], how many these are.
        levels: int32 [P, 255], how many of all trials are at each level.
    """
    found = np.empty(len(sums))
    _log_tails(sums, n_in, levels, found)
    return found


@compiled
def _log_normal(x: float) -> float:
    """ln Φ(x)."""
    if x > -20:
        return math.log(0.5 * math.erfc(-x / math.sqrt(2.0)))
    square = 1 / (x * x)
    return (
        -0.5 * x * x
        - math.log(-x)
        - 0.5 * math.log(2 * math.pi)
        + math.log1p(-square + 3 * square * square)
    )


@compiled
def _log_choices(n: int, k: int) -> float:
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


@compiled
def _moments(
    at: Floats, weight: Floats, a: float, b: float
) -> tuple[float, float, float, float, float, float]:
    """K, its first and its second derivatives by a and b."""
    k = one = two = aa = ab = bb = 0.0
    for i in range(len(at)):
        x = a + b * at[i]
        e = math.exp(-abs(x))
        k += weight[i] * (max(x, 0.0) + math.log1p(e))
        p = 1 / (1 + e) if x >= 0 else e / (1 + e)
        v = weight[i] * p * (1 - p)
        one += weight[i] * p
        two += weight[i] * p * at[i]
        aa += v
        ab += v * at[i]
        bb += v * at[i] * at[i]
    return k, one, two, aa, ab, bb


@compiled
def _extreme(at: Floats, weight: Floats, n: int) -> tuple[float, float]:
    """The largest sum of n draws without replacement, and ln of how many ways lead to it."""
    left, sum_, ways = n, 0.0, 0.0
    for i in range(len(at) - 1, -1, -1):
        taken = min(left, int(weight[i]))
        sum_ += taken * at[i]
        if taken < weight[i]:
            ways += _log_choices(int(weight[i]), taken)
        left -= taken
    return sum_, ways


@compiled
def _solved(
    at: Floats, weight: Floats, n: float, x: float, a: float
) -> tuple[float, float, float, float]:
    """â and b̂ by Newton's method with halved steps, K and det K'' there; det is 0 if it fails."""
    b = 0.0
    k, one, two, aa, ab, bb = _moments(at, weight, a, b)
    for _ in range(_ROUNDS):
        down_a, down_b = n - one, x - two
        if abs(down_a) < _CLOSE * n and abs(down_b) < _CLOSE * (abs(x) + 1):
            break
        det = aa * bb - ab * ab
        if det <= 0:
            return a, b, k, 0.0
        step_a = (bb * down_a - ab * down_b) / det
        step_b = (aa * down_b - ab * down_a) / det
        slope = step_a * down_a + step_b * down_b
        before, length = k - a * n - b * x, 1.0
        while True:
            to_a, to_b = a + length * step_a, b + length * step_b
            k, one, two, aa, ab, bb = _moments(at, weight, to_a, to_b)
            if k - to_a * n - to_b * x <= before - 1e-4 * length * slope or length < 1e-9:
                break
            length /= 2
        a, b = to_a, to_b
    return a, b, k, aa * bb - ab * ab


@compiled
def _log_tail(total: int, n: int, counts: NDArray[np.int32]) -> float:
    at = np.flatnonzero(counts).astype(np.float64)
    weight = counts[counts > 0].astype(np.float64)
    trials = int(weight.sum())
    at -= len(counts) // 2
    highest, ways = _extreme(at, weight, n)
    lowest = -_extreme(-at[::-1], weight[::-1], n)[0]
    if total <= lowest:
        return 0.0
    if total >= highest:
        return ways - _log_choices(trials, n) if total == highest else -np.inf
    # levels about their mean, in standard deviations: a and b are then of one size
    mean = (weight * at).sum() / trials
    scale = math.sqrt((weight * (at - mean) ** 2).sum() / trials)
    at = (at - mean) / scale
    x, gap = (total - n * mean) / scale, np.diff(at).min()
    share = n / trials
    information = trials * share * (1 - share)
    error = math.sqrt(information * trials / (trials - 1))
    z = (x - 0.5 * gap) / error
    if abs(z) < _NEAR:
        return _log_normal(-z)
    a0 = math.log(share / (1 - share))
    a, b, k, det = _solved(at, weight, n, x, a0)
    deviance = 2 * ((a * n + b * x - k) - (a0 * n - _moments(at, weight, a0, 0.0)[0]))
    if deviance <= 0 or det <= 0 or b == 0:
        return _log_normal(-z)
    r = math.copysign(math.sqrt(deviance), b)
    u = -math.expm1(-gap * b) / gap * math.sqrt(det / information)
    return min(0.0, _log_normal(-(r + math.log(u / r) / r)))


@compiled
def _log_tails(sums: Counts, n_in: Counts, levels: NDArray[np.int32], found: Floats) -> None:
    for p in range(len(sums)):
        found[p] = _log_tail(sums[p], n_in[p], levels[p])
