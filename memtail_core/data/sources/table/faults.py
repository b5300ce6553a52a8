"""Collects what is wrong with a user's tables, so that one run reports all of it."""

from memtail_core.errors import DatasetError

_MOST = 10  # faults that are listed; a message stays readable


class Faults:
    """Sentences that each name the file, the place and what mends it."""

    def __init__(self) -> None:
        self._sentences: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._sentences)

    def add(self, sentence: str) -> None:
        """Note a fault and go on reading."""
        self._sentences.append(sentence)

    def check(self) -> None:
        """Raise all faults as one DatasetError, if there are any."""
        if not self._sentences:
            return
        if len(self._sentences) == 1:
            raise DatasetError(self._sentences[0])
        listed = [f"({i}) {s}" for i, s in enumerate(self._sentences[:_MOST], 1)]
        more = len(self._sentences) - _MOST
        raise DatasetError(
            f"{len(self._sentences)} faults: {'; '.join(listed)}"
            + (f"; and {more} more" if more > 0 else "")
        )


def rows_beside(n: int) -> str:
    """`` (and 3 more rows)``, or nothing where one row is meant."""
    return f" (and {n - 1} more row{'s' if n > 2 else ''})" if n > 1 else ""
