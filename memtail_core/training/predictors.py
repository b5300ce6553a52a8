"""Recipes that are any function: scikit-learn's classifiers, and the user's own training code.

Memorization is not only for networks: forests, boosting and nearest neighbours have it too.
"""

import importlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict

from memtail_core.data import Dataset
from memtail_core.data.modalities import Feed
from memtail_core.data.user_code import function, source_digest
from memtail_core.errors import StudyError, TrainingError, did_you_mean
from memtail_core.training.engine import UNTUNED, Tuning
from memtail_core.training.memory import is_out_of_memory, reporting_out_of_memory
from memtail_core.training.outcome import Bits, Outcome, Outcomes, Values
from memtail_core.training.recipe import Recipe

_FIXED = ("random_state", "n_jobs")  # the trial's seed, and one core a process

Predictions = tuple[NDArray[np.int64], NDArray[Any] | None]  # labels [n], logits [n, C] or None
Predictor = Callable[[NDArray[Any]], Predictions]


class Train(Protocol):
    """Trains one model."""

    def __call__(
        self, x: NDArray[Any], y: NDArray[np.int64], seed: int, n_classes: int
    ) -> Predictor:
        """Return the predictor trained on the examples x [m, …] with the labels y [m]."""
        ...


class PredictorEngine:
    """Fits one predictor after another."""

    tuning = UNTUNED

    def __init__(
        self, recipe: Recipe, train_one: Train, inputs: Callable[[NDArray[Any], Feed], NDArray[Any]]
    ) -> None:
        self._recipe, self._train_one, self._inputs = recipe, train_one, inputs

    def train(
        self, dataset: Dataset, subsets: NDArray[np.bool_], seeds: NDArray[np.int64]
    ) -> Outcomes:
        """See :class:`~memtail_core.training.engine.Engine`."""
        advice = "or a smaller [dataset] train_limit"
        with reporting_out_of_memory(self._recipe.recipe, "cpu", advice):
            x_train, x_test = (
                _read_only(self._inputs(each.whole(), dataset.feed))
                for each in (dataset.train, dataset.test)
            )
            parts = []
            for subset, seed in zip(subsets, seeds, strict=True):
                start = time.perf_counter()
                with self._reporting_failures(), redirect_stdout(sys.stderr):
                    x, y = x_train[subset], dataset.y_train[subset]
                    predict = self._train_one(x, y, int(seed), len(dataset.classes))
                    train, test = predict(x_train), predict(x_test)
                outcome = self._recipe.outcome
                parts.append(
                    Outcomes.of(
                        outcome,
                        _measured(outcome, train, dataset.y_train),
                        _measured(outcome, test, dataset.y_test),
                        time.perf_counter() - start,
                    )
                )
        return Outcomes.stack(parts)

    @contextmanager
    def _reporting_failures(self) -> Iterator[None]:
        """Raise TrainingError for whatever the user's code raises, but for a lack of memory."""
        try:
            yield
        except TrainingError:
            raise
        except (Exception, SystemExit) as error:
            if is_out_of_memory(error):
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise TrainingError(f"'{self._recipe.recipe}' failed: {reason}") from error


class SklearnRecipe(Recipe):
    """``sklearn:ensemble.RandomForestClassifier``: its parameters are the options.

    Images are flattened to floats in [0, 1]; features are given as they are.
    """

    model_config = ConfigDict(extra="allow")

    def engine(self, device: str, tuning: Tuning = UNTUNED) -> PredictorEngine:
        """One classifier after another, on one core each; there is no other device."""
        del device, tuning
        return PredictorEngine(self, self._fit, _flat)

    def check(self, dataset: Dataset) -> None:
        """The class must be a classifier of scikit-learn that takes these parameters."""
        del dataset
        try:
            parameters = self._classifier()().get_params()
        except TypeError as error:  # Voting, Stacking: they need other estimators
            raise StudyError(
                f"[training] recipe = '{self.recipe}' cannot be made from options alone ({error}): "
                "use a python: recipe"
            ) from error
        known = [p for p in parameters if p not in _FIXED]
        for option in self.model_extra or {}:
            if option in _FIXED:
                raise StudyError(f"[training] {option} is set by memtail, from [study] seed")
            if option not in known:
                hint = did_you_mean(option, known)
                raise StudyError(f"[training] {option} is no option of '{self.recipe}'{hint}")

    def _classifier(self) -> Any:
        module, _, name = self.recipe.partition(":")[2].rpartition(".")
        try:
            found = getattr(importlib.import_module(f"sklearn.{module}".rstrip(".")), name)
        except (ImportError, AttributeError) as error:
            raise StudyError(
                f"[training] recipe = '{self.recipe}': scikit-learn has no '{module}.{name}'; "
                "write, say, sklearn:ensemble.RandomForestClassifier"
            ) from error
        from sklearn.base import ClassifierMixin

        if not (isinstance(found, type) and issubclass(found, ClassifierMixin)):
            raise StudyError(f"[training] recipe = '{self.recipe}' is not a classifier")
        return found

    def _fit(self, x: NDArray[Any], y: NDArray[np.int64], seed: int, n_classes: int) -> Predictor:
        estimator = self._classifier()(**(self.model_extra or {}))
        fixed = dict(zip(_FIXED, (seed % 2**32, 1), strict=True))
        estimator.set_params(**{k: v for k, v in fixed.items() if k in estimator.get_params()})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "did not converge", thousands of times
            estimator.fit(x, y)

        def predict(inputs: NDArray[Any]) -> Predictions:
            labels = estimator.predict(inputs).astype(np.int64)
            if not hasattr(estimator, "predict_proba"):
                return labels, None
            probabilities = np.zeros((len(inputs), n_classes))  # a subset can lack a class
            probabilities[:, estimator.classes_] = estimator.predict_proba(inputs)
            with np.errstate(divide="ignore"):
                return labels, np.log(probabilities)

        return predict


