"""What a user can mend: one family of errors, each a sentence that says what, where and how."""


class MemtailError(Exception):
    """Base of every error that is the user's to mend; the CLI prints one line and exits 2."""


class StudyError(MemtailError):
    """The description of a study is wrong, or names a study that is not there."""


class DatasetError(MemtailError):
    """The data cannot be read, or cannot be what a classifier is trained on."""


class StoreError(MemtailError):
    """The store cannot be read or written, or holds something else than expected."""


class DamagedError(StoreError):
    """What is stored is not what was put: cut short, or altered."""


class TrainingError(MemtailError):
    """A model could not be trained: it diverged, ran out of memory, or the user's code failed."""


class OutOfMemoryError(TrainingError):
    """One process did not get the memory to train a model; fewer at once may."""


class MachineError(TrainingError):
    """This machine cannot train what another could."""


class EstimationError(MemtailError):
    """The stored trials do not allow the estimate that was asked for."""


def did_you_mean(word: str, known: "list[str] | tuple[str, ...]") -> str:
    """Return `` (did you mean 'x'?)`` for the known word nearest to ``word``, else the choices."""
    from difflib import get_close_matches

    nearest = get_close_matches(word, known, n=1)
    if nearest:
        return f" (did you mean '{nearest[0]}'?)"
    return f" (known: {', '.join(sorted(known))})" if known else ""
