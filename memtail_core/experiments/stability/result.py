"""How well two halves of a study agree, and how many models it would take to agree better."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.estimation.measures import CORRECTNESS
from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
INFLUENCE_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)


class Growth(BaseModel):
    """How one measure of agreement grows with the number of models.

    Attributes:
        name: what agrees.
        sizes: trials of each half.
        values, spreads: mean and standard deviation over the splits, one for each size.
        expected_of_whole: of two studies as large as this one; None if no law fits.
        needed: trials a study needs to reach the wanted agreement; None if no law fits, and for
            differences. ``is_measured``: measured, not extrapolated.
        law: [trials, expected value], points of the fitted law to draw.
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
        selected: how many examples, or pairs, a half selects, on average.
        jaccard, spread: mean and standard deviation over the splits; None where nothing, or too
            much, was selected.
        difference: mean |a − b| of the scores of the examples that either half selects; None for
            pairs.
    """

    model_config = ConfigDict(frozen=True)

    threshold: float
    selected: Number
    jaccard: Number
    spread: Number
    difference: Number = None


class Stability(Result):
    """How well halves of a study agree.

    Attributes:
        measure: what memorization and influence are differences of.
        splits: random splits of each size.
        left_out: trials whose block was not complete.
        wanted: the agreement that ``needed`` is about.
        theta_mem, theta_infl: the thresholds of the sets and pairs whose growth is shown.
        memorized, pairs: agreement of the largest halves at each threshold.
        empty, empty_influence: thresholds that no example, or pair, of any half reaches.
        growth: of memorized sets, of pairs, of the correlation of scores, of the correlation of
            their ranks, and of their mean absolute difference.
        pearson, spearman, overall, top: of the largest halves, see
            :class:`~memtail_core.estimation.agreement.Agreement`.
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
    measure: str = CORRECTNESS.name

    @property
    def name(self) -> str:
        """There is one result for each measure."""
        is_counted = self.measure == CORRECTNESS.name
        return self.experiment + ("" if is_counted else f"-with-{self.measure}")
