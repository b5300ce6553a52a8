"""Consistency scores: how often an example is classified correctly when it is held out.

    C(i, s) = P[h(x_i) = y_i | h trained on a random share s of the other examples]

for several subset ratios s, and averaged over them: 1 for what follows from few other examples,
small for what models get right only if they train on it (Jiang, Zhang, Talwar & Mozer,
"Characterizing Structural Regularities of Labeled Data in Overparameterized Models", ICML 2021).
Each ratio is a study of its own, everything else equal; the study's own ratio has its trials
already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.disagreements import Counts
from memtail_core.errors import StudyError
from memtail_core.estimation.intervals import Z95
from memtail_core.experiments.consistency.result import AtRatio, Consistency, Group, Late
from memtail_core.experiments.per_example import groups, listed, rank_correlation
from memtail_core.running.trials import Trials
from memtail_core.study import Study, SubsetsTable

Floats = NDArray[np.float64]

_LISTED = 48  # examples that are learned late


def study_at(source: Study, ratio: float) -> Study:
    """Return the study that differs from ``source`` in its ratio alone, or ``source`` itself.

    Raises:
        StudyError: the share is so small or large that it leaves nothing in, or nothing out.
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
    update = {"name": name, "subsets": subsets, "probabilities": False}
    return source.model_copy(update=update)


@dataclass(frozen=True, eq=False)
class HeldOutAccuracy:
    """How often trials that held an example out get it right, for n examples.

    Attributes:
        value: float64 [n]; NaN where no trial held it out.
        error: float64 [n], standard error √(p̃ (1 − p̃) / (n_out + 2)) with p̃ = (k + 1) /
            (n_out + 2), after Agresti & Coull (1998): above 0 even where all trials agree.
    """

    value: Floats
    error: Floats

    @classmethod
    def of(cls, trials: Trials) -> Self:
        """Estimate it from the trials of one ratio."""
        counts = Counts.of(trials)
        k, n = counts.out_correct, counts.n_out
        p = (k + 1) / (n + 2)
        value = np.divide(k, n, out=np.full(len(k), np.nan), where=n > 0)
        error = np.where(n > 0, np.sqrt(p * (1 - p) / (n + 2)), np.nan)
        return cls(value, error)


def mean(each: Sequence[HeldOutAccuracy]) -> HeldOutAccuracy:
    """Return the mean over ratios, whose trials are independent; NaN where one is missing."""
    value = np.mean([one.value for one in each], axis=0)
    error = np.sqrt(np.sum([one.error**2 for one in each], axis=0)) / len(each)
    return HeldOutAccuracy(value, error)


def analyse(source: Study, own: Trials, ratios: Sequence[tuple[Study, Trials]]) -> Consistency:
    """Estimate the consistency of every example.

    Args:
        source, own: the study and its trials; its memorization groups the examples.
        ratios: studies of :func:`study_at`, ascending by ratio, and their trials.
    """
    each = [HeldOutAccuracy.of(trials) for _, trials in ratios]
    whole = mean(each)
    mem = own.counted().memorization
    return Consistency(
        study=source.id,
        trials=len(own),
        ratios=[_at(study, trials) for study, trials in ratios],
        groups=_groups(mem, each),
        late=_late(each[0], each[-1]) if len(each) > 1 else [],
        spearman=rank_correlation(mem, whole.value),
        memorization=listed(mem),
        consistency=listed(whole.value),
        error=listed(whole.error),
        by_ratio=[listed(one.value) for one in each],
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


def _groups(mem: Floats, each: Sequence[HeldOutAccuracy]) -> list[Group]:
    made = []
    for low, high, chosen in groups(mem):
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


def _late(first: HeldOutAccuracy, last: HeldOutAccuracy) -> list[Late]:
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
