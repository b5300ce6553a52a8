"""Load the trials of a study: every shard verified, damaged ones reported and set aside."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import DamagedError, EstimationError
from memtail_core.estimation.held_out import HeldOut
from memtail_core.estimation.token_losses import TokenLosses
from memtail_core.plan.shards import Shard
from memtail_core.running import probability_files, shard_files
from memtail_core.running.mapped_values import MappedValues, are_mapped
from memtail_core.running.signing import shard_key
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import Study

NO_PROBABILITIES = (
    "{} keeps none: run its study file with --set study.probabilities=true, which trains the same "
    "models and keeps what they say of the examples that they held out"
)
"""What to do about a study without probabilities; the id is to be filled in."""


@dataclass(frozen=True)
class Damaged:
    """A stored shard that cannot be used, and the key of its bits now."""

    shard: Shard
    reason: str
    key: str


def load(
    store: ObjectStore,
    study: Study,
    *,
    values: bool = False,
    set_aside: bool = False,
    check_values: bool = False,
    among: Sequence[Shard] | None = None,
) -> tuple[Trials, list[Damaged]]:
    """Load every stored trial of a study; damaged shards are reported, never averaged in.

    There may be no trials. The files of values, 90% of a study's bytes, are only read on request.
    No more than a shard's and :data:`.mapped_values.MOST_IN_MEMORY` of them are in memory.

    Args:
        store: where the study is.
        study: which.
        values: whether to return the values too (2 bytes a trial and example), mapped from a file
            where they are many.
        set_aside: whether to move damaged shards away, so that they count as missing.
        check_values: whether to read the values just to verify them.
        among: which shards, if not all that are stored.

    Raises:
        StoreError: a shard cannot be read at all, which does not make it damaged.
        MachineError: many values were asked for, and the disk has no room for them.
    """
    parts, damaged = [], []
    shards = stored_shards(store, study) if among is None else among
    mapped = MappedValues() if values and are_mapped(study, shards) else None
    for each in _each(store, study, values or check_values, set_aside, shards):
        if isinstance(each, Damaged):
            damaged.append(each)
        elif mapped is not None:
            parts.append(mapped.moved(each))
        else:
            parts.append(each if values else each.without_values())
    if not parts:
        return Trials.none(study.dataset.n_train, study.dataset.n_test), damaged
    joined = Trials.joined(parts)
    return joined if mapped is None else mapped.mapped(joined), damaged


def load_shard(store: ObjectStore, study: Study, shard: Shard, *, values: bool = False) -> Trials:
    """Load one shard and verify it.

    Raises:
        KeyError: it is not stored.
        DamagedError: its bits are damaged or, if asked for, its values damaged or missing.
    """
    return _load_shard(store, study, shard, values, shard_key())


def _load_shard(
    store: ObjectStore, study: Study, shard: Shard, values: bool, key: bytes | None
) -> Trials:
    bits = shard_files.decode(store.get(shard.key(study)), study, shard, key)
    if not values:
        return bits.trials.without_values()
    if study.probabilities:
        _sums(store, study, shard, bits)
    if bits.values is None:  # the recipe gives none, or version 0.1 kept them with the bits
        return bits.trials
    try:
        content = store.get(shard.values_key(study))
    except KeyError:
        raise DamagedError("the file of its values is missing") from None
    return shard_files.with_values(bits, content, study, shard)


def load_held_out(store: ObjectStore, study: Study) -> HeldOut:
    """Add up the held-out class probabilities of all stored shards, each verified, one at a time.

    Raises:
        EstimationError: the study keeps none, or has no classes, or nothing is stored.
        DamagedError: a shard is damaged.
    """
    if not study.probabilities:
        raise EstimationError(NO_PROBABILITIES.format(study.id))
    total = _total(store, study)
    if not isinstance(total, HeldOut):
        raise EstimationError(f"{study.id} models documents, which have no classes")
    return total


def load_token_losses(store: ObjectStore, study: Study) -> TokenLosses | None:
    """Add up the losses of tokens of all stored shards, each verified, one at a time.

    None of a study that keeps none: one of labels, or without ``probabilities``.

    Raises:
        EstimationError: nothing is stored.
        DamagedError: a shard is damaged.
    """
    if not study.probabilities:
        return None
    total = _total(store, study)
    return total if isinstance(total, TokenLosses) else None


def _total(store: ObjectStore, study: Study) -> HeldOut | TokenLosses:
    stored, key = stored_shards(store, study), shard_key()
    if not stored:
        raise EstimationError(f"{study.id} has no trained model yet: start it with memtail run")
    total: Any = probability_files.no_sums(study)
    for shard in stored:
        bits = shard_files.decode(store.get(shard.key(study)), study, shard, key)
        total = total.plus(_sums(store, study, shard, bits))
    made: HeldOut | TokenLosses = total
    return made


def _sums(
    store: ObjectStore, study: Study, shard: Shard, bits: shard_files.Bits
) -> HeldOut | TokenLosses:
    try:
        content = store.get(shard.probabilities_key(study))
    except KeyError:
        raise DamagedError("the file of its probabilities is missing") from None
    return shard_files.sums(bits, content, study, shard)


def is_whole(store: ObjectStore, study: Study, shard: Shard) -> bool:
    """Whether a shard is stored and verifies, values and probabilities included."""
    try:
        load_shard(store, study, shard, values=True)
    except (KeyError, DamagedError):
        return False
    return True


def _each(
    store: ObjectStore,
    study: Study,
    values: bool,
    set_aside: bool,
    shards: Sequence[Shard],
) -> Iterator[Trials | Damaged]:
    signed_with = shard_key()
    for shard in shards:
        key = shard.key(study)
        try:
            yield _load_shard(store, study, shard, values, signed_with)
        except KeyError:
            continue  # another process set it aside since it was listed
        except DamagedError as error:
            if set_aside:
                key = _set_aside(store, study, shard)
            yield Damaged(shard, str(error), key)


def _set_aside(store: ObjectStore, study: Study, shard: Shard) -> str:
    """Move the files of a shard away; return the new key of its bits.

    The bits go last: nobody trains the shard again, and stores new values, before they are gone.
    """
    aside = f"{study.prefix}damaged/{shard.name}"
    for key, to in (
        (shard.values_key(study), f"{aside}.values.npz"),
        (shard.probabilities_key(study), f"{aside}.probabilities.npz"),
        (shard.key(study), f"{aside}.npz"),
    ):
        with suppress(KeyError):  # there are none, or another process was faster
            store.move(key, to)
    return f"{aside}.npz"
