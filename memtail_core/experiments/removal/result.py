"""What test accuracy loses without the memorized examples, for each set that was removed."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.estimation.counted import COUNTED
from memtail_core.estimation.paired import Difference
from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

THRESHOLDS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)


class Accuracy(BaseModel):
    """Test accuracy over the repeats of an arm: mean, standard deviation, each; and held in."""

    model_config = ConfigDict(frozen=True)

    mean: float
    sd: Number
    each: list[float]
    held_in: float


class Removed(BaseModel):
    """One cut: what removing its examples costs, and what removing as many random ones costs.

    Attributes:
        threshold: the least memorization of the removed examples; None: those of the pairs.
        removed: how many examples were removed.
        left: the share of the training set that is left.
        memorized, random: test accuracy without the memorized, and without random ones.
        drop, random_drop: loss of accuracy compared with removing nothing, within each repeat.
        difference: how much more the memorized cost than random ones, within each repeat.
        p_value: of no difference, adjusted for the number of cuts (Holm 1979).
        drop_in_pairs, drop_elsewhere: the parts of ``drop`` on test examples in high-influence
            pairs and on the others; they add up to it.
    """

    model_config = ConfigDict(frozen=True)

    threshold: Number
    removed: int
    left: float
    memorized: Accuracy
    random: Accuracy
    drop: Difference
    random_drop: Difference
    difference: Difference
    p_value: Number
    drop_in_pairs: Difference
    drop_elsewhere: Difference


class Removal(Result):
    """What test accuracy loses without the memorized examples.

    Attributes:
        trained: the id of the study that trained the arms.
        repeats: networks of each arm.
        examples: training examples in all.
        deduplicated: how many near-duplicates were left out of every arm; None: not asked for.
        estimator: the name of the estimator of memorization that chose what is removed.
        test_in_pairs: how many of the ``tested`` test examples are in high-influence pairs.
        whole: accuracy with nothing (more) removed.
        cuts: the largest first.
        dropped: thresholds that selected nothing, the same as another, or too much of a class.
    """

    experiment: ClassVar[str] = "removal"

    trained: str
    repeats: int
    examples: int
    deduplicated: int | None
    test_in_pairs: int
    tested: int
    whole: Accuracy
    cuts: list[Removed]
    dropped: list[float]
    estimator: str = COUNTED.name

    @property
    def name(self) -> str:
        """Results with and without deduplication are kept beside each other."""
        return self.experiment + ("" if self.deduplicated is None else "-with-deduplication")
