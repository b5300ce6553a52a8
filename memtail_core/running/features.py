"""The features that a frozen backbone gives of a study's data: computed once, then read by all.

``features/<digest>/F-L.npz`` holds those of the examples [F, L), 256 at a time, training examples
first; the digest is that of the data, the backbone, its weights and its scaling. A part is an npz
with its own SHA-256, signed if shards are. Whoever lacks parts claims those that nobody computes,
as shards are claimed, and computes them. So processes and machines share the work, a part that is
stored is never computed again, and all train on the same bits.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from loky.process_executor import BrokenProcessPool
from numpy.typing import NDArray

from memtail_core import training
from memtail_core.data import Dataset
from memtail_core.errors import DamagedError, StoreError, TrainingError
from memtail_core.plan.shards import Shard
from memtail_core.running import machine, processes
from memtail_core.running.claims import Claims
from memtail_core.running.signing import shard_key
from memtail_core.settings import settings
from memtail_core.store import ObjectStore, archive
from memtail_core.study import Study
from memtail_core.training.backbones.extractor import PART, Extractor
from memtail_core.training.device import compute_reproducibly, machine_kind

Progress = Callable[[int, int], None]  # the examples whose features are stored, and all there are

_AGAIN = 1.0  # seconds between two looks at what others compute
_MOST_ROUNDS = 3  # of computing what turned out to be damaged
_PROCESS_BYTES = 2**30  # Python, torch, a backbone and what it computes

Floats = NDArray[np.float32]


def supply(
    store: ObjectStore,
    study: Study,
    dataset: Dataset,
    device: str,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Give a dataset the features that all models of the study train on, if they train on any.

    Args:
        store: where they are kept.
        study, dataset: whose; the features are added to ``dataset.derived``.
        device: where missing ones are computed: "cpu", "cuda", "cuda:1".
        workers: processes that compute at once, on a CPU.
        progress: told how far it is.

    Raises:
        MachineError: the backbone's weights are not on this machine.
        TrainingError: features are not finite, or processes keep dying.
        StoreError: the store cannot be read or written, or damages what is written.
    """
    extractor = training.restore(study.training).extractor
    if extractor is None or (digest := extractor.digest(dataset)) in dataset.derived:
        return
    features = _Features(store, extractor, dataset, f"features/{digest}/")
    for _ in range(_MOST_ROUNDS):
        if missing := features.missing():
            compute_reproducibly()
            with _started(device, workers, len(missing)) as started:
                _compute(features, device, started, progress)
        if (made := features.read()) is not None:
            dataset.derived[digest] = made
            return
    raise StoreError(
        f"the store '{store.location}' keeps damaging what is written to it: check its disk"
    )


def stored(store: ObjectStore, study: Study, dataset: Dataset) -> Dataset | None:
    """The features that a study's frozen backbone gave of its data, by which examples compare.

    None is computed. None is returned where there is no such backbone, or not all are stored; it is
    said where one is damaged.

    Raises:
        StoreError: the store cannot be read.
    """
    extractor = Extractor.described(study.training)
    if extractor is None:
        return None
    digest = extractor.digest(dataset)
    if digest in dataset.derived:
        return dataset.derived[digest]
    features = _Features(store, extractor, dataset, f"features/{digest}/")
    key, made = shard_key(), list[Floats]()
    for part in features.parts:
        try:
            width = made[0].shape[1] if made else None
            made.append(_checked(store.get(features.key(part)), key, part, width))
        except KeyError:
            return None
        except DamagedError as error:
            print(
                f"Warning: the features of the examples {part.first} to {part.last - 1} are not "
                f"used ({error}): examples are compared by pixels",
                file=sys.stderr,
            )
            return None
    return features.joined(made)


