"""Compare the halves of a study, and sum up what that says of larger studies."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.estimation.growth import Curve
from memtail_core.estimation.influence import PairsRule, counter_for
from memtail_core.estimation.measures import CORRECTNESS, Measure
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.experiments.stability.result import (
    INFLUENCE_THRESHOLDS,
    THRESHOLDS,
    AtThreshold,
    Growth,
    Stability,
)
from memtail_core.experiments.stability.splits import mean, split_agreement, spread
from memtail_core.plan import designs
from memtail_core.running.trials import Trials
from memtail_core.study import Study

_DRAWN = 40  # points of a fitted law

Floats = NDArray[np.float64]


def stability(
    study: Study,
    trials: Trials,
    dataset: Dataset,
    wanted: float,
    *,
    measure: Measure = CORRECTNESS,
    thresholds: Sequence[float] = THRESHOLDS,
    splits: int = 10,
    progress: ProgressCallback | None = None,
) -> Stability:
    """Measure how well halves of a study agree, and say how many trials ``wanted`` takes.

    Args:
        study, trials, dataset: the study, its trials and its data.
        wanted: the agreement (Jaccard index, or correlation) to find the number of trials for.
        measure: what memorization and influence are differences of.
        thresholds: of memorization, of shares (:meth:`.Measure.scaled`); that of the paper's rule
            for pairs is added.
        splits: random splits of each size.
        progress: called with the number of comparisons done, of ``splits`` for each size.

    Raises:
        EstimationError: there are too few trials, or they lack the values of the measure.
    """
    rule = PairsRule(measure.theta_mem, measure.theta_infl)
    of = split_agreement(
        trials,
        designs.block(study),
        dataset.y_train,
        dataset.y_test,
        rule,
        thresholds=sorted({*measure.scaled(thresholds), rule.theta_mem}),
        influence_thresholds=measure.scaled(INFLUENCE_THRESHOLDS),
        measure=measure,
        splits=splits,
        counter=counter_for("cpu"),
        progress=progress,
    )
    k = int(np.argmin(abs(of.thresholds - rule.theta_mem)))
    j = int(np.argmin(abs(of.influence_thresholds - rule.theta_infl)))
    curves = [
        ("memorized", of.jaccard_curves[k], of.jaccard[..., k]),
        ("pairs", of.pairs_curves[j], of.pairs[..., j]),
        ("correlation", of.pearson_curve, of.pearson),
        ("rank correlation", of.spearman_curve, of.spearman),
        ("difference", of.overall_curve, of.overall),
    ]
    return Stability(
        study=study.id,
        trials=len(trials),
        measure=measure.name,
        splits=splits,
        left_out=of.n_left_out,
        wanted=wanted,
        theta_mem=float(of.thresholds[k]),
        theta_infl=float(of.influence_thresholds[j]),
        memorized=_at(of.thresholds, of.n_memorized, of.jaccard, of.difference),
        pairs=_at(of.influence_thresholds, of.n_pairs, of.pairs),
        empty=of.empty_thresholds.tolist(),
        empty_influence=of.empty_influence_thresholds.tolist(),
        growth=[
            _growth(name, curve, values, len(trials), wanted) for name, curve, values in curves
        ],
        pearson=_of_largest(of.pearson),
        spearman=_of_largest(of.spearman),
        overall=_of_largest(of.overall),
        top=_of_largest(of.top),
    )


def _of_largest(values: Floats) -> float:
    return float(mean(values)[-1])


def _at(
    thresholds: Floats, selected: Floats, jaccard: Floats, difference: Floats | None = None
) -> list[AtThreshold]:
    columns = [mean(selected)[-1], mean(jaccard)[-1], spread(jaccard)[-1]]
    columns.append(np.full(len(thresholds), np.nan) if difference is None else mean(difference)[-1])
    rows = np.array([thresholds, *columns]).T
    names = ("threshold", "selected", "jaccard", "spread", "difference")
    return [AtThreshold(**dict(zip(names, row.tolist(), strict=True))) for row in rows]


def _growth(name: str, curve: Curve, values: Floats, trials: int, wanted: float) -> Growth:
    needed = None if curve.is_difference else curve.needed(wanted)
    farthest = max(4.0 * curve.sizes[-1], min(needed.trials if needed else 0, 64 * curve.sizes[-1]))
    at = np.geomspace(curve.sizes[0], farthest, _DRAWN)
    law = [(float(t), curve.expected(float(t))) for t in at]
    return Growth(
        name=name,
        sizes=curve.sizes.tolist(),
        values=curve.values.tolist(),
        spreads=spread(values).tolist(),
        expected_of_whole=curve.expected(trials),
        needed=needed.trials if needed else None,
        is_measured=bool(needed and needed.is_measured),
        law=[(t, value) for t, value in law if value is not None],
    )
