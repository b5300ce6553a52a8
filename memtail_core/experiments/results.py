"""What an experiment found, kept beside its study as ``studies/<id>/experiments/<name>.json``.

A result is plain numbers; whatever is said or drawn of it is made anew by the report.
"""

from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from memtail_core.errors import StoreError
from memtail_core.store import ObjectStore
from memtail_core.study import Study


class Result(BaseModel):
    """Base of what experiments find.

    Attributes:
        study: the id of the study it belongs to.
        trials: how many of its trials it was made from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    experiment: ClassVar[str]
    study: str
    trials: int

    @property
    def name(self) -> str:
        """What it is kept under; a later result of one name replaces an earlier one."""
        return self.experiment


R = TypeVar("R", bound=Result)


def keep(store: ObjectStore, study: Study, result: Result) -> None:
    """Put a result beside its study."""
    store.put(_key(study, result.name), result.model_dump_json(indent=1).encode())


def kept(store: ObjectStore, study: Study, kind: type[R]) -> list[R]:
    """Every result of one kind that is kept beside a study, by name.

    Raises:
        StoreError: one is damaged, or another version wrote it.
    """
    found = []
    for key in store.list(f"{study.prefix}experiments/"):
        name = key.rpartition("/")[2].removesuffix(".json")
        if name != kind.experiment and not name.startswith(f"{kind.experiment}-with-"):
            continue
        try:
            found.append(kind.model_validate_json(store.get(key)))
        except (ValidationError, KeyError) as error:
            raise StoreError(
                f"{store.location}/{key} is damaged or of another version: delete it, or run the "
                "experiment again"
            ) from error
    return sorted(found, key=lambda result: result.name)


def _key(study: Study, name: str) -> str:
    return f"{study.prefix}experiments/{name}.json"
