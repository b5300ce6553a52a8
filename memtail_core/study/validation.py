"""Check a user's tables with a pydantic model, and say in one sentence what is wrong."""

import math
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import BaseModel, BeforeValidator

from memtail_core.errors import StudyError, did_you_mean

_PLAIN = {  # words of pydantic → words of the file's author
    "Input should be": "should be",
    "a valid tuple": "a list",
    "a valid boolean": "true or false",
    "a valid dictionary": "a table",
    "a valid string": "a text in quotes",
}


def _known(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


Number = Annotated[float | None, BeforeValidator(_known)]  # None where there is none; never NaN

_MOST_DEPTH = 20  # of tables and lists

_Model = TypeVar("_Model", bound=BaseModel)


def validated(model: type[_Model], tables: dict[str, Any], where: str) -> _Model:
    """Build ``model`` from ``tables`` or raise a StudyError of one sentence."""
    _check_plain(tables, where)
    try:
        return model.model_validate(tables)
    except pydantic.ValidationError as error:
        raise StudyError(f"{where}: {_sentence(model, error.errors()[0])}") from error


def _check_plain(value: object, where: str, key: str = "", depth: int = 0) -> None:
    """Refuse what no file can hold or no message can show, at any depth.

    Raises:
        StudyError: an integer of more than 64 bits, half a character, or tables without end.
    """
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise StudyError(f"{where}: {key} has more digits than an integer of 64 bits")
    if isinstance(value, str) and any("\ud800" <= each <= "\udfff" for each in value):
        raise StudyError(f"{where}: {key} is not text: it has half a character (a surrogate)")
    if depth > _MOST_DEPTH:
        raise StudyError(f"{where}: {key} is nested too deeply: at most {_MOST_DEPTH} levels")
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_plain(name, where, "a key", depth + 1)
            _check_plain(inner, where, str(name)[:60], depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_plain(inner, where, key, depth + 1)


def _sentence(model: type[BaseModel], error: Any) -> str:
    """One sentence of pydantic's report: the key, the value, what was expected."""
    location = [part for part in error["loc"] if isinstance(part, str)]
    key = location[-1] if location else ""
    where = f"[{'.'.join(location[:-1])}] {key}" if len(location) > 1 else key
    if error["type"] == "extra_forbidden":
        for part in location[:-1]:
            field = model.model_fields[part].annotation
            if isinstance(field, type) and issubclass(field, BaseModel):
                model = field
        return f"{where} is not a known key{did_you_mean(key, list(model.model_fields))}"
    if error["type"] == "missing":
        return f"{where} is missing" if len(location) > 1 else f"[{key}] is missing"
    if error["type"] == "string_pattern_mismatch" and key == "name":
        return f"{where} = {error['input']!r}: lower-case letters, digits and '-', at most 40"
    return f"{where} = {given_and_expected(error)}"


def given_and_expected(error: Any) -> str:
    """The value that pydantic refused and what it expected, in the words of a file's author."""
    value, message = repr(error["input"]), error["msg"].removeprefix("Value error, ")
    for theirs, plain in _PLAIN.items():
        message = message.replace(theirs, plain)
    return f"{value if len(value) <= 60 else value[:57] + '...'}: {message}"
