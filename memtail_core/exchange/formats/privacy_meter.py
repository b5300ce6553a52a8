"""Privacy Meter: memberships, and the probability of the label as the signal.

    models/memberships.npy          bool [M, n]        which examples each model trained on
    signals/rmia_signals.npy        float [n, M]       the probability of the label
    signals/rmia_signals_pop.npy    float [n_pop, M]   the same of examples that no model trained on

as github.com/privacytrustlab/ml_privacy_meter writes them into its ``log_dir``. The population
counts as the test examples. memtail adds ``models/train_correct.npy``, ``test_correct.npy`` and
``labels.npz``.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import DatasetError
from memtail_core.exchange import array_files, labels
from memtail_core.exchange.bank import Bank
from memtail_core.exchange.format import Format, Labels
from memtail_core.exchange.stored import StoredStudy

_MEMBERSHIPS = "models/memberships.npy"
_SIGNALS, _POPULATION = "_signals.npy", "_signals_pop.npy"
_CORRECT = ("train_correct", "test_correct")


def _read(path: Path, given: Labels) -> Bank:
    del given
    subset = array_files.npy(path / _MEMBERSHIPS)
    signals = _one(path, _SIGNALS)
    if signals is None:
        raise DatasetError(
            f"'{path}/signals' has no rmia{_SIGNALS}: run the audit, which writes it"
        )
    arrays = {"train_margins": signals, "test_margins": _one(path, _POPULATION)}
    files = {name: path / f"models/{name}.npy" for name in _CORRECT}
    correct = {name: array_files.npy(file) for name, file in files.items() if file.exists()}
    for name, array in arrays.items():
        if array is not None and (array.ndim != 2 or array.shape[1:] != subset.shape[:1]):
            raise DatasetError(
                f"the signals of {name.partition('_')[0]} examples have the shape "
                f"{list(array.shape)}, and memberships {list(subset.shape)}: a column for each "
                "model is needed"
            )
    if subset.ndim != 2 or len(signals) != subset.shape[1]:
        raise DatasetError(
            f"the signals are of {len(signals):,} examples, and memberships have the shape "
            f"{list(subset.shape)}: audit all examples"
        )

    def read(first: int, last: int) -> dict[str, NDArray[Any]]:
        found = {name: array[first:last] for name, array in correct.items()}
        for name, array in arrays.items():
            if array is not None:
                found[name] = _log_odds(array[:, first:last].T, name, first)
        return {"subset": subset[first:last], **found}

    population = arrays["test_margins"]
    n_test = 0 if population is None else len(population)
    data = labels.beside(path)
    return Bank(FORMAT.name, len(subset), len(signals), n_test, read, True, data)


def _one(path: Path, ending: str) -> NDArray[Any] | None:
    """The signals of RMIA or, of both attacks alike, of LOSS; None where there are none."""
    files = (path / "signals" / f"{attack}{ending}" for attack in ("rmia", "loss"))
    return next((array_files.npy(file) for file in files if file.exists()), None)


def _log_odds(p: NDArray[Any], name: str, first: int) -> NDArray[np.float64]:
    """Return log p − log(1 − p); a probability that was rounded to 1 is the largest below it."""
    if p.dtype.kind != "f":
        raise DatasetError(f"the signals hold {p.dtype}, not probabilities")
    wrong = (p < 0) | (p > 1)
    if wrong.any():
        k, i = np.argwhere(wrong)[0]
        raise DatasetError(
            f"the signal of {name.partition('_')[0]} example {i} is {p[k, i]:g} for trial "
            f"{first + k}: probabilities from 0 to 1 are needed"
        )
    limits = np.finfo(p.dtype)
    inside = np.clip(p, limits.tiny, 1 - limits.epsneg).astype(np.float64)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _write(study: StoredStudy, folder: Path) -> None:
    study.require("train_margins", FORMAT.name)
    for name in ("models", "signals"):
        (folder / name).mkdir()
    bits = [name for name in _CORRECT if name in study.has]
    study.write(
        {"subset": folder / _MEMBERSHIPS} | {name: folder / f"models/{name}.npy" for name in bits}
    )
    of = study.study.dataset
    for name, ending, n in (
        ("train_margins", _SIGNALS, of.n_train),
        ("test_margins", _POPULATION, of.n_test),
    ):
        if name in study.has:
            columns = np.lib.format.open_memmap(
                folder / f"signals/rmia{ending}", mode="w+", dtype=np.float64, shape=(n, len(study))
            )
            for first, (margins,) in study.blocks(name):
                p = 1 / (1 + np.exp(-margins.astype(np.float64)))
                columns[:, first : first + len(margins)] = p.T
            columns.flush()
    labels.write(study.dataset, folder)


FORMAT = Format(
    "privacy-meter",
    "Privacy Meter's models/memberships.npy and signals/",
    lambda path: (path / _MEMBERSHIPS).exists(),
    _read,
    _write,
    lambda study: 1 + sum(name.endswith("margins") for name in study.has),
)
