"""What each training example is worth to the models' outcomes on the test set."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

ACCURACY, PROBABILITY, MARGIN = "accuracy", "probability", "margin"


class Measure(BaseModel):
    """The values by one outcome; lists hold one number for each training example.

    Attributes:
        outcome: ``accuracy`` on the test set; or the mean there of the ``probability`` that models
            give the right class, or of the ``margin``.
        signal: the share of the values' variance over examples that is not their sampling error.
        value: the outcome with the example less that without it.
        ci_low, ci_high: its 95% interval.
        q_value: the least false discovery rate at which it is found to differ from 0.
    """

    model_config = ConfigDict(frozen=True)

    outcome: str
    signal: Number
    value: list[Number]
    ci_low: list[Number]
    ci_high: list[Number]
    q_value: list[Number]


class OfClass(BaseModel):
    """The training examples of a class.

    Attributes:
        name: of the class.
        examples: how many have a value.
        mean: their mean value; None if there are none.
        harmful, helpful: how many are found to be.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    examples: int
    mean: Number
    harmful: int
    helpful: int


class Values(Result):
    """The values of a study's training examples.

    Attributes:
        ratio: the share of the training set that each trial trained on.
        fdr: the false discovery rate of harmful and helpful examples.
        examples: how many have a value; the others were in all trials, or in none.
        effect: −1 for harmful, 1 for helpful, 0 for neither, for each training example, by the
            first of the measures.
        by_class: the examples by class, likewise.
        measures: the values by each outcome that the study keeps.
        held_out: the correctness of each training example in trials that held it out: Data-OOB.
    """

    experiment: ClassVar[str] = "values"

    ratio: float
    fdr: float
    examples: int
    effect: list[int]
    by_class: list[OfClass]
    measures: list[Measure]
    held_out: list[Number]
