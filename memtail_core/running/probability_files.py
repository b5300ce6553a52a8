"""The file of a shard's class probabilities, or of its losses of tokens: encode, decode, verify.

    probabilities/F-L.npz          where [study] probabilities = true
        n_out [n]                  uint32, the trials of the shard that held each example out
        total, squares [n, C]      Σ p and Σ p² over those, in units of 2⁻²⁴ (:mod:`.held_out`):
                                   uint32 if a shard has at most 255 trials, uint64 if it has more
        trials [K]                 int64
        about                      JSON: study id

    of a language model, in place of n_out, total and squares
        n_in, n_out [n]            uint32, the trials that trained on each document, and the others
        total_in, total_out        uint32 [n, T − 1], Σ −log p over those, in units of 2⁻¹⁰ nats
                                   (:mod:`.token_losses`)

It has its own SHA-256, which the file of the shard's bits holds, and signs if shards are signed.
"""

import json
from typing import Any

import numpy as np

from memtail_core.errors import DamagedError
from memtail_core.estimation.held_out import HeldOut
from memtail_core.estimation.token_losses import TokenLosses
from memtail_core.plan.shards import Shard
from memtail_core.store import archive
from memtail_core.store.document import document
from memtail_core.study import Study, n_probabilities

_MOST_SMALL = 255  # trials whose sums uint32 holds


def encode(sums: HeldOut | TokenLosses, study: Study, shard: Shard) -> bytes:
    """Encode one shard's sums; the same sums give the same bytes."""
    return archive.packed(
        {
            **{name: getattr(sums, name).astype(kind) for name, (kind, _) in _types(study).items()},
            "trials": np.array(shard.trials, np.int64),
            "about": np.array(json.dumps({"study": study.id})),
        }
    )


def decode(content: bytes, study: Study, shard: Shard) -> HeldOut | TokenLosses:
    """Decode and verify.

    Raises:
        DamagedError: it is damaged, or of other trials than ``shard`` of ``study``.
    """
    arrays, types = archive.unpacked(content), _types(study)
    try:
        of = document(str(arrays["about"]))["study"]
        is_it = of == study.id and arrays["trials"].tolist() == list(shard.trials)
        is_fit = all(
            arrays[name].dtype == kind and arrays[name].shape == shape
            for name, (kind, shape) in types.items()
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError("it holds no probabilities, though its SHA-256 matches") from error
    if not (is_it and is_fit):
        raise DamagedError("its probabilities are of other trials")
    none = no_sums(study)
    return type(none)(**{name: arrays[name].astype(getattr(none, name).dtype) for name in types})


def no_sums(study: Study) -> HeldOut | TokenLosses:
    """The sums over no trials of the study."""
    of = study.dataset
    kind = HeldOut if of.is_labelled else TokenLosses
    return kind.none(of.n_train, n_probabilities(of.classes, of.shape))


def _types(study: Study) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """The dtype and the shape of each array of sums."""
    small = np.uint32 if study.shard_size <= _MOST_SMALL else np.uint64
    n = (study.dataset.n_train,)
    each = (*n, n_probabilities(study.dataset.classes, study.dataset.shape))
    if study.dataset.is_labelled:
        return {"n_out": (np.uint32, n), "total": (small, each), "squares": (small, each)}
    counts = dict.fromkeys(("n_in", "n_out"), (np.uint32, n))
    return {**counts, **dict.fromkeys(("total_in", "total_out"), (np.uint32, each))}
