"""What is kept of a study's stability, and what is read off it."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from memtail_core.estimation.growth import Curve
from memtail_core.estimation.thresholds import THETA_INFL, THETA_MEM
from memtail_core.experiments.results import Result
from memtail_core.experiments.stability.plan import Stability, mean, spread
from memtail_core.study import Study
from memtail_core.study.validation import Number

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
INFLUENCE_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
_DRAWN = 40  # points of a law


class Growth(BaseModel):
    """One figure of agreement as trials grow.

    Attributes:
        name: what agrees.
        sizes: trials of each side; values, spreads: mean and deviation over splits.
        expected_of_whole: of two studies as large as this one; None if no law can tell.
        needed: trials of a study for the wanted agreement, and whether that was measured or
            extrapolated; None if no law says, or it is a difference.
        law: [trials, expected] to be drawn.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    sizes: list[int]
    values: list[Number]
    spreads: list[Number]
    expected_of_whole: Number
    needed: int | None
    is_measured: bool
    law: list[tuple[float, float]]


class AtThreshold(BaseModel):
    """Agreement of the two largest halves at one threshold.

    Attributes:
        threshold: of memorization or influence.
        selected: how many a half selects, on average.
        jaccard, spread: over the splits; None where nothing, or too much, was selected.
        difference: mean |a − b| of the scores that either half selects; None for pairs.
    """

    model_config = ConfigDict(frozen=True)

    threshold: float
    selected: Number
    jaccard: Number
    spread: Number
    difference: Number = None


class StabilityFound(Result):
    """What was found.

    Attributes:
        splits: of each size.
        left_out: trials whose block was not complete.
        wanted: the agreement that ``needed`` is about.
        theta_mem, theta_infl: of the sets and pairs whose growth is shown.
        memorized, pairs: agreement of the largest halves at each threshold.
        empty, empty_influence: thresholds that no example, or pair, of any half reaches.
        growth: of memorized sets, of pairs, of the correlation of scores and of their ranks, and of
            their mean absolute difference.
        pearson, spearman, overall, top: of the largest halves.
    """

    experiment: ClassVar[str] = "stability"

    splits: int
    left_out: int
    wanted: float
    theta_mem: float
    theta_infl: float
    memorized: list[AtThreshold]
    pairs: list[AtThreshold]
    empty: list[float]
    empty_influence: list[float]
    growth: list[Growth]
    pearson: Number
    spearman: Number
    overall: Number
    top: Number


def found(
    study: Study,
    trials: int,
    of: Stability,
    wanted: float,
    theta_mem: float = THETA_MEM,
    theta_infl: float = THETA_INFL,
) -> StabilityFound:
    """Sum up the stability of a study of so many trials.

    Args:
        study, trials: whose; how many were looked at.
        of: what :func:`.stability.stability` found.
        wanted: the agreement to say the necessary trials for.
        theta_mem, theta_infl: among its thresholds, those whose growth is to be shown.
    """
    k = int(np.argmin(abs(of.thresholds - theta_mem)))
    j = int(np.argmin(abs(of.influence_thresholds - theta_infl)))
    grown = [
        ("memorized", of.jaccard_curves[k], of.jaccard[..., k]),
        ("pairs", of.pairs_curves[j], of.pairs[..., j]),
        ("correlation", of.pearson_curve, of.pearson),
        ("rank correlation", of.spearman_curve, of.spearman),
        ("difference", of.overall_curve, of.overall),
    ]
    last = {name: mean(getattr(of, name))[-1] for name in ("pearson", "spearman", "overall", "top")}
    return StabilityFound(
        study=study.id,
        trials=trials,
        splits=of.pearson.shape[1],
        left_out=of.n_left_out,
        wanted=wanted,
        theta_mem=float(of.thresholds[k]),
        theta_infl=float(of.influence_thresholds[j]),
        memorized=_at(of.thresholds, of.n_memorized, of.jaccard, of.difference),
        pairs=_at(of.influence_thresholds, of.n_pairs, of.pairs),
        empty=of.empty_thresholds.tolist(),
        empty_influence=of.empty_influence_thresholds.tolist(),
        growth=[_growth(name, curve, values, trials, wanted) for name, curve, values in grown],
        **{name: float(value) for name, value in last.items()},
    )


def _at(
    thresholds: NDArray[np.float64],
    selected: NDArray[np.float64],
    jaccard: NDArray[np.float64],
    difference: NDArray[np.float64] | None = None,
) -> list[AtThreshold]:
    columns = [mean(selected)[-1], mean(jaccard)[-1], spread(jaccard)[-1]]
    columns.append(np.full(len(thresholds), np.nan) if difference is None else mean(difference)[-1])
    rows = np.array([thresholds, *columns]).T
    names = ("threshold", "selected", "jaccard", "spread", "difference")
    return [AtThreshold(**dict(zip(names, row.tolist(), strict=True))) for row in rows]


def _growth(
    name: str, curve: Curve, values: NDArray[np.float64], trials: int, wanted: float
) -> Growth:
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
