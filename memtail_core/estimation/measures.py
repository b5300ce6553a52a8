"""What a trial's outcome on an example is taken to be: a bit, a probability, an accuracy, …

A measure reads what trials keep: the bit of correctness, or the value beside it (``Value.name`` of
the recipe's outcome). Memorization and influence are differences of its means. A new measure is one
line in ``MEASURES``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.thresholds import THETA_INFL, THETA_MEM

Narrow = NDArray[np.float32]

PATTERNS = 2**16
"""How many patterns of bits a float16 has: what a value becomes is looked up in a table."""


def _as_it_is(values: Narrow) -> Narrow:
    return values


def _logistic(margins: Narrow) -> Narrow:
    from scipy.special import expit  # which listing the commands need not wait for

    return np.asarray(expit(margins), np.float32)


def _exponential(logarithms: Narrow) -> Narrow:
    return np.exp(np.minimum(logarithms, 0))  # what is stored is at most 0


@dataclass(frozen=True)
class Measure:
    """What is averaged over trials.

    Attributes:
        name: what options, columns and ``summary.json`` call it.
        value: the name of the stored value it is made of; None: the bit of correctness.
        said: what it is, in a sentence.
        low, high: what it can be.
        theta_mem, theta_infl: from which memorization and influence on an example or a pair counts,
            in units of the measure.
        transform: float32 → float32, the measure of a stored value.
    """

    name: str
    value: str | None
    said: str
    low: float = 0.0
    high: float = 1.0
    theta_mem: float = THETA_MEM
    theta_infl: float = THETA_INFL
    transform: Callable[[Narrow], Narrow] = _as_it_is

    @property
    def is_share(self) -> bool:
        """Whether it is in [0, 1], so that differences are in [−1, 1]."""
        return (self.low, self.high) == (0, 1)

    @property
    def span(self) -> float:
        """The largest difference of two means."""
        return self.high - self.low

    def scaled(self, shares: Iterable[float]) -> list[float]:
        """Return thresholds of shares in units of the measure, as its own are of the paper's.

        >>> MARGIN.scaled([0.1, 0.25])
        [0.4, 1.0]
        """
        return [self.theta_mem / THETA_MEM * share for share in shares]

    def of(self, values: NDArray[np.float16]) -> Narrow:
        """Return the measure of stored values, float32 of their shape."""
        return self.transform(values.astype(np.float32))

    def table(self) -> Narrow:
        """Return the measure of each pattern of a float16's 16 bits, float32 [65536]."""
        patterns = np.arange(PATTERNS, dtype=np.uint16).view(np.float16)
        with np.errstate(invalid="ignore"):
            return self.of(patterns)


CORRECTNESS = Measure("correctness", None, "how often it is classified correctly")
PROBABILITY = Measure(
    "probability", "margin", "the mean probability of the label", transform=_logistic
)
MARGIN = Measure(
    "margin",
    "margin",
    "the mean margin of the label, log p − log(1 − p)",
    low=-100.0,
    high=100.0,
    # a step of the logistic function at ½ is a quarter of the margin's
    theta_mem=4 * THETA_MEM,
    theta_infl=4 * THETA_INFL,
)
ACCURACY = Measure("accuracy", "token_accuracy", "the mean accuracy of next tokens")
LIKELIHOOD = Measure(
    "likelihood",
    "log_likelihood",
    "the mean likelihood of next tokens, the geometric mean of their probabilities",
    transform=_exponential,
)
LOG_LIKELIHOOD = Measure(
    "log-likelihood",
    "log_likelihood",
    "the mean log-likelihood of next tokens",
    low=-100.0,
    high=0.0,
    # a step of the logarithm at ½ is twice that of the probability
    theta_mem=2 * THETA_MEM,
    theta_infl=2 * THETA_INFL,
)
OF_TOKENS = (ACCURACY, LIKELIHOOD, LOG_LIKELIHOOD)

MEASURES: dict[str, Measure] = {
    each.name: each for each in (CORRECTNESS, PROBABILITY, MARGIN, *OF_TOKENS)
}
_DEFAULTS = {of.value: of for of in (ACCURACY, LIKELIHOOD)}  # with other values: correctness


def measures_of(value: str | None) -> tuple[Measure, ...]:
    """Return the measures of a study that keeps a value of this name, or none; its default first.

    >>> [each.name for each in measures_of("margin")]
    ['correctness', 'probability', 'margin']
    >>> [each.name for each in measures_of("token_accuracy")]
    ['accuracy', 'correctness']
    """
    found = [each for each in MEASURES.values() if each.value in (None, value)]
    default = _DEFAULTS.get(value, CORRECTNESS)
    return default, *(each for each in found if each is not default)


def measure_named(name: str | None, value: str | None) -> Measure:
    """Return a measure of a study that keeps a value of this name; None: its default.

    Raises:
        EstimationError: the study has no such measure.
    """
    known = measures_of(value)
    if name is None:
        return known[0]
    for each in known:
        if each.name == name:
            return each
    keeps = "only bits" if value is None else f"bits and the {value.replace('_', ' ')}"
    raise EstimationError(
        f"--measure {name}: the study keeps {keeps}; choose "
        + " or ".join(each.name for each in known)
    )
