"""Means and standard errors of influence, for any block of pairs: what an estimate is made of."""

from dataclasses import dataclass

import numpy as np

from memtail_core.estimation.combined.power import LINEAR, Power
from memtail_core.estimation.combined.prior import Floats, Indices, Narrow, Prior, Scale

_PAIRS = 2**22  # looked at together


@dataclass(frozen=True, eq=False)
class CombinedInfluence:
    """Means and standard errors of influence, computed for any block of pairs.

    Attributes:
        factor: b_z, float64 [n_test]; 0 without a prior that predicts.
        noise_ratio: ρ_z = σ_z² / τ_z², float64 [n_test].
        noise: σ_z, the standard deviation of what no subset explains, float64 [n_test].
        dispersion: κ: a single pair's influence strays from b s g by the variance κ (b s g)² more
            than v says.
        scale: of the training examples.
        power: of the prior: g is what the prior says to this power.
    """

    factor: Floats
    noise_ratio: Floats
    noise: Floats
    dispersion: float
    scale: Scale
    _prior: Prior | None
    _inside: Narrow  # X, centred [t, n]
    _of_outcome: Narrow  # (X diag(v) Xᵀ + ρ_z)⁻¹ (m_z − b_z X s∘g_z), [t, n_test]
    _of_prior: Narrow  # the same of X s∘g_z
    _ratios: Floats  # the grid of ρ
    _held: Narrow  # x_iᵀ (X diag(v) Xᵀ + ρ)⁻¹ x_i for every ρ of the grid, [n, grid]
    _factor_variance: Floats  # [n_test]
    power: Power = LINEAR

    def mean(self, train: Indices, test: Indices) -> Narrow:
        """Return the posterior mean, float32 [a, b], in units of the outcome."""
        return self.moments(train, test)[0]

    def moments(self, train: Indices, test: Indices) -> tuple[Narrow, Narrow]:
        """Return posterior means and standard errors, float32 [a, b] each.

        The variance is that of u around its mean given the factors, and what the errors of b_z,
        s_i and p add to first order.
        """
        v, inside = self.scale.spread[train, None], self._inside[:, train].T
        held = self._held_by(train, test)
        signal = (self.noise[test] ** 2 / self.noise_ratio[test]).astype(np.float32)
        score = inside @ self._of_outcome[:, test]
        mean = v * score
        variance = signal * np.maximum(v - v**2 * held, 0)
        if self._prior is not None:
            bent = self._prior(train, test)
            g = bent * self.scale.factor[train, None]
            expected = g * self.factor[test].astype(np.float32)
            own = np.float32(self.dispersion) * np.square(expected)
            share = own / np.maximum(signal + own * held, np.float32(1e-30))
            mean += expected + share * score
            moved = g - v * (inside @ self._of_prior[:, test])
            variance += share * signal
            variance += self._factor_variance[test].astype(np.float32) * moved**2
            variance += expected**2 * self.scale.factor_variance[train, None]
            variance += (expected * self.power.doubt(bent)) ** 2
        return mean, np.sqrt(variance)

    def excess(self, train: Indices, test: Indices) -> float:
        """Estimate κ from pairs: the slope of squared scores on what κ = 1 adds to them.

        With C = τ² (X diag(v) Xᵀ + ρ) and h = X s∘g, a pair's score x_iᵀ C⁻¹ (m_z − b h) has the
        variance a = x_iᵀ C⁻¹ x_i − (x_iᵀ C⁻¹ h)² Var b, and a² κ (b s g)² more if the pair strays.
        """
        product = square = 0.0
        signal = self.noise[test] ** 2 / self.noise_ratio[test]
        step = max(1, _PAIRS // len(test))
        for start in range(0, len(train), step):
            rows = train[start : start + step]
            inside = self._inside[:, rows].T
            with np.errstate(divide="ignore", invalid="ignore"):
                by_factor = (inside @ self._of_prior[:, test] / signal) ** 2
                a = self._held_by(rows, test) / signal - by_factor * self._factor_variance[test]
                over = (inside @ self._of_outcome[:, test] / signal) ** 2 / a - 1
                added = a * np.square(self._expected(rows, test))
            known = np.isfinite(added) & np.isfinite(over) & (a > 0)
            product += float((added * over)[known].sum())
            square += float((added**2)[known].sum())
        return max(0.0, product / square) if square > 0 else 0.0

    def _expected(self, train: Indices, test: Indices) -> Narrow:
        """b s g, float32 [a, b]; 0 without a prior."""
        if self._prior is None:
            return np.zeros((len(train), len(test)), np.float32)
        g = self._prior(train, test) * self.scale.factor[train, None]
        return np.asarray(g * self.factor[test].astype(np.float32))

    def _held_by(self, train: Indices, test: Indices) -> Narrow:
        """x_iᵀ (X diag(v) Xᵀ + ρ_z)⁻¹ x_i, float32 [a, b], between two values of the grid."""
        ratios = np.log(self._ratios)
        at = np.interp(np.log(self.noise_ratio[test]), ratios, np.arange(len(ratios)))
        low = np.minimum(at.astype(np.int64), len(ratios) - 2)
        between = np.zeros((len(ratios), len(test)), np.float32)
        columns = np.arange(len(test))
        between[low, columns] = 1 - (at - low)
        between[low + 1, columns] = at - low
        return np.asarray(self._held[train] @ between)
