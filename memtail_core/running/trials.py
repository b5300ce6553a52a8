"""The trials of a study as arrays: which examples each saw, what it got right, how sure it was."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError

if TYPE_CHECKING:
    from memtail_core.estimation import Memorization
    from memtail_core.estimation.influence import Evidence

BITS = ("subset", "train_correct", "test_correct")
VALUES = ("train_values", "test_values")
_BY_TRIAL = (*BITS, *VALUES, "trials", "seconds")


@dataclass(frozen=True, eq=False)
class Trials:
    """T trials of a study, bits packed, most significant first (numpy.packbits).

    Attributes:
        n, n_test: the numbers of training and test examples.
        subset, train_correct: uint8 [T, ⌈n/8⌉]; test_correct: uint8 [T, ⌈n_test/8⌉]. Imported
            trials may lack what became of the training examples: ``train_correct`` is None.
        train_values, test_values: float16 [T, n], [T, n_test], what the recipe says of each
            example besides the bit (the margin log p − log(1 − p) of its label); None if the
            recipe gives none or nobody asked for them.
        trials: int64 [T], the trials' indices, ascending.
        seconds: float64 [T], what each trial took; NaN where nobody knows.
        about: provenance, one dict for each different one among the shards.
        rate_share: float64 [T], the share of the recipe's learning rate that each trial was trained
            at; None where all were trained as the recipe says.
    """

    n: int
    n_test: int
    subset: NDArray[np.uint8]
    train_correct: NDArray[np.uint8] | None
    test_correct: NDArray[np.uint8]
    train_values: NDArray[np.float16] | None
    test_values: NDArray[np.float16] | None
    trials: NDArray[np.int64]
    seconds: NDArray[np.float64]
    about: tuple[dict[str, Any], ...]
    rate_share: NDArray[np.float64] | None = None

    @classmethod
    def none(cls, n: int, n_test: int) -> "Trials":
        """Return no trials of a study with ``n`` training and ``n_test`` test examples."""
        return cls(
            n=n,
            n_test=n_test,
            subset=np.zeros((0, -(-n // 8)), np.uint8),
            train_correct=np.zeros((0, -(-n // 8)), np.uint8),
            test_correct=np.zeros((0, -(-n_test // 8)), np.uint8),
            train_values=None,
            test_values=None,
            trials=np.zeros(0, np.int64),
            seconds=np.zeros(0),
            about=(),
        )

    @classmethod
    def joined(cls, parts: "Sequence[Trials]") -> "Trials":
        """Join the trials of one study, at least one part; values only if every part has them."""
        arrays: dict[str, Any] = {}
        for name in _BY_TRIAL:
            each = [getattr(part, name) for part in parts]
            arrays[name] = None if any(array is None for array in each) else np.concatenate(each)
        about = {json.dumps(one, sort_keys=True): one for part in parts for one in part.about}
        return cls(
            n=parts[0].n,
            n_test=parts[0].n_test,
            about=tuple(about.values()),
            rate_share=np.concatenate([part.rates for part in parts])
            if any(part.rate_share is not None for part in parts)
            else None,
            **arrays,
        )

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def rates(self) -> NDArray[np.float64]:
        """``rate_share``, with 1 for those trained as the recipe says."""
        return np.ones(len(self)) if self.rate_share is None else self.rate_share

    def taken(self, rows: NDArray[np.intp]) -> "Trials":
        """Return the trials of these rows, in that order."""
        arrays: dict[str, Any] = {}
        for name in (*_BY_TRIAL, "rate_share"):
            whole = getattr(self, name)
            arrays[name] = None if whole is None else whole[rows]
        return replace(self, **arrays)

    @property
    def seconds_per_trial(self) -> float | None:
        """The mean of ``seconds``; None where nobody knows."""
        mean = float(self.seconds.mean())
        return None if np.isnan(mean) else mean

    def check_tested(self) -> None:
        """Raise EstimationError if imported trials have no test outcomes."""
        if not self.n_test:
            raise EstimationError(
                "the models were imported without test outcomes: influence, and what an example is "
                "worth to the test set, are unknown"
            )

    def without_values(self) -> "Trials":
        """Return the same trials with their bits alone."""
        return replace(self, train_values=None, test_values=None)

    def evidence(self) -> "Evidence":
        """Turn the bits into what influence is estimated from; it is kept."""
        return self._evidence

    @cached_property
    def _evidence(self) -> "Evidence":
        from memtail_core.estimation.influence import Evidence  # and numba, only when it is needed

        return Evidence.of(self.subset, self.test_correct, self.n, self.n_test, self.train_correct)

    def counted(self) -> "Memorization":
        """Estimate memorization as the paper does, by counting; all missing where none is known."""
        from memtail_core.estimation import memorization

        return memorization(self.subset, self.train_correct, self.n)

    def accuracies(self) -> "Accuracies":
        """Every trial's accuracy on what it was trained on, what was held out, and the test set."""
        accuracies = np.full((3, len(self)), np.nan)
        if self.train_correct is not None:
            inside, correct = _ones(self.subset, self.n), _ones(self.train_correct, self.n)
            inside_correct = _ones(self.subset & self.train_correct, self.n)
            with np.errstate(invalid="ignore"):  # a trial may have held nothing out
                accuracies[0] = inside_correct / inside
                accuracies[1] = (correct - inside_correct) / (self.n - inside)
        if self.n_test:
            accuracies[2] = _ones(self.test_correct, self.n_test) / self.n_test
        return Accuracies(*accuracies)


def _ones(packed: NDArray[np.uint8], n: int) -> NDArray[np.int64]:
    """How many of the first n bits of each row are 1, int64 [T]."""
    ones: NDArray[np.int64] = np.bitwise_count(packed[:, : n // 8]).sum(axis=1, dtype=np.int64)
    if n % 8:
        last = packed[:, n // 8] >> np.uint8(8 - n % 8)
        ones += np.bitwise_count(last)
    return ones


@dataclass(frozen=True, eq=False)
class Accuracies:
    """Accuracy of each trial, float64 [T]: held in (trained on), held out, and test.

    Held out is NaN for a trial that trained on everything; imported trials may lack others.
    """

    held_in: NDArray[np.float64]
    held_out: NDArray[np.float64]
    test: NDArray[np.float64]

    def means(self) -> dict[str, float | None]:
        """The mean of each over the trials; None where no trial has one."""
        known = {name: values[~np.isnan(values)] for name, values in vars(self).items()}
        return {name: float(each.mean()) if len(each) else None for name, each in known.items()}
