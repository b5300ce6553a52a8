"""What an answer says when something is wrong: ``{"detail": one line}``, never a traceback."""

import logging

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from memtail_core.errors import (
    DamagedError,
    DatasetError,
    EstimationError,
    MemtailError,
    StoreError,
    StudyError,
    TrainingError,
)
from services.broker import BrokerError

log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[MemtailError], int], ...] = (  # the first that fits
    (BrokerError, 503),
    (DamagedError, 409),
    (StoreError, 503),
    (EstimationError, 409),
    (StudyError, 422),
    (DatasetError, 422),
    (TrainingError, 422),
)


class Problem(BaseModel):
    """What went wrong."""

    detail: str


_WORDS = {
    400: "The request cannot be read.",
    401: "The token is missing or wrong.",
    403: "No token is set, so this is not allowed.",
    404: "There is no such thing.",
    409: "Not as things stand.",
    413: "The body is too large.",
    422: "What was sent is wrong; the sentence says what.",
    429: "Too often; Retry-After says when again.",
    503: "The store or Redis cannot be reached, or all are busy.",
}


def described(*statuses: int) -> dict[int | str, dict[str, object]]:
    """What the OpenAPI document says of these answers."""
    return {each: {"model": Problem, "description": _WORDS[each]} for each in statuses}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer that says in one line what is wrong."""
    return JSONResponse({"detail": " ".join(detail.split())}, status, headers)


def install(app: FastAPI) -> None:
    """Let every error of ``app`` end as a problem."""

    @app.exception_handler(MemtailError)
    async def of_memtail(request: Request, error: MemtailError) -> JSONResponse:
        del request
        return problem(status_of(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def of_validation(request: Request, error: RequestValidationError) -> JSONResponse:
        del request
        return problem(422, _sentence(error))

    @app.exception_handler(StarletteHTTPException)
    async def of_http(request: Request, error: HTTPException) -> JSONResponse:
        del request
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def of_anything(request: Request, error: Exception) -> JSONResponse:
        del request, error  # uvicorn logs it with its traceback
        return problem(500, "the dashboard failed; its log says why")


def status_of(error: MemtailError) -> int:
    """The status that tells whose fault it is."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 422)


def _sentence(error: RequestValidationError) -> str:
    """The first thing that is wrong, without what was sent."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"
