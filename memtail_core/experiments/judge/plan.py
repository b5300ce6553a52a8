"""Judge attributions by trials of a study that they were not made from.

The attribution predicts the outcome of each judging trial by the sum of its scores over the trial's
subset; the linear datamodeling score (:mod:`memtail_core.estimation.datamodeling`) says how well.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation import datamodeling
from memtail_core.estimation.datamodeling import DatamodelingScore, datamodeling_score
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.experiments.judge.matrices import included, outcomes
from memtail_core.experiments.judge.result import Difficulty, Judged, Judgement, Score
from memtail_core.experiments.judge.scores import Scores, rows_at_once
from memtail_core.plan import designs
from memtail_core.plan.arms import Arms
from memtail_core.running.trials import Trials
from memtail_core.study import ArmsTable, Study

FEWEST = 20  # trials that judge
_DIFFICULTIES = ((0.0, 0.5), (0.5, 0.9), (0.9, 1.0))
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Split:
    """A study's trials in two.

    Attributes:
        making: the trials that scores may be made from.
        judging: all others.
        group: int64, the block of each judging trial; trials of different blocks are independent.
    """

    making: Trials
    judging: Trials
    group: NDArray[np.int64]


def split(study: Study, trials: Trials, making: int) -> Split:
    """Set the first ``making`` trials aside, in whole blocks; the others judge.

    Raises:
        EstimationError: too few are left to judge.
    """
    block = designs.block(study)
    is_making = trials.trials < -(-making // block) * block
    judging = trials.taken(np.flatnonzero(~is_making))
    if len(judging) < FEWEST:
        raise EstimationError(
            f"{len(judging)} of the {len(trials):,} models of {study.id} are left to judge, at "
            f"least {FEWEST} are needed: lower --from-trials, or train more (memtail run)"
        )
    made = trials.taken(np.flatnonzero(is_making))
    return Split(made, judging, judging.trials // block)


def predictions(
    scores: Scores, judging: Trials, progress: ProgressCallback | None = None
) -> NDArray[np.float32]:
    """Return Σ_{i ∈ S_j} τ(i, z) for every judging trial and test example, float32 [m, n_test].

    Sums are taken in float64 where the scores are: only what is ranked is rounded.

    Raises:
        EstimationError: a score, or a sum, is not finite.
    """
    predicted = np.zeros((len(judging), judging.n_test))
    step = rows_at_once(judging.n_test)
    for start, block in scores.blocks():
        precise = block.dtype if block.dtype == np.float64 else np.dtype(np.float32)
        inside = included(judging, start, step).astype(precise)
        predicted += inside @ block.astype(precise, copy=False)
        if progress is not None:
            progress(len(block))
    if not np.isfinite(predicted).all():
        raise EstimationError(f"the scores of {scores.name} are too large to be summed")
    return predicted.astype(np.float32)


def ceiling_study(
    source: Study, judging: Trials, count: int
) -> tuple[Study, Arms, NDArray[np.int64]]:
    """Return the study that trains on ``count`` judging subsets again, its arms, and their rows."""
    rows = np.unique(np.linspace(0, len(judging) - 1, count).round().astype(np.int64))
    inside = np.unpackbits(judging.subset[rows], axis=1, count=judging.n).astype(bool)
    arms = Arms(~inside, np.zeros(len(rows), np.int64))
    study = source.model_copy(
        update={
            "name": f"{source.name[:32].rstrip('-')}-ceiling",
            "shard_size": min(source.shard_size, len(rows)),
            "subsets": ArmsTable(design="unpaired-arms", count=len(arms), sha256=arms.sha256),
        }
    )
    return study, arms, rows


def judge(
    study: Study,
    dataset: Dataset,
    parts: Split,
    every: Sequence[Scores],
    *,
    is_margin: bool,
    again: tuple[NDArray[np.int64], Trials] | None = None,
    progress: ProgressCallback | None = None,
) -> Judgement:
    """Judge attributions.

    Args:
        study, dataset: what they are of.
        parts: the trials that judge, and those that do not.
        every: the attributions.
        is_margin: whether they predict margins, or else correctness.
        again: rows of the judging trials, and the trials that trained on their subsets again.
        progress: called with training examples whose scores were read.

    Raises:
        EstimationError: scores were made from trials that judge, or are not finite.
    """
    judging = parts.judging
    for scores in every:
        check_independent(scores, judging)
    outcome = outcomes(judging, is_margin=is_margin)
    best = None if again is None else _ceiling(outcome, *again, is_margin=is_margin)
    marked = []
    for scores in every:
        start = time.perf_counter()
        predicted = predictions(scores, judging, progress)
        seconds = time.perf_counter() - start
        marked.append((scores, seconds, datamodeling_score(predicted, outcome, parts.group)))
    right = outcomes(judging, is_margin=False).mean(axis=0)
    highest = np.max([each.rho for _, _, each in marked], axis=0)
    marked.sort(key=lambda each: -(mean.value if (mean := each[2].mean()) else 0.0))
    judged = [
        _judged(scores, seconds, each, marked[0][2], dataset, right, highest, best)
        for scores, seconds, each in marked
    ]
    return Judgement(
        study=study.id,
        trials=len(judging),
        outcome="margin" if is_margin else "correctness",
        first=int(judging.trials[0]),
        judged=judged,
        classes=list(dataset.classes),
        groups=[Difficulty(low=low, high=high) for low, high in _DIFFICULTIES],
        undecided=int(np.isnan(highest).sum()),
        ceiling=best,
        retrained=0 if again is None else len(again[0]),
    )


def check_independent(scores: Scores, judging: Trials) -> None:
    """Refuse scores that were made from trials that judge: they would know the answers."""
    both = np.intersect1d(scores.trials, judging.trials)
    if len(both):
        last = int(scores.trials.max()) + 1
        raise EstimationError(
            f"{scores.name} was made from {len(both):,} of the trials that judge it, as trial "
            f"{both[0]}: judge it by later ones (--from-trials {last})"
        )


def _ceiling(
    outcome: NDArray[np.float32], rows: NDArray[np.int64], again: Trials, *, is_margin: bool
) -> Score:
    retrained = outcomes(again.taken(np.arange(len(rows))), is_margin=is_margin)
    return _score(datamodeling.ceiling(outcome, rows, retrained))


def _judged(
    scores: Scores,
    seconds: float,
    of: DatamodelingScore,
    leader: DatamodelingScore,
    dataset: Dataset,
    right: NDArray[np.float32],
    highest: NDArray[np.float64],
    ceiling: Score | None,
) -> Judged:
    whole, share = _score(of.mean()), None
    if ceiling is not None and ceiling.lds and whole.lds is not None:
        share = whole.lds / ceiling.lds
    return Judged(
        name=scores.name,
        trainings=scores.trainings,
        seconds=seconds,
        score=whole,
        behind=None if of is leader else _score(leader.lead_over(of).mean()),
        share=share,
        by_class=[_score(of.mean(dataset.y_test == c)) for c in range(len(dataset.classes))],
        by_difficulty=[
            _score(of.mean((low <= right) & ((right < high) | (high == 1))))
            for low, high in _DIFFICULTIES
        ],
        best_for=int((of.rho >= highest - _TINY).sum()),
    )


def _score(mean: datamodeling.Mean | None) -> Score:
    if mean is None:
        return Score(lds=None, low=None, high=None, examples=0)
    return Score(lds=mean.value, low=mean.low, high=mean.high, examples=mean.examples)
