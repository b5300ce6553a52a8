"""A privacy audit: how well can be told, from a model, which examples it was trained on?

Every trial is attacked once, with all others as shadow models; what counts is how many members are
found at very few false alarms (Carlini et al. 2022). Errors are over target models: a rate is a
mean over targets, each with its members and others, linearized (Obuchowski, "Nonparametric analysis
of clustered ROC curve data", Biometrics 53, 1997); shadow models are taken as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.stats import spearmanr

from memtail_core.errors import EstimationError
from memtail_core.estimation.intervals import Z95, is_between
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
from memtail_core.experiments.results import Result
from memtail_core.plan import designs
from memtail_core.running.trials import Trials
from memtail_core.study import Study
from memtail_core.study.validation import Number

Floats = NDArray[np.float64]

RATES = (0.001, 0.01)  # of false positives
EDGES = (-1.0, 0.05, 0.25, 0.5, 0.75)  # of bins of memorization, each up to the next
_DRAWN = 100  # points of a curve
_ENOUGH = 64  # trials for each example's own variances
_DIGITS = 5


class AtRate(BaseModel):
    """How many members an attack finds at a false-positive rate, with a 95% interval."""

    model_config = ConfigDict(frozen=True)

    fpr: float
    tpr: float
    low: float
    high: float


class Attack(BaseModel):
    """What an attack achieves over all targets.

    Attributes:
        name: which.
        auc: the area under its curve; auc_error: the standard error.
        balanced_accuracy: at the best threshold.
        at: at each of ``RATES``.
        curve: [false, true positive rate] to be drawn on log axes.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    auc: float
    auc_error: float
    balanced_accuracy: float
    at: list[AtRate]
    curve: list[tuple[float, float]]


class Bin(BaseModel):
    """Examples of about the same memorization.

    Attributes:
        low, high: memorization, from and below; the last bin includes its end.
        examples: how many.
        auc: mean over them of how well their membership is told; see :class:`PrivacyFound`.
        found: share of their memberships that are found, at each of ``RATES`` over all examples;
            found_by_loss: the same by loss alone.
    """

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    examples: int
    auc: Number
    found: list[Number]
    found_by_loss: list[Number]


class PrivacyFound(Result):
    """What was found; lists of numbers have one for each training example, None if there is none.

    Attributes:
        attack: the attack that examples are judged by.
        examples: how many were attacked; the others have too few shadow models.
        members, others: how many guesses of either kind.
        attacks: every attack.
        bins: by memorization.
        spearman: correlation of memorization and ``auc`` over examples.
        memorization: of each example.
        auc: of two models, one trained with it, how often the attack tells which, with the half of
            the trials that the two are not in as shadow models.
        found: share of the models trained with it of which the attack says so, at a false-positive
            rate of 0.1% over all examples; found_by_loss: the same by loss alone.
    """

    experiment: ClassVar[str] = "privacy"

    attack: str
    examples: int
    members: int
    others: int
    attacks: list[Attack]
    bins: list[Bin]
    spearman: Number
    memorization: list[Number]
    auc: list[Number]
    found: list[Number]
    found_by_loss: list[Number]


def audit(
    study: Study, trials: Trials, progress: Callable[[int], None] | None = None
) -> PrivacyFound:
    """Attack every trial.

    Args:
        study, trials: with margins.
        progress: told of examples looked at, each twice.

    Raises:
        EstimationError: there are no margins, or too few trials.
    """
    if trials.train_margin is None:
        raise EstimationError(
            f"{study.id} keeps no margins, which the attack needs: train it with margins "
            "(--set study.margins=true), by a recipe that gives probabilities"
        )
    attacks = Attacks.of(trials.train_margin, trials.subset)
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
    found = {name: np.full((len(RATES), trials.n), np.nan) for name in rocs}
    for part in attacks.parts(progress):
        for name, roc in rocs.items():
            found[name][:, part.examples] = counts[name].add(part, part.scores[name], roc)
    scores = trials.counted()
    mem = scores.memorization
    known = ~np.isnan(auc) & ~np.isnan(mem)
    varies = known.sum() > 1 and np.ptp(mem[known]) > 0 and np.ptp(auc[known]) > 0
    return PrivacyFound(
        study=study.id,
        trials=len(trials),
        attack=primary,
        examples=n_attacked,
        members=rocs[primary].n_members,
        others=rocs[primary].n_others,
        attacks=[_attack(name, rocs[name], counts[name]) for name in rocs],
        bins=_bins(mem, auc, found[primary], found[LOSS]),
        spearman=float(spearmanr(mem[known], auc[known]).statistic) if varies else None,
        memorization=_listed(mem),
        auc=_listed(auc),
        found=_listed(found[primary][0]),
        found_by_loss=_listed(found[LOSS][0]),
    )


