"""What every approximation must do; each test is run with each of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from sklearn.metrics import roc_auc_score

from memtail_core.approximations import Method, Run
from memtail_core.approximations.run import CURVES, Part
from memtail_core.data import Dataset

WEAK = {"variability": 0.58}  # highest in between: what is wrong long enough does not vary


class OnlyReading(Run):
    """A run of which nothing can be read but what is allowed."""

    allowed: tuple[str, ...] = ()

    def __getattribute__(self, name: str) -> object:
        if name == "curves" and CURVES not in object.__getattribute__(self, "allowed"):
            raise AssertionError("reads the curves and does not say so")
        return super().__getattribute__(name)

    def part(self, part: Part) -> dict[str, np.ndarray]:
        assert part.name in self.allowed, f"reads {part.name} and does not say so"
        return super().part(part)


def only(run: Run, allowed: tuple[str, ...]) -> Run:
    found = object.__new__(OnlyReading)
    for name, value in vars(run).items():
        object.__setattr__(found, name, value)
    object.__setattr__(found, "allowed", allowed)
    return found


class MethodContract:
    """The contract suite; ``method`` is given by the subclass."""

    def test_a_finite_score_for_every_example(
        self, method: Method, dataset: Dataset, runs: Sequence[Run]
    ) -> None:
        for some in (runs[:1], runs):
            scores = method.scores(dataset, some)
            assert scores.shape == (len(dataset.y_train),)
            assert scores.dtype == np.float64
            assert np.isfinite(scores).all()
            assert np.ptp(scores) > 0

    def test_the_same_each_time_and_in_any_order_of_runs(
        self, method: Method, dataset: Dataset, runs: Sequence[Run]
    ) -> None:
        scores = method.scores(dataset, runs)
        assert (method.scores(dataset, runs) == scores).all()
        turned = method.scores(dataset, list(runs)[::-1])
        np.testing.assert_allclose(turned, scores, rtol=1e-6, atol=1e-9)

    def test_wrong_labels_score_higher(
        self, method: Method, dataset: Dataset, runs: Sequence[Run], planted: np.ndarray
    ) -> None:
        """Digits are easy: nearly all that has to be memorized is wrong."""
        least = WEAK.get(method.name, 0.75)
        assert roc_auc_score(planted, method.scores(dataset, runs)) > least
        assert roc_auc_score(planted, method.scores(dataset, runs[:1])) > least - 0.1

    def test_held_out_or_not_makes_no_difference_on_average(
        self, method: Method, dataset: Dataset, runs: Sequence[Run]
    ) -> None:
        """Otherwise a run's subset would be taken for memorization."""
        (run,) = runs[:1]
        assert 0.35 < roc_auc_score(~run.subset, method.scores(dataset, [run])) < 0.65

    def test_it_says_what_it_reads(
        self, method: Method, dataset: Dataset, runs: Sequence[Run]
    ) -> None:
        allowed = [only(run, method.reads) for run in runs]
        expected = method.scores(dataset, runs)
        assert (method.scores(dataset, allowed) == expected).all()
        if not method.trains:
            assert (method.scores(dataset, []) == expected).all()

    def test_trainings_on_everything_will_do(
        self, method: Method, dataset: Dataset, runs: Sequence[Run]
    ) -> None:
        whole = [replace(run, subset=np.ones_like(run.subset)) for run in runs]
        assert np.isfinite(method.scores(dataset, whole)).all()

    def test_names(self, method: Method) -> None:
        assert method.name == method.name.lower()
        assert method.source
