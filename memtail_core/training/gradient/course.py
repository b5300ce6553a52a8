"""How far the networks of a shard are: what is finished, and the stack that is under way.

All of it can be kept as arrays, and read again by an engine that continues. The order of the
examples and their augmentation are not kept: they follow from the seeds and the number of steps.
"""

import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.errors import DamagedError
from memtail_core.store.archive import Arrays
from memtail_core.store.document import document
from memtail_core.study import n_probabilities
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.outcome import Measured, Outcome, Outcomes, joined

Rows = NDArray[np.int64]
Parts = list[Measured]

_SETS = ("train", "test")
_NO_ROWS: Rows = np.zeros(0, np.int64)


class Course:
    """The course of one call of :meth:`.GradientEngine.train`.

    Attributes:
        finished: the outcomes of single models, by their row of the call.
        rows: of the models of the stack under way.
        left: those of them that are trained at this learning rate.
        lowering: how often the rate was lowered for them.
        steps: of training, taken at this rate.
        stack: networks trained at once, so far.
        measured: what is evaluated of ``left``, by "train" and "test".
    """

    def __init__(self, stack: int) -> None:
        self.finished: dict[int, Outcomes] = {}
        self.rows = self.left = _NO_ROWS
        self.lowering = self.steps = 0
        self.stack = stack
        self.measured: dict[str, Parts] = {name: [] for name in _SETS}
        self._tensors: Arrays = {}  # of a stack that is to be continued
        self._begun = time.perf_counter()

    def begin(self, rows: Rows) -> None:
        """Begin a stack, unless it is the one that is to be continued."""
        if not self._tensors:
            self.rows, self._begun = rows, time.perf_counter()
            self.lower(rows, 0)

    def lower(self, left: Rows, lowering: int) -> None:
        """Begin to train ``left`` at a rate that was lowered so often."""
        self.left, self.lowering, self.steps = left, lowering, 0
        self.measured = {name: [] for name in _SETS}

    def finish(self, rows: Rows, outcomes: Outcomes) -> None:
        """Keep the outcomes of these models."""
        for k, row in enumerate(rows.tolist()):
            self.finished[row] = outcomes.taken(np.array([k]))

    def end(self) -> None:
        """End the stack: its models share the time that it took."""
        each = np.array([(time.perf_counter() - self._begun) / len(self.rows)])
        for row in self.rows.tolist():
            self.finished[row] = replace(self.finished[row], seconds=each)
        self.rows = self.left = _NO_ROWS

    def drop(self, rows: Rows, stack: int) -> None:
        """Forget what became of these models: they begin again, ``stack`` at once."""
        for row in rows.tolist():
            self.finished.pop(row, None)
        self._tensors, self.stack = {}, stack

    def outcomes(self) -> Outcomes:
        """The outcomes of all models, in the order of the call."""
        return Outcomes.stack([self.finished[row] for row in sorted(self.finished)])

    def resume(self, networks: NetworkStack) -> int:
        """Put networks where they were; return how many steps they had taken, 0 at the start.

        Raises:
            DamagedError: what was kept is of other networks; these are as they were.
        """
        kept, self._tensors = self._tensors, {}
        if not kept:
            return 0
        if not _fits(kept, networks):
            self.lower(self.left, self.lowering)
            raise DamagedError("it holds the state of other networks")
        tensors = [torch.from_numpy(kept[f"tensor_{i}"]) for i in range(len(networks.kept()))]
        networks.restore(tensors)
        torch.set_rng_state(torch.from_numpy(kept["random_cpu"]))
        if "random_cuda" in kept:
            torch.cuda.set_rng_state(torch.from_numpy(kept["random_cuda"]), networks.device)
        return self.steps

    def state(self, networks: NetworkStack) -> Arrays:
        """All that is needed to continue, as arrays that nobody changes."""
        position = {
            "rows": self.rows.tolist(),
            "left": self.left.tolist(),
            "lowering": self.lowering,
            "steps": self.steps,
            "stack": self.stack,
            "seconds": time.perf_counter() - self._begun,
        }
        arrays: Arrays = {"position": np.array(json.dumps(position))}
        for i, tensor in enumerate(networks.kept()):
            copy = tensor.detach().to("cpu", copy=True)
            arrays[f"tensor_{i}"] = (copy.float() if copy.dtype == torch.bfloat16 else copy).numpy()
        arrays["random_cpu"] = torch.get_rng_state().numpy()
        if networks.device.type == "cuda":
            arrays["random_cuda"] = torch.cuda.get_rng_state(networks.device).numpy()
        for name, parts in self.measured.items():
            if parts:
                arrays |= _there(f"measured_{name}", joined(parts))
        if self.finished:
            made = self.outcomes()
            arrays["finished"] = np.array(sorted(self.finished), np.int64)
            arrays["seconds"], arrays["rates"] = made.seconds, made.rates
            train = Measured(made.train_correct, made.train_value, made.train_probability)
            arrays |= _there("finished_train", train)
            arrays |= _there("finished_test", Measured(made.test_correct, made.test_value))
        return arrays

    @classmethod
    def of(
        cls,
        arrays: Arrays,
        dataset: Dataset,
        n_models: int,
        outcome: Outcome,
        probabilities: bool = False,
    ) -> "Course":
        """Read what :meth:`state` returned for ``n_models`` models of ``outcome`` on ``dataset``.

        Args:
            arrays: the state.
            dataset, n_models, outcome: what it should be of.
            probabilities: whether those of the classes, or next tokens, are measured.

        Raises:
            DamagedError: it is something else.
        """
        sizes = dict(zip(_SETS, (len(dataset.y_train), len(dataset.y_test)), strict=True))
        each = n_probabilities(dataset.classes, dataset.shape) if probabilities else 0
        widths = dict(zip(_SETS, (each, 0), strict=True))
        try:
            position: dict[str, Any] = document(str(arrays["position"]))
            course = cls(int(position["stack"]))
            course.rows, course.left = (
                np.array(position[name], np.int64) for name in ("rows", "left")
            )
            course.lowering, course.steps = int(position["lowering"]), int(position["steps"])
            course._begun = time.perf_counter() - float(position["seconds"])
            course._tensors = {
                name: array
                for name, array in arrays.items()
                if name.startswith(("tensor_", "random_"))
            }
            for name, n in sizes.items():
                if f"measured_{name}_correct" in arrays:
                    part = _measured(
                        arrays, f"measured_{name}", len(course.left), outcome, widths[name]
                    )
                    _check(part.correct.shape[1] <= n)
                    course.measured[name] = [part]
            if "finished" in arrays:
                course._read_finished(arrays, sizes, outcome, widths)
            rows, left = set(course.rows.tolist()), set(course.left.tolist())
            _check(bool(left) and left <= rows and rows - left <= course.finished.keys())
            _check(rows | course.finished.keys() <= set(range(n_models)) and course.stack >= 1)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise DamagedError("it holds no state of this training") from error
        return course

    def _read_finished(
        self, arrays: Arrays, sizes: dict[str, int], outcome: Outcome, widths: dict[str, int]
    ) -> None:
        rows, rates = arrays["finished"].astype(np.int64), arrays["rates"].astype(np.float64)
        train, test = (
            _measured(arrays, f"finished_{name}", len(rows), outcome, widths[name])
            for name in _SETS
        )
        _check((train.correct.shape[1], test.correct.shape[1]) == tuple(sizes.values()))
        made = replace(
            Outcomes.of(outcome, train, test, 0.0), seconds=arrays["seconds"].astype(np.float64)
        )
        for k, row in enumerate(rows.tolist()):
            self.finished[row] = made.taken(np.array([k])).at_rate(float(rates[k]))


