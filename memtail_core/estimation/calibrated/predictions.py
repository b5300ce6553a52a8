"""Predict out of fold which examples a trial gets right, from features of the other trials.

An example is predicted by models that were trained on other examples, and a trial from features
that it had no part in. So no prediction has seen its outcome, and what ``shrinkage`` and
``uncertainty`` learn about the predictions holds for new trials.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.features import ExampleFeatures
from memtail_core.estimation.calibrated.learners import Learners
from memtail_core.estimation.calibrated.splines import filled
from memtail_core.estimation.calibrated.stacking import fit_stack
from memtail_core.estimation.calibrated.sums import OrderedTrials, Sides

Floats = NDArray[np.float64]

_LEFT_OUT = 8  # trials left out one by one
_MOST_ROWS = 20_000  # to train on, of all left-out trials, on each side; more help little
_ROUNDS = 6  # of several left out at once
_MOST_OUT = 10


@dataclass(frozen=True, eq=False)
class Predictions:
    """One side's predictions.

    Attributes:
        full: float64 [n], from all trials.
        left_out: float64 [K], of left-out trials, each from all the others.
        was_correct: bool [K], whether the left-out trial was right.
        correct, n: float64 [K], the counts of the other trials.
        rounds: float64 [n] for each round of several left out at once, from the others.
    """

    full: Floats
    left_out: Floats
    was_correct: NDArray[np.bool_]
    correct: Floats
    n: Floats
    rounds: tuple[Floats, ...]


def rounds(n_trials: int, rng: np.random.Generator) -> list[list[int]]:
    """Draw the trials that are left out at once: a third of them, several times."""
    if n_trials < 3:
        return []
    size = min(max(2, round(n_trials / 3)), _MOST_OUT)
    return [sorted(rng.permutation(n_trials)[:size].tolist()) for _ in range(_ROUNDS)]


def predict_out_of_fold(
    trials: OrderedTrials,
    examples: ExampleFeatures,
    total: Sides,
    left: list[Sides],
    rng: np.random.Generator,
) -> tuple[Predictions, Predictions]:
    """Train on left-out trials, and predict; held in and held out.

    Args:
        trials: at least two.
        examples: computes the features of the examples from some of the trials.
        total: the tallies of all trials.
        left: the tallies of the trials of each round, which its predictions must not see.
        rng: draws the left-out trials, and the examples to train on where they are many.
    """
    left_out = rng.permutation(len(trials))[:_LEFT_OUT].tolist()
    full = examples.features(total)
    queries = [full, *(examples.features(total - out) for out in left)]
    sides = _training_rows(trials, examples, total, left_out, rng)
    predictions = []
    for rows in sides:
        like = np.vstack([rows.features, full])
        x = filled(rows.features, like)
        inputs = [filled(features, like) for features in queries]
        answers = [np.empty((len(full), len(Learners.MODELS))) for _ in queries]
        out_of_fold = np.empty((len(x), len(Learners.MODELS)))
        for f in range(int(examples.fold.max()) + 1):
            others = examples.fold[rows.example] != f
            learners = Learners(x[others], rows.was_correct[others], rng)
            out_of_fold[~others] = learners.log_odds(x[~others])
            for answer, given in zip(answers, inputs, strict=True):
                answer[examples.fold == f] = learners.log_odds(given[examples.fold == f])
        stack = fit_stack(out_of_fold, rows.was_correct)
        full_prediction, *of_rounds = map(stack.of, answers)
        predictions.append(
            Predictions(
                full_prediction,
                stack.of(out_of_fold),
                rows.was_correct,
                rows.correct,
                rows.n,
                tuple(of_rounds),
            )
        )
    return predictions[0], predictions[1]


@dataclass(frozen=True, eq=False)
class _Rows:
    """What one side's models are trained on; a row is an example and a left-out trial."""

    features: Floats
    example: NDArray[np.int64]
    was_correct: NDArray[np.bool_]
    correct: Floats
    n: Floats


def _training_rows(
    trials: OrderedTrials,
    examples: ExampleFeatures,
    total: Sides,
    left_out: list[int],
    rng: np.random.Generator,
) -> tuple[_Rows, _Rows]:
    parts: tuple[list[_Rows], list[_Rows]] = ([], [])
    for k in left_out:
        others = total - trials.trial(k)
        inside, correct = trials.outcome(k)
        features = examples.features(others)
        for part, is_there, side in (
            (parts[0], inside, others.held_in),
            (parts[1], ~inside, others.held_out),
        ):
            rows = np.flatnonzero(is_there)
            most = _MOST_ROWS // len(left_out)
            if len(rows) > most:
                rows = np.sort(rng.choice(rows, most, replace=False))
            right = correct[rows]
            part.append(_Rows(features[rows], rows, right, side.correct[rows], side.n[rows]))
    held_in, held_out = (_joined(part) for part in parts)
    return held_in, held_out


def _joined(parts: list[_Rows]) -> _Rows:
    names = ("features", "example", "was_correct", "correct", "n")
    return _Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
