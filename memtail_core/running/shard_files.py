"""The files of a shard, its bits and its values: encode, decode, verify.

Each is an npz that plain numpy opens, with its own SHA-256 (64 hexadecimal digits) as the comment
at the end of the zip archive: a file proves itself wherever it is copied.

    shards/F-L.npz                            the bits
        subset, train_correct [K, ⌈n/8⌉]      packed, most significant first (numpy.packbits)
        test_correct [K, ⌈n_test/8⌉]          packed as well
        trials [K], seconds [K]               int64, float64
        rate_share [K]                        float64, only where a learning rate was lowered
        about                                 JSON: study id, versions, device, tuning
        values, probabilities                 SHA-256 of the files of these, where there are any
    values/F-L.npz                            the values, where the recipe gives them
                                              (imported trials may lack some, and train_correct)
        train_values [K, n], test_values      float16
        trials [K]                            int64
        about                                 JSON: study id

:mod:`.probability_files` says what the third file holds. Version 0.1 kept the values in the file of
the bits, as ``train_margin`` and ``test_margin``; such files are read too.
"""

import hashlib
import json
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import DamagedError
from memtail_core.estimation.held_out import HeldOut
from memtail_core.estimation.token_losses import TokenLosses
from memtail_core.plan.shards import Shard
from memtail_core.running import probability_files
from memtail_core.running.trials import BITS, VALUES, Trials
from memtail_core.store import archive
from memtail_core.store.archive import Arrays
from memtail_core.store.document import document
from memtail_core.study import Study

_VALUES_OF_0_1 = ("train_margin", "test_margin")
_PLAIN = (str, int, float)  # what ``about`` says of a training, besides nothing


class Encoded(NamedTuple):
    """The content of a shard's files; ``values`` is None where the recipe gives none."""

    bits: bytes
    values: bytes | None
    probabilities: bytes | None = None


class Bits(NamedTuple):
    """What the file of a shard's bits holds.

    Attributes:
        trials: without values, unless version 0.1 kept them in this file.
        values, probabilities: SHA-256 of the files of these; None where there is no such file.
    """

    trials: Trials
    values: str | None
    probabilities: str | None = None


def encode(trials: Trials, key: bytes | None = None, probabilities: bytes | None = None) -> Encoded:
    """Encode one shard's trials; the same trials give the same bytes.

    With a ``key`` the bits are signed, and with them the values and the ``probabilities``, the
    content of :mod:`.probability_files`, whose digests they hold.
    """
    arrays: Arrays = _there(trials, BITS)
    arrays |= {"trials": trials.trials, "seconds": trials.seconds, "about": _json(trials.about[0])}
    if trials.rate_share is not None:
        arrays["rate_share"] = trials.rate_share
    if probabilities is not None:
        arrays["probabilities"] = np.array(_sha256(probabilities))
    if not (values := _there(trials, VALUES)):
        return Encoded(archive.packed(arrays, key), None, probabilities)
    about = _json({"study": trials.about[0]["study"]})
    content = archive.packed(values | {"trials": trials.trials, "about": about})
    arrays["values"] = np.array(_sha256(content))
    return Encoded(archive.packed(arrays, key), content, probabilities)


def decode(content: bytes, study: Study, shard: Shard, key: bytes | None = None) -> Bits:
    """Decode and verify the file of a shard's bits; with a ``key`` its signature too.

    Raises:
        DamagedError: it is damaged or not signed, or holds other trials than ``shard`` of
            ``study``.
    """
    arrays = archive.unpacked(content, key)
    optional = (name for name in (*_VALUES_OF_0_1, "rate_share") if name in arrays)
    about = _verified(arrays, (*_expected(BITS, arrays, study), "seconds", *optional), study, shard)
    train_values, test_values = (arrays.get(name) for name in _VALUES_OF_0_1)
    trials = Trials(
        n=study.dataset.n_train,
        n_test=study.dataset.n_test,
        train_values=train_values,
        test_values=test_values,
        trials=arrays["trials"],
        seconds=arrays["seconds"],
        about=(about,),
        rate_share=arrays.get("rate_share"),
        subset=arrays["subset"],
        train_correct=arrays.get("train_correct"),
        test_correct=arrays["test_correct"],
    )
    if ("probabilities" in arrays) != study.probabilities:
        raise DamagedError("it says otherwise than the study whether there are probabilities")
    values, probabilities = (
        str(arrays[name]) if name in arrays else None for name in ("values", "probabilities")
    )
    return Bits(trials, values, probabilities)


