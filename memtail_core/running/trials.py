"""Trials as bits: train one shard, encode, decode and verify its file, load all of a study.

A shard's file is an npz that plain numpy opens, with its own SHA-256 (64 hexadecimal digits) as
the comment at the end of the zip archive: the file proves itself wherever it is copied.

    subset, train_correct [K, ⌈n/8⌉]     packed bits, most significant first (numpy.packbits)
    test_correct [K, ⌈n_test/8⌉]         likewise
    train_margin [K, n], test_margin     float16, where the recipe gives margins
    trials [K], seconds [K]              int64, float64
    about                                JSON: study id, versions, device, tuning
"""

import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.catalogue.stored import stored_shards
from memtail_core.data import Dataset
from memtail_core.errors import DamagedError
from memtail_core.plan import designs
from memtail_core.plan.arms import Arms
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore, archive
from memtail_core.study import Study
from memtail_core.training import Engine

if TYPE_CHECKING:
    from memtail_core.estimation import Memorization
    from memtail_core.estimation.influence import Evidence

_PACKED = ("subset", "train_correct", "test_correct")
_BY_TRIAL = (*_PACKED, "train_margin", "test_margin", "trials", "seconds")


@dataclass(frozen=True, eq=False)
class Trials:
    """T trials of a study, bits still packed.

    Attributes:
        n, n_test: the numbers of training and test examples.
        subset, train_correct: uint8 [T, ⌈n/8⌉]; test_correct: uint8 [T, ⌈n_test/8⌉].
        train_margin, test_margin: float16 [T, n], [T, n_test], or None.
        trials: int64 [T], the trials' indices, ascending.
        seconds: float64 [T], what each trial took.
        about: provenance, one dict for each different one among the shards.
    """

    n: int
    n_test: int
    subset: NDArray[np.uint8]
    train_correct: NDArray[np.uint8]
    test_correct: NDArray[np.uint8]
    train_margin: NDArray[np.float16] | None
    test_margin: NDArray[np.float16] | None
    trials: NDArray[np.int64]
    seconds: NDArray[np.float64]
    about: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.trials)

    def taken(self, rows: NDArray[np.intp]) -> "Trials":
        """Return the trials of these rows, in that order."""
        taken: dict[str, Any] = {}
        for name in _BY_TRIAL:
            whole = getattr(self, name)
            taken[name] = None if whole is None else whole[rows]
        return replace(self, **taken)

    def evidence(self) -> "Evidence":
        """Turn the bits into what influence is estimated from."""
        from memtail_core.estimation.influence import Evidence  # and numba, only when it is needed

        return Evidence.of(self.subset, self.test_correct, self.n, self.n_test)

    def counted(self) -> "Memorization":
        """Estimate memorization as the paper does, by counting."""
        from memtail_core.estimation import memorization

        return memorization(self.subset, self.train_correct, self.n)

    def accuracies(self) -> "Accuracies":
        """Every trial's accuracy on what it was trained on, what was held out, and the test set."""
        accuracies = np.empty((len(self), 3))
        for k in range(len(self)):
            inside = np.unpackbits(self.subset[k], count=self.n).astype(bool)
            correct = np.unpackbits(self.train_correct[k], count=self.n)
            test = np.unpackbits(self.test_correct[k], count=self.n_test)
            held_out = correct[~inside].mean() if not inside.all() else np.nan
            accuracies[k] = correct[inside].mean(), held_out, test.mean()
        return Accuracies(*accuracies.T)


@dataclass(frozen=True, eq=False)
class Accuracies:
    """Accuracy of each trial, float64 [T]: held in (trained on), held out, and test.

    Held out is NaN of a trial that trained on everything.
    """

    held_in: NDArray[np.float64]
    held_out: NDArray[np.float64]
    test: NDArray[np.float64]

    def means(self) -> dict[str, float | None]:
        """The mean of each over the trials; held out is None if none of them held anything out."""
        known = self.held_out[~np.isnan(self.held_out)]
        return {
            "held_in": float(self.held_in.mean()),
            "held_out": float(known.mean()) if len(known) else None,
            "test": float(self.test.mean()),
        }


def train(
    study: Study,
    dataset: Dataset,
    shard: Shard,
    engine: Engine,
    device: str,
    arms: Arms | None = None,
) -> Trials:
    """Train the models of one shard and evaluate each on every example.

    The outcome depends on the study (with its arms, of an experiment) and the shard alone, and on
    the kind of machine and the engine's tuning, for the last bits; doing it twice gives the same
    trials.
    """
    subset = designs.subsets(study, shard.trials, arms)
    seeds = designs.training_seeds(study, shard.trials)
    outcomes = engine.train(dataset, subset, seeds)
    return Trials(
        n=study.dataset.n_train,
        n_test=study.dataset.n_test,
        subset=np.packbits(subset, axis=1),
        train_correct=np.packbits(outcomes.train_correct, axis=1),
        test_correct=np.packbits(outcomes.test_correct, axis=1),
        train_margin=outcomes.train_value if study.margins else None,
        test_margin=outcomes.test_value if study.margins else None,
        trials=np.array(shard.trials, dtype=np.int64),
        seconds=outcomes.seconds,
        about=({"study": study.id, "device": device, **asdict(engine.tuning), **versions(device)},),
    )


