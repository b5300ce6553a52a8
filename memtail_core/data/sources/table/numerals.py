"""Reads words as numbers: decimal signs, separators of thousands, units of money and percent."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

from memtail_core.data.sources.table.text import Text

_GAPS = ("NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN")

_SPACE = "[ \u00a0\u202f\u2009'\u2019]"
_UNIT = "[%€$£¥₹]"
_FIELD = re.compile(rf"([+\-\u2212]?)({_UNIT}?)\s*([+\-\u2212]?)([.,]?\d.*?)\s*({_UNIT}?)")
_LONGEST = 60  # characters of a number
_PLAIN = re.compile(rf"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{{1,3}}({_SPACE}\d{{3}})+(\.\d*)?")
_BY_SIGN = {
    ".": re.compile(
        rf"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{{1,3}}(,\d{{3}})+(\.\d*)?"
        rf"|\d{{1,3}}({_SPACE}\d{{3}})+(\.\d*)?"
    ),
    ",": re.compile(
        rf"(\d+,?\d*|,\d+)([eE][+-]?\d+)?|\d{{1,3}}(\.\d{{3}})+(,\d*)?"
        rf"|\d{{1,3}}({_SPACE}\d{{3}})+(,\d*)?"
    ),
}
_PROOF = {  # can be read with this decimal sign only
    ".": re.compile(r"\d{1,3}(,\d{3})+\.\d*|\d{1,3}(,\d{3}){2,}"),
    ",": re.compile(r"\d{1,3}(\.\d{3})+,\d*|\d{1,3}(\.\d{3}){2,}"),
}
_BOOLEANS = {"0": 0, "false": 0, "False": 0, "FALSE": 0, "1": 1, "true": 1, "True": 1, "TRUE": 1}

Sign = Literal[".", ","] | None


@dataclass(frozen=True)
class Numerals:
    """k words read as numbers.

    Attributes:
        values: [k], int64, float64, or Python's integers where 64 bits do not hold them.
        note: how they were read, where that is not plain.
        is_boolean: whether the words are true and false.
    """

    values: NDArray[Any]
    note: str = ""
    is_boolean: bool = False


def without_gaps(text: Text) -> Text:
    """Words such as NA mean a missing value among numbers; among words they are words."""
    gaps = pc.is_in(text.stripped, value_set=pyarrow.array(_GAPS, pyarrow.large_string()))
    return text.without(gaps.to_numpy(zero_copy_only=False))


def read(words: Any, decimal: Sign) -> Numerals | None:
    """Read stripped words as Arrow reads numbers in a CSV file; None if one is no number."""
    try:
        values = pc.cast(words, "int64").to_numpy(zero_copy_only=False)
        coded = pc.any(pc.match_substring_regex(words, r"^-?0\d")).as_py()
        return Numerals(values, "with leading zeros, read as numbers" if coded else "")
    except pyarrow.ArrowException:
        pass
    if len(words) <= len(_BOOLEANS) and all(word in _BOOLEANS for word in words.to_pylist()):
        return Numerals(np.array([_BOOLEANS[word] for word in words.to_pylist()]), "", True)
    if pc.all(pc.match_substring_regex(words, r"^-?\d{1,300}$")).as_py():  # beyond 64 bits
        return Numerals(np.array([int(word) for word in words.to_pylist()], dtype=object))
    if decimal == ",":
        return None
    try:
        return Numerals(pc.cast(words, "float64").to_numpy(zero_copy_only=False))
    except pyarrow.ArrowException:
        return None


@dataclass(frozen=True)
class Sorted:
    """Words sorted into those that are numbers, those that could be, and others.

    Attributes:
        numbers: index of a word → its value.
        unclear: indices of words that are numbers in another notation, or in two.
        others: indices of words that are no numbers.
        note: how the numbers were read.
    """

    numbers: dict[int, float]
    unclear: list[int]
    others: list[int]
    note: str


def sort(words: list[str], decimal: Sign) -> Sorted:
    """Sort stripped words; a unit of money or percent may stand at all of them, or at none."""
    fields = [_FIELD.fullmatch(word) if len(word) <= _LONGEST else None for word in words]
    bodies = [field[4].strip() if field else "" for field in fields]
    sign = decimal or _proven(bodies)
    numbers: dict[int, float] = {}
    unclear, others, units, notes = [], [], set(), set()
    for i, (word, field, body) in enumerate(zip(words, fields, bodies, strict=True)):
        if field is None or not any(form.fullmatch(body) for form in _BY_SIGN.values()):
            if word.lower().lstrip("+-") in ("inf", "infinity"):
                numbers[i] = float(word)
            else:
                others.append(i)
            continue
        readable = _BY_SIGN[sign] if sign else _PLAIN
        if not readable.fullmatch(body):
            unclear.append(i)
            continue
        units.add(field[2] or field[5])
        digits = re.sub(_SPACE, "", body)
        if sign == ",":
            digits = digits.replace(".", "").replace(",", ".")
            notes.add("with a decimal comma")
        elif "," in digits:
            digits = digits.replace(",", "")
            notes.add("with commas between thousands")
        negative = (field[1] + field[3]) in ("-", "\u2212")
        numbers[i] = -float(digits) if negative else float(digits)
    if len(units) > 1:  # 5 and 5% are not the same number
        return Sorted({}, sorted([*numbers, *unclear]), others, "")
    notes |= {f"in {unit}" for unit in units if unit}
    return Sorted(numbers, unclear, others, ", ".join(sorted(notes)))


def _proven(bodies: list[str]) -> Sign:
    """The decimal sign that the words prove: 1,234.56 has a point, 1.234,56 a comma."""
    proven: list[Literal[".", ","]] = [
        sign  # type: ignore[misc]
        for sign, proof in _PROOF.items()
        if any(proof.fullmatch(body) for body in bodies)
    ]
    return proven[0] if len(proven) == 1 else None
