"""A privacy audit: how well can an attacker tell which examples a model was trained on?

Every trial is attacked once, with all others as references. What counts is the true-positive
rate at very low false-positive rates (Carlini et al. 2022). Errors are over target models: a rate
is a mean over targets, each with its members and others, linearized (Obuchowski, "Nonparametric
analysis of clustered ROC curve data", Biometrics 53, 1997); references are taken as fixed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.attacks.attack import Attack as Method
from memtail_core.estimation.attacks.likelihood_ratio import OWN, POOLED, PooledVariance
from memtail_core.estimation.attacks.loss import LOSS
from memtail_core.estimation.attacks.registry import ATTACKS
from memtail_core.estimation.attacks.tiles import Models
from memtail_core.estimation.estimator import UNKNOWN
from memtail_core.estimation.membership import FEWEST, Attacks, membership_auc
from memtail_core.estimation.roc import Roc
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.experiments.per_example import groups, listed, rank_correlation
from memtail_core.experiments.privacy.lower_bound import (
    NO_CLAIM,
    Claim,
    study_bound,
    target_bound,
)
from memtail_core.experiments.privacy.outside import as_models, attacked
from memtail_core.experiments.privacy.references import with_references
from memtail_core.experiments.privacy.result import RATES, Attack, Bin, Privacy, Target
from memtail_core.experiments.privacy.strength import Counts, Run, curves
from memtail_core.experiments.privacy.target_file import GivenTarget
from memtail_core.plan import designs
from memtail_core.running.trials import Trials
from memtail_core.study import Study

Floats = NDArray[np.float64]

_DRAWN = 100  # points of a curve
_ENOUGH = 64  # trials, for each example to have its own variances
_MOST_POPULATION = 5000  # test examples: that many tell probabilities of 1 in 5,000


def audit(
    study: Study,
    trials: Trials,
    progress: ProgressCallback | None = None,
    *,
    attacks: Sequence[Method] = tuple(ATTACKS.values()),
    references: Sequence[int] = (),
    claim: Claim = NO_CLAIM,
    target: GivenTarget | None = None,
) -> Privacy:
    """Attack every trial.

    Args:
        study, trials: with margins.
        progress: called with examples attacked, each twice.
        attacks: how; likelihood ratios and loss are always among them.
        references: numbers of references to try.
        claim: of (ε, δ)-privacy, to be bounded or refuted.
        target: another model to attack, with all trials as references.

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
    asked = {each.name: each for each in (OWN, POOLED, LOSS, *attacks)}
    methods = [each for each in ATTACKS.values() if each.name in asked]
    models = _models(study, trials)
    run = Run(Attacks.of(models, attacks=methods), np.arange(len(trials)))
    n_attacked = len(run.attacks.examples)
    if not n_attacked:
        raise EstimationError(
            f"every example of {study.id} has fewer than {FEWEST} models trained with it, or "
            f"without: train more (memtail run {study.id} --trials {max(40, 2 * len(trials))})"
        )
    block = trials.trials // designs.block(study)
    primary = OWN.name if len(trials) >= _ENOUGH else POOLED.name
    rocs = curves([run], progress)
    counts = {name: Counts.of(roc, len(trials)) for name, roc in rocs.items()}
    auc = np.full(trials.n, np.nan)
    pooled = run.attacks.fits[POOLED.name]
    assert isinstance(pooled, PooledVariance)
    variance = None if primary == OWN.name else pooled.values.mean(axis=1)
    detected = {name: np.full((len(RATES), trials.n), np.nan) for name in rocs}
    for part in run.attacks.parts(progress):
        auc[part.examples] = membership_auc(part.tile.x, part.is_member, block % 2 == 1, variance)
        for name in rocs:
            found = counts[name].add(part, name, run.rows)
            detected[name][:, part.examples] = found[: len(RATES)]
    mem = trials.counted().memorization
    epsilon, no_epsilon = study_bound(study, models, block, claim)
    return Privacy(
        study=study.id,
        trials=len(trials),
        attack=primary,
        examples=n_attacked,
        members=rocs[primary].n_members,
        others=rocs[primary].n_others,
        attacks=[_attack(name, rocs[name], counts[name]) for name in rocs],
        bins=_bins(mem, auc, detected[primary], detected[LOSS.name]),
        spearman=rank_correlation(mem, auc),
        memorization=listed(mem),
        auc=listed(auc),
        found=listed(detected[primary][0]),
        found_by_loss=listed(detected[LOSS.name][0]),
        few=[with_references(models, block, each, methods) for each in references],
        epsilon=epsilon,
        no_epsilon=no_epsilon,
        target=None
        if target is None
        else _target(
            target, models, attacked(target, models, methods, rocs, primary), block, claim
        ),
    )


def _target(
    target: GivenTarget, models: Models, found: Target, block: NDArray[np.int64], claim: Claim
) -> Target:
    epsilon, reason = target_bound(target, as_models(target), models, block, claim)
    return found.model_copy(update={"epsilon": epsilon, "no_epsilon": reason})


def _models(study: Study, trials: Trials) -> Models:
    """Return the trials as models, with test examples as the population."""
    assert trials.train_values is not None
    others = trials.test_values
    if others is not None and others.shape[1] > _MOST_POPULATION:
        others = others[:, designs.drawn_tests(study, _MOST_POPULATION)]
    if others is not None and not others.shape[1]:
        others = None
    return Models(trials.train_values, trials.subset, others)


def _attack(name: str, roc: Roc, counts: Counts) -> Attack:
    return Attack(
        name=name,
        auc=roc.auc,
        auc_error=counts.auc_error,
        balanced_accuracy=roc.balanced_accuracy,
        at=counts.at(),
        curve=_curve(roc),
        strict=counts.strict(),
    )


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
