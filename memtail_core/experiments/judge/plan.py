"""Judge attributions by trials of a study that they were not made from.

The attribution predicts the outcome of each judging trial by the sum of its scores over the trial's
subset; the linear datamodeling score (:mod:`memtail_core.estimation.datamodeling`) says how well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.errors import EstimationError
from memtail_core.estimation.datamodeling import Mean
from memtail_core.estimation.noise_ceiling import ceiling
from memtail_core.experiments.judge.duplicates import Duplicates, recalls
from memtail_core.experiments.judge.reading import BY_MEMORIZATION, Question, Reading
from memtail_core.experiments.judge.result import (
    Detection,
    Difficulty,
    Judged,
    Judgement,
    Loss,
    Memorized,
    Score,
)
from memtail_core.experiments.judge.scores import Scores
from memtail_core.experiments.judge.wrong_labels import detection
from memtail_core.plan import designs
from memtail_core.running.matrices import CORRECTNESS, outcomes, ranked
from memtail_core.running.trials import Trials
from memtail_core.study import Study

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


def asked(
    trials: Trials, parts: Split, outcome: str, tests: NDArray[np.int64], most: int
) -> Question:
    """Put together what scores are read for.

    Args:
        trials: all of the study; they say what is memorized.
        parts: those that judge.
        outcome: what the scores are to predict.
        tests, most: test examples whose ``most`` highest-scored training examples are wanted.
    """
    return Question(
        judging=parts.judging,
        outcome=ranked(parts.judging, outcome),
        group=parts.group,
        memorization=trials.counted().memorization,
        tests=tests,
        most=most,
    )


@dataclass(frozen=True, eq=False)
class Known:
    """What is known besides, where the user asks for it.

    Attributes:
        again: rows of the judging trials, and the trials that trained on their subsets again.
        wrong: bool [n], training examples whose labels are wrong.
        pairs: near-duplicates.
        losses: by the name of the scores, what removing the highest costs; for how many test
            examples, and repeats.
    """

    again: tuple[NDArray[np.int64], Trials] | None = None
    wrong: NDArray[np.bool_] | None = None
    pairs: Duplicates | None = None
    losses: Mapping[str, list[Loss]] | None = None
    tests: int = 0
    repeats: int = 0


NOTHING = Known()


def judge(
    study: Study,
    dataset: Dataset,
    parts: Split,
    question: Question,
    readings: Sequence[Reading],
    *,
    outcome: str,
    known: Known = NOTHING,
) -> Judgement:
    """Judge attributions.

    Args:
        study, dataset: what they are of.
        parts: the trials that judge, and those that do not.
        question, readings: what they were read for, and what was read of them.
        outcome: what they are to predict.
        known: what else they are judged by.
    """
    judging, best = parts.judging, None
    if known.again is not None:
        rows, trained = known.again
        retrained = ranked(trained.taken(np.arange(len(rows))), outcome)
        best = ceiling(question.outcome, rows, retrained)
    right = outcomes(judging, CORRECTNESS).mean(axis=0)
    highest = np.max([each.score.rho for each in readings], axis=0)
    ordered = sorted(readings, key=lambda each: -_value(each.score.mean()))
    judged = []
    for reading in ordered:
        score, leader = reading.score, ordered[0].score
        share = None if best is None else best.share(score)
        judged.append(
            Judged(
                name=reading.scores.name,
                trainings=reading.scores.trainings,
                seconds=reading.seconds,
                score=Score.of(score.mean()),
                behind=None if score is leader else Score.of(leader.lead_over(score).mean()),
                share=None if share is None else share.value,
                share_low=None if share is None else share.low,
                share_high=None if share is None else share.high,
                by_class=[
                    Score.of(score.mean(dataset.y_test == c)) for c in range(len(dataset.classes))
                ],
                by_difficulty=[
                    Score.of(score.mean((low <= right) & ((right < high) | (high == 1))))
                    for low, high in _DIFFICULTIES
                ],
                best_for=int((score.rho >= highest - _TINY).sum()),
                by_memorization=[Score.of(each) for each in reading.by_memorization],
                mislabeled=_mislabeled(reading, known.wrong),
                duplicates=[]
                if known.pairs is None
                else recalls(known.pairs, question.tests, reading.highest),
                losses=[] if known.losses is None else known.losses[reading.scores.name],
            )
        )
    return Judgement(
        study=study.id,
        trials=len(judging),
        outcome=outcome,
        first=int(judging.trials[0]),
        judged=judged,
        classes=list(dataset.classes),
        groups=[Difficulty(low=low, high=high) for low, high in _DIFFICULTIES],
        undecided=int(np.isnan(highest).sum()),
        ceiling=None if best is None and known.again is None else Score.of(best),
        retrained=0 if known.again is None else len(known.again[0]),
        memorized=[
            Memorized(low=low, high=high, examples=examples)
            for (low, high), examples in zip(BY_MEMORIZATION, question.memorized, strict=True)
        ],
        wrong_labels=0 if known.wrong is None else int(known.wrong.sum()),
        with_duplicate=0 if known.pairs is None else len(known.pairs.tests),
        tests=0 if known.losses is None else known.tests,
        repeats=0 if known.losses is None else known.repeats,
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


def _mislabeled(reading: Reading, wrong: NDArray[np.bool_] | None) -> list[Detection]:
    if wrong is None:
        return []
    found = [detection("harm", reading.harm, wrong)]
    if reading.scores.itself is not None:
        found.insert(0, detection("self-influence", reading.scores.itself(), wrong))
    return found


def _value(mean: Mean | None) -> float:
    return 0.0 if mean is None else mean.value
