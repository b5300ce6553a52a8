"""How well attacks tell which examples a study's models were trained on."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from memtail_core.experiments.results import Result
from memtail_core.study.validation import Number

RATES = (0.001, 0.01)  # of false positives
STRICT_RATES = (0.001, 0.0001)  # likewise: those that auditors report


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
        strict: true-positive rates at those of ``STRICT_RATES`` that the guesses suffice for, with
            exact intervals; empty in results of earlier versions.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    auc: float
    auc_error: float
    balanced_accuracy: float
    at: list[AtRate]
    curve: list[tuple[float, float]]
    strict: list[AtRate] = []


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


class Strength(BaseModel):
    """What an attack achieves with some references; see :class:`Attack`."""

    model_config = ConfigDict(frozen=True)

    name: str
    auc: float
    auc_error: float
    strict: list[AtRate]


class FewReferences(BaseModel):
    """What attacks achieve with a number of references.

    Attributes:
        references: how many models the attacker has.
        sets: how many sets of as many were tried, one after the other.
        targets: how many models each set attacked, on average.
        examples: how many were attacked, on average.
        members, others: how many guesses on members, and on examples that are not.
        attacks: all attacks.
    """

    model_config = ConfigDict(frozen=True)

    references: int
    sets: int
    targets: float
    examples: float
    members: int
    others: int
    attacks: list[Strength]


class Epsilon(BaseModel):
    """A lower bound on the ε of (ε, δ)-differential privacy.

    Attributes:
        bound: ε is larger, with this confidence; 0 where nothing is shown.
        bound_of_one: the same of adding or removing one example.
        confidence, delta: of the bound.
        neighbours: what the privacy is of: replacing one example, or adding or removing one.
        models: how many were guessed on; references: on how many others guesses rest.
        canaries, guesses, correct: how many there were.
        claimed: an ε that somebody claims.
        p_value: the largest probability of as many right guesses if the claim is true.
        p_value_of_one: the same if the claim is of adding or removing one example.
    """

    model_config = ConfigDict(frozen=True)

    bound: float
    bound_of_one: float
    confidence: float
    delta: float
    neighbours: Literal["replace", "add or remove"]
    models: int
    references: int
    canaries: int
    guesses: int
    correct: int
    claimed: Number = None
    p_value: Number = None
    p_value_of_one: Number = None


class Called(BaseModel):
    """What an attack on one model calls members, at the threshold of a false-positive rate.

    Attributes:
        fpr: the rate over the study's models.
        called: how many examples are called members.
        members: how many of these are.
        tpr: the share of the model's members that are called; None where nobody knows.
        low, high: the interval of ``tpr``.
        seen_fpr: the share of the other examples that are called; seen_low, seen_high: likewise.
    """

    model_config = ConfigDict(frozen=True)

    fpr: float
    called: int
    members: int | None = None
    tpr: Number = None
    low: Number = None
    high: Number = None
    seen_fpr: Number = None
    seen_low: Number = None
    seen_high: Number = None


class TargetAttack(BaseModel):
    """What an attack makes of one model.

    Attributes:
        name: of the attack.
        auc: the area under its curve, with its interval; None where members are not known.
        at: at those of ``STRICT_RATES`` that the study has a threshold for.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    auc: Number
    auc_low: Number
    auc_high: Number
    at: list[Called]


class Target(BaseModel):
    """A model that somebody else trained, attacked with all models of the study.

    Lists hold one number for each training example.

    Attributes:
        file: the name of the file of its margins.
        members, others: how many examples it trained on, and how many not; None: nobody knows.
        attacks: all attacks.
        attack: whose guesses are listed.
        scores: of each example, the higher the likelier a member; None where not attacked.
        called: the lowest of ``STRICT_RATES`` at which each is called a member; None: at none.
        is_member: what the model was trained on; None where nobody knows.
        epsilon: of how it was trained; None with a reason in ``no_epsilon``.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    members: int | None
    others: int | None
    attacks: list[TargetAttack]
    attack: str
    scores: list[Number]
    called: list[Number]
    is_member: list[bool] | None
    epsilon: Epsilon | None = None
    no_epsilon: str = ""


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
        few: what attacks achieve with fewer references, as asked for.
        epsilon: of how the study's models were trained; None with a reason in ``no_epsilon``.
        target: a model from outside; None if there is none.
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
    few: list[FewReferences] = Field(default_factory=list)
    epsilon: Epsilon | None = None
    no_epsilon: str = ""
    target: Target | None = None
