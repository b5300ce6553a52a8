"""What a client may have trained: nothing that reads files of the server or runs a client's code.

A study may use the data that scikit-learn ships, or ``stored:<sha256>``, data in the store, which a
study or ``PUT /datasets`` put there.
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
_NAMES = ("classes", "train_names", "test_names", "features")


def shipped_tables(name: str) -> dict[str, Any]:
    """The tables of a study that ships with memtail.

    Raises:
        StudyError: no study of that name ships.
    """
    if name not in shipped():
        raise StudyError(
            f"no study of that name ships with memtail{did_you_mean(name, [*shipped()])}"
        )
    tables = tomllib.loads(shipped()[name])
    tables.setdefault("study", {}).setdefault("name", name)
    return tables


def prepared(store: ObjectStore, spec: Spec) -> "Prepared":
    """Read the data that a study file names, and make the study.

    Raises:
        StudyError: the study file is invalid, or names what no client may use.
        DatasetError: the data are unusable.
    """
    from memtail_core.running.preparation import (
        prepare,  # imports torch, for which pages do not wait
    )

    kind, _, argument = spec.dataset.source.partition(":")
    if kind not in ("sklearn", "stored"):
        raise StudyError(
            f"[dataset] source = '{spec.dataset.source}': the dashboard takes only 'sklearn:…' and "
            "'stored:SHA256' (PUT the data first); use memtail submit for others"
        )
    check_recipe(spec.training)
    if kind == "sklearn":
        return prepare(spec)
    if not _SHA256.fullmatch(argument):
        raise StudyError("[dataset] source = 'stored:…' needs the 64 digits of a SHA-256")
    if set(spec.dataset.model_fields_set) - {"source"}:
        raise StudyError("[dataset] of stored data has only 'source': they are taken as they are")
    return prepare(spec, catalogue.dataset_of(store, argument))


def check_recipe(training: dict[str, Any]) -> None:
    """Refuse a recipe that names a user's code, or anything but a classifier.

    Raises:
        StudyError: the recipe is refused.
    """
    recipe = training.get("recipe", "mlp")
    if not isinstance(recipe, str):
        return  # refused when it is resolved
    if recipe.startswith("python:"):
        raise StudyError(f"recipe = '{recipe}' runs your own code: use memtail submit")
    if not recipe.startswith("sklearn:"):
        return
    import sklearn

    named = _SKLEARN.fullmatch(recipe)
    if named is None or named[1] not in sklearn.__all__:  # checking others would import them
        raise StudyError(
            f"recipe = '{recipe}' is not a classifier: write for example "
            "sklearn:ensemble.RandomForestClassifier"
        )


def check_size(study: Study, trials: int) -> None:
    """Refuse a submission of too many shards.

    Raises:
        StudyError: there are more than MOST_SHARDS.
    """
    n_shards = -(-trials // study.shard_size)
    if n_shards > MOST_SHARDS:
        raise StudyError(
            f"{trials:,} trials are {n_shards:,} shards, but the dashboard takes at most "
            f"{MOST_SHARDS:,}: use fewer trials or a larger shard_size"
        )


def received(content: bytes, most: int) -> Dataset:
    """Decode data that a client sent, as :meth:`Dataset.to_npz` writes them; check all of them.

    Args:
        content: an npz file.
        most: bytes that it may have when unpacked.

    Raises:
        DatasetError: it is no npz file, holds pickles, or no classifier can be trained on it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
            if sum(each.file_size for each in archive.infolist()) > most:
                raise DatasetError(f"the data have more than {most:,} bytes when unpacked")
            if unknown := sorted(names.keys() - {*_ARRAYS, *_NAMES, "modality"}):
                raise DatasetError(
                    f"the file holds '{unknown[0][:40]}', which is not part of a dataset"
                )
            if missing := [name for name in _ARRAYS if name not in names]:
                raise DatasetError(f"the file lacks '{missing[0]}'")
            parts = {name: _array(archive, each, most) for name, each in names.items()}
    except (DatasetError, MemoryError):
        raise
    except Exception as error:  # zipfile and numpy raise a dozen kinds of errors
        raise DatasetError(
            "the body is not an npz file without pickles: see Dataset.to_npz"
        ) from error
    classes = parts.get("classes")
    return Dataset.from_arrays(
        *(parts[name] for name in _ARRAYS),
        classes=None if classes is None else classes.tolist(),
        **{name: parts[name].tolist() for name in _NAMES[1:] if name in parts},
        modality=str(parts["modality"]) if "modality" in parts else None,
    )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> NDArray[Any]:
    """Read one array; its header must agree with the number of bytes."""
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
        raise DatasetError("an array in the file does not agree with its header")
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array
