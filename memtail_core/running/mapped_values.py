"""Values of many trials, more than fit in memory: written to a file as they are read, and mapped.

The file has no name, so that nothing is left of it, however the process ends.
"""

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import MachineError
from memtail_core.plan.shards import Shard
from memtail_core.running.trials import VALUES, Trials
from memtail_core.settings import settings
from memtail_core.study import Study

MOST_IN_MEMORY = 2**30  # bytes of values; more are mapped


def are_mapped(study: Study, shards: Sequence[Shard]) -> bool:
    """Whether the values of these shards are too large for memory."""
    n_trials = sum(len(shard.trials) for shard in shards)
    n_values = study.dataset.n_train + study.dataset.n_test
    return n_trials * n_values * np.dtype(np.float16).itemsize > MOST_IN_MEMORY


class MappedValues:
    """The values of trials that come one part after the other."""

    def __init__(self) -> None:
        """Make the files, in the cache of this machine."""
        self._folder = settings().cache.expanduser()
        self._files: dict[str, IO[bytes] | None] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name in VALUES:
                self._files[name] = TemporaryFile(dir=self._folder)  # noqa: SIM115  # it is mapped
        except OSError as error:
            raise _unwritable(self._folder, error) from error

    def moved(self, part: Trials) -> Trials:
        """Write the values of a part, and return it without them.

        Raises:
            MachineError: the disk is full or refuses.
        """
        for name, file in self._files.items():
            values: NDArray[np.float16] | None = getattr(part, name)
            if values is None:  # of this name there are none, if one part has none
                self._files[name] = None
            elif file is not None:
                try:
                    file.write(np.ascontiguousarray(values).data)
                    file.flush()
                except OSError as error:
                    raise _unwritable(self._folder, error) from error
        return part.without_values()

    def mapped(self, trials: Trials) -> Trials:
        """Return the joined parts with their values: float16 [T, n] and [T, n_test], read-only."""
        widths = dict(zip(VALUES, (trials.n, trials.n_test), strict=True))
        values: dict[str, Any] = {}
        for name, file in self._files.items():
            shape = len(trials), widths[name]
            if file is not None:
                values[name] = np.memmap(file, np.float16, "r", shape=shape).view(np.ndarray)
        return replace(trials, **values)


def _unwritable(folder: Path, error: OSError) -> MachineError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineError(
            f"the disk of '{folder}' has no room for the values of the models: make room, or set "
            "MEMTAIL_CACHE to a larger disk"
        )
    return MachineError(f"cannot write to '{folder}': {error.strerror or error}")
