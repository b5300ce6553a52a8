"""Pairs with what the trials say of them, and how probable that is without influence."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.families import Family
from memtail_core.estimation.mean_influence.evidence import Floats, Indices, MeanEvidence
from memtail_core.estimation.mean_influence.exact import Moments, moments
from memtail_core.estimation.mean_influence.tails import log_tails


@dataclass(frozen=True, eq=False)
class Tested:
    """P pairs.

    Attributes:
        train, test: int64 [P].
        moments: what the trials say of each.
        leeway: float64 [P], by how much influence could be less with the training example still
            chosen; infinite where these trials did not choose it.
        log_p: float64 [P], ln p given that choice; NaN where it is not known yet.
    """

    train: Indices
    test: Indices
    moments: Moments
    leeway: Floats
    log_p: Floats

    @classmethod
    def of(
        cls,
        evidence: MeanEvidence,
        family: Family,
        train: Indices,
        test: Indices,
        of: Moments | None = None,
    ) -> "Tested":
        """Put together what is known of pairs of a family; their moments if they are known."""
        if of is None:
            rows, row = np.unique(train, return_inverse=True)
            columns, column = np.unique(test, return_inverse=True)
            of = moments(
                evidence.inside(rows),
                evidence.outcomes(columns),
                evidence.own_outcomes(rows),
                evidence.rounded.levels[columns],
                (row, column),
                evidence.trials,
            )
        leeway = np.full(len(train), np.inf)
        if family.above is not None and evidence.own is not None:
            leeway = of.leeway(family.above[train])
        return cls(train, test, of, leeway, np.full(len(train), np.nan))

    def __len__(self) -> int:
        return len(self.train)

    def where(self, chosen: NDArray[np.generic]) -> "Tested":
        """Return some of the pairs."""
        return Tested(
            self.train[chosen],
            self.test[chosen],
            self.moments.where(chosen),
            self.leeway[chosen],
            self.log_p[chosen],
        )

    def z(self, evidence: MeanEvidence) -> Floats:
        """Return influence in standard errors without influence, of the rounded outcomes."""
        of, (n_in, n_out) = evidence.rounded, self.moments.n
        sums = self.moments.level_sum
        influence = sums / n_in - (of.total[self.test] - sums) / n_out
        return np.asarray(influence / (of.spread[self.test] * np.sqrt(1 / n_in + 1 / n_out)))

    def log_probability(self, evidence: MeanEvidence, least: Indices) -> Floats:
        """Return ln P[X ≥ least | the training example is chosen] without influence, float64 [P].

        Args:
            evidence: the trials.
            least: int64 [P], sums of levels.
        """
        n_in, counts = self.moments.n[0], evidence.rounded.counts
        chosen = np.flatnonzero(np.isfinite(self.leeway))
        some = self.where(chosen)
        per_level = evidence.rounded.step[some.test] * (1 / some.moments.n).sum(axis=0)
        fewer = np.floor(np.minimum(some.leeway / per_level, 2.0**40) + 1e-9).astype(np.int64)
        floor = some.moments.level_sum - fewer
        wanted = least.copy()
        wanted[chosen] = np.maximum(wanted[chosen], floor)
        log_p = log_tails(wanted, n_in, counts[self.test])
        log_p[chosen] -= log_tails(floor, n_in[chosen], counts[some.test])
        return log_p

    def least_sum(self, evidence: MeanEvidence, theta: float) -> Indices:
        """Return the least sum of levels that is an influence of ``theta``, int64 [P]."""
        of, (n_in, n_out) = evidence.rounded, self.moments.n
        out = of.total[self.test] / n_out
        wanted = (theta / of.step[self.test] + out) / (1 / n_in + 1 / n_out)
        return np.asarray(np.ceil(wanted), np.int64)


def joined(parts: Sequence[Tested]) -> Tested:
    """Put the pairs of several tiles together."""
    floats = np.zeros((2, 0))
    no_moments = Moments(floats.astype(np.int64), floats, floats, floats, np.zeros(0, np.int64))
    none = np.zeros(0, np.int64)
    every = [Tested(none, none, no_moments, floats[0], floats[0]), *parts]
    of = Moments(
        *(
            np.concatenate([getattr(part.moments, field.name) for part in every], axis=-1)
            for field in fields(Moments)
        )
    )
    train, test, leeway, log_p = (
        np.concatenate([getattr(part, name) for part in every])
        for name in ("train", "test", "leeway", "log_p")
    )
    return Tested(train, test, of, leeway, log_p)
