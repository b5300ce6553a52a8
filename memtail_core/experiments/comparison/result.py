"""How two studies of the same data agree, and how much of their disagreement is noise."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.estimation.measures import CORRECTNESS
from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number


class Both(BaseModel):
    """Both studies at one threshold of memorization, or of influence.

    Attributes:
        threshold: the least memorization, or influence.
        one, other, both: how many examples, or pairs, the one study selects, the other, and both.
        jaccard: agreement with all trials.
        within_one, within_other, between: Jaccard index of halves, at equal numbers of trials, mean
            over the splits.
        difference: mean |a − b| of the scores of the examples that either selects; None for pairs.
        only_one, only_other: pairs that one has and the other significantly has not: their
            influence differs at a false discovery rate of 5% over all pairs that either side looks
            at. None for examples, and where there are too many pairs to list.
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
    """A training example on which the studies differ significantly.

    Attributes:
        index: of the example.
        one, other: its memorization in each study.
        ci_low, ci_high: 95% interval of the difference.
        q_value: the false discovery rate at which the difference is significant.
    """

    model_config = ConfigDict(frozen=True)

    index: int
    one: float
    other: float
    ci_low: float
    ci_high: float
    q_value: float


class Comparison(Result):
    """How two studies of the same data agree, and how far noise explains where they do not.

    Attributes:
        other: the id of the other study; other_trials: how many models it has.
        measure: what memorization and influence are differences of.
        names: of the two, or their ids where the names are the same.
        changes: what differs between them, each as ``training.epochs: 10 → 20``.
        shares_subsets: whether both trained on the same subsets, as studies of one seed and ratio
            do. Part of the noise is then common to both, and ``corrected`` and ``beyond_noise``
            come from halves that share none: r_between / √(r_one r_other), and mean d² between,
            less half of that within either.
        half: trials of the halves that are compared at equal numbers, of each study.
        theta_mem, theta_infl: the thresholds that the sentences are about.
        memorized, pairs: agreement at each threshold.
        pearson, spearman, overall, top: of memorization, with all trials, see
            :class:`~memtail_core.estimation.agreement.Agreement`.
        reliability: of each side's scores with all its trials: the mean correlation r of disjoint
            halves of h trials, extended to T: k r / (1 + (k − 1) r), k = T / h (Spearman 1910,
            Brown 1910).
        corrected: the correlation without noise, r_xy / √(ρ_x ρ_y) (Spearman 1904). By chance it
            can exceed 1 a little, and is not cut; None where a reliability is not above 0.
        beyond_noise: root mean square difference without noise,
            √ max(0, mean d² − mean(se₁² + se₂²)), with unbiased variances.
        significant: examples on which the studies differ, at a false discovery rate of 5%.
        disagreements: the most certain of them, the largest certain difference first.
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
    measure: str = CORRECTNESS.name

    @property
    def name(self) -> str:
        """There is one result for each other study and measure."""
        is_counted = self.measure == CORRECTNESS.name
        by = "" if is_counted else f"-by-{self.measure}"
        return f"{self.experiment}-with-{self.other}{by}"
