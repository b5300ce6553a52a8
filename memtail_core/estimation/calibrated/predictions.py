"""Trials that are left out, and what they teach: models of what they get right, cross-fitted.

An example is foretold by models that learned from other examples, a trial by features that it had
no part in: no outcome that is foretold was seen, and so what is learned of the predictions holds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.features import Known
from memtail_core.estimation.calibrated.learners import Blend
from memtail_core.estimation.calibrated.splines import filled
from memtail_core.estimation.calibrated.sums import Observed, Sides

Floats = NDArray[np.float64]

_TEACHERS = 8  # trials left out one by one
_MOST_ROWS = 20_000  # of all teachers together, on each side; more teach little more
_ROUNDS = 6  # of several left out at once
_MOST_OUT = 10


@dataclass(frozen=True, eq=False)
class Foretold:
    """One side's predictions.

    Attributes:
        full: float64 [n], from all trials.
        taught: float64 [K], of left-out trials, each from all the others.
        happened: bool [K], whether they were right; correct, n: float64 [K], the others' counts.
        rounds: float64 [n] for each round of several left out at once, from the others.
    """

    full: Floats
    taught: Floats
    happened: NDArray[np.bool_]
    correct: Floats
    n: Floats
    rounds: tuple[Floats, ...]


def rounds(n_trials: int, rng: np.random.Generator) -> list[list[int]]:
    """The trials left out at once, to tell how sure estimates are: a third, several times."""
    if n_trials < 3:
        return []
    size = min(max(2, round(n_trials / 3)), _MOST_OUT)
    return [sorted(rng.permutation(n_trials)[:size].tolist()) for _ in range(_ROUNDS)]


def foretell(
    trials: Observed, known: Known, total: Sides, left: list[Sides], rng: np.random.Generator
) -> tuple[Foretold, Foretold]:
    """Learn from left-out trials, and predict; held in and held out.

    Args:
        trials: at least two.
        known: of the examples.
        total: the tallies of all trials.
        left: the tallies of the trials of each round, which its predictions must not see.
        rng: which examples teach, where they are many.
    """
    teachers = rng.permutation(len(trials))[:_TEACHERS].tolist()
    full = known.features(total)
    asked = [full, *(known.features(total - out) for out in left)]
    lessons = _lessons(trials, known, total, teachers, rng)
    found = []
    for lesson in lessons:
        like = np.vstack([lesson.features, full])
        x = filled(lesson.features, like)
        questions = [filled(features, like) for features in asked]
        answers = [np.empty(len(full)) for _ in asked]
        taught = np.empty(len(x))
        for f in range(int(known.fold.max()) + 1):
            others = known.fold[lesson.example] != f
            model = Blend(x[others], lesson.happened[others], rng)
            taught[~others] = model.predict(x[~others])
            for answer, question in zip(answers, questions, strict=True):
                answer[known.fold == f] = model.predict(question[known.fold == f])
        found.append(
            Foretold(
                answers[0], taught, lesson.happened, lesson.correct, lesson.n, tuple(answers[1:])
            )
        )
    return found[0], found[1]


@dataclass(frozen=True, eq=False)
class _Lesson:
    """One side's rows: an example and a left-out trial."""

    features: Floats
    example: NDArray[np.int64]
    happened: NDArray[np.bool_]
    correct: Floats
    n: Floats


def _lessons(
    trials: Observed,
    known: Known,
    total: Sides,
    teachers: list[int],
    rng: np.random.Generator,
) -> tuple[_Lesson, _Lesson]:
    parts: tuple[list[_Lesson], list[_Lesson]] = ([], [])
    for k in teachers:
        others = total - trials.trial(k)
        inside, correct = trials.outcome(k)
        features = known.features(others)
        for part, is_there, side in (
            (parts[0], inside, others.held_in),
            (parts[1], ~inside, others.held_out),
        ):
            rows = np.flatnonzero(is_there)
            most = _MOST_ROWS // len(teachers)
            if len(rows) > most:
                rows = np.sort(rng.choice(rows, most, replace=False))
            right = correct[rows]
            part.append(_Lesson(features[rows], rows, right, side.correct[rows], side.n[rows]))
    held_in, held_out = (_joined(part) for part in parts)
    return held_in, held_out


def _joined(parts: list[_Lesson]) -> _Lesson:
    names = ("features", "example", "happened", "correct", "n")
    return _Lesson(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
