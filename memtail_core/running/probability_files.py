"""The file of a shard's held-out class probabilities: encode, decode, verify.

    probabilities/F-L.npz          where [study] probabilities = true
        n_out [n]                  uint32, the trials of the shard that held each example out
        total, squares [n, C]      Σ p and Σ p² over those, in units of 2⁻²⁴ (:mod:`.held_out`):
                                   uint32 if a shard has at most 255 trials, uint64 if it has more
        trials [K]                 int64
        about                      JSON: study id

It has its own SHA-256, which the file of the shard's bits holds, and signs if shards are signed.
"""

import json

import numpy as np

from memtail_core.errors import DamagedError
from memtail_core.estimation.held_out import HeldOut
from memtail_core.plan.shards import Shard
from memtail_core.store import archive
from memtail_core.store.document import document
from memtail_core.study import Study

_MOST_SMALL = 255  # trials whose sums uint32 holds


def encode(held_out: HeldOut, study: Study, shard: Shard) -> bytes:
    """Encode one shard's sums; the same sums give the same bytes."""
    number = _number(study)
    return archive.packed(
        {
            "n_out": held_out.n_out.astype(np.uint32),
            "total": held_out.total.astype(number),
            "squares": held_out.squares.astype(number),
            "trials": np.array(shard.trials, np.int64),
            "about": np.array(json.dumps({"study": study.id})),
        }
    )


def decode(content: bytes, study: Study, shard: Shard) -> HeldOut:
    """Decode and verify.

    Raises:
        DamagedError: it is damaged, or of other trials than ``shard`` of ``study``.
    """
    arrays = archive.unpacked(content)
    n, c = study.dataset.n_train, len(study.dataset.classes)
    number = _number(study)
    expected = {"n_out": (np.uint32, (n,)), "total": (number, (n, c)), "squares": (number, (n, c))}
    try:
        of = document(str(arrays["about"]))["study"]
        is_it = of == study.id and arrays["trials"].tolist() == list(shard.trials)
        is_fit = all(
            arrays[name].dtype == dtype and arrays[name].shape == shape
            for name, (dtype, shape) in expected.items()
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError("it holds no probabilities, though its SHA-256 matches") from error
    if not (is_it and is_fit):
        raise DamagedError("its probabilities are of other trials")
    return HeldOut(
        arrays["n_out"].astype(np.int64),
        arrays["total"].astype(np.uint64),
        arrays["squares"].astype(np.uint64),
    )


def _number(study: Study) -> type[np.uint32] | type[np.uint64]:
    return np.uint32 if study.shard_size <= _MOST_SMALL else np.uint64
