"""What a source did with its input: what it read, merged and left out, and what looks wrong."""

from typing import Annotated

import pydantic
from pydantic.dataclasses import dataclass

from memtail_core.data.wording import printable
from memtail_core.errors import DamagedError


def _printable(sentence: object) -> object:
    """Names in a sentence may hold anything."""
    return printable(sentence) if isinstance(sentence, str) else sentence


_Sentence = Annotated[str, pydantic.BeforeValidator(_printable)]


@dataclass(frozen=True)
class Account:
    """What became of every file, row and column; printed in the plan and in the report.

    An account is no part of the data: it changes neither their digest nor the study's id.

    Attributes:
        lines: sentences without a full stop, as ``118 images read, 3 files left out: 2 hidden``.
        warnings: what may be a mistake in the data, said in the same way.
    """

    lines: tuple[_Sentence, ...] = ()
    warnings: tuple[_Sentence, ...] = ()

    def __add__(self, other: "Account") -> "Account":
        """Both accounts, this one first."""
        return Account(self.lines + other.lines, self.warnings + other.warnings)

    def __bool__(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.lines or self.warnings)

    def to_json(self) -> bytes:
        """Encode as it is kept beside a study."""
        return _AS_JSON.dump_json(self, indent=2)

    @classmethod
    def from_json(cls, content: bytes) -> "Account":
        """Decode :meth:`to_json`; raises DamagedError."""
        try:
            return _AS_JSON.validate_json(content)
        except pydantic.ValidationError as error:
            raise DamagedError("not an account of what was read") from error


_AS_JSON = pydantic.TypeAdapter(Account)
NO_ACCOUNT = Account()
"""Of data that a source has nothing to say about."""
