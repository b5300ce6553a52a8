"""What a client may have trained: nothing that reads files of the server or runs a client's code.

A study may use the data that scikit-learn ships, or ``stored:<sha256>``, data in the store, which a
study or ``PUT /datasets`` put there.
"""

import re
import tomllib
from typing import TYPE_CHECKING, Any

from memtail_core import catalogue
from memtail_core.errors import StudyError, did_you_mean
from memtail_core.store import ObjectStore
from memtail_core.study import FINETUNE, Spec, Study, shipped

if TYPE_CHECKING:
    from memtail_core.running.preparation import Prepared

MOST_SHARDS = 10_000  # in one submission

_SKLEARN = re.compile(r"sklearn:([a-z][a-z_]*)\.[A-Z][A-Za-z]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


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
    from memtail_core.plan import candidates
    from memtail_core.running.preparation import prepare  # pages do not wait for its imports

    kind, _, argument = spec.dataset.source.partition(":")
    if kind not in ("sklearn", "stored"):
        raise StudyError(
            f"[dataset] source = '{spec.dataset.source}': the dashboard takes only 'sklearn:…' and "
            "'stored:SHA256' (PUT the data first); use memtail submit for others"
        )
    check_recipe(spec.training)
    if candidates.is_file(spec.subsets):
        raise StudyError(
            f"[subsets] candidates = '{spec.subsets.candidates}': the dashboard reads no files; "
            "give the indices, or 'class:NAME'"
        )
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
    if recipe == FINETUNE:
        raise StudyError(f"recipe = '{recipe}' reads a file of weights: use memtail submit")
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
