"""The study file in the submit form: read, checked, and turned into a request to the API."""

import json
import tomllib
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from memtail_core.errors import StudyError
from memtail_core.study import Spec, Study, shipped

router = APIRouter(include_in_schema=False)

_WHERE = "the study file"
_DERIVED = ("version", "source_sha256")  # a recipe sets them itself


class Typed(BaseModel):
    """The contents of the form: the text, and the choices beside it."""

    model_config = ConfigDict(extra="forbid")

    text: str
    trials: int | None = None
    device: str | None = None
    dataset: str | None = None


class Read(BaseModel):
    """The study in a sentence, and the body of ``POST /api/v1/studies``.

    The body is text: a script would round its large numbers.
    """

    summary: str
    body: str


@router.post("/submit/read")
def read(typed: Typed) -> Read:
    """Read and check a study file; nothing is submitted."""
    spec = Spec.parse(_tables(typed), _WHERE)
    try:
        body: dict[str, Any] = json.loads(spec.model_dump_json(exclude_unset=True))
    except ValueError as error:  # lone surrogates are no text
        raise StudyError(f"{_WHERE} cannot be sent: {error}") from error
    body |= {
        key: value
        for key, value in (("trials", typed.trials), ("device", typed.device))
        if value is not None
    }
    trials = typed.trials or spec.study.trials
    recipe = spec.training.get("recipe", "the default network")
    return Read(
        summary=f"valid: {spec.study.name}, {trials:,} models of {recipe} on {spec.dataset.source}",
        body=json.dumps(body),
    )


def shipped_text(name: str) -> str:
    """A study file that ships with memtail, with its name in it."""
    return shipped()[name].replace("[study]\n", f'[study]\nname = "{name}"\n', 1)


def like(study: Study) -> str:
    """The study file of a study in the store, as JSON; it names the stored dataset."""
    keep = {"name", "seed", "shard_size", "margins"}
    tables = {
        "study": study.model_dump(include=keep),
        "dataset": {"source": f"stored:{study.dataset.sha256}"},
        "subsets": study.subsets.model_dump(),
        "training": {k: v for k, v in study.training.items() if k not in _DERIVED},
    }
    return json.dumps(tables, indent=2, ensure_ascii=False)


def _tables(typed: Typed) -> dict[str, Any]:
    """The tables in the text, which is TOML or JSON."""
    try:
        is_json = typed.text.lstrip().startswith("{")
        tables = json.loads(typed.text) if is_json else tomllib.loads(typed.text)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{_WHERE} is neither TOML nor JSON: {error}") from error
    if typed.dataset is not None:
        tables["dataset"] = {"source": f"stored:{typed.dataset}"}
    return dict(tables)