@dataclass(frozen=True, eq=False)
class _Features:
    """The parts of one set of features in a store."""

    store: ObjectStore
    extractor: Extractor
    dataset: Dataset
    prefix: str

    @property
    def parts(self) -> list[Shard]:
        """All parts: no part has training and test examples."""
        n, n_test = len(self.dataset.y_train), len(self.dataset.y_test)
        firsts = [*range(0, n, PART), *range(n, n + n_test, PART)]
        return [Shard(f, min(f + PART, n if f < n else n + n_test)) for f in firsts]

    def missing(self) -> list[Shard]:
        """Those that the store has not."""
        there = set(self.store.list(self.prefix))
        return [part for part in self.parts if self.key(part) not in there]

    def key(self, part: Shard) -> str:
        """Where a part is."""
        return f"{self.prefix}{part.name}.npz"

    def images(self, part: Shard) -> NDArray[Any]:
        """The examples of a part."""
        n = len(self.dataset.y_train)
        if part.first < n:
            return self.dataset.train.take(slice(part.first, part.last))
        return self.dataset.test.take(slice(part.first - n, part.last - n))

    def put(self, part: Shard, features: Floats, device: str) -> None:
        """Store a part."""
        about = {"backbone": self.extractor.backbone, "machine": machine_kind(device)}
        arrays = {"features": features, "about": np.array(json.dumps(about))}
        self.store.put(self.key(part), archive.packed(arrays, shard_key()))

    def read(self) -> Dataset | None:
        """All features; None if a part is missing or damaged. Damaged ones are deleted."""
        width, made = self.extractor.width(self.dataset.feed), list[Floats]()
        is_whole, key = True, shard_key()
        for part in self.parts:
            try:
                made.append(_checked(self.store.get(self.key(part)), key, part, width))
            except KeyError:
                is_whole = False
            except DamagedError as error:
                is_whole = False
                print(
                    f"Warning: the features of the examples {part.first} to {part.last - 1} are "
                    f"not used ({error}): they are computed again",
                    file=sys.stderr,
                )
                self.store.delete(self.key(part))
        return self.joined(made) if is_whole else None

    def joined(self, made: list[Floats]) -> Dataset:
        """The features of all parts."""
        n, width = len(self.dataset.y_train), made[0].shape[1]
        train = [each for each, part in zip(made, self.parts, strict=True) if part.first < n]
        test = [np.zeros((0, width), np.float32), *made[len(train) :]]
        return self.extractor.dataset_of(self.dataset, np.concatenate(train), np.concatenate(test))


@dataclass(frozen=True)
class _Workers:
    """What computes: so many processes, or this one where there is no executor."""

    count: int = 0
    executor: Executor | None = None

    def submit(self, extractor: Extractor, *arguments: Any) -> Future[Floats]:
        """Let them compute the features of some images."""
        if self.executor is not None:
            return self.executor.submit(extractor.features, *arguments)
        future: Future[Floats] = Future()
        future.set_result(extractor.features(*arguments))
        return future


@contextmanager
def _started(device: str, count: int, n_parts: int) -> Iterator[_Workers]:
    """Start as many processes as there is work and memory for."""
    count = min(count, n_parts, machine.free_memory() // _PROCESS_BYTES)
    if device != "cpu" or count <= 1:
        yield _Workers()
        return
    with processes.pool(count) as executor:
        yield _Workers(count, executor)


def _compute(
    features: _Features, device: str, workers: _Workers, progress: Progress | None
) -> None:
    """Compute what is missing, but for what others compute; wait until it is all there."""
    claims = Claims(features.store, features, settings().lease)
    n = len(features.dataset.y_train) + len(features.dataset.y_test)
    under_way: dict[Future[Floats], Shard] = {}
    try:
        while missing := features.missing():
            if progress is not None:
                progress(n - sum(part.last - part.first for part in missing), n)
            for part in missing:
                if part in under_way.values() or not claims.take(part):
                    continue
                if features.store.exists(features.key(part)):
                    claims.end(part)
                    continue
                arguments = features.images(part), features.dataset.feed, device
                under_way[workers.submit(features.extractor, *arguments)] = part
                if len(under_way) > workers.count:
                    break
            if not under_way:
                time.sleep(_AGAIN)
                continue
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                part = under_way.pop(future)
                features.put(part, future.result(), device)
                claims.end(part)
    except BrokenProcessPool as error:
        raise TrainingError(
            "the processes that compute features keep dying, most likely for lack of memory: use "
            "fewer --workers, or a smaller [training] size; what is stored is safe"
        ) from error
    finally:
        claims.close()
    if progress is not None:
        progress(n, n)


def _checked(content: bytes, key: bytes | None, part: Shard, width: int | None) -> Floats:
    """Read a part; ``width`` is how many features there should be, if that is known.

    Raises:
        DamagedError: it is not what was put.
    """
    features = archive.unpacked(content, key).get("features")
    if features is None or features.dtype != np.float32:
        raise DamagedError("it holds no features")
    shape = (part.last - part.first, features.shape[-1] if width is None else width)
    if features.shape != shape or not np.isfinite(features).all():
        raise DamagedError("it holds features of something else")
    return features
