"""How often examples are classified correctly when held out, at several subset ratios."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9)


class AtRatio(BaseModel):
    """The models of one ratio.

    Attributes:
        ratio: the share of the training set that each was trained on; examples: how many that is.
        study: the id of their study; trials: how many models.
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
    """A held-out example that models get right, but only if they train on many others.

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


class Consistency(Result):
    """How often examples are right when held out; lists hold one number for each example.

    Attributes:
        ratios: ascending.
        groups: by memorization.
        late: the largest significant rises from the lowest to the highest ratio.
        spearman: correlation of memorization and consistency over examples.
        memorization, consistency: of each example; consistency is the mean over ratios, and
            ``error`` its standard error, above 0 even where all models agree.
        by_ratio: the consistency of each example, a list for each ratio.
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
