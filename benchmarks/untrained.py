"""A study of any size whose trials were drawn, not trained: what a report does at ImageNet's scale.

Images are the colours of their class with noise, packed. A trial's subset is the study's own; what
it says of an example is a margin: how easy the example is, what training on it adds, and noise. A
third of the training examples are odd, so that they are memorized, and some test examples depend on
one training example of their class. Everything is written as a trained study is.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core import catalogue
from memtail_core.catalogue.stored import stored_shards
from memtail_core.data import Dataset, Splits
from memtail_core.plan import designs
from memtail_core.plan.shards import Shard, planned
from memtail_core.running import loading, shard_files
from memtail_core.running.machine import usable_cores
from memtail_core.running.preparation import prepare
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Spec, Study

_MODULE = "python:benchmarks.untrained"
_ODD = 1 / 3  # of the training examples are hard, until one trains on them
_EASY, _HARD = (5.0, 1.5), (-1.5, 1.0)  # mean and deviation of margins of models that held them out
_GAIN = (2.0, 8.0)  # of training on an odd example
_PLANTED = 0.3  # of the test examples depend on one training example of their class
_EFFECT = (1.0, 5.0)  # by this margin
_NOISE = 2**20  # examples whose colours are drawn at once
_LARGEST = 60.0  # margin


@dataclass(frozen=True)
class Sizes:
    """The numbers of examples and classes, and the pixels of a side."""

    train: int
    test: int
    classes: int
    side: int = 16


def make(
    store: ObjectStore,
    sizes: Sizes,
    trials: int,
    *,
    values: bool = True,
    shard_size: int = 1,
    distinct: int | None = None,
) -> Study:
    """Put a study with so many drawn trials into a store; trials that are there are kept.

    With ``distinct``, only so many shards are drawn, and those that follow repeat them: speed and
    memory are the same, errors are not.
    """
    spec = Spec.parse(
        {
            "study": {
                "name": "untrained",
                "trials": trials,
                "shard_size": shard_size,
                "margins": values,
            },
            "dataset": {"source": f"{_MODULE}:images", "storage": "packed", **vars(sizes)},
            "subsets": {"ratio": 0.7, "design": "independent"},
            "training": {"recipe": f"{_MODULE}:nothing"},
        }
    )
    study, dataset = prepare(spec)
    catalogue.register(store, study, dataset, trials)
    model = _Model.of(dataset)
    stored = set(stored_shards(store, study))
    missing = [shard for shard in planned(study, trials) if shard not in stored]

    n_drawn = (distinct or trials) * shard_size

    def draw(shard: Shard) -> None:
        if shard.first < n_drawn:
            drawn = _drawn(study, model, shard)
        else:
            first = shard.first % n_drawn
            drawn = loading.load_shard(
                store, study, Shard(first, first + shard_size), values=values
            )
        encoded = shard_files.encode(replace(drawn, trials=np.array(shard.trials)))
        if encoded.values is not None:
            store.put(shard.values_key(study), encoded.values)
        store.put(shard.key(study), encoded.bits)

    with ThreadPoolExecutor(usable_cores()) as threads:
        for some in (
            [shard for shard in missing if shard.first < n_drawn],
            [shard for shard in missing if shard.first >= n_drawn],
        ):
            for _ in threads.map(draw, some):
                pass
    return study


def images(path: str = "", *, train: int, test: int, classes: int, side: int) -> Splits:
    """The source: images of 4 × 4 colours of their class, with noise; named as ImageNet's files."""
    del path
    rng = np.random.default_rng(0)
    colours = rng.integers(48, 208, (classes, 4, 4, 3), dtype=np.uint8)
    repeats = -(-side // 4)
    prototypes = colours.repeat(repeats, axis=1).repeat(repeats, axis=2)[:, :side, :side]
    y_train, y_test = np.arange(train) % classes, np.arange(test) % classes
    names = [f"n{label:08d}" for label in range(classes)]
    x_train, x_test = (np.concatenate(list(_noisy(rng, prototypes, y))) for y in (y_train, y_test))
    return Splits(
        x_train,
        y_train,
        x_test,
        y_test,
        classes=names,
        train_names=[f"{names[y]}/{names[y]}_{i}.JPEG" for i, y in enumerate(y_train.tolist())],
        test_names=[f"ILSVRC2012_val_{j + 1:08d}.JPEG" for j in range(test)],
    )


def nothing(*_: Any, **__: Any) -> None:
    """The recipe: trains nothing, and is never called."""
    raise NotImplementedError("the trials of this study are drawn: benchmarks/untrained.py")


def _noisy(
    rng: np.random.Generator, prototypes: NDArray[np.uint8], y: NDArray[np.int64]
) -> Iterator[NDArray[np.uint8]]:
    step = max(1, _NOISE // prototypes[0].size)
    for start in range(0, len(y), step):
        made = prototypes[y[start : start + step]]
        yield made + rng.integers(-48, 48, made.shape, dtype=np.int8).view(np.uint8)


@dataclass(frozen=True, eq=False)
class _Model:
    """What margins are drawn from: float32 of each example, and each test example's partner."""

    train: NDArray[np.float32]
    gain: NDArray[np.float32]
    test: NDArray[np.float32]
    effect: NDArray[np.float32]
    partner: NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset) -> "_Model":
        rng = np.random.default_rng(1)
        n, n_test = len(dataset.y_train), len(dataset.y_test)
        odd = rng.random(n) < _ODD
        train = np.where(odd, rng.normal(*_HARD, n), rng.normal(*_EASY, n))
        gain = np.where(odd, rng.uniform(*_GAIN, n), rng.uniform(0, 1, n))
        planted = rng.random(n_test) < _PLANTED
        test = np.where(planted, rng.normal(*_HARD, n_test), rng.normal(3, 2, n_test))
        effect = np.where(planted, rng.uniform(*_EFFECT, n_test), 0)
        partner = _partners(rng, np.flatnonzero(odd), dataset.y_train, dataset.y_test)
        train, gain, test, effect = (
            each.astype(np.float32) for each in (train, gain, test, effect)
        )
        return cls(train, gain, test, effect, partner)


def _partners(
    rng: np.random.Generator,
    odd: NDArray[np.int64],
    y_train: NDArray[np.int64],
    y_test: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Choose an odd training example for each test example, of its class if there is one."""
    ordered = odd[np.argsort(y_train[odd], kind="stable")]
    first, end = (np.searchsorted(y_train[ordered], y_test, side) for side in ("left", "right"))
    chosen = first + (rng.random(len(y_test)) * (end - first)).astype(np.int64)
    return ordered[np.minimum(chosen, len(ordered) - 1)]


def _drawn(study: Study, model: _Model, shard: Shard) -> Trials:
    """Draw a shard's trials, each from its own number."""
    subset = designs.subsets(study, shard.trials)
    train, test = (
        np.empty((len(subset), len(each)), np.float16) for each in (model.train, model.test)
    )
    for row, trial, margins, tests in zip(subset, shard.trials, train, test, strict=True):
        rng = np.random.default_rng([2, trial])
        drawn = rng.standard_normal(len(margins), np.float32) + model.train + row * model.gain
        margins[:] = np.clip(drawn, -_LARGEST, _LARGEST)
        drawn = rng.standard_normal(len(tests), np.float32) + model.test
        tests[:] = np.clip(drawn + row[model.partner] * model.effect, -_LARGEST, _LARGEST)
    return Trials(
        n=len(model.train),
        n_test=len(model.test),
        subset=np.packbits(subset, axis=1),
        train_correct=np.packbits(train > 0, axis=1),
        test_correct=np.packbits(test > 0, axis=1),
        train_values=train if study.margins else None,
        test_values=test if study.margins else None,
        trials=np.arange(shard.first, shard.last),
        seconds=np.full(len(subset), np.nan),
        about=({"study": study.id, "device": "none"},),
    )
