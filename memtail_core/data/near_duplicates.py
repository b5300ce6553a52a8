"""Near-duplicates: the same thing twice, shifted, brighter or noisier, in training or test set.

A dataset has no natural scale of similarity: two trousers may be nearer to each other than two
noisy copies of one dress. So an example's nearest neighbour is its near-duplicate if it is much
nearer than the second nearest (the ratio test of Lowe, "Distinctive image features", IJCV 2004).
How much is chance is known: where examples lie evenly around it in d dimensions, the ratio of the
two distances is below r with probability r^d. Most examples have no duplicate, so d is estimated
from the median ratio, and the false discovery rate is held at 5% (Benjamini & Hochberg 1995).
Examples that hardly differ at all are duplicates anyway.

The modality says how two examples are compared: :class:`~memtail_core.data.modalities.Modality`.
Where a frozen backbone gave features of images, these are compared too: pixels tell a copy of other
colours or brightness, features a crop or a mirror image. Each comparison holds its own rate.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.dataset import Dataset
from memtail_core.data.modalities.comparison import Comparable, Comparison

_FALSE = 0.05  # of the near-duplicates, expected at most
_CANDIDATES = 10
_ROWS = 256  # compared at once


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest neighbour of each of n examples in one set.

    Attributes:
        partner: int64 [n], its index in that set.
        distance: float32 [n]; of images ‖a − b‖ of unit length at the best shift, so that
            brightness does not count; of tables the root mean square over standardized columns; of
            texts the share of token triples that only one has.
        ratio: float32 [n], to the distance of the second nearest.
        same: examples nearer than this are near-duplicates, whatever the ratio.
        also: bool [n], near-duplicates by another comparison alone, whose partner and distance
            stand here; None: there was none.
    """

    partner: NDArray[np.int64]
    distance: NDArray[np.float32]
    ratio: NDArray[np.float32]
    same: float = Comparison.same
    also: NDArray[np.bool_] | None = None

    @property
    def dimension(self) -> float:
        """The dimension in which examples lie around each other: half of the r have r^d < ½."""
        middle = float(np.median(self.ratio))
        return float(np.log(0.5) / np.log(middle)) if 0 < middle < 1 else 0.0

    @property
    def p_value(self) -> NDArray[np.float64]:
        """How often chance gives as small a ratio, float64 [n]."""
        return self.ratio.astype(np.float64) ** self.dimension

    @property
    def is_duplicate(self) -> NDArray[np.bool_]:
        """Whether the neighbour is a near-duplicate, bool [n]."""
        from scipy.stats import false_discovery_control

        significant = false_discovery_control(self.p_value) <= _FALSE
        found = significant | (self.distance < self.same)
        return np.asarray(found if self.also is None else found | self.also)

    def completed(self, other: "Nearest") -> "Nearest":
        """Add what another comparison of the same examples alone calls near-duplicates."""
        also = other.is_duplicate & ~self.is_duplicate
        return replace(
            self,
            partner=np.where(also, other.partner, self.partner),
            distance=np.where(also, other.distance, self.distance),
            also=also,
        )


def within_training_set(
    dataset: Dataset, features: Dataset | None = None, device: str = "cpu"
) -> Nearest:
    """Find each training example's nearest other training example.

    ``features``: of the same examples, by a backbone; near-duplicates by these count too.
    """
    if features is not None:
        return within_training_set(dataset, None, device).completed(
            within_training_set(features, None, device)
        )
    if not dataset.is_shown:
        return _none(len(dataset.train))
    comparison = dataset.modality.comparison()
    train, _ = comparison.prepared(dataset.train, dataset.test, device)
    return _nearest(train, train, comparison, is_same_set=True)


def in_test_set(dataset: Dataset, features: Dataset | None = None, device: str = "cpu") -> Nearest:
    """Find each training example's nearest test example; ``features`` as above."""
    if features is not None:
        return in_test_set(dataset, None, device).completed(in_test_set(features, None, device))
    if not (dataset.is_shown and len(dataset.test)):
        return _none(len(dataset.train))
    comparison = dataset.modality.comparison()
    train, test = comparison.prepared(dataset.train, dataset.test, device)
    return _nearest(train, test, comparison, is_same_set=False)


def _none(n: int) -> Nearest:
    """Return what is known where nothing can be compared: no example has a near-duplicate."""
    return Nearest(np.zeros(n, np.int64), np.full(n, np.inf, np.float32), np.ones(n, np.float32))


def _nearest(
    queries: Comparable, among: Comparable, comparison: Comparison, *, is_same_set: bool
) -> Nearest:
    import torch

    n, k = len(queries.rows), min(_CANDIDATES, len(among.rows) - is_same_set)
    none = _none(n)
    if k < 2:
        return none
    partner, distance, ratio = none.partner, none.distance, none.ratio
    squares = among.descriptors.square().sum(1)
    for start in range(0, n, _ROWS):
        rows = slice(start, start + _ROWS)
        far = squares - 2 * queries.descriptors[rows] @ among.descriptors.T
        if is_same_set:
            own = torch.arange(start, start + len(far), device=far.device)
            far[own - start, own] = torch.inf
        candidates = far.topk(k, dim=1, largest=False).indices
        distances = comparison.distances(queries.rows[rows], among.rows[candidates])
        best, order = distances.sort(dim=1)
        partner[rows] = candidates.gather(1, order[:, :1])[:, 0].cpu()
        distance[rows] = best[:, 0].cpu()
        ratio[rows] = (best[:, 0] / best[:, 1].clamp(min=1e-12)).cpu()
    return Nearest(partner, distance, ratio, comparison.same)