@dataclass(eq=False)
class _Counts:
    """What each target adds to an attack's figures.

    Attributes:
        thresholds: of each of ``RATES``, as :meth:`.Roc.at`.
        n: float64 [2, T], members and others.
        called: float64 [2, R, T], of which so many are called members.
        above: float64 [2, T], sums of how many of the other kind each beats, as shares.
    """

    thresholds: list[int]
    n: Floats
    called: Floats
    above: Floats

    @classmethod
    def of(cls, roc: Roc, n_trials: int) -> "_Counts":
        """Begin to count."""
        zeros = np.zeros((2, n_trials)), np.zeros((2, len(RATES), n_trials))
        return cls([roc.at(rate)[1] for rate in RATES], *zeros, np.zeros((2, n_trials)))

    def add(self, part: AttackedExamples, scores: NDArray[np.float32], roc: Roc) -> Floats:
        """Count some examples; return of each the share of members found, float64 [R, c]."""
        key, kinds = keys(scores), (part.is_member, ~part.is_member)
        found = np.empty((len(RATES), len(part.examples)))
        for row, threshold in enumerate(self.thresholds):
            called = key >= threshold
            for kind, chosen in enumerate(kinds):
                self.called[kind, row] += (called & chosen).sum(axis=1)
            found[row] = (called & part.is_member).sum(axis=0) / part.is_member.sum(axis=0)
        at = np.searchsorted(-roc.threshold, -key)
        halves = [(each + np.r_[0, each[:-1]]) / 2 for each in (roc.fpr, roc.tpr)]
        for kind, chosen in enumerate(kinds):
            self.n[kind] += chosen.sum(axis=1)
        self.above[0] += np.where(kinds[0], 1 - halves[0][at], 0).sum(axis=1)
        self.above[1] += np.where(kinds[1], halves[1][at], 0).sum(axis=1)
        return found


def _attack(name: str, roc: Roc, counts: _Counts) -> Attack:
    auc, totals = roc.auc, counts.n.sum(axis=1)
    shares = counts.n / totals[:, None]
    # what a target adds to a rate, less what it would if it were like all others
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
    """The standard error of a sum of independent parts whose expectations are 0."""
    n = len(parts)
    return float(np.sqrt(n / (n - 1) * (parts**2).sum()))


def _curve(roc: Roc) -> list[tuple[float, float]]:
    least = max(1e-5, 1 / roc.n_others)
    return [(float(fpr), roc.at(float(fpr))[0]) for fpr in np.geomspace(least, 1, _DRAWN)]


def _bins(mem: Floats, auc: Floats, found: Floats, found_by_loss: Floats) -> list[Bin]:
    made = []
    for low, high in zip(EDGES, (*EDGES[1:], 1.0), strict=True):
        chosen = is_between(mem, low, high) & ~np.isnan(auc)
        some = bool(chosen.any())
        made.append(
            Bin(
                low=low,
                high=high,
                examples=int(chosen.sum()),
                auc=float(auc[chosen].mean()) if some else None,
                found=[float(each[chosen].mean()) if some else None for each in found],
                found_by_loss=[
                    float(each[chosen].mean()) if some else None for each in found_by_loss
                ],
            )
        )
    return made


def _listed(values: Floats) -> list[Number]:
    return [None if np.isnan(v) else round(float(v), _DIGITS) for v in values]
