"""The pretrained weights of a store's studies, by digest: from this machine's cache and into it."""

from contextlib import suppress

from memtail_core.data.weights import PREFIX, Weights, weights_key
from memtail_core.errors import DamagedError, StoreError
from memtail_core.settings import settings
from memtail_core.store import FilesStore, ObjectStore
from memtail_core.study import FINETUNE, Study


def put_weights(store: ObjectStore, study: Study, *, verify: bool = False) -> None:
    """Put the weights that the study's networks begin with, unless the store has them.

    Args:
        store: where to.
        study: whose.
        verify: read the stored ones; damaged ones are replaced.

    Raises:
        StoreError: neither the store nor the cache of this machine has them.
    """
    sha256 = _sha256(study)
    if sha256 is None or _is_there(store, sha256, verify):
        return
    try:
        content = FilesStore(settings().cache).get(weights_key(sha256))
        Weights.decoded(content, sha256)
    except (KeyError, DamagedError):
        raise StoreError(
            f"the store '{store.location}' lacks the weights of {study.id}: run the study again "
            "from its study file, which stores them anew"
        ) from None
    store.put(weights_key(sha256), content)


def fetch_weights(store: ObjectStore, study: Study) -> None:
    """Fetch them into the cache of this machine, if it lacks them; damaged ones are left out.

    Whoever needs weights that are not there says so: :func:`~memtail_core.data.weights.kept`.
    """
    sha256 = _sha256(study)
    if sha256 is None:
        return
    with suppress(KeyError, StoreError):
        cache = FilesStore(settings().cache)
        if not cache.exists(weights_key(sha256)):
            content = store.get(weights_key(sha256))
            Weights.decoded(content, sha256)
            cache.put(weights_key(sha256), content)


def _is_there(store: ObjectStore, sha256: str, verify: bool) -> bool:
    """Whether a store has weights; of those that are read, whether they are whole."""
    if not verify:
        return store.exists(weights_key(sha256))
    try:
        Weights.decoded(store.get(weights_key(sha256)), sha256)
    except (KeyError, DamagedError):
        return False
    return True


def _sha256(study: Study) -> str | None:
    """The digest of a study's weights; None of a study without any."""
    weights = study.training.get("weights")
    if study.training.get("recipe") != FINETUNE or not isinstance(weights, str):
        return None
    return weights.removeprefix(PREFIX)