def with_values(bits: Bits, content: bytes, study: Study, shard: Shard) -> Trials:
    """Decode and verify the file of a shard's values; return its trials with them.

    Raises:
        DamagedError: it is damaged, or not the file that was stored with the bits.
    """
    arrays = archive.unpacked(content)
    _verified(arrays, _expected(VALUES, arrays, study), study, shard)
    if _sha256(content) != bits.values:
        raise DamagedError("its values were not stored with its bits")
    train_values, test_values = (arrays.get(name) for name in VALUES)
    return replace(bits.trials, train_values=train_values, test_values=test_values)


def sums(bits: Bits, content: bytes, study: Study, shard: Shard) -> HeldOut | TokenLosses:
    """Decode and verify the file of a shard's probabilities.

    Raises:
        DamagedError: it is damaged, or not the file that was stored with the bits.
    """
    decoded = probability_files.decode(content, study, shard)
    if _sha256(content) != bits.probabilities:
        raise DamagedError("its probabilities were not stored with its bits")
    return decoded


def _verified(arrays: Arrays, names: tuple[str, ...], study: Study, shard: Shard) -> dict[str, Any]:
    """Check that a file has the arrays of these names and is this shard's; return its ``about``."""
    try:
        about: dict[str, Any] = document(str(arrays["about"]))
        of = about["study"]
        is_it = of == study.id and arrays["trials"].tolist() == list(shard.trials)
        is_fit = all(_fits(arrays[name], _type(name, study), len(shard.trials)) for name in names)
        is_plain = all(value is None or isinstance(value, _PLAIN) for value in about.values())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError("it is no file of a shard, though its SHA-256 matches") from error
    if not is_it:
        raise DamagedError(f"it holds other trials: of {str(of)[:60]}")
    if not is_fit or not is_plain:
        raise DamagedError("it is no file of a shard of this study, though its SHA-256 matches")
    return about


def _expected(names: tuple[str, ...], arrays: Arrays, study: Study) -> tuple[str, ...]:
    """Return the arrays that a file must have: imported trials may lack some outcomes."""
    optional = (*VALUES, "train_correct") if study.is_imported else ()
    return tuple(name for name in names if name in arrays or name not in optional)


def _type(name: str, study: Study) -> tuple[str, tuple[int, ...]]:
    """The dtype of an array of this name, and the shape of what a trial has in it."""
    if name in ("seconds", "rate_share"):
        return "float64", ()
    n = study.dataset.n_test if name.startswith("test") else study.dataset.n_train
    return ("float16", (n,)) if name in VALUES + _VALUES_OF_0_1 else ("uint8", (-(-n // 8),))


def _fits(array: NDArray[Any], of: tuple[str, tuple[int, ...]], n_trials: int) -> bool:
    dtype, shape = of
    return array.dtype == np.dtype(dtype) and array.shape == (n_trials, *shape)


def _there(trials: Trials, names: tuple[str, ...]) -> Arrays:
    """Return the arrays of these names that the trials have."""
    every = {name: getattr(trials, name) for name in names}
    return {name: array for name, array in every.items() if array is not None}


def _json(value: dict[str, Any]) -> NDArray[Any]:
    return np.array(json.dumps(value, sort_keys=True))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
