"""The study: what is trained, with its id.

A :class:`Study` is a :class:`.spec.Spec` whose data have been read and whose recipe's defaults have
been filled in: it holds everything that changes the numbers, and its id is a digest of just that.
The NUMBER of trials is in neither digest nor study: a study can grow.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from memtail_core.errors import StudyError
from memtail_core.study.tables import NAME, ArmsTable, SubsetsTable, Table

UNLABELLED = ("document",)
"""The classes of examples without labels, for language modelling: all are of one."""

IMPORTED = "imported"  # the recipe of a study whose trials were trained elsewhere
FINETUNE = "finetune"  # the recipe of a study whose networks begin with pretrained weights


def dataset_key(sha256: str) -> str:
    """Where the data of this digest are in a store."""
    return f"datasets/{sha256}.npz"


def packed_key(sha256: str) -> str:
    """Where the index of the data of this digest is, if they are packed."""
    return f"datasets/{sha256}.packed"


def part_key(sha256: str) -> str:
    """Where a part of packed data is; data that share records share their parts."""
    return f"datasets/parts/{sha256}"


def n_probabilities(classes: tuple[str, ...], shape: tuple[int, ...]) -> int:
    """How many probabilities a model gives an example: of its classes, or of its next tokens.

    >>> n_probabilities(("cat", "dog"), (8, 8, 3)), n_probabilities(UNLABELLED, (64,))
    (2, 63)
    """
    return shape[0] - 1 if classes == UNLABELLED else len(classes)


def _is_off(value: object) -> bool:
    return value is False  # a study without probabilities has the id it had before there were any


class DatasetIdentity(Table):
    """A study's data by digest, with what must be known of them without loading them."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    source: str
    kind: str  # the name of a modality
    shape: tuple[int, ...]
    n_train: Annotated[int, Field(ge=1, le=10**9)]
    n_test: Annotated[int, Field(ge=0, le=10**9)]  # 0: imported without test outcomes
    classes: tuple[str, ...]

    @property
    def is_labelled(self) -> bool:
        """Whether the examples have labels; otherwise they are documents to model."""
        return self.classes != UNLABELLED


class Study(Table):
    """One immutable description: dataset × recipe × plan, made by :func:`memtail_core.prepare`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: Literal[1] = 1  # raised when what a study, a plan or a shard means changes
    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    seed: int
    shard_size: Annotated[int, Field(ge=1, le=10_000)]
    margins: bool
    probabilities: Annotated[bool, Field(exclude_if=_is_off)] = False
    dataset: DatasetIdentity
    subsets: SubsetsTable | ArmsTable
    training: dict[str, Any]

    @cached_property
    def id(self) -> str:
        """Readable name plus a digest of everything that changes the numbers."""
        return f"{self.name}-{self.digest[:10]}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all that changes the numbers or the shards."""
        what = self.model_dump(mode="json", exclude={"name": True, "dataset": True})
        what["dataset"] = self.dataset.sha256
        return hashlib.sha256(_canonical(what)).hexdigest()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "Study":
        """Copy it, with another id if ``update`` changes anything that the id is made of."""
        copied = super().model_copy(update=update, deep=deep)
        for cached in ("id", "digest"):
            vars(copied).pop(cached, None)
        return copied

    @property
    def subset_size(self) -> int:
        """The number of examples in each trial's subset; of arms the most.

        All n that are no candidates, and ratio × those that are, rounded.
        """
        n = self.dataset.n_train
        if isinstance(self.subsets, ArmsTable):
            return n
        n_candidates = len(self.candidates)
        return n - n_candidates + round(self.subsets.ratio * n_candidates)

    @property
    def candidates(self) -> NDArray[np.int64]:
        """The training examples that some trials leave out, int64, ascending: those with scores."""
        if isinstance(self.subsets, SubsetsTable) and self.subsets.candidates is not None:
            return np.array(self.subsets.candidates, np.int64)
        return np.arange(self.dataset.n_train)

    @property
    def is_targeted(self) -> bool:
        """Whether only some training examples are candidates; the others are in every subset."""
        return len(self.candidates) < self.dataset.n_train

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
    def is_imported(self) -> bool:
        """Whether its trials were trained elsewhere: it has no recipe and cannot grow."""
        return self.training.get("recipe") == IMPORTED

    def check_trainable(self) -> None:
        """Raise StudyError if memtail cannot train its trials."""
        if self.is_imported:
            raise StudyError(
                "the models were imported, and memtail has no recipe to train others: report, "
                "scores, pairs, judge and what else trains nothing work on those that are there"
            )

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
            study = cls.model_validate_json(content)
            if not isinstance(study.training.get("recipe"), str):
                raise ValueError("it names no recipe")
        except ValueError as error:  # pydantic's too
            raise StudyError(
                f"{where} is damaged or of another version: restore it, or move that folder away"
            ) from error
        return study

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
