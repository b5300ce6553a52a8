"""Consistency scores: how often an example is classified correctly without having been seen.

    C(i, s) = P[h(x_i) = y_i | h trained on a random share s of the other examples]

over several subset ratios s, and averaged over them: 1 for what follows from few others, small for
what has to be seen itself (Jiang, Zhang, Talwar & Mozer, "Characterizing Structural Regularities of
Labeled Data in Overparameterized Models", ICML 2021). Each ratio is a study of its own, all else
alike; the study's own ratio has its trials already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.stats import spearmanr

from memtail_core.analysis.disagreements import Counts
from memtail_core.errors import StudyError
from memtail_core.estimation.intervals import Z95, is_between
from memtail_core.experiments.results import Result
from memtail_core.running.trials import Trials
from memtail_core.study import Study, SubsetsTable
from memtail_core.study.validation import Number

Floats = NDArray[np.float64]

RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9)
EDGES = (-1.0, 0.05, 0.25, 0.5, 0.75)  # of groups by memorization, each up to the next
_LISTED = 48  # examples that are learned late
_DIGITS = 5


class AtRatio(BaseModel):
    """The models of one ratio.

    Attributes:
        ratio: share of the training set each was trained on; examples: how many that is.
        study: the id of their study; trials: how many.
        held_in, held_out, test: mean accuracies.
    """

    model_config = ConfigDict(frozen=True)

    ratio: float
    examples: int
    study: str
    trials: int
    held_in: float
    held_out: float
    test: float


class Group(BaseModel):
    """Examples of about the same memorization.

    Attributes:
        low, high: memorization, from and below; the last group includes its end.
        examples: how many.
        consistency: their mean at each ratio; error: its standard error over examples.
    """

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    examples: int
    consistency: list[Number]
    error: list[Number]


class Late(BaseModel):
    """An example that is known without being seen, but only from many others.

    Attributes:
        index: which.
        first, last: consistency at the lowest and the highest ratio.
        low: of a 95% interval of the rise.
    """

    model_config = ConfigDict(frozen=True)

    index: int
    first: float
    last: float
    low: float


class ConsistencyFound(Result):
    """What was found; lists of numbers have one for each training example, None if there is none.

    Attributes:
        ratios: ascending.
        groups: by memorization.
        late: the largest sure rises from the lowest to the highest ratio.
        spearman: correlation of memorization and consistency over examples.
        memorization, consistency: of each example, the latter the mean over ratios; error: its
            standard error, not 0 where all models agree.
        by_ratio: of each ratio a list of the examples' consistency.
    """

    experiment: ClassVar[str] = "consistency"

    ratios: list[AtRatio]
    groups: list[Group]
    late: list[Late]
    spearman: Number
    memorization: list[Number]
    consistency: list[Number]
    error: list[Number]
    by_ratio: list[list[Number]]


def study_at(source: Study, ratio: float) -> Study:
    """Return the study that differs from ``source`` in its ratio alone; itself if that is its own.

    Raises:
        StudyError: so small or large a share leaves nothing in, or nothing out.
    """
    if not isinstance(source.subsets, SubsetsTable):
        raise ValueError(f"{source.id} has no random subsets")
    if ratio == source.subsets.ratio:
        return source
    m, n = round(ratio * source.dataset.n_train), source.dataset.n_train
    if not 0 < m < n:
        raise StudyError(f"--ratios: {ratio:g} of {n} training examples is a subset of {m}")
    suffix = f"-ratio-{100 * ratio:g}".replace(".", "-")
    name = source.name[: 40 - len(suffix)].rstrip("-") + suffix
    subsets = source.subsets.model_copy(update={"ratio": ratio})
    return source.model_copy(update={"name": name, "subsets": subsets})


@dataclass(frozen=True, eq=False)
class Consistency:
    """How often each of n examples is right where it was held out.

    Attributes:
        value: float64 [n]; NaN where it never was.
        error: float64 [n], √(p̃ (1 − p̃) / (n_out + 2)) with p̃ = (k + 1) / (n_out + 2), of Agresti
            & Coull (1998): not 0 where all agree.
    """

    value: Floats
    error: Floats

    @classmethod
    def of(cls, trials: Trials) -> "Consistency":
        """Estimate it from the trials of one ratio."""
        counts = Counts.of(trials)
        k, n = counts.out_correct, counts.n_out
        p = (k + 1) / (n + 2)
        value = np.divide(k, n, out=np.full(len(k), np.nan), where=n > 0)
        error = np.where(n > 0, np.sqrt(p * (1 - p) / (n + 2)), np.nan)
        return cls(value, error)


def mean(each: Sequence[Consistency]) -> Consistency:
    """Return the mean over ratios, whose trials are independent; NaN where one is missing."""
    value = np.mean([one.value for one in each], axis=0)
    error = np.sqrt(np.sum([one.error**2 for one in each], axis=0)) / len(each)
    return Consistency(value, error)


def analyse(source: Study, own: Trials, ratios: Sequence[tuple[Study, Trials]]) -> ConsistencyFound:
    """Estimate consistency.

    Args:
        source, own: the study, whose memorization groups the examples, and its trials.
        ratios: studies of :func:`study_at`, ascending by ratio, and their trials.
    """
    each = [Consistency.of(trials) for _, trials in ratios]
    whole = mean(each)
    mem = own.counted().memorization
    known = ~np.isnan(whole.value) & ~np.isnan(mem)
    varies = known.sum() > 1 and np.ptp(mem[known]) > 0 and np.ptp(whole.value[known]) > 0
    return ConsistencyFound(
        study=source.id,
        trials=len(own),
        ratios=[_at(study, trials) for study, trials in ratios],
        groups=_groups(mem, each),
        late=_late(each[0], each[-1]) if len(each) > 1 else [],
        spearman=float(spearmanr(mem[known], whole.value[known]).statistic) if varies else None,
        memorization=_listed(mem),
        consistency=_listed(whole.value),
        error=_listed(whole.error),
        by_ratio=[_listed(one.value) for one in each],
    )


def _at(study: Study, trials: Trials) -> AtRatio:
    assert isinstance(study.subsets, SubsetsTable)  # by study_at
    means = trials.accuracies().means()
    return AtRatio(
        ratio=study.subsets.ratio,
        examples=study.subset_size,
        study=study.id,
        trials=len(trials),
        **{name: value or 0.0 for name, value in means.items()},
    )


def _groups(mem: Floats, each: Sequence[Consistency]) -> list[Group]:
    made = []
    for low, high in zip(EDGES, (*EDGES[1:], 1.0), strict=True):
        chosen = is_between(mem, low, high)
        some = [one.value[chosen & ~np.isnan(one.value)] for one in each]
        made.append(
            Group(
                low=low,
                high=high,
                examples=int(chosen.sum()),
                consistency=[float(v.mean()) if len(v) else None for v in some],
                error=[float(v.std(ddof=1) / len(v) ** 0.5) if len(v) > 1 else None for v in some],
            )
        )
    return made


def _late(first: Consistency, last: Consistency) -> list[Late]:
    rise = last.value - first.value
    low = rise - Z95 * np.hypot(first.error, last.error)
    order = np.argsort(-np.where(np.isnan(low), -np.inf, low), kind="stable")[:_LISTED]
    return [
        Late(
            index=int(i),
            first=float(first.value[i]),
            last=float(last.value[i]),
            low=float(low[i]),
        )
        for i in order
        if low[i] > 0
    ]


def _listed(values: Floats) -> list[Number]:
    return [None if np.isnan(v) else round(float(v), _DIGITS) for v in values]
