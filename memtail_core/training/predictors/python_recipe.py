"""The recipes ``python:module:function``: the user's own training code."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict

from memtail_core.data import Dataset
from memtail_core.data.user_code import function, source_digest
from memtail_core.errors import TrainingError
from memtail_core.training.engine import UNTUNED, Tuning
from memtail_core.training.predictors.engine import Predictions, Predictor, PredictorEngine
from memtail_core.training.recipe import Recipe


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
                kind = type(predict).__name__
                raise TrainingError(f"'{self.recipe}' returned {kind}: return predict(x)")
            return lambda inputs: _checked(predict(inputs), len(inputs), n_classes)

        return PredictorEngine(self, fit, lambda x, _: x)

    def check(self, dataset: Dataset) -> None:
        """The function must exist."""
        del dataset
        function(self.recipe)

    def described(self) -> dict[str, Any]:
        """The options and the digest of the function's file: changed code makes another study."""
        return {**super().described(), "source_sha256": source_digest(function(self.recipe))}


def _checked(output: Any, n: int, n_classes: int) -> Predictions:
    """Read what the user's ``predict`` returned: labels [n], or logits [n, C]."""
    import torch

    array = (
        output.detach().cpu().numpy() if isinstance(output, torch.Tensor) else np.asarray(output)
    )
    if array.shape == (n,) and array.dtype.kind in "iu":
        if n and not 0 <= int(array.min()) <= int(array.max()) < n_classes:
            raise TrainingError(
                f"predict returned labels from {array.min()} to {array.max()}: they must be 0 to "
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
