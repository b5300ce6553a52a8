"""How well attacks tell which examples a study's models were trained on."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

RATES = (0.001, 0.01)  # of false positives


class AtRate(BaseModel):
    """The true-positive rate of an attack at a false-positive rate, with a 95% interval."""

    model_config = ConfigDict(frozen=True)

    fpr: float
    tpr: float
    low: float
    high: float


class Attack(BaseModel):
    """What an attack achieves over all targets.

    Attributes:
        name: of the attack.
        auc: the area under its curve; auc_error: the standard error.
        balanced_accuracy: at the best threshold.
        at: true-positive rates at each of ``RATES``.
        curve: [false-positive rate, true-positive rate], points to draw on log axes.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    auc: float
    auc_error: float
    balanced_accuracy: float
    at: list[AtRate]
    curve: list[tuple[float, float]]


class Bin(BaseModel):
    """Examples of about the same memorization.

    Attributes:
        low, high: memorization, from and below; the last bin includes its end.
        examples: how many.
        auc: mean over them of their AUC; see :class:`Privacy`.
        found: share of their memberships that the attack detects, at each of ``RATES`` over all
            examples; found_by_loss: the same by loss alone.
    """

    model_config = ConfigDict(frozen=True)

    low: float
    high: float
    examples: int
    auc: Number
    found: list[Number]
    found_by_loss: list[Number]


class Privacy(Result):
    """What attacks on a study's models achieve; lists hold one number for each training example.

    Attributes:
        attack: the attack that the numbers of single examples are from.
        examples: how many were attacked; the others have too few shadow models.
        members, others: how many guesses on members, and on examples that are not.
        attacks: all attacks.
        bins: examples by memorization.
        spearman: correlation of memorization and ``auc`` over examples.
        memorization: of each example.
        auc: of two models, one trained on the example, how often the attack tells which, with the
            half of the trials that the two are not in as shadow models.
        found: share of the models trained on it for which the attack detects that, at a
            false-positive rate of 0.1% over all examples; found_by_loss: the same by loss alone.
    """

    experiment: ClassVar[str] = "privacy"

    attack: str
    examples: int
    members: int
    others: int
    attacks: list[Attack]
    bins: list[Bin]
    spearman: Number
    memorization: list[Number]
    auc: list[Number]
    found: list[Number]
    found_by_loss: list[Number]
