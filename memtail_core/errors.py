"""The errors a user can mend: one family, each a sentence that says what is wrong and what to do.

    MemtailError            anything below; the CLI prints the sentence and exits with 2
    ├─ StudyError           the description of a study, an option or a setting is wrong
    ├─ DatasetError         the data cannot be read, or nothing can be trained on them
    ├─ StoreError           the store cannot be reached, read or written
    │  └─ DamagedError      a stored object is not what was put
    ├─ TrainingError        a model cannot be trained
    │  ├─ OutOfMemoryError  not here and now: a process did not get enough memory
    │  └─ MachineError      not here: another machine could
    └─ EstimationError      the stored trials do not allow the estimate

A worker tries again after a StoreError, an OutOfMemoryError and a MachineError. A StudyError, a
DatasetError and any other TrainingError would come again: they stop the study.
"""

from collections import deque
from collections.abc import Iterator


class MemtailError(Exception):
    """Base of every error that a user can mend."""


class StudyError(MemtailError):
    """The description of a study is wrong or names a study that does not exist; or a setting is."""


class DatasetError(MemtailError):
    """The data cannot be read, are damaged, or cannot be what a model is trained on."""


class StoreError(MemtailError):
    """The store cannot be reached, read or written, or holds something else than expected."""


class DamagedError(StoreError):
    """A stored object is not what was put: it was cut short or altered."""


class TrainingError(MemtailError):
    """A model cannot be trained: it diverged, or the recipe or the user's code failed."""


class OutOfMemoryError(TrainingError):
    """A process did not get enough memory to train a model; with fewer processes it may."""


class MachineError(TrainingError):
    """This machine cannot train the study; another may."""


class EstimationError(MemtailError):
    """The stored trials do not allow the estimate that was asked for."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that it comes from, each once: a chain of errors may lead back to itself.

    urllib3 keeps the cause of an error in its ``args``.
    """
    seen: set[int] = set()
    waiting = deque([error])
    while waiting:
        each = waiting.popleft()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        waiting += [part for part in each.args if isinstance(part, BaseException)]


def did_you_mean(word: str, known: "list[str] | tuple[str, ...]") -> str:
    """Return `` (did you mean 'x'?)`` for the known word nearest to ``word``, else the choices."""
    from difflib import get_close_matches

    nearest = get_close_matches(word, known, n=1)
    if nearest:
        return f" (did you mean '{nearest[0]}'?)"
    return f" (known: {', '.join(sorted(known))})" if known else ""
