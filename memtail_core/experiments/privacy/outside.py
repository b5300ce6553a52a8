"""A model from outside, attacked with all models of a study as references."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.attacks.attack import Attack as Method
from memtail_core.estimation.attacks.tiles import Models
from memtail_core.estimation.membership import Attacks
from memtail_core.estimation.proportions import clopper_pearson
from memtail_core.estimation.roc import Roc, auc_interval, auc_of_columns, keys
from memtail_core.experiments.per_example import listed
from memtail_core.experiments.privacy.result import STRICT_RATES, Called, Target, TargetAttack
from memtail_core.experiments.privacy.target_file import GivenTarget

Bools = NDArray[np.bool_]
Scores = NDArray[np.float32]


def as_models(target: GivenTarget) -> Models:
    """Return a target as one model."""
    members, others = target.members, target.test_margins
    return Models(
        target.margins[None],
        None if members is None else np.packbits(members)[None],
        None if others is None else others[None],
    )


def attacked(
    target: GivenTarget,
    models: Models,
    methods: Sequence[Method],
    rocs: Mapping[str, Roc],
    listed_attack: str,
) -> Target:
    """Attack a model from outside; guesses are scored where its members are known.

    Thresholds are those at which the attacks make so many false positives on the study's models,
    so the rates of the target itself are seen, not set.

    Args:
        target: the model.
        models: the references.
        methods: the attacks.
        rocs: of each attack on the study's models, by name.
        listed_attack: whose guesses are listed.
    """
    attacks = Attacks.of(models, as_models(target), methods)
    scores: dict[str, Scores] = {
        name: np.full(len(target.margins), np.nan, np.float32) for name in attacks.fits
    }
    for part in attacks.parts():
        for name, each in part.scores.items():
            scores[name][part.examples] = each[0]
    known = attacks.examples
    is_member = None if target.members is None else target.members[known]
    called = np.full(len(target.margins), np.nan)
    for rate in STRICT_RATES:  # the stricter later
        roc = rocs[listed_attack]
        if rate * roc.n_others >= 1:
            called[known[keys(scores[listed_attack][known]) >= roc.at(rate)[1]]] = rate
    return Target(
        file=target.file,
        members=None if is_member is None else int(is_member.sum()),
        others=None if is_member is None else int((~is_member).sum()),
        attacks=[
            _attack(name, each[known], is_member, rocs[name]) for name, each in scores.items()
        ],
        attack=listed_attack,
        scores=listed(scores[listed_attack].astype(np.float64)),
        called=listed(called),
        is_member=None if target.members is None else target.members.tolist(),
    )


def _attack(name: str, scores: Scores, is_member: Bools | None, roc: Roc) -> TargetAttack:
    auc = low = high = None
    if is_member is not None and 0 < is_member.sum() < len(is_member):
        auc = float(auc_of_columns(scores[:, None].astype(np.float64), is_member[:, None])[0])
        low, high = auc_interval(auc, int(is_member.sum()), int((~is_member).sum()))
    return TargetAttack(
        name=name,
        auc=auc,
        auc_low=low,
        auc_high=high,
        at=[
            _called(rate, keys(scores) >= roc.at(rate)[1], is_member)
            for rate in STRICT_RATES
            if rate * roc.n_others >= 1
        ],
    )


def _called(rate: float, is_called: Bools, is_member: Bools | None) -> Called:
    n = int(is_called.sum())
    if is_member is None:
        return Called(fpr=rate, called=n)
    found, n_members = int((is_called & is_member).sum()), int(is_member.sum())
    n_others = len(is_member) - n_members
    low, high = clopper_pearson(found, n_members)
    seen_low, seen_high = clopper_pearson(n - found, n_others)
    return Called(
        fpr=rate,
        called=n,
        members=found,
        tpr=found / n_members if n_members else None,
        low=low,
        high=high,
        seen_fpr=(n - found) / n_others if n_others else None,
        seen_low=seen_low,
        seen_high=seen_high,
    )
