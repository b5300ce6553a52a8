"""How a study reached its number of trials: what was asked for, and each look at the trials."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

Reason = Literal["enough", "trials", "hours"]


class Verdict(BaseModel):
    """What a rule says of some trials.

    Attributes:
        rule: in words.
        value: of what the rule bounds; None where there are too few trials to tell.
        met: whether the rule is met.
        expected: how many trials it is expected to take in all; None: not known yet, or never.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    value: Number
    met: bool
    expected: int | None


class Look(BaseModel):
    """One look at the trials there are.

    Attributes:
        trials: how many there are.
        rules: the verdict of each rule of all conditions, each once.
        met: the conditions that are met, of which one is enough.
    """

    model_config = ConfigDict(frozen=True)

    trials: int
    rules: list[Verdict]
    met: list[str]


class DecidingExample(BaseModel):
    """An example that alone kept a study going.

    Attributes:
        index: in the training set.
        trials: the number of trials at which the errors of all others were small enough.
    """

    model_config = ConfigDict(frozen=True)

    index: int
    trials: int


class StoppingHistory(Result):
    """How a study that was run with stopping rules came to its end.

    Attributes:
        conditions: what was asked for; one of them had to be met.
        reason: why the run ended: enough, or the most trials, or the most hours.
        looks: of the run that ended it; those of interrupted runs before it are not kept.
        decided: examples that kept the study going alone; their intervals are widened.
    """

    experiment: ClassVar[str] = "stopping"

    conditions: list[str]
    reason: Reason
    looks: list[Look]
    decided: list[DecidingExample]
