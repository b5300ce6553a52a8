"""What is kept of a comparison of two studies."""

from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from memtail_core.estimation.thresholds import THETA_INFL, THETA_MEM
from memtail_core.experiments.comparison.plan import Comparison
from memtail_core.experiments.results import Result
from memtail_core.study import Study
from memtail_core.study.validation import Number

_LISTED = 48  # disagreements
_SURE = 0.05  # false discovery rate


class Both(BaseModel):
    """Both studies at one threshold of memorization, or of influence.

    Attributes:
        threshold: from which on.
        one, other, both: how many examples, or pairs, the one study selects, the other, and both.
        jaccard: agreement with all trials.
        within_one, within_other, between: Jaccard of halves, at equal numbers of trials.
        difference: mean |a − b| of the scores that either selects; None for pairs.
        only_one, only_other: pairs that one has and the other surely has not; None for examples.
    """

    model_config = ConfigDict(frozen=True)

    threshold: float
    one: Number
    other: Number
    both: Number
    jaccard: Number
    within_one: Number
    within_other: Number
    between: Number
    difference: Number = None
    only_one: Number = None
    only_other: Number = None


class Disagreement(BaseModel):
    """A training example on which the studies differ: memorization in each, and how surely."""

    model_config = ConfigDict(frozen=True)

    index: int
    one: float
    other: float
    ci_low: float
    ci_high: float
    q_value: float


class ComparisonFound(Result):
    """What was found.

    Attributes:
        other: the id of the other study; other_trials: how many models it has.
        names: what the two are called where the ids are too long.
        changes: what differs between them, ``training.epochs: 10 → 20`` each.
        shares_subsets: whether both trained on the same subsets.
        half: trials of the halves that are compared at equal numbers, of each study.
        theta_mem, theta_infl: the thresholds that the sentence speaks of.
        memorized, pairs: at each threshold.
        pearson, spearman, overall, top: of memorization, with all trials.
        reliability: of either study's scores.
        corrected: the correlation without noise; beyond_noise: the root mean square difference.
        significant: examples on which the studies differ, at a false discovery rate of 5%.
        disagreements: the largest sure differences.
    """

    experiment: ClassVar[str] = "comparison"

    other: str
    other_trials: int
    names: tuple[str, str]
    changes: list[str]
    shares_subsets: bool
    half: tuple[int, int]
    theta_mem: float
    theta_infl: float
    memorized: list[Both]
    pairs: list[Both]
    pearson: Number
    spearman: Number
    overall: Number
    top: Number
    reliability: tuple[Number, Number]
    corrected: Number
    beyond_noise: Number
    significant: int
    disagreements: list[Disagreement]

    @property
    def name(self) -> str:
        """One result for each other study."""
        return f"{self.experiment}-with-{self.other}"


def found(
    one: Study,
    other: Study,
    of: Comparison,
    theta_mem: float = THETA_MEM,
    theta_infl: float = THETA_INFL,
) -> ComparisonFound:
    """Sum up a comparison.

    Args:
        one, other: the studies.
        of: what :func:`.comparison.compare` found.
        theta_mem, theta_infl: among its thresholds, those to speak of.
    """
    scores, yardstick = of.scores, of.yardstick
    same_name = one.name == other.name
    return ComparisonFound(
        study=one.id,
        trials=of.n_trials[0],
        other=other.id,
        other_trials=of.n_trials[1],
        names=(one.id, other.id) if same_name else (one.name, other.name),
        changes=[each for each in one.differences(other) if not each.startswith("name:")],
        shares_subsets=of.shares_subsets,
        half=yardstick.trials,
        theta_mem=theta_mem,
        theta_infl=theta_infl,
        memorized=_both(of, "memorized"),
        pairs=_both(of, "pairs"),
        pearson=scores.pearson,
        spearman=scores.spearman,
        overall=scores.overall,
        top=scores.top,
        reliability=of.reliability,
        corrected=of.corrected,
        beyond_noise=of.beyond_noise,
        significant=int((of.disagreements.q_value <= _SURE).sum()),
        disagreements=_disagreements(of),
    )


def _both(of: Comparison, which: str) -> list[Both]:
    overlap = of.scores.overlap if which == "memorized" else of.pairs
    halves = of.yardstick.jaccard if which == "memorized" else of.yardstick.pairs
    known = ~np.isnan(halves)
    n, sums = known.sum(axis=1), np.where(known, halves, 0).sum(axis=1)
    within_one, within_other, between = np.divide(
        sums, n, out=np.full(sums.shape, np.nan), where=n > 0
    )
    columns = {
        "threshold": overlap.thresholds,
        "one": overlap.n_one,
        "other": overlap.n_other,
        "both": overlap.n_both,
        "jaccard": overlap.jaccard,
        "within_one": within_one,
        "within_other": within_other,
        "between": between,
    }
    if which == "memorized":
        columns["difference"] = of.scores.difference
    else:
        columns |= {"only_one": of.only_one, "only_other": of.only_other}
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [Both(**dict(zip(columns, row, strict=True))) for row in rows]


def _disagreements(of: Comparison) -> list[Disagreement]:
    """The surest, of which nothing is said where none is significant."""
    chosen = np.flatnonzero(of.disagreements.q_value <= _SURE)[:_LISTED]
    each = of.disagreements
    return [
        Disagreement(
            index=int(each.index[k]),
            one=float(of.memorization[0][each.index[k]]),
            other=float(of.memorization[1][each.index[k]]),
            ci_low=float(each.ci_low[k]),
            ci_high=float(each.ci_high[k]),
            q_value=float(each.q_value[k]),
        )
        for k in chosen
    ]
