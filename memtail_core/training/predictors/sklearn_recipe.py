"""The recipes ``sklearn:…``: any classifier of scikit-learn."""

import importlib
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from memtail_core.data import Dataset
from memtail_core.data.modalities import Feed
from memtail_core.data.modalities.text import tf_idf
from memtail_core.errors import StudyError, did_you_mean
from memtail_core.training.engine import UNTUNED, Tuning
from memtail_core.training.predictors.engine import Predictions, Predictor, PredictorEngine
from memtail_core.training.recipe import Recipe

_WARNED: set[tuple[str, str]] = set()  # what this process has printed
_FIXED = ("random_state", "n_jobs")  # the trial's seed, and one core per process


class SklearnRecipe(Recipe):
    """``sklearn:ensemble.RandomForestClassifier``: its parameters are the options.

    Images are flattened to floats in [0, 1]; features stay as they are. Of texts, the features are
    TF-IDF over the training set of their tokens and pairs of neighbouring tokens.
    """

    model_config = ConfigDict(extra="allow")

    def engine(self, device: str, tuning: Tuning = UNTUNED) -> PredictorEngine:
        """One classifier after another, on one core of the CPU."""
        del device, tuning
        return _ClassifierEngine(self, self._fit, _flat)

    def check(self, dataset: Dataset) -> None:
        """The class must be a classifier of scikit-learn with these parameters."""
        del dataset
        try:
            parameters = self._classifier()().get_params()
        except TypeError as error:  # Voting, Stacking need other estimators
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

    def check_probabilities(self) -> None:
        """The classifier, with these parameters, must have ``predict_proba``."""
        if not hasattr(self._classifier()(**(self.model_extra or {})), "predict_proba"):
            raise StudyError(
                f"[study] probabilities = true: '{self.recipe}' has no predict_proba with these "
                "options; leave that key out, or choose a classifier that has"
            )

    def _classifier(self) -> Any:
        module, _, name = self.recipe.partition(":")[2].rpartition(".")
        try:
            classifier = getattr(importlib.import_module(f"sklearn.{module}".rstrip(".")), name)
        except (ImportError, AttributeError) as error:
            raise StudyError(
                f"[training] recipe = '{self.recipe}': scikit-learn has no '{module}.{name}'; "
                "write, for example, sklearn:ensemble.RandomForestClassifier"
            ) from error
        from sklearn.base import ClassifierMixin

        if not (isinstance(classifier, type) and issubclass(classifier, ClassifierMixin)):
            raise StudyError(f"[training] recipe = '{self.recipe}' is not a classifier")
        return classifier

    def _fit(self, x: NDArray[Any], y: NDArray[np.int64], seed: int, n_classes: int) -> Predictor:
        estimator = self._classifier()(**(self.model_extra or {}))
        fixed = dict(zip(_FIXED, (seed % 2**32, 1), strict=True))
        estimator.set_params(**{k: v for k, v in fixed.items() if k in estimator.get_params()})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "did not converge", thousands of times
            estimator.fit(x, y)

        def predict(inputs: NDArray[Any]) -> Predictions:
            with _warning_once(self.recipe):
                labels = estimator.predict(inputs).astype(np.int64)
                if not hasattr(estimator, "predict_proba"):
                    return labels, None
                probabilities = np.zeros((inputs.shape[0], n_classes))  # a subset can lack a class
                probabilities[:, estimator.classes_] = estimator.predict_proba(inputs)
            with np.errstate(divide="ignore"):
                return labels, np.log(probabilities)

        return predict


class _ClassifierEngine(PredictorEngine):
    """Of texts, a classifier takes TF-IDF of their tokens and pairs of tokens, sparse."""

    def ready(self, dataset: Dataset) -> tuple[Any, Any]:
        """See :class:`.PredictorEngine`."""
        if dataset.modality.name != "text":
            return super().ready(dataset)
        counts = (
            tf_idf.matrix(each.whole(), dataset.vocabulary)
            for each in (dataset.train, dataset.test)
        )
        train, test = tf_idf.weighted(*counts)
        return train, test


@contextmanager
def _warning_once(recipe: str) -> Iterator[None]:
    """Print each kind of warning the first time, in one line; numbers in it do not make it new."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for each in caught:
        text = " ".join(f"{each.category.__name__}: {each.message}".split())
        if (kind := (recipe, re.sub(r"[0-9]+", "", text))) not in _WARNED:
            _WARNED.add(kind)
            print(f"Warning: {recipe}: {text}", file=sys.stderr)


def _flat(x: NDArray[Any], feed: Feed) -> NDArray[Any]:
    flat = x.reshape(len(x), -1)
    return flat if feed.divisor in (None, 1) else flat / np.float32(feed.divisor)
