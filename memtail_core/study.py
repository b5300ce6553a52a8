"""The study: what a user writes down (a Spec, TOML), and what is trained (a Study, with its id).

A :class:`Spec` says where the data are. A :class:`Study` is a Spec whose data have been read and
whose recipe's defaults have been filled in: it holds everything that changes the numbers, and its
id is a digest of just that. The NUMBER of trials is in neither digest nor study: a study can grow.
"""

import hashlib
import json
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from memtail_core.errors import StudyError, did_you_mean
from memtail_core.validation import validated

_NAME = r"[a-z0-9][a-z0-9-]{0,39}"

MOST_TRIALS = 1_000_000  # the keys of shards have seven digits, and nobody trains more


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StudyTable(_Table):
    """``[study]``: what it is called and how its trials are cut into shards."""

    name: Annotated[str, Field(pattern=f"^{_NAME}$")] = "study"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = 200
    shard_size: Annotated[int, Field(ge=1, le=10_000)] = 10
    margins: bool = True


class DatasetTable(_Table):
    """``[dataset]``: the source, how much of it, and the source's own options."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    source: str
    train_limit: Annotated[int, Field(ge=2)] | None = None
    test_limit: Annotated[int, Field(ge=1)] | None = None
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2

    @property
    def options(self) -> dict[str, Any]:
        """The source's own options."""
        return dict(self.model_extra or {})


class SubsetsTable(_Table):
    """``[subsets]``: which random subsets the trials train on."""

    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.7
    design: Literal["balanced", "independent"] = "balanced"


class ArmsTable(_Table):
    """The plan of an experiment: arms of :mod:`memtail_core.arms`, one trial of each a repeat."""

    design: Literal["arms"] = "arms"
    count: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Spec(_Table):
    """A study as a user writes it, the tables of a TOML file; only ``source`` is required.

    ``training`` is checked by the recipe it names (:mod:`memtail_core.training`).
    """

    study: StudyTable = StudyTable()
    dataset: DatasetTable
    subsets: SubsetsTable = SubsetsTable()
    training: dict[str, Any] = {}

    @classmethod
    def parse(cls, tables: dict[str, Any], where: str = "the study") -> "Spec":
        """Validate ``tables`` (a parsed TOML file); ``where`` opens the error messages.

        Raises:
            StudyError: one sentence that names the key, the value and what was expected.
        """
        return validated(cls, tables, where)

    @classmethod
    def load(cls, path_or_name: str, overrides: dict[str, Any] | None = None) -> "Spec":
        """Read a TOML file, or the study of that name that ships with memtail.

        Args:
            path_or_name: ``study.toml`` or, say, ``mnist-mlp``.
            overrides: dotted keys to replace, as ``{"training.epochs": 20}``.
        """
        path = Path(path_or_name)
        if path.suffix == ".toml" or path.is_file():
            try:
                text = path.read_text(encoding="utf-8")
            except OSError as error:
                reason = error.strerror or error
                raise StudyError(f"cannot read the study '{path_or_name}': {reason}") from error
            except UnicodeDecodeError as error:
                raise StudyError(f"{path_or_name} is not a TOML file: not UTF-8 text") from error
            name = name_of(path_or_name)
        elif path_or_name in shipped():
            text, name = shipped()[path_or_name], path_or_name
        else:
            raise StudyError(
                f"no study '{path_or_name}': give a .toml file, a study that ships with memtail, "
                f"or one of the store{did_you_mean(path_or_name, list(shipped()))}"
            )
        try:
            tables = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise StudyError(f"{path_or_name} is not valid TOML: {error}") from error
        for dotted, value in (overrides or {}).items():
            _override(tables, dotted, value)
        if isinstance(study := tables.setdefault("study", {}), dict):
            study.setdefault("name", name)
        return cls.parse(tables, path_or_name)


def dataset_key(sha256: str) -> str:
    """Where the data of this digest are in a store."""
    return f"datasets/{sha256}.npz"


def name_of(path: str) -> str:
    """The name of a study whose file gives none: ``My Study.toml`` → ``my-study``."""
    return re.sub(r"[^a-z0-9]+", "-", Path(path).stem.lower()).strip("-")[:40]


def shipped() -> dict[str, str]:
    """The studies that ship with memtail: name → TOML text."""
    folder = resources.files("memtail_core") / "studies"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {file.name.removesuffix(".toml"): file.read_text("utf-8") for file in files}


class DatasetIdentity(_Table):
    """What a study knows of its data: enough to find them by digest and to refuse others."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    source: str
    kind: Literal["images", "features"]
    shape: tuple[int, ...]
    n_train: int
    n_test: int
    classes: tuple[str, ...]


class Study(_Table):
    """One immutable description: dataset × recipe × plan, made by :func:`memtail_core.prepare`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: Literal[1] = 1  # raised when what a study, a plan or a shard means changes
    name: Annotated[str, Field(pattern=f"^{_NAME}$")]
    seed: int
    shard_size: int
    margins: bool
    dataset: DatasetIdentity
    subsets: SubsetsTable | ArmsTable
    training: dict[str, Any]

    @property
    def id(self) -> str:
        """Readable name plus a digest of everything that changes the numbers."""
        return f"{self.name}-{self.digest[:10]}"

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all that changes the numbers or the shards."""
        what = self.model_dump(mode="json", exclude={"name": True, "dataset": True})
        what["dataset"] = self.dataset.sha256
        return hashlib.sha256(_canonical(what)).hexdigest()

    @property
    def subset_size(self) -> int:
        """The number m of examples in each trial's subset: ratio × n, rounded; of arms the most."""
        if isinstance(self.subsets, ArmsTable):
            return self.dataset.n_train
        return round(self.subsets.ratio * self.dataset.n_train)

    @property
    def prefix(self) -> str:
        """Where the study's objects are in a store."""
        return f"studies/{self.id}/"

    @property
    def dataset_key(self) -> str:
        """Where its data are in a store."""
        return dataset_key(self.dataset.sha256)

    @property
    def is_experiment(self) -> bool:
        """Whether its trials leave examples out on purpose, so that no score comes of them."""
        return isinstance(self.subsets, ArmsTable)

    @property
    def arms_key(self) -> str:
        """Where the arms of an experiment are in a store."""
        return f"{self.prefix}arms.npz"

    def to_json(self) -> bytes:
        """Canonical JSON, the content of ``study.json``."""
        return _canonical(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, content: bytes, where: str = "study.json") -> "Study":
        """Read ``study.json``; raises StudyError if it is none."""
        try:
            return cls.model_validate_json(content)
        except pydantic.ValidationError as error:
            raise StudyError(
                f"{where} is damaged or of another version: restore it, or move that folder away"
            ) from error

    def differences(self, other: "Study") -> list[str]:
        """What differs from ``other``, a line ``training.epochs: 10 → 20`` each."""
        mine, theirs = _flat(self.model_dump(mode="json")), _flat(other.model_dump(mode="json"))
        keys = sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))
        return [f"{k}: {_short(mine.get(k))} → {_short(theirs.get(k))}" for k in keys]


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _short(value: Any) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else key)
    return flat


def _override(tables: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    for key in path:
        tables = tables.setdefault(key, {})
        if not isinstance(tables, dict):
            raise StudyError(f"cannot set '{dotted}': '{key}' is not a table")
    tables[last] = value
