"""The study file in the submit form: read, checked, and turned into a request to the API."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from memtail_core.errors import StudyError
from memtail_core.study import Spec, Study, shipped
from services.dashboard.abandoned import unless_abandoned
from services.dashboard.access import WRITER
from services.dashboard.api.shapes import Trials
from services.dashboard.dashboard import dashboard_of
from services.dashboard.readers import isolation
from services.orders import Device

router = APIRouter(include_in_schema=False)

_WHERE = "the study file"
_DERIVED = ("version", "source_sha256")  # a recipe sets them itself
_MOST_TEXT = 64 * 2**10  # characters
_PATIENCE = 10.0  # seconds that a study file waits to be read while others are


class Typed(BaseModel):
    """The contents of the form: the text, and the choices beside it."""

    model_config = ConfigDict(extra="forbid")

    text: str
    trials: Trials | None = None
    device: Device | None = None
    dataset: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class Read(BaseModel):
    """The study in a sentence, and the body of ``POST /api/v1/studies``.

    The body is text: a script would round its large numbers.
    """

    summary: str
    body: str


@router.post("/submit/read", dependencies=[WRITER])
async def read(request: Request, typed: Typed) -> Read:
    """Read and check a study file; nothing is submitted.

    It takes the token: reading what somebody typed costs far more than showing a page.
    """
    tables = await unless_abandoned(request, _tables(request, typed))
    spec = Spec.parse(tables, _WHERE)
    body: dict[str, Any] = json.loads(spec.model_dump_json(exclude_unset=True))
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


async def _tables(request: Request, typed: Typed) -> dict[str, Any]:
    """The tables in the text, which is TOML or JSON, read in turn."""
    if len(typed.text) > _MOST_TEXT:
        raise StudyError(f"{_WHERE} has more than {_MOST_TEXT:,} characters")
    turn = dashboard_of(request).study_files
    try:
        await asyncio.wait_for(turn.acquire(), _PATIENCE)
    except TimeoutError:
        busy = "too many study files are being read: try again"
        raise HTTPException(503, busy, {"Retry-After": "5"}) from None
    try:
        tables = await isolation.study_tables(typed.text)
    finally:
        turn.release()
    if typed.dataset is not None:
        tables["dataset"] = {"source": f"stored:{typed.dataset}"}
    return tables
