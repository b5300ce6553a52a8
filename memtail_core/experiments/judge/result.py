"""How well attributions predict models on subsets that they were not made from."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number


class Score(BaseModel):
    """A mean linear datamodeling score over test examples, with its 95% interval.

    Attributes:
        lds: the mean; low, high: its interval. None where no test example has a score.
        examples: how many test examples it is over.
    """

    model_config = ConfigDict(frozen=True)

    lds: Number
    low: Number
    high: Number
    examples: int


class Judged(BaseModel):
    """One attribution.

    Attributes:
        name: of the file or the method.
        trainings: how many networks were trained for it; None where nobody says.
        seconds: that computing or reading its scores took, without trainings.
        score: over all test examples.
        behind: how much higher the best score is, for the same models; None for the best.
        share: of the ceiling that its score reaches; None without a ceiling.
        by_class: a score for each class.
        by_difficulty: a score for each group of test examples.
        best_for: test examples for which it has the highest score of all that were judged.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    trainings: int | None
    seconds: float
    score: Score
    behind: Score | None
    share: Number
    by_class: list[Score]
    by_difficulty: list[Score]
    best_for: int


class Difficulty(BaseModel):
    """A group of test examples: those that this share of the judging models gets right.

    Attributes:
        low, high: the share, from and below; the last group includes its end.
    """

    model_config = ConfigDict(frozen=True)

    low: float
    high: float


class Judgement(Result):
    """Attributions judged by the same trials of a study; ``trials`` counts them.

    Attributes:
        outcome: what they predict, ``margin`` or ``correctness``.
        first: the first trial that judges.
        judged: the attributions, best first.
        classes: the names of the classes.
        groups: of test examples, by how many models get them right.
        undecided: test examples that all judging models treat alike, so that nothing is to predict.
        ceiling: the highest score that an attribution can reach; None if nobody asked.
        retrained: how many subsets were trained on again for it.
    """

    experiment: ClassVar[str] = "judge"

    outcome: str
    first: int
    judged: list[Judged]
    classes: list[str]
    groups: list[Difficulty]
    undecided: int
    ceiling: Score | None
    retrained: int
