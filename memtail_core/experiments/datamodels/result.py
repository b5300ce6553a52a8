"""How well sparse linear models predict what models do from what they were trained on."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.experiments.judge.result import Score
from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number


class OfTest(BaseModel):
    """The datamodels, one number for each test example in every list.

    Attributes:
        lds: rank correlation of what it predicts and the outcome, over the trials that judge; None
            where all have the same outcome.
        counted: the same for influence that is counted from the same trials.
        r2: the share of the outcome's variance over the trials that judge which it predicts,
            against the mean of the trials that it was made from.
        nonzero: how many training examples have a weight.
        penalty: α.
        strongest: the training example with the largest weight; None if there is none.
        weight: its weight.
    """

    model_config = ConfigDict(frozen=True)

    lds: list[Number]
    counted: list[Number]
    r2: list[Number]
    nonzero: list[int]
    penalty: list[float]
    strongest: list[int | None]
    weight: list[Number]


class Datamodels(Result):
    """The datamodels of a study's test examples; ``trials`` counts all that were used.

    Attributes:
        outcome: what they predict, ``margin``, ``probability`` or ``correctness``.
        made_from: how many trials they were made from; the others judge.
        examples: how many training examples there are.
        lds: their linear datamodeling score, a mean over test examples.
        counted: that of influence counted from the same trials.
        lead: how much higher the first is, for the same models.
        r2: the mean of R² over test examples.
        of_test: every test example.
    """

    experiment: ClassVar[str] = "datamodels"

    outcome: str
    made_from: int
    examples: int
    lds: Score
    counted: Score
    lead: Score
    r2: Number
    of_test: OfTest
