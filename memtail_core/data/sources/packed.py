"""``packed:imagenet.memtail``: what ``memtail pack`` wrote."""

import os
from pathlib import Path

from memtail_core.data.packed.index import INDEX, PARTS, Index
from memtail_core.data.packed.known import check_once
from memtail_core.data.splits import Splits
from memtail_core.errors import DamagedError, DatasetError
from memtail_core.settings import settings


def load(path: str, /) -> Splits:
    """Map a packed dataset; its parts are verified once per machine.

    Raises:
        DatasetError: it is not packed, not complete, or damaged.
    """
    folder = Path(os.path.expanduser(path))
    try:
        index = Index.decode((folder / INDEX).read_bytes())
    except FileNotFoundError:
        what = "is not packed completely" if (folder / PARTS).is_dir() else "is no packed dataset"
        raise DatasetError(f"'{path}' {what}: memtail pack SOURCE -o {path}") from None
    except OSError as error:
        raise DatasetError(f"cannot read '{path}': {error.strerror or error}") from error
    except DamagedError as error:
        raise DatasetError(f"'{folder / INDEX}' is damaged ({error}): pack it again") from error
    cache = settings().cache.expanduser()
    splits = index.splits((folder / PARTS).absolute())
    check_once((folder / PARTS).absolute(), index.parts, index.digest, cache)
    return splits
