"""LiRA: a folder for each model, as tensorflow/privacy's research/mi_lira_2021 writes them.

    y_train.npy                             int [≥ n]
    x_train.npy                             the images, pixel / 127.5 − 1, if it is there
    experiment-3_16/keep.npy                bool [≥ n], which examples the model trained on
    experiment-3_16/scores/0000000100.npy   float [n, augmentations], log p − log(1 − p); or
    experiment-3_16/logits/0000000100.npy   float [n, 1, augmentations, classes]

Of several epochs the last counts, as in their ``plot.py``. Scores are averaged over augmentations,
as their global attack does; correctness is that of the first one, as in ``score.py``: it needs
logits. memtail writes ``scores`` and adds ``correct.npy``, bool [n]. There are no test examples.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Splits
from memtail_core.errors import DatasetError
from memtail_core.exchange import array_files, labels
from memtail_core.exchange.bank import Bank
from memtail_core.exchange.format import Format, Labels
from memtail_core.exchange.stored import StoredStudy

Arrays = dict[str, NDArray[Any]]
_EPOCH = "0000000000.npy"


def _experiments(path: Path) -> list[Path]:
    """The folders of models, ``experiment-9_16`` before ``experiment-10_16``."""
    found = [each.parent for each in path.glob("experiment*/keep.npy")] if path.is_dir() else []
    return sorted(found, key=lambda each: [int(n) for n in re.findall(r"\d+", each.name)])


def _read(path: Path, given: Labels) -> Bank:
    every = _experiments(path)
    done = [each for each in every if _last(each, "scores") or _last(each, "logits")]
    if not done:
        raise DatasetError(f"'{path}' has no experiment*/ with keep.npy and scores/ or logits/")
    file, data = path / "y_train.npy", labels.beside(path)
    y = given if given is not None else None if data is None else np.asarray(data.y_train)
    if y is None and file.exists():
        y = np.asarray(array_files.npy(file))
    of_model = _reader(done, y)
    n = len(of_model(done[0])["subset"])
    if data is None and y is not None and given is None:
        data = Splits(_images(path / "x_train.npy", n), y[:n])
    notes: tuple[str, ...] = ()
    if len(done) < len(every):
        notes = (f"left out: {len(every) - len(done):,} experiments without scores or logits",)

    def read(first: int, last: int) -> Arrays:
        models = [of_model(each) for each in done[first:last]]
        for each, model in zip(done[first:last], models, strict=True):
            for name, array in model.items():
                if array.shape != (n,):
                    raise DatasetError(
                        f"{each.name} has {len(array):,} examples in {name}, {done[0].name} has "
                        f"{n:,}"
                    )
        return {name: np.stack([model[name] for model in models]) for name in models[0]}

    return Bank(FORMAT.name, len(done), n, 0, read, True, data, notes)


def _last(experiment: Path, kind: str) -> Path | None:
    return max((experiment / kind).glob("*.npy"), default=None, key=lambda file: file.name)


def _reader(experiments: Sequence[Path], y: NDArray[Any] | None) -> Callable[[Path], Arrays]:
    """Choose what every model has: scores and correctness, logits and labels, or scores."""
    has_scores = all(_last(each, "scores") for each in experiments)
    is_exact = has_scores and all((each / "correct.npy").exists() for each in experiments)
    has_logits = y is not None and all(_last(each, "logits") for each in experiments)
    if not (has_scores or has_logits):
        raise DatasetError(
            "some experiments have no scores: run score.py, or name the labels of their logits "
            "(--labels)"
        )

    def read(experiment: Path) -> Arrays:
        keep = np.asarray(array_files.npy(experiment / "keep.npy"))
        file = _last(experiment, "scores" if is_exact or not has_logits else "logits")
        assert file is not None  # every model has it
        array = np.asarray(array_files.npy(file))
        if array.ndim == 0 or keep.ndim != 1 or len(keep) < len(array):
            raise DatasetError(
                f"'{file}' has the shape {list(array.shape)}, and keep.npy {list(keep.shape)}"
            )
        found = {"subset": keep[: len(array)]}
        if is_exact or not has_logits:
            found["train_margins"] = array.reshape(len(array), -1).mean(axis=1, dtype=np.float64)
        else:
            assert y is not None
            margins, correct = _of_logits(array, y, file)
            found |= {"train_margins": margins, "train_correct": correct}
        if is_exact:
            found["train_correct"] = np.asarray(array_files.npy(experiment / "correct.npy"))
        return found

    return read


def _of_logits(
    array: NDArray[Any], y: NDArray[Any], file: Path
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return score and correctness, [n], of logits [n, …, C] and labels [≥ n]."""
    n = len(array)
    if array.ndim < 2 or array.dtype.kind != "f":
        raise DatasetError(
            f"'{file}' holds {array.dtype} {list(array.shape)}, not logits [n, …, C]"
        )
    if y.ndim != 1 or len(y) < n or y.dtype.kind not in "iu":
        raise DatasetError(f"'{file}' is of {n:,} examples, and there are {len(y):,} labels")
    logits = array.reshape(n, -1, array.shape[-1]).astype(np.float64)
    if not 0 <= y[:n].min() <= y[:n].max() < logits.shape[2]:
        raise DatasetError(
            f"'{file}' has {logits.shape[2]} logits, and labels are {y[:n].min()} to {y[:n].max()}"
        )
    at = y[:n].astype(np.int64)[:, None, None]
    own = np.take_along_axis(logits, at, 2)[..., 0]
    np.put_along_axis(logits, at, -np.inf, 2)
    highest = logits.max(axis=2)
    others = highest + np.log(np.exp(logits - highest[..., None]).sum(axis=2))
    return (own - others).mean(axis=1), own[:, 0] >= highest[:, 0]


def _images(file: Path, n: int) -> NDArray[np.uint8] | None:
    """Return the images as pixels; None where there are none."""
    if not file.exists():
        return None
    scaled = array_files.npy(file)[:n]
    if scaled.ndim != 4 or scaled.dtype.kind != "f":
        raise DatasetError(f"'{file}' holds {scaled.dtype} {list(scaled.shape)}, not images")
    return np.clip(np.rint((scaled + 1) * 127.5), 0, 255).astype(np.uint8)


def _write(study: StoredStudy, folder: Path) -> None:
    study.require("train_margins", FORMAT.name)
    y_train, names = study.dataset.y_train, ("subset", "train_margins", "train_correct")
    np.save(folder / "y_train.npy", y_train)
    labels.write(labels.without_test(study.dataset), folder)
    for first, (subset, margins, correct) in study.blocks(*names):
        for k in range(len(subset)):
            experiment = folder / f"experiment-{first + k}_{len(study)}"
            (experiment / "scores").mkdir(parents=True)
            np.save(experiment / "keep.npy", subset[k])
            np.save(experiment / "correct.npy", correct[k])
            np.save(experiment / "scores" / _EPOCH, margins[k].astype(np.float32)[:, None])


FORMAT = Format(
    "lira",
    "experiment*/ with keep.npy and scores/ or logits/",
    lambda path: bool(_experiments(path)),
    _read,
    _write,
)
