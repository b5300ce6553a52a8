"""What each training example is: those that are not typical, the evidence, and the clusters.

- ``duplicate``: nearly equals another training example, or a test example, of the same label.
- ``likely-mislabeled``: memorized, no test example rests on it strongly, and its label is more
  likely wrong than right (:mod:`memtail_core.estimation.label_noise`). Also an example whose
  near-duplicate has another label that networks believe more.
- ``atypical-useful``: memorized otherwise: its label is plausible, or a test example rests on it.
- ``only-of-class``: memorized, and the only training example of its class. Networks that held it
  out have never seen its class, so they say nothing about its label.
- ``typical``: not memorized.

Clusters are connected parts of the graph of memorized examples and the test examples that
significantly rest on them, the subpopulations of Feldman & Zhang (2020).
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.estimation.counted import COUNTED
from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

CATEGORIES = ("typical", "atypical-useful", "likely-mislabeled", "duplicate", "only-of-class")
STRONG = 0.3  # influence; wrong labels have less, on test examples that resemble the class


class Member(BaseModel):
    """A training example that is not typical, and the evidence.

    Attributes:
        index, category: which example it is, and what.
        memorization, ci_low, ci_high, accuracy_in, accuracy_out: its scores, see
            :class:`~memtail_core.estimation.Memorization`.
        label_probability: the mean probability that networks which held it out give its label; of
            recipes without probabilities, how often they predict it. Only networks that trained
            on another example of its class count; None if there is none.
        wrong_probability: of a wrong label; None where ``label_probability`` is.
        supports: how many test examples significantly rest on it.
        strongest: the largest influence on one of them; 0 where there is none.
        duplicate_of: the index of its near-duplicate, in the set ``duplicate_in``, ``train`` or
            ``test``; ``duplicate_has_other_label``: whether that has another label.
        cluster: the number of its cluster.
        wrong_low, wrong_high: the 95% interval of ``wrong_probability``, for what infinitely many
            networks would give, see :mod:`memtail_core.estimation.label_noise_intervals`; None
            without margins, in older results, and of labels that fewer than 3 networks judge.
    """

    model_config = ConfigDict(frozen=True)

    index: int
    category: str
    memorization: Number
    ci_low: Number
    ci_high: Number
    accuracy_in: Number
    accuracy_out: Number
    label_probability: Number
    wrong_probability: Number
    supports: int
    strongest: float
    duplicate_of: int | None
    duplicate_in: str | None
    duplicate_has_other_label: bool
    cluster: int | None
    wrong_low: Number = None
    wrong_high: Number = None


class Cluster(BaseModel):
    """Memorized training examples, and the test examples that rest on them."""

    model_config = ConfigDict(frozen=True)

    train: list[int]
    test: list[int]


class Subgroups(Result):
    """What each training example is.

    Attributes:
        examples: training examples in all.
        counts: of each category.
        carried: test examples that rest on a memorized one.
        theta_mem, theta_infl, fdr: the rule for pairs.
        doubted: the least probability of a wrong label that is doubted.
        estimator: the name of the estimator of memorization.
        noise: the estimated share of wrong labels.
        has_margins: whether label probabilities come from probabilities, not from predictions.
        members: every example that is not typical: duplicates, then the likely mislabeled, then
            the others, the least plausible labels first, and those alone in their class last.
        clusters: those with the most test examples, of ``n_clusters``.
    """

    experiment: ClassVar[str] = "subgroups"

    examples: int
    counts: dict[str, int]
    carried: int
    theta_mem: float
    theta_infl: float
    fdr: Number
    doubted: float
    noise: float
    has_margins: bool
    members: list[Member]
    clusters: list[Cluster]
    n_clusters: int
    estimator: str = COUNTED.name
