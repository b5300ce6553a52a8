"""Influence from few trials: pairs are foretold from one half of the trials for the other.

1. Deal the trials into halves. From one: each pair's difference of mean probabilities and of bits,
   what the test example is like, what the training example is like, how alike they are. Learn from
   these features the difference in the other half, in both directions.
2. Predict with all trials' features; pairs of each test example by a model that learned from
   others.
3. A difference of probabilities is none of correctness: predictions are multiplied by the factor c
   with the least squares to the differences of bits in halves they have not seen.
4. Draw the prediction to the paper's estimate, as far as halves say that this errs less; by ranges
   of the prediction.
5. No estimate leaves the paper's by more of its standard errors than chance takes one pair among
   so many (limited translation; Efron & Morris 1971): with many trials it is the paper's. Two
   would not do, as for examples: of a million pairs 23,000 stand out as much by chance.

docs/calibration.md has what was measured.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.mean_differences import differences, differences_of_bits
from memtail_core.estimation.calibrated.pair_features import features_of, probability, ranked
from memtail_core.estimation.calibrated.pair_predictions import FOLDS, Lesson, foretold

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Indices = NDArray[np.integer]

_MOST_ROWS = 300_000  # of pairs that teach, in each direction
_FEWEST_ROWS = 1000
_FEWEST_TRIALS = 4  # two in each half

BYTES_A_PAIR = 250
"""What ``calibrated_influence`` takes at most, indices and answers included."""


@dataclass(frozen=True, eq=False)
class CalibratedPairs:
    """Estimates for P pairs.

    Attributes:
        influence: float64 [P], missing nowhere.
        prediction: float64 [P], by what the features say alone; 0 where nothing could be learned.
        unbiased: float64 [P], the paper's estimate; NaN if no trial held the training example in,
            or none out.
        standard_error: float64 [P], of ``unbiased``.
    """

    influence: Floats
    prediction: Floats
    unbiased: Floats
    standard_error: Floats


def calibrated_influence(
    inside: NDArray[np.bool_],
    correct: NDArray[np.bool_],
    train: Indices,
    test: Indices,
    *,
    margin: NDArray[np.floating] | None = None,
    memorization: Floats,
    accuracy_out: Floats,
    likeness: NDArray[np.float32],
    rank: NDArray[np.float32] | None = None,
    seed: int = 0,
) -> CalibratedPairs:
    """Estimate the influence of chosen training examples on chosen test examples.

    The same trials in another order give the same bits.

    Args:
        inside: bool [T, n], which examples each trial trained on.
        correct: bool [T, n_test], which test examples it got right.
        train, test: int [P], the pairs; quickest where neighbours in the list share examples.
        margin: float [T, n_test], log p_y − log(1 − p_y), where the recipe gives it.
        memorization, accuracy_out: float64 [n], of the training examples.
        likeness: float32 [P], how alike the two inputs are.
        rank: float32 [P], how many training examples are more like the test example; by default
            among those of ``train`` that it is paired with.
        seed: deals the trials into halves and the test examples into folds.
    """
    rng = np.random.default_rng(seed)
    both = np.packbits(np.hstack([inside, correct]), axis=1)
    order = np.lexsort(both.T[::-1])
    inside, correct = inside[order], correct[order]
    values = None if margin is None else probability(margin[order])
    known = (
        memorization[train],
        accuracy_out[train],
        likeness,
        ranked(test, likeness) if rank is None else rank,
    )
    n_test = correct.shape[1]
    fold = rng.permutation(np.arange(n_test) % FOLDS)[test]

    def features(rows: NDArray[np.intp], some: NDArray[np.intp] | slice) -> Features:
        pairs = train[some], test[some]
        soft = None if values is None else values[rows]
        return features_of(inside[rows], correct[rows], soft, *pairs, [c[some] for c in known])

    def taught(mine: NDArray[np.intp], theirs: NDArray[np.intp]) -> Lesson:
        some = np.arange(len(train))
        if len(some) > _MOST_ROWS:
            some = np.sort(rng.choice(some, _MOST_ROWS, replace=False))
        pairs = train[some], test[some]
        bits = differences(inside[theirs], correct[theirs], *pairs)
        soft = bits if values is None else differences(inside[theirs], values[theirs], *pairs)
        return Lesson(features(mine, some), soft, bits, fold[some])

    unbiased = differences_of_bits(inside, correct, train, test)
    prediction, weight = np.zeros(len(train)), np.zeros(len(train))
    if len(inside) >= _FEWEST_TRIALS:
        one, other = np.array_split(rng.permutation(len(inside)), 2)
        lesson = taught(one, other).with_known(taught(other, one))
        if len(lesson.soft) >= _FEWEST_ROWS:
            asked = features(np.arange(len(inside)), slice(None))
            prediction, weight = foretold(lesson, asked, fold, rng)
    reach = _farthest(len(train)) * unbiased.reach.astype(np.float64)
    mean = unbiased.mean.astype(np.float64)
    drawn = prediction + weight * (mean - prediction)
    limited = np.clip(drawn, mean - reach, mean + reach)
    return CalibratedPairs(
        influence=np.clip(np.where(np.isnan(mean), prediction, limited), -1, 1),
        prediction=prediction,
        unbiased=mean,
        standard_error=unbiased.standard_error.astype(np.float64),
    )


def _farthest(n_pairs: int) -> float:
    """The standard errors that half a pair in so many exceeds by chance, on each side."""
    from scipy.special import ndtri

    return float(-ndtri(0.5 / max(n_pairs, 1)))
