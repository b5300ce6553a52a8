"""Encodes the explorer's data as JSON: text, and numbers as little-endian arrays in base64."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.data.neighbours import Neighbours
from memtail_core.estimation.measures import CORRECTNESS
from memtail_core.report.exploration.explorer_data import Exploration
from memtail_core.report.exploration.sprites import COLUMNS, ROWS, Sheets
from memtail_core.report.exploration.strongest_influence import Partners

_LONGEST = 200  # characters of a name
_MEMORIZED, _SURELY, _POSSIBLY = 1, 2, 4  # bits of an example's ``standing``
_STEPS = 10_000  # to 1
_MISSING = -(2**15)
_NO_CATEGORY = 255


def encoded(exploration: Exploration) -> dict[str, Any]:
    """Return the JSON that the page's script reads; see :func:`i16e4` for numbers.

    Names and labels are the user's, cut at 200 characters; whoever shows them must escape them.
    """
    e, dataset = exploration, exploration.dataset
    train, test = (slice(None),) * 2 if e.shown is None else (e.shown.train, e.shown.test)
    part = dataset if e.shown is None else e.shown.part(dataset)
    on_page = set() if e.shown is None else set(e.shown.train.tolist())
    return {
        "kind": _kind(dataset),
        "classes": _names(dataset.classes),
        "features": _names(dataset.features),
        "theta": {"memorization": e.rule.theta_mem, "influence": e.rule.theta_infl},
        "same_class": e.rule.same_class,
        **({} if e.measure is CORRECTNESS else {"measure": e.measure.name}),
        **({"by_backbone": True} if e.is_by_backbone else {}),
        "trials": e.trials,
        "categories": list(e.categories),
        "duplicates": "known" if e.duplicates.is_known else "unknown",
        "train": {
            "n": len(part.y_train),
            **_rows(None if e.shown is None else e.shown.train, len(dataset.y_train)),
            "label": _array(part.y_train, "u2"),
            **{
                name: i16e4(values[train])
                for name, values in (
                    ("memorization", e.scores.memorization),
                    ("low", e.scores.ci_low),
                    ("high", e.scores.ci_high),
                    ("accuracy_in", e.scores.accuracy_in),
                    ("accuracy_out", e.scores.accuracy_out),
                )
            },
            "n_out": _array(np.minimum(e.scores.n_out[train], 2**16 - 1), "u2"),
            "category": _array(np.where(e.category < 0, _NO_CATEGORY, e.category)[train], "u1"),
            "names": _names(part.train_names) or None,
            "text": None if e.train_text is None else list(e.train_text),
            **({} if e.train_shades is None else {"shades": list(e.train_shades)}),
            "partners": _partners(e.supported),
            "neighbours": _neighbours(e.neighbours),
            "duplicate_of": {
                str(i): ["test" if is_test else "train", partner]
                for i, (is_test, partner) in sorted(e.duplicates.of.items())
                if e.shown is None or i in on_page
            },
            "standing": _array(_standing(e)[train], "u1"),
        },
        "test": {
            "n": len(part.y_test),
            **_rows(None if e.shown is None else e.shown.test, len(dataset.y_test)),
            "label": _array(part.y_test, "u2"),
            "accuracy": i16e4(e.test_accuracy[test]),
            "names": _names(part.test_names) or None,
            "text": None if e.test_text is None else list(e.test_text),
            "partners": _partners(e.supporters),
        },
        "pairs": _pairs(exploration),
        "sheets": {"train": _sheets(e.train_sheets), "test": _sheets(e.test_sheets)},
    }


def _rows(shown: NDArray[np.int64] | None, total: int) -> dict[str, Any]:
    """Say which examples of how many are on the page; nothing where all are."""
    return {} if shown is None else {"rows": _array(shown, "i4"), "total": total}


def _standing(e: Exploration) -> NDArray[np.int64]:
    """Say which examples are memorized, because the script's rounded numbers do not."""
    is_memorized = e.rule.is_memorized
    return np.asarray(
        _MEMORIZED * is_memorized(e.scores.memorization)
        + _SURELY * is_memorized(e.scores.ci_low)
        + _POSSIBLY * is_memorized(e.scores.ci_high)
    )


def _kind(dataset: Dataset) -> str:
    """How the page shows examples."""
    if dataset.modality.is_pictured:
        return "images"
    return "table" if dataset.texts is None else "text"


def i16e4(values: NDArray[np.floating[Any]]) -> str:
    """Encode numbers within ±3.2767 to four decimals; −32768 is a missing one."""
    steps = np.round(np.asarray(values, np.float64) * _STEPS)
    known = ~np.isnan(steps)
    assert (np.abs(steps[known]) < 2**15).all()
    return _array(np.where(known, steps, _MISSING), "i2")


def _array(values: NDArray[Any], kind: str) -> str:
    return base64.b64encode(values.astype(f"<{kind}").tobytes()).decode()


def _names(names: Sequence[str]) -> list[str]:
    return [name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…" for name in names]


def _partners(partners: Partners) -> dict[str, Any]:
    return {
        "k": partners.index.shape[1],
        "index": _array(partners.index, "i4"),
        "influence": i16e4(partners.influence),
        "error": i16e4(partners.standard_error),
        "significant": _array(partners.is_significant, "u1"),
    }


def _neighbours(neighbours: Neighbours) -> dict[str, Any]:
    farthest = (2**15 - 1) / _STEPS
    return {
        "k": neighbours.index.shape[1],
        "index": _array(neighbours.index, "i4"),
        "distance": i16e4(np.minimum(neighbours.distance, farthest)),
    }


def _pairs(e: Exploration) -> dict[str, Any]:
    shown = slice(0, e.n_pairs_shown)
    return {
        "shown": e.n_pairs_shown,
        "total": len(e.pairs),
        "train": _array(e.pairs.train_index[shown], "i4"),
        "test": _array(e.pairs.test_index[shown], "i4"),
        "influence": i16e4(e.pairs.influence[shown]),
        "error": i16e4(e.pairs.standard_error[shown]),
        "low": i16e4(e.pairs.ci_low[shown]),
        "high": i16e4(e.pairs.ci_high[shown]),
        "q": _array(e.pairs.q_value[shown], "f4"),
        "duplicate": _array(e.pair_is_duplicate, "u1"),
        "expected_by_chance": e.pairs.expected_by_chance,
    }


def _sheets(sheets: Sheets | None) -> dict[str, Any] | None:
    if sheets is None:
        return None
    return {
        "width": sheets.look.width,
        "height": sheets.look.height,
        "columns": COLUMNS,
        "rows": ROWS,
        "type": "image/webp",
        "position": _array(sheets.position, "i4"),
        "images": [base64.b64encode(image).decode() for image in sheets.images],
    }