def _fits(kept: Arrays, networks: NetworkStack) -> bool:
    """Whether these are the tensors of such networks, and a state of such random streams."""
    shapes = [tuple(tensor.shape) for tensor in networks.kept()]
    is_cuda = networks.device.type == "cuda"
    return (
        [kept.get(f"tensor_{i}", _NO_ROWS).shape for i in range(len(shapes))] == shapes
        and kept.get("random_cpu", _NO_ROWS).dtype == np.uint8
        and is_cuda == ("random_cuda" in kept)
    )


def _there(name: str, measured: Measured) -> Arrays:
    every = zip(Measured._fields, measured, strict=True)
    return {f"{name}_{what}": array for what, array in every if array is not None}


def _measured(arrays: Arrays, name: str, k: int, outcome: Outcome, n_classes: int) -> Measured:
    """Read what was measured of k models, as :func:`_there` named it.

    ``n_classes``: how many probabilities an example has; 0: none.
    """
    bits, values = arrays[f"{name}_correct"], arrays.get(f"{name}_value")
    probability = arrays.get(f"{name}_probability")
    _check(bits.dtype == np.bool_ and bits.ndim == 2 and len(bits) == k)
    if values is not None:
        _check(outcome.value is not None and values.shape == bits.shape)
        _check(outcome.value is not None and values.dtype == np.dtype(outcome.value.dtype))
    _check((probability is not None) == bool(n_classes))
    if probability is not None:
        _check(probability.dtype == np.float16 and probability.shape == (*bits.shape, n_classes))
    return Measured(bits, values, probability)


def _check(is_so: bool) -> None:
    if not is_so:
        raise ValueError("other arrays")
