"""How well attributions predict models on subsets that they were not made from."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

if TYPE_CHECKING:
    from memtail_core.estimation.datamodeling import Mean  # imports SciPy


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

    @classmethod
    def of(cls, mean: "Mean | None") -> "Score":
        """The score that a mean is; without one, none."""
        if mean is None:
            return cls(lds=None, low=None, high=None, examples=0)
        return cls(lds=mean.value, low=mean.low, high=mean.high, examples=mean.examples)


class Detection(BaseModel):
    """How well a score of training examples finds wrong labels.

    Attributes:
        by: the score, ``self-influence`` or ``harm``.
        auroc: the probability that a wrong label scores higher than another; low, high: its 95%
            interval.
    """

    model_config = ConfigDict(frozen=True)

    by: str
    auroc: float
    low: float
    high: float


class Recall(BaseModel):
    """How often a near-duplicate of a test example is among its highest scores.

    Attributes:
        among: how many scores.
        share: of the test examples with a near-duplicate; low, high: its 95% interval.
    """

    model_config = ConfigDict(frozen=True)

    among: int
    share: float
    low: float
    high: float


class Loss(BaseModel):
    """What test examples lose without the training examples that score highest for them.

    Attributes:
        removed: how many training examples were removed for each test example.
        loss: of the outcome, beyond what removing as many random ones costs, a mean over test
            examples and repeats; low, high: its 95% interval.
        behind: how much more the attribution costs whose removal costs most, for the same test
            examples and seeds; None for that one; behind_low, behind_high: its interval.
    """

    model_config = ConfigDict(frozen=True)

    removed: int
    loss: float
    low: float
    high: float
    behind: Number = None
    behind_low: Number = None
    behind_high: Number = None


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
        share_low, share_high: the interval of share; None where the ceiling itself may be 0.
        by_memorization: a score for each group of training examples: of the sum over those alone.
        mislabeled: how well it finds wrong labels, by each score it has of a training example.
        duplicates: how often near-duplicates are among the highest scores.
        losses: what removing the highest scores costs.
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
    share_low: Number = None
    share_high: Number = None
    by_memorization: list[Score] = Field(default_factory=list)
    mislabeled: list[Detection] = Field(default_factory=list)
    duplicates: list[Recall] = Field(default_factory=list)
    losses: list[Loss] = Field(default_factory=list)


class Difficulty(BaseModel):
    """A group of test examples: those that this share of the judging models gets right.

    Attributes:
        low, high: the share, from and below; the last group includes its end.
    """

    model_config = ConfigDict(frozen=True)

    low: float
    high: float


class Memorized(BaseModel):
    """A group of training examples: those with this memorization.

    Attributes:
        low, high: of memorization, from and below; the last group includes its end.
        examples: how many there are.
    """

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    examples: int


class Judgement(Result):
    """Attributions judged by the same trials of a study; ``trials`` counts them.

    Attributes:
        outcome: what they predict, ``margin``, ``probability`` or ``correctness``.
        first: the first trial that judges.
        judged: the attributions, best first.
        classes: the names of the classes.
        groups: of test examples, by how many models get them right.
        undecided: test examples that all judging models treat alike, so that nothing is to predict.
        ceiling: the highest score that an attribution can reach; None if nobody asked.
        retrained: how many subsets were trained on again for it.
        memorized: groups of training examples, by memorization.
        wrong_labels: how many training examples are known to have a wrong label.
        with_duplicate: test examples with a near-duplicate of their class in the training set.
        tests: test examples for which the highest scores were removed.
        repeats: networks of each removal.
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
    memorized: list[Memorized] = Field(default_factory=list)
    wrong_labels: int = 0
    with_duplicate: int = 0
    tests: int = 0
    repeats: int = 0
