"""What is kept of a study's subgroups: every example that is not typical, and the clusters."""

from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from memtail_core.estimation.influence import PairsRule
from memtail_core.experiments.results import Result
from memtail_core.experiments.subgroups.plan import CATEGORIES, TYPICAL, Subgroups
from memtail_core.study import Study
from memtail_core.study.validation import Number

_CLUSTERS = 12


class Member(BaseModel):
    """A training example that is not typical, and the evidence; see :class:`.Subgroups`."""

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


class Cluster(BaseModel):
    """Memorized training examples that share the test examples which rest on them."""

    model_config = ConfigDict(frozen=True)

    train: list[int]
    test: list[int]


class SubgroupsFound(Result):
    """What was found.

    Attributes:
        examples: training examples in all.
        counts: of each category.
        carried: test examples that rest on a memorized one.
        theta_mem, theta_infl, fdr: which pairs count.
        doubted: the probability of a wrong label from which on it is doubted.
        noise: the estimated share of wrong labels.
        has_margins: whether label probabilities are of probabilities, or of votes.
        members: every example that is not typical, the least plausible labels first.
        clusters: those with the most test examples.
        n_clusters: how many there are.
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


def found(
    study: Study, trials: int, of: Subgroups, rule: PairsRule, doubted: float
) -> SubgroupsFound:
    """Sum up what :func:`.subgroups.subgroups` told apart."""
    counts = np.bincount(of.category, minlength=len(CATEGORIES)).tolist()
    order = np.lexsort((-of.scores.memorization, of.label_probability, -of.category))
    chosen = order[of.category[order] != TYPICAL]
    n_clusters = int(of.cluster.max(initial=-1)) + 1
    return SubgroupsFound(
        study=study.id,
        trials=trials,
        examples=len(of.category),
        counts=dict(zip(CATEGORIES, counts, strict=True)),
        carried=len(np.unique(of.pairs.test_index)),
        theta_mem=rule.theta_mem,
        theta_infl=rule.theta_infl,
        fdr=rule.fdr,
        doubted=doubted,
        noise=of.noise.rate,
        has_margins=of.has_margins,
        members=[member(of, int(i)) for i in chosen],
        clusters=[
            Cluster(
                train=np.flatnonzero(of.cluster == k).tolist(),
                test=np.flatnonzero(of.cluster_of_test == k).tolist(),
            )
            for k in range(min(n_clusters, _CLUSTERS))
        ],
        n_clusters=n_clusters,
    )


def member(of: Subgroups, i: int) -> Member:
    """What is known of one training example."""
    scores, partner, cluster = of.scores, int(of.duplicate_of[i]), int(of.cluster[i])
    return Member(
        index=i,
        category=CATEGORIES[of.category[i]],
        **{
            name: float(getattr(scores, name)[i])
            for name in ("memorization", "ci_low", "ci_high", "accuracy_in", "accuracy_out")
        },
        label_probability=float(of.label_probability[i]),
        wrong_probability=float(of.noise.probability[i]),
        supports=int(of.supports[i]),
        strongest=float(of.strongest[i]),
        duplicate_of=partner if partner >= 0 else None,
        duplicate_in=None if partner < 0 else "test" if of.in_test[i] else "train",
        duplicate_has_other_label=bool(of.other_label[i]),
        cluster=cluster if cluster >= 0 else None,
    )
