"""Results of experiments, kept beside their study as ``studies/<id>/experiments/<name>.json``.

A result holds plain numbers. The report writes its sentences and draws its figures from them anew.
"""

from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from memtail_core.errors import StoreError
from memtail_core.store import ObjectStore
from memtail_core.study import Study


class Result(BaseModel):
    """Base of the results of all experiments.

    Attributes:
        experiment: the name of the experiment, and of the file unless ``name`` says otherwise.
        study: the id of the study it is about.
        trials: how many of its trials it was computed from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    experiment: ClassVar[str]
    study: str
    trials: int

    @property
    def name(self) -> str:
        """The name of its file. A later result with the same name replaces an earlier one."""
        return self.experiment


R = TypeVar("R", bound=Result)


def keep(store: ObjectStore, study: Study, result: Result) -> None:
    """Write a result beside its study."""
    store.put(_key(study, result.name), result.model_dump_json(indent=1).encode())


def kept(store: ObjectStore, study: Study, kind: type[R]) -> list[R]:
    """Read all results of one kind beside a study, by name.

    Raises:
        StoreError: one is damaged, or another version wrote it.
    """
    results = []
    for key in store.list(f"{study.prefix}experiments/"):
        name = key.rpartition("/")[2].removesuffix(".json")
        if name != kind.experiment and not name.startswith(f"{kind.experiment}-with-"):
            continue
        try:
            results.append(kind.model_validate_json(store.get(key)))
        except (ValidationError, KeyError) as error:
            raise StoreError(
                f"{store.location}/{key} is damaged or of another version: delete it, or run the "
                "experiment again"
            ) from error
    return sorted(results, key=lambda result: result.name)


def _key(study: Study, name: str) -> str:
    return f"{study.prefix}experiments/{name}.json"
