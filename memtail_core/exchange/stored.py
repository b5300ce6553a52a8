"""A stored study as writers of formats read it: a shard at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core import catalogue
from memtail_core.analysis.measuring import value_of
from memtail_core.catalogue.stored import stored_shards
from memtail_core.data import Dataset
from memtail_core.errors import DamagedError, EstimationError, StoreError
from memtail_core.estimation.held_out import HeldOut
from memtail_core.estimation.measures import MARGIN
from memtail_core.plan.shards import Shard
from memtail_core.running.loading import load_held_out, load_shard
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study

_UNPACKED = {"subset": "n", "train_correct": "n", "test_correct": "n_test"}
_VALUES = {"train_margins": "train_values", "test_margins": "test_values"}


@dataclass(frozen=True, eq=False)
class StoredStudy:
    """A study with trials.

    Attributes:
        store, study: where it is, and which.
        advance: called with the number of trials that were read since the last call.
    """

    store: ObjectStore
    study: Study
    advance: Callable[[int], None] = lambda _: None

    @cached_property
    def dataset(self) -> Dataset:
        """Its examples."""
        return catalogue.load_dataset(self.store, self.study)

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """What is stored.

        Raises:
            EstimationError: nothing is.
        """
        found = tuple(stored_shards(self.store, self.study))
        if not found:
            raise EstimationError(f"{self.study.id} has no trained model yet")
        return found

    def __len__(self) -> int:
        return len(self.shards) * self.study.shard_size

    @cached_property
    def has(self) -> frozenset[str]:
        """Which arrays there are, of ``subset`` and :data:`.bank.OUTCOMES`; values are margins."""
        are_margins = value_of(self.study) == MARGIN.value
        trials = self._load(self.shards[0], values=are_margins)
        found = {name for name in (*_UNPACKED, *_VALUES) if _array(trials, name) is not None}
        return frozenset(found if trials.n_test else found - {"test_correct", "test_margins"})

    def blocks(self, *names: str) -> Iterator[tuple[int, list[NDArray[Any]]]]:
        """Yield the first row of a shard's trials and these arrays of them, in order.

        Args:
            names: of ``has``: ``subset`` and ``…_correct`` are bool, ``…_margins`` float16, [k, n]
                or [k, n_test].

        Raises:
            StoreError: a shard is damaged.
        """
        first = 0
        for shard in self.shards:
            trials = self._load(shard, values=any(name in _VALUES for name in names))
            yield first, [np.asarray(_array(trials, name)) for name in names]
            first += len(trials)
            self.advance(len(trials))

    def write(self, files: dict[str, Path], dtype: type[np.generic] | None = None) -> None:
        """Write arrays, [T, n] or [T, n_test], each as an .npy file, a shard at a time.

        Args:
            files: by the name of the array.
            dtype: of all; by default bool, and float16 for margins.
        """
        of = self.study.dataset
        mapped = [
            np.lib.format.open_memmap(
                path,
                mode="w+",
                dtype=dtype or (np.float16 if name in _VALUES else np.bool_),
                shape=(len(self), of.n_test if name.startswith("test") else of.n_train),
            )
            for name, path in files.items()
        ]
        for first, blocks in self.blocks(*files):
            for rows, block in zip(mapped, blocks, strict=True):
                rows[first : first + len(block)] = block
        for rows in mapped:
            rows.flush()

    def trials(self) -> Trials:
        """Read all trials, with their margins if they have any.

        Raises:
            StoreError: a shard is damaged.
        """
        are_margins = value_of(self.study) == MARGIN.value
        parts = []
        for shard in self.shards:
            parts.append(self._load(shard, values=are_margins))
            self.advance(len(parts[-1]))
        return Trials.joined(parts)

    @cached_property
    def held_out(self) -> HeldOut | None:
        """The class probabilities of held-out examples; None if the study keeps none.

        Raises:
            StoreError: a shard is damaged.
        """
        if not (self.study.probabilities and self.study.dataset.is_labelled):
            return None
        try:
            return load_held_out(self.store, self.study)
        except (DamagedError, KeyError) as error:
            raise StoreError(
                f"a shard of {self.study.id} is damaged: memtail run {self.study.id} again first"
            ) from error

    def require(self, name: str, to: str) -> None:
        """Refuse to write a format that needs an array which the study does not have.

        Raises:
            EstimationError: it has none.
        """
        if name not in self.has:
            of, _, what = name.partition("_")
            raise EstimationError(
                f"{self.study.id} has no {'margins' if what == 'margins' else 'outcomes'} of "
                f"{'training' if of == 'train' else 'test'} examples, which {to} needs: choose "
                "--to npz"
            )

    def _load(self, shard: Shard, *, values: bool) -> Trials:
        try:
            return load_shard(self.store, self.study, shard, values=values)
        except (DamagedError, KeyError) as error:
            reason = error if isinstance(error, DamagedError) else "it was set aside"
            mend = "import it" if self.study.is_imported else f"memtail run {self.study.id}"
            raise StoreError(
                f"{shard.key(self.study)} is damaged ({reason}): {mend} again first"
            ) from error


def _array(trials: Trials, name: str) -> NDArray[Any] | None:
    if name in _VALUES:
        values: NDArray[Any] | None = getattr(trials, _VALUES[name])
        return values
    packed = getattr(trials, name)
    if packed is None:
        return None
    return np.unpackbits(packed, axis=1, count=getattr(trials, _UNPACKED[name])).astype(np.bool_)
