"""A privacy audit: how well can an attacker tell which examples a model was trained on?

Every trial is attacked once, with all others as shadow models. What counts is the true-positive
rate at very low false-positive rates (Carlini et al. 2022). Errors are over target models: a rate
is a mean over targets, each with its members and others, linearized (Obuchowski, "Nonparametric
analysis of clustered ROC curve data", Biometrics 53, 1997); shadow models are taken as fixed.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.estimator import UNKNOWN
from memtail_core.estimation.intervals import Z95
from memtail_core.estimation.membership import (
    FEWEST,
    LOSS,
    OWN,
    POOLED,
    AttackedExamples,
    Attacks,
    membership_auc,
)
from memtail_core.estimation.roc import Histogram, Roc, keys
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.experiments.per_example import groups, listed, rank_correlation
from memtail_core.experiments.privacy.result import RATES, AtRate, Attack, Bin, Privacy
from memtail_core.plan import designs
from memtail_core.running.trials import Trials
from memtail_core.study import Study

Floats = NDArray[np.float64]

_DRAWN = 100  # points of a curve
_ENOUGH = 64  # trials, for each example to have its own variances


def audit(study: Study, trials: Trials, progress: ProgressCallback | None = None) -> Privacy:
    """Attack every trial.

    Args:
        study, trials: with margins.
        progress: called with examples attacked, each twice.

    Raises:
        EstimationError: there are no margins, or too few trials.
    """
    if trials.train_correct is None:
        raise EstimationError(UNKNOWN)
    if trials.train_values is None:
        raise EstimationError(
            f"{study.id} keeps no margins, which the attack needs: train a study with margins "
            "(--set study.margins=true) and a recipe that gives probabilities"
        )
    attacks = Attacks.of(trials.train_values, trials.subset)
    n_attacked = len(attacks.examples)
    if not n_attacked:
        raise EstimationError(
            f"every example of {study.id} has fewer than {FEWEST} models trained with it, or "
            f"without: train more (memtail run {study.id} --trials {max(40, 2 * len(trials))})"
        )
    primary = OWN if len(trials) >= _ENOUGH else POOLED
    histograms = {name: Histogram() for name in (OWN, POOLED, LOSS)}
    auc = np.full(trials.n, np.nan)
    is_odd = trials.trials // designs.block(study) % 2 == 1
    variance = None if primary == OWN else attacks.pooled.mean(axis=1)
    for part in attacks.parts(progress):
        for name, histogram in histograms.items():
            histogram.add(part.scores[name], part.is_member)
        auc[part.examples] = membership_auc(part.x, part.is_member, is_odd, variance)
    rocs = {name: histogram.roc() for name, histogram in histograms.items()}
    counts = {name: _Counts.of(roc, len(trials)) for name, roc in rocs.items()}
    detected = {name: np.full((len(RATES), trials.n), np.nan) for name in rocs}
    for part in attacks.parts(progress):
        for name, roc in rocs.items():
            detected[name][:, part.examples] = counts[name].add(part, part.scores[name], roc)
    mem = trials.counted().memorization
    return Privacy(
        study=study.id,
        trials=len(trials),
        attack=primary,
        examples=n_attacked,
        members=rocs[primary].n_members,
        others=rocs[primary].n_others,
        attacks=[_attack(name, rocs[name], counts[name]) for name in rocs],
        bins=_bins(mem, auc, detected[primary], detected[LOSS]),
        spearman=rank_correlation(mem, auc),
        memorization=listed(mem),
        auc=listed(auc),
        found=listed(detected[primary][0]),
        found_by_loss=listed(detected[LOSS][0]),
    )


@dataclass(eq=False)
class _Counts:
    """What each target adds to an attack's figures.

    Attributes:
        thresholds: at each of ``RATES``, as :meth:`.Roc.at` returns them.
        n: float64 [2, T], members and others.
        called: float64 [2, R, T], how many of either the attack calls members.
        above: float64 [2, T], sums of the shares of the other kind that each scores above.
    """

    thresholds: list[int]
    n: Floats
    called: Floats
    above: Floats

    @classmethod
    def of(cls, roc: Roc, n_trials: int) -> Self:
        """Return counts of nothing yet."""
        zeros = np.zeros((2, n_trials)), np.zeros((2, len(RATES), n_trials))
        return cls([roc.at(rate)[1] for rate in RATES], *zeros, np.zeros((2, n_trials)))

    def add(self, part: AttackedExamples, scores: NDArray[np.float32], roc: Roc) -> Floats:
        """Count c examples; return the share of members detected for each, float64 [R, c]."""
        key, kinds = keys(scores), (part.is_member, ~part.is_member)
        detected = np.empty((len(RATES), len(part.examples)))
        for row, threshold in enumerate(self.thresholds):
            called = key >= threshold
            for kind, chosen in enumerate(kinds):
                self.called[kind, row] += (called & chosen).sum(axis=1)
            detected[row] = (called & part.is_member).sum(axis=0) / part.is_member.sum(axis=0)
        at = np.searchsorted(-roc.threshold, -key)
        halves = [(each + np.r_[0, each[:-1]]) / 2 for each in (roc.fpr, roc.tpr)]
        for kind, chosen in enumerate(kinds):
            self.n[kind] += chosen.sum(axis=1)
        self.above[0] += np.where(kinds[0], 1 - halves[0][at], 0).sum(axis=1)
        self.above[1] += np.where(kinds[1], halves[1][at], 0).sum(axis=1)
        return detected


def _attack(name: str, roc: Roc, counts: _Counts) -> Attack:
    auc, totals = roc.auc, counts.n.sum(axis=1)
    shares = counts.n / totals[:, None]
    # what a target adds to a rate, less what it would add if it were like all others
    of_auc = (counts.above / totals[:, None] - auc * shares).sum(axis=0)
    at = []
    for row, rate in enumerate(RATES):
        tpr = roc.at(rate)[0]
        rates = counts.called[:, row].sum(axis=1) / totals
        apart = counts.called[:, row] / totals[:, None] - rates[:, None] * shares
        half = Z95 * _error(apart[0] - roc.slope(rate) * apart[1])
        at.append(AtRate(fpr=rate, tpr=tpr, low=max(0.0, tpr - half), high=min(1.0, tpr + half)))
    return Attack(
        name=name,
        auc=auc,
        auc_error=_error(of_auc),
        balanced_accuracy=roc.balanced_accuracy,
        at=at,
        curve=_curve(roc),
    )


def _error(parts: Floats) -> float:
    """Return the standard error of a sum of independent parts with expectation 0."""
    n = len(parts)
    return float(np.sqrt(n / (n - 1) * (parts**2).sum()))


def _curve(roc: Roc) -> list[tuple[float, float]]:
    least = max(1e-5, 1 / roc.n_others)
    return [(float(fpr), roc.at(float(fpr))[0]) for fpr in np.geomspace(least, 1, _DRAWN)]


def _bins(mem: Floats, auc: Floats, detected: Floats, by_loss: Floats) -> list[Bin]:
    made = []
    for low, high, group in groups(mem):
        chosen = group & ~np.isnan(auc)
        some = bool(chosen.any())
        made.append(
            Bin(
                low=low,
                high=high,
                examples=int(chosen.sum()),
                auc=float(auc[chosen].mean()) if some else None,
                found=[float(each[chosen].mean()) if some else None for each in detected],
                found_by_loss=[float(each[chosen].mean()) if some else None for each in by_loss],
            )
        )
    return made
