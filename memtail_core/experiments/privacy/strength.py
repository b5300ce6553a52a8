"""What attacks achieve over many targets, and the errors of that over targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.intervals import Z95
from memtail_core.estimation.membership import AttackedExamples, Attacks
from memtail_core.estimation.proportions import clopper_pearson, effective_draws
from memtail_core.estimation.roc import Histogram, Roc, keys
from memtail_core.experiments.privacy.result import RATES, STRICT_RATES, AtRate

Floats = NDArray[np.float64]

_EACH = 0.975  # of two statements that hold together with 95%
EVERY_RATE = tuple(dict.fromkeys((*RATES, *STRICT_RATES)))


@dataclass(frozen=True, eq=False)
class Run:
    """Attacks, and which of the models that are told apart their targets are, int64 [K]."""

    attacks: Attacks
    rows: NDArray[np.intp]


def curves(runs: Sequence[Run], progress: Callable[[int], None] | None = None) -> dict[str, Roc]:
    """Return the curve of each attack, over all targets and examples of all runs."""
    histograms = {name: Histogram() for name in runs[0].attacks.fits}
    for run in runs:
        for part in run.attacks.parts(progress):
            for name, histogram in histograms.items():
                histogram.add(part.scores[name], part.is_member)
    return {name: histogram.roc() for name, histogram in histograms.items()}


def counted(runs: Sequence[Run], rocs: dict[str, Roc], n_models: int) -> "dict[str, Counts]":
    """Count what each target adds to the figures of each attack."""
    counts = {name: Counts.of(roc, n_models) for name, roc in rocs.items()}
    for run in runs:
        for part in run.attacks.parts():
            for name in rocs:
                counts[name].add(part, name, run.rows)
    return counts


@dataclass(eq=False)
class Counts:
    """What each of T targets adds to an attack's figures.

    Attributes:
        roc: of the attack.
        thresholds: at each of ``EVERY_RATE``, as :meth:`.Roc.at` returns them.
        n: float64 [2, T], members and others.
        called: float64 [2, R, T], how many of either the attack calls members.
        above: float64 [2, T], sums of the shares of the other kind that each scores above.
    """

    roc: Roc
    thresholds: list[int]
    n: Floats
    called: Floats
    above: Floats

    @classmethod
    def of(cls, roc: Roc, n_targets: int) -> Self:
        """Return counts of nothing yet."""
        shape = (2, len(EVERY_RATE), n_targets)
        thresholds = [roc.at(rate)[1] for rate in EVERY_RATE]
        zeros = np.zeros((2, n_targets)), np.zeros(shape), np.zeros((2, n_targets))
        return cls(roc, thresholds, *zeros)

    def add(self, part: AttackedExamples, name: str, rows: NDArray[np.intp]) -> Floats:
        """Count c examples; return the share of members detected for each, float64 [R, c]."""
        key, kinds = keys(part.scores[name]), (part.is_member, ~part.is_member)
        detected = np.empty((len(EVERY_RATE), len(part.examples)))
        for row, threshold in enumerate(self.thresholds):
            called = key >= threshold
            for kind, chosen in enumerate(kinds):
                self.called[kind, row, rows] += (called & chosen).sum(axis=1)
            n_members = np.maximum(part.is_member.sum(axis=0), 1)
            detected[row] = (called & part.is_member).sum(axis=0) / n_members
        at = np.searchsorted(-self.roc.threshold, -key)
        halves = [(each + np.r_[0, each[:-1]]) / 2 for each in (self.roc.fpr, self.roc.tpr)]
        for kind, chosen in enumerate(kinds):
            self.n[kind, rows] += chosen.sum(axis=1)
        self.above[0, rows] += np.where(kinds[0], 1 - halves[0][at], 0).sum(axis=1)
        self.above[1, rows] += np.where(kinds[1], halves[1][at], 0).sum(axis=1)
        return detected

    @property
    def auc_error(self) -> float:
        """The standard error of the area under the curve."""
        totals = self.n.sum(axis=1)
        shares = self.n / totals[:, None]
        # what a target adds to a rate, less what it would add if it were like all others
        return self._error((self.above / totals[:, None] - self.roc.auc * shares).sum(axis=0))

    def at(self) -> list[AtRate]:
        """Return true-positive rates at ``RATES``, with normal intervals over targets."""
        made = []
        for rate in RATES:
            tpr, half = self.roc.at(rate)[0], Z95 * self._rate_error(rate)
            low, high = max(0.0, tpr - half), min(1.0, tpr + half)
            made.append(AtRate(fpr=rate, tpr=tpr, low=low, high=high))
        return made

    def strict(self) -> list[AtRate]:
        """Return true-positive rates at ``STRICT_RATES``, with exact intervals.

        The threshold of a false-positive rate f is uncertain, because few false positives set it.
        Of n guesses on others, the true one has as many false positives as quantiles of
        Binomial(n, f) say: it is not above the ``fewest``-th highest of the others, and above the
        (``most`` + 1)-th. An interval begins with the lower end of Clopper and Pearson's at the
        one and ends with the upper at the other. All are at 97.5%, which makes 95% together
        (Bonferroni). Where ``fewest`` is 0, it begins with 0. Numbers of guesses are effective
        ones: targets are clusters. Rates of which the guesses on others are too few to have one
        false positive are left out.
        """
        from scipy.stats import binom

        made = []
        for rate in STRICT_RATES:
            if rate * self.roc.n_others < 1:
                continue
            members, others = (self._effective(kind, rate) for kind in (0, 1))
            tail = (1 - _EACH) / 2
            fewest, most = (float(binom.ppf(q, round(others), rate)) for q in (tail, 1 - tail))
            tpr = self.roc.at(rate)[0]
            strictest = self.roc.at((fewest - 1) / others)[0] if fewest else 0.0
            laxest = self.roc.at(most / others)[0]
            low = clopper_pearson(strictest * members, members, _EACH)[0]
            high = clopper_pearson(laxest * members, members, _EACH)[1]
            made.append(AtRate(fpr=rate, tpr=tpr, low=min(low, tpr), high=max(high, tpr)))
        return made

    def _effective(self, kind: int, rate: float) -> float:
        """How many independent guesses on members (0) or others (1) tell as much as these."""
        called, n = self.called[kind, EVERY_RATE.index(rate)], self.n[kind]
        total = n.sum()
        apart = called / total - called.sum() / total * n / total
        variance = self._error(apart) ** 2
        return effective_draws(float(called.sum()), float(total), variance, self._n_targets)

    def _rate_error(self, rate: float) -> float:
        totals, called = self.n.sum(axis=1), self.called[:, EVERY_RATE.index(rate)]
        shares = self.n / totals[:, None]
        rates = called.sum(axis=1) / totals
        apart = called / totals[:, None] - rates[:, None] * shares
        return self._error(apart[0] - self.roc.slope(rate) * apart[1])

    def _error(self, parts: Floats) -> float:
        """Return the standard error of a sum of independent parts with expectation 0."""
        n = self._n_targets
        return float(np.sqrt(n / (n - 1) * (parts**2).sum()))

    @property
    def _n_targets(self) -> int:
        return int((self.n.sum(axis=0) > 0).sum())