def versions(device: str) -> dict[str, str]:
    """What the last bits of a number can depend on."""
    from importlib.metadata import PackageNotFoundError, version

    from memtail_core.training.device import machine_kind

    names = ("memtail", "torch", "torchvision", "numpy", "scikit-learn")
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):  # run from its source
            found[name] = version(name)
    return {**found, "python": platform.python_version(), "machine": machine_kind(device)}


def encode(trials: Trials) -> bytes:
    """Write a shard's trials as the file described above."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(trials, name) for name in _PACKED}
    if trials.train_margin is not None and trials.test_margin is not None:
        arrays |= {"train_margin": trials.train_margin, "test_margin": trials.test_margin}
    arrays |= {"trials": trials.trials, "seconds": trials.seconds}
    arrays["about"] = np.array(json.dumps(trials.about[0], sort_keys=True))
    return archive.packed(arrays)


def decode(content: bytes, study: Study, shard: Shard) -> Trials:
    """Read and verify a shard's file.

    Raises:
        DamagedError: it is, or holds other trials than ``shard`` of ``study``.
    """
    part = archive.unpacked(content)
    try:
        about = json.loads(str(part["about"]))
        are_others = about["study"] != study.id or part["trials"].tolist() != list(shard.trials)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError("it is no shard's file, though its SHA-256 matches") from error
    if are_others:
        raise DamagedError(f"it holds other trials: of {about['study']}")
    return Trials(
        n=study.dataset.n_train,
        n_test=study.dataset.n_test,
        train_margin=part.get("train_margin"),
        test_margin=part.get("test_margin"),
        trials=part["trials"],
        seconds=part["seconds"],
        about=(about,),
        **{name: part[name] for name in _PACKED},
    )


def is_whole(store: ObjectStore, study: Study, shard: Shard) -> bool:
    """Whether a shard is stored and verifies."""
    try:
        decode(store.get(shard.key(study)), study, shard)
    except (KeyError, DamagedError):
        return False
    return True


@dataclass(frozen=True)
class Damaged:
    """A stored shard that cannot be used, and where it is now."""

    shard: Shard
    reason: str
    key: str


def load(
    store: ObjectStore, study: Study, *, margins: bool = False, set_aside: bool = False
) -> tuple[Trials, list[Damaged]]:
    """Load every stored trial of a study; damaged shards are reported, never averaged in.

    The trials may be none.

    Args:
        store: where the study is.
        study: which.
        margins: whether to keep the margins in memory (2 bytes a trial and example).
        set_aside: whether to move damaged shards away, so that they count as missing.

    Raises:
        StoreError: a shard cannot be read at all, which does not make it damaged.
    """
    parts, damaged = [], []
    for shard in stored_shards(store, study):
        key = shard.key(study)
        try:
            trials = decode(store.get(key), study, shard)
        except KeyError:
            continue  # set aside by another process since it was listed
        except DamagedError as error:
            if set_aside:
                moved_to = key.replace("/shards/", "/damaged/")
                with suppress(KeyError):  # likewise
                    store.move(key, moved_to)
                key = moved_to
            damaged.append(Damaged(shard, str(error), key))
            continue
        parts.append(trials if margins else _without_margins(trials))
    if not parts:
        return _none(study), damaged
    return _joined(parts), damaged


def _none(study: Study) -> Trials:
    n, n_test = study.dataset.n_train, study.dataset.n_test
    return Trials(
        n=n,
        n_test=n_test,
        subset=np.zeros((0, -(-n // 8)), np.uint8),
        train_correct=np.zeros((0, -(-n // 8)), np.uint8),
        test_correct=np.zeros((0, -(-n_test // 8)), np.uint8),
        train_margin=None,
        test_margin=None,
        trials=np.zeros(0, np.int64),
        seconds=np.zeros(0),
        about=(),
    )


def _without_margins(trials: Trials) -> Trials:
    return replace(trials, train_margin=None, test_margin=None)


def _joined(parts: Sequence[Trials]) -> Trials:
    def join(name: str) -> Any:
        found = [getattr(part, name) for part in parts]
        return None if any(array is None for array in found) else np.concatenate(found)

    about = {json.dumps(part.about[0], sort_keys=True): part.about[0] for part in parts}
    arrays = {name: join(name) for name in _BY_TRIAL}
    return Trials(n=parts[0].n, n_test=parts[0].n_test, about=tuple(about.values()), **arrays)