class PythonRecipe(Recipe):
    """``python:module:function``: the user's own training code.

    It is called as ``function(x, y, seed=…, device=…, n_classes=…, **options)`` with x [m, …] and
    y int64 [m] of the subset, and returns ``predict``: called with any examples [n, …], that
    returns their labels, integers [n], or their logits, floats [n, n_classes]. All randomness must
    come from the seed, 0 ≤ seed < 2³². Other keys of ``[training]`` are its options.
    """

    model_config = ConfigDict(extra="allow")

    def engine(self, device: str, tuning: Tuning = UNTUNED) -> PredictorEngine:
        """One call of the function after another."""
        del tuning
        call = function(self.recipe)

        def fit(x: NDArray[Any], y: NDArray[np.int64], seed: int, n_classes: int) -> Predictor:
            options = self.model_extra or {}
            seed %= 2**32  # what numpy.random.seed and scikit-learn take
            predict = call(x, y, seed=seed, device=device, n_classes=n_classes, **options)
            if not callable(predict):
                found = type(predict).__name__
                raise TrainingError(f"'{self.recipe}' returned {found}: return predict(x)")
            return lambda inputs: _checked(predict(inputs), len(inputs), n_classes)

        return PredictorEngine(self, fit, lambda x, _: x)

    def check(self, dataset: Dataset) -> None:
        """The function must be there."""
        del dataset
        function(self.recipe)

    def described(self) -> dict[str, Any]:
        """Beside the options, the digest of the function's file: changed, it is another study."""
        return {**super().described(), "source_sha256": source_digest(function(self.recipe))}


def _read_only(x: NDArray[Any]) -> NDArray[Any]:
    """A view that code called with it cannot change: the next trial needs the same data."""
    view = x.view()
    view.flags.writeable = False
    return view


def _flat(x: NDArray[Any], feed: Feed) -> NDArray[Any]:
    flat = x.reshape(len(x), -1)
    return flat if feed.divisor in (None, 1) else flat / np.float32(feed.divisor)


def _checked(found: Any, n: int, n_classes: int) -> Predictions:
    """Read what the user's ``predict`` returned: labels [n], or logits [n, C]."""
    array = found.detach().cpu().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    if array.shape == (n,) and array.dtype.kind in "iu":
        if n and not 0 <= int(array.min()) <= int(array.max()) < n_classes:
            raise TrainingError(
                f"predict returned labels from {array.min()} to {array.max()}: they are 0 to "
                f"{n_classes - 1}"
            )
        return array.astype(np.int64), None
    if array.shape == (n, n_classes) and array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise TrainingError("predict returned logits that are not finite")
        return array.argmax(1), array
    raise TrainingError(
        f"predict returned {array.dtype} {list(array.shape)} for {n} examples: return integer "
        f"labels [{n}] or float logits [{n}, {n_classes}]"
    )


def _measured(
    outcome: Outcome, predictions: Predictions, y: NDArray[np.int64]
) -> tuple[Bits, Values | None]:
    """Measure one model [1, n]: whether its labels are right, and the value its logits give."""
    labels, logits = predictions
    target = torch.from_numpy(y)
    correct, value = outcome.measure(torch.from_numpy(labels)[None], target)
    if logits is not None:
        _, value = outcome.measure(torch.from_numpy(np.asarray(logits, np.float64))[None], target)
    return correct, value
