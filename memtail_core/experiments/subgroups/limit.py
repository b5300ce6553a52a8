"""A limit on how many examples are of one kind: ``likely-mislabeled > 1%``, for checks of data."""

import re
from dataclasses import dataclass

from memtail_core.errors import StudyError, did_you_mean
from memtail_core.experiments.subgroups.result import CATEGORIES, Subgroups

_LIMIT = re.compile(r"\s*([a-z-]+)\s*(>=|>)\s*(\d{1,12}(?:\.\d{1,12})?)\s*(%?)\s*")


@dataclass(frozen=True)
class Limit:
    """What may not be.

    Attributes:
        category: of examples.
        is_strict: whether more than the limit is too many, or as many already.
        number: of examples, or per cent of all if ``is_share``.
    """

    category: str
    is_strict: bool
    number: float
    is_share: bool

    @classmethod
    def parse(cls, text: str) -> "Limit":
        """Read ``CATEGORY > NUMBER`` or ``CATEGORY >= NUMBER%``.

        Raises:
            StudyError: it is no such text, or there is no such category.
        """
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise StudyError(
                f"--fail-if '{text}': write a category, > or >=, and a number or a per cent, as "
                "'likely-mislabeled > 1%'"
            )
        category, sign, number, percent = match.groups()
        if category not in CATEGORIES:
            raise StudyError(
                f"--fail-if '{text}': there are no '{category}' examples"
                f"{did_you_mean(category, CATEGORIES)}"
            )
        return cls(category, sign == ">", float(number), bool(percent))

    def exceeded(self, result: Subgroups) -> str | None:
        """Say in a sentence that there are too many; None if there are not."""
        count, n = result.counts[self.category], result.examples
        # in whole numbers where the limit is whole: 1 of 100 is 1%, and not more
        left, right = (100 * count, self.number * n) if self.is_share else (count, self.number)
        if not (left > right if self.is_strict else left >= right):
            return None
        unit = "%" if self.is_share else ""
        return (
            f"{count:,} of {n:,} examples ({count / n:.2%}) are {self.category}: failed, since "
            f"that is {'more than' if self.is_strict else 'at least'} {self.number:g}{unit}"
        )
