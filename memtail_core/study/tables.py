"""The tables of a study file, key by key."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAME = r"[a-z0-9][a-z0-9-]{0,39}"
ID = rf"{NAME}-[0-9a-f]{{10}}"  # of a study: its name and the beginning of its digest

MOST_TRIALS = 1_000_000  # the keys of shards have seven digits, and nobody trains more
MOST_CANDIDATES = 20_000  # they are a part of study.json, which every list of studies reads


def _candidates(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and 2 <= len(value) <= MOST_CANDIDATES:
        rows = tuple(value)  # TOML and JSON have lists
        if all(type(row) is int and row >= 0 for row in rows):
            return rows
    raise ValueError(
        f"should be a file, 'class:NAME', or a list of 2 to {MOST_CANDIDATES:,} indices from 0"
    )


def _is_absent(value: object) -> bool:
    return value is None  # a study without candidates has the id it had before there were any


Candidates = Annotated[str | tuple[int, ...] | None, BeforeValidator(_candidates)]


class Table(BaseModel):
    """Base of all tables: unknown keys are refused, values are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StudyTable(Table):
    """``[study]``: its name, seed, number of trials and size of shards, and what these keep."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")] = "study"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = 200
    shard_size: Annotated[int, Field(ge=1, le=10_000)] = 10
    margins: bool = True
    probabilities: bool = False


class TokensTable(Table):
    """``[dataset.tokens]``: how texts become tokens.

    Attributes:
        vocabulary: how many different tokens byte-level BPE is trained to have, at most.
        length: the tokens of a text that are read; the others are cut off.
        tokenizer: the path of a ``tokenizer.json`` to use instead; its tokens are the vocabulary.
    """

    vocabulary: Annotated[int, Field(ge=300, le=1_000_000)] = 8192
    length: Annotated[int, Field(ge=2, le=65_536)] = 256
    tokenizer: str | None = None


class DatasetTable(Table):
    """``[dataset]``: the source, how much of it, where it is kept, and the source's own options.

    ``storage`` changes no number: "packed" maps the examples from files, "auto" does that where
    memory does not suffice. ``task`` is what models learn: labels, unless it says otherwise.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    source: str
    train_limit: Annotated[int, Field(ge=2)] | None = None
    test_limit: Annotated[int, Field(ge=1)] | None = None
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    tokens: TokensTable | None = None
    task: Literal["language-modelling"] | None = None
    storage: Literal["auto", "memory", "packed"] = "auto"

    @property
    def options(self) -> dict[str, Any]:
        """The source's own options."""
        return dict(self.model_extra or {})


class SubsetsTable(Table):
    """``[subsets]``: which random subsets the trials train on.

    ``candidates`` are the only training examples that are ever left out; None: all of them. A study
    file names a file or a class, or gives their indices; a study has the indices, ascending.
    """

    ratio: Annotated[float, Field(gt=0, lt=1)] = 0.7
    design: Literal["balanced", "independent"] = "balanced"
    candidates: Annotated[Candidates, Field(exclude_if=_is_absent)] = None


class ArmsTable(Table):
    """The plan of an experiment: :class:`.plan.arms.Arms`, one trial of each arm a repeat.

    The trials of a repeat start from the same weights, or, ``unpaired-arms``, from their own.
    """

    design: Literal["arms", "unpaired-arms"] = "arms"
    count: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
