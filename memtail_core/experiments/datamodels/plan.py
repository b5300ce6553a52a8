"""Fit datamodels to some trials, and judge them by the others."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.errors import EstimationError, StoreError
from memtail_core.estimation.datamodeling import datamodeling_score
from memtail_core.estimation.datamodels import Fit, datamodels
from memtail_core.estimation.lasso import Inclusion
from memtail_core.experiments.datamodels.result import Datamodels, OfTest
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.experiments.judge.named import counted_influence
from memtail_core.experiments.judge.plan import FEWEST, Split, split
from memtail_core.experiments.judge.result import Score
from memtail_core.experiments.per_example import listed
from memtail_core.plan import designs
from memtail_core.running.matrices import included, outcomes
from memtail_core.running.trials import Trials
from memtail_core.study import Study

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Weights:
    """The largest weights of each test example, as :func:`.judge.scores.from_file` reads them.

    Attributes:
        values: float32 [n_test, k], the largest in size first; 0 where there are fewer.
        indices: int32 [n_test, k], whose they are.
        intercept, penalty: float64 [n_test].
        trials: int64, the trials that they were made from.
    """

    values: NDArray[np.float32]
    indices: NDArray[np.int32]
    intercept: Floats
    penalty: Floats
    trials: NDArray[np.int64]

    def save(self, path: str, study: Study, dataset: Dataset) -> None:
        """Write an npz file that says what it was made from.

        Raises:
            StoreError: it cannot be written.
        """
        names = {"train_names": dataset.train_names, "test_names": dataset.test_names}
        try:
            np.savez(
                path,
                values=self.values,
                indices=self.indices,
                intercept=self.intercept,
                penalty=self.penalty,
                trials=self.trials,
                study=np.array(study.id),
                dataset=np.array(dataset.sha256),
                **{key: np.array(each) for key, each in names.items() if each},  # type: ignore[arg-type]
            )
        except OSError as error:
            raise StoreError(f"cannot write '{path}': {error.strerror}") from error


def parts_of(study: Study, trials: Trials, making: int | None) -> Split:
    """Part the trials in those that datamodels are made from and those that judge.

    Args:
        study, trials: which.
        making: how many they are made from, in whole blocks; by default four of five, if enough
            are left to judge.

    Raises:
        EstimationError: there are too few of either.
    """
    block = designs.block(study)
    if making is None:
        making = max(0, min(len(trials) * 4 // 5, len(trials) - FEWEST)) // block * block
    parts = split(study, trials, making)
    if len(np.unique(parts.making.trials // block)) < 2:
        raise EstimationError(
            f"{len(parts.making)} of the {len(trials):,} models of {study.id} are left to make "
            f"datamodels from, at least {2 * block} are needed: raise --from-trials, or train more "
            "(memtail run)"
        )
    return parts


def fit_and_judge(
    study: Study,
    parts: Split,
    outcome: str,
    top: int,
    *,
    device: str = "cpu",
    threads: int = 1,
    progress: ProgressCallback | None = None,
) -> tuple[Datamodels, Weights]:
    """Fit a datamodel to every test example; predict the trials that judge.

    Args:
        study, parts: the trials that they are made from, and those that judge.
        outcome: what they predict.
        top: how many weights of each test example to return.
        device, threads, progress: see :func:`.estimation.datamodels.datamodels`.
    """
    making, judging = parts.making, parts.judging
    seen, unseen = outcomes(making, outcome), outcomes(judging, outcome)
    block = designs.block(study)
    fits = datamodels(
        making.subset,
        making.n,
        seen,
        making.trials // block,
        device=device,
        threads=threads,
        progress=progress,
    )
    regressors = Inclusion.of(judging.subset, judging.n, device)
    predicted, nonzero, kept = np.empty(unseen.shape), [], []
    for fit, of_fit in _largest(fits, min(top, making.n)):
        columns = slice(fit.first, fit.first + len(fit.intercept))
        predicted[:, columns] = fit.predictions(regressors).T
        nonzero += (fit.weights != 0).sum(axis=1).tolist()
        kept.append(of_fit)
    values, indices, intercept, penalty = (np.concatenate(each) for each in zip(*kept, strict=True))
    weights = Weights(values, indices, intercept, penalty, making.trials)
    score = datamodeling_score(predicted, unseen, parts.group)
    counted = datamodeling_score(counted_predictions(making, judging, seen), unseen, parts.group)
    r2 = _explained(predicted, unseen, seen.mean(axis=0, dtype=np.float64))
    has_any = values[:, 0] != 0
    result = Datamodels(
        study=study.id,
        trials=len(making) + len(judging),
        outcome=outcome,
        made_from=len(making),
        examples=making.n,
        lds=Score.of(score.mean()),
        counted=Score.of(counted.mean()),
        lead=Score.of(score.lead_over(counted).mean()),
        r2=float(np.nanmean(r2)) if not np.isnan(r2).all() else None,
        of_test=OfTest(
            lds=listed(score.rho),
            counted=listed(counted.rho),
            r2=listed(r2),
            nonzero=nonzero,
            penalty=penalty.tolist(),
            strongest=[
                int(i) if any_ else None for i, any_ in zip(indices[:, 0], has_any, strict=True)
            ],
            weight=listed(np.where(has_any, values[:, 0], np.nan)),
        ),
    )
    return result, weights


def counted_predictions(making: Trials, judging: Trials, outcome: NDArray[np.float32]) -> Floats:
    """Return the sums, over each judging trial's subset, of influence counted from the others."""
    predicted = np.zeros((len(judging), outcome.shape[1]))
    for start, influence in counted_influence(making, outcome):
        predicted += included(judging, start, len(influence)) @ influence
    return predicted


def _largest(
    fits: Iterator[Fit], k: int
) -> Iterator[tuple[Fit, tuple[NDArray[np.float32], NDArray[np.int32], Floats, Floats]]]:
    """Yield each fit with its k largest weights in size, whose they are, intercept and penalty."""
    for fit in fits:
        size = -np.abs(fit.weights)
        largest = np.argpartition(size, k - 1, axis=1)[:, :k]
        ranks = np.argsort(np.take_along_axis(size, largest, axis=1), axis=1, kind="stable")
        order = np.take_along_axis(largest, ranks, axis=1)
        values = np.take_along_axis(fit.weights, order, axis=1).astype(np.float32)
        yield fit, (values, order.astype(np.int32), fit.intercept, fit.penalty)


def _explained(predicted: Floats, outcome: NDArray[np.float32], mean: Floats) -> Floats:
    """Return 1 − Σ (f − f̂)² / Σ (f − mean)² over trials, float64 [n_test]; NaN without variance."""
    whole = outcome.astype(np.float64)
    missed, all_of_it = ((whole - each) ** 2 for each in (predicted, mean))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - missed.sum(axis=0) / all_of_it.sum(axis=0)
    return np.where(np.ptp(whole, axis=0) > 0, share, np.nan)
