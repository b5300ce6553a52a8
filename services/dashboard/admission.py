"""What a client may have trained: what touches no file of the server and runs no code of its own.

Of the sources of a study file these remain: the data that scikit-learn ships, and
``stored:<sha256>``, data that are in the store, put there by a study or by ``PUT /datasets``.
"""

import io
import re
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from memtail_core import catalogue
from memtail_core.data import Dataset
from memtail_core.errors import DatasetError, StudyError, did_you_mean
from memtail_core.store import ObjectStore
from memtail_core.study import Spec, Study, shipped

if TYPE_CHECKING:
    from memtail_core.running.preparation import Prepared

MOST_SHARDS = 10_000  # in one submission

_SKLEARN = re.compile(r"sklearn:([a-z][a-z_]*)\.[A-Z][A-Za-z]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_WORDS = ("classes", "train_names", "test_names", "features")


def shipped_tables(name: str) -> dict[str, Any]:
    """The tables of a study that ships with memtail.

    Raises:
        StudyError: there is none of that name.
    """
    if name not in shipped():
        raise StudyError(
            f"no study of that name ships with memtail{did_you_mean(name, [*shipped()])}"
        )
    tables = tomllib.loads(shipped()[name])
    tables.setdefault("study", {}).setdefault("name", name)
    return tables


def prepared(store: ObjectStore, spec: Spec) -> "Prepared":
    """Read the data that a study file names, and bind them to the study they make.

    Raises:
        StudyError: they are wrong, or name what no client may.
        DatasetError: the data are unusable.
    """
    from memtail_core.running.preparation import (
        prepare,  # imports torch, for which no page need wait
    )

    kind, _, argument = spec.dataset.source.partition(":")
    if kind not in ("sklearn", "stored"):
        raise StudyError(
            f"[dataset] source = '{spec.dataset.source}': from here, only 'sklearn:…' and "
            "'stored:SHA256' (PUT the data first); others are for memtail submit"
        )
    check_recipe(spec.training)
    if kind == "sklearn":
        return prepare(spec)
    if not _SHA256.fullmatch(argument):
        raise StudyError("[dataset] source = 'stored:…' wants the 64 digits of a SHA-256")
    if set(spec.dataset.model_fields_set) - {"source"}:
        raise StudyError("[dataset] of stored data has only 'source': they are taken as they are")
    return prepare(spec, catalogue.dataset_of(store, argument))


def check_recipe(training: dict[str, Any]) -> None:
    """Refuse a recipe that names code of the user's own, or anything but a classifier.

    Raises:
        StudyError: it does.
    """
    recipe = training.get("recipe", "mlp")
    if not isinstance(recipe, str):
        return  # which is refused when it is resolved
    if recipe.startswith("python:"):
        raise StudyError(f"recipe = '{recipe}' runs code of one's own: use memtail submit")
    if not recipe.startswith("sklearn:"):
        return
    import sklearn

    named = _SKLEARN.fullmatch(recipe)
    if named is None or named[1] not in sklearn.__all__:  # to look at others is to import them
        raise StudyError(
            f"recipe = '{recipe}' is no classifier: write, say, "
            "sklearn:ensemble.RandomForestClassifier"
        )


def check_size(study: Study, trials: int) -> None:
    """Refuse more shards than one should submit at once.

    Raises:
        StudyError: there are more.
    """
    n_shards = -(-trials // study.shard_size)
    if n_shards > MOST_SHARDS:
        raise StudyError(
            f"{trials:,} trials are {n_shards:,} shards, and {MOST_SHARDS:,} may be submitted from "
            "here: fewer trials, or a larger shard_size"
        )


def received(content: bytes, most: int) -> Dataset:
    """Decode data that a client sent, as :meth:`Dataset.to_npz` writes them; check all of them.

    Args:
        content: an npz file.
        most: bytes that it may have when unpacked.

    Raises:
        DatasetError: it is none, holds pickles, or what no classifier can be trained on.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
            if sum(each.file_size for each in archive.infolist()) > most:
                raise DatasetError(f"the data have more than {most:,} bytes when unpacked")
            if unknown := sorted(names.keys() - {*_ARRAYS, *_WORDS, "modality"}):
                raise DatasetError(f"the file holds '{unknown[0][:40]}', which is no part of data")
            if missing := [name for name in _ARRAYS if name not in names]:
                raise DatasetError(f"the file lacks '{missing[0]}'")
            part = {name: _array(archive, each, most) for name, each in names.items()}
    except (DatasetError, MemoryError):
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds on what is no npz
        raise DatasetError("the body is no npz file without pickles: see Dataset.to_npz") from error
    classes = part.get("classes")
    return Dataset.from_arrays(
        *(part[name] for name in _ARRAYS),
        classes=None if classes is None else classes.tolist(),
        **{name: part[name].tolist() for name in _WORDS[1:] if name in part},
        modality=str(part["modality"]) if "modality" in part else None,
    )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> NDArray[Any]:
    """One array; its header is believed only as far as the bytes that are there."""
    with archive.open(member) as file:
        content = file.read(most + 1)
    buffer = io.BytesIO(content)
    major, _ = np.lib.format.read_magic(buffer)
    read_header = {
        1: np.lib.format.read_array_header_1_0,
        2: np.lib.format.read_array_header_2_0,
    }[major]
    shape, _, dtype = read_header(buffer)
    n_bytes = dtype.itemsize
    for length in shape:
        n_bytes *= length
    if dtype.hasobject or n_bytes != len(content) - buffer.tell():
        raise DatasetError("an array of the file is not what its header says")
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array
