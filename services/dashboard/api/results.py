"""The results API: scores and pairs of the published report, influence of one example."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi import Path as InPath

from services.dashboard.access import READER
from services.dashboard.api import shapes
from services.dashboard.api.management import Seen, The
from services.dashboard.dashboard import Dashboard
from services.dashboard.influence import Asked, BusyError
from services.dashboard.problems import described
from services.dashboard.reports import (
    MOST_ROWS,
    BeingReplacedError,
    Format,
    NoReportError,
    Page,
    TableName,
    Wanted,
)
from services.dashboard.snapshot import StudySeen

router = APIRouter(tags=["results"], dependencies=[READER], responses=described(404, 409, 422, 503))

MEDIA = {"json": "application/json", "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_FILES = {
    "html": "text/html",
    "json": "application/json",
    "csv": "text/csv",
    "png": "image/png",
    "svg": "image/svg+xml",
    "parquet": MEDIA["parquet"],
}
_BINARY = "application/octet-stream"
_SANDBOX = "sandbox; default-src 'none'"  # nothing of a report runs with the dashboard's rights

_SORTS = {
    "scores": Literal[
        "index", "-index", "label", "-label", "memorization", "-memorization",
        "standard_error", "-standard_error", "ci_low", "-ci_low", "ci_high", "-ci_high",
        "accuracy_in", "-accuracy_in", "accuracy_out", "-accuracy_out",
    ],
    "pairs": Literal[
        "train_index", "-train_index", "test_index", "-test_index", "influence", "-influence",
        "memorization", "-memorization", "p_value", "-p_value", "q_value", "-q_value",
    ],
}  # fmt: skip


def _wanted(name: TableName) -> Callable[..., Awaitable[Wanted]]:
    """The query of a page, for one of the tables."""
    sorts: Any = _SORTS[name]

    async def wanted(
        format: Annotated[Format, Query(description="How it is written.")] = "json",
        offset: Annotated[int, Query(ge=0, le=2**40)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
        sort: Annotated[
            sorts | None, Query(description="A column; '-': the largest first.")
        ] = None,
        min_memorization: Annotated[float | None, Query(ge=-1, le=1)] = None,
        label: Annotated[
            int | None, Query(ge=0, le=2**31, description="The training example's class.")
        ] = None,
    ) -> Wanted:
        return Wanted(format, offset, limit, sort, min_memorization, label)

    return wanted


_TABLE: dict[str, Any] = {
    "content": {MEDIA["csv"]: {}, MEDIA["parquet"]: {}},
    "description": "The rows; X-Total-Count has how many there are, Link the next ones.",
}


@router.get(
    "/studies/{study_id}/scores",
    operation_id="get_scores",
    responses={200: {**_TABLE, "model": shapes.Scores}},
)
async def get_scores(
    dashboard: The, seen: Seen, wanted: Annotated[Wanted, Depends(_wanted("scores"))]
) -> Response:
    """Every training example's memorization and its interval, as published last."""
    return await _page(dashboard, seen, "scores", wanted)


@router.get(
    "/studies/{study_id}/pairs",
    operation_id="get_pairs",
    responses={200: {**_TABLE, "model": shapes.Pairs}},
)
async def get_pairs(
    dashboard: The, seen: Seen, wanted: Annotated[Wanted, Depends(_wanted("pairs"))]
) -> Response:
    """The high-influence pairs, as published last."""
    return await _page(dashboard, seen, "pairs", wanted)


Index = Annotated[int, InPath(ge=0, le=2**40, description="The example, from 0.")]
K = Annotated[int, Query(ge=1, le=1000, description="How many.")]
Harmful = Annotated[bool, Query(description="Influence to the worse instead.")]


@router.get(
    "/studies/{study_id}/train/{index}/influence",
    operation_id="influence_of_training_example",
    response_model=shapes.InfluenceOfOne,
)
async def of_training_example(
    dashboard: The, seen: Seen, index: Index, k: K = 10, harmful: Harmful = False
) -> Response:
    """The test examples on which this training example has most influence."""
    return await _influence(dashboard, seen, Asked("train", index, k, harmful))


@router.get(
    "/studies/{study_id}/test/{index}/influence",
    operation_id="influence_on_test_example",
    response_model=shapes.InfluenceOfOne,
)
async def on_test_example(
    dashboard: The, seen: Seen, index: Index, k: K = 10, harmful: Harmful = False
) -> Response:
    """The training examples that the prediction of this test example rests on most."""
    return await _influence(dashboard, seen, Asked("test", index, k, harmful))


@router.get(
    "/studies/{study_id}/report/{file:path}",
    operation_id="get_report_file",
    responses={
        200: {"content": {kind: {} for kind in (*_FILES.values(), _BINARY)}, "description": "It."}
    },
    response_class=Response,
)
def get_report_file(
    dashboard: The, seen: Seen, file: Annotated[str, InPath(description="As in its manifest.")]
) -> Response:
    """A file of the published report, verified, to be saved: no browser runs what is in it."""
    try:
        content = dashboard.reports.file(seen, file)
    except (NoReportError, BeingReplacedError) as error:
        raise _not_now(error) from error
    name = file.rpartition("/")[2]
    headers = {
        "Content-Security-Policy": _SANDBOX,
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return Response(
        content, media_type=_FILES.get(name.rpartition(".")[2], _BINARY), headers=headers
    )


async def _page(dashboard: Dashboard, seen: StudySeen, name: TableName, wanted: Wanted) -> Response:
    _refuse_experiments(seen)
    page = dashboard.reports.known(seen, name, wanted)
    if page is None:
        try:
            page = await dashboard.reports.made(seen, name, wanted)
        except (NoReportError, BeingReplacedError) as error:
            raise _not_now(error) from error
    links = _links(seen, name, wanted, page)
    shown = [f'<{link}>; rel="{rel}"' for rel, link in links.items() if rel in ("next", "previous")]
    headers = {"X-Total-Count": str(page.total)} | ({"Link": ", ".join(shown)} if shown else {})
    content = page.rows
    if wanted.format == "json":
        head = shapes.Scores(
            id=seen.study.id,
            models=page.models,
            total=page.total,
            offset=wanted.offset,
            limit=wanted.limit,
            links=links,
            items=[],
        ).model_dump_json()
        content = head.removesuffix("[]}").encode() + page.rows + b"}"
    return Response(content, media_type=MEDIA[wanted.format], headers=headers)


def _links(seen: StudySeen, name: TableName, wanted: Wanted, page: Page) -> dict[str, str]:
    """To the pages around, to the same rows in another format, and to all of them."""
    given = {key: value for key, value in vars(wanted).items() if value is not None}
    path = f"/api/v1/studies/{seen.study.id}"

    def to(**changed: Any) -> str:
        return f"{path}/{name}?{urlencode(given | changed)}"

    links = {each: to(format=each) for each in MEDIA if each != wanted.format}
    if wanted.offset + wanted.limit < page.total:
        links["next"] = to(offset=wanted.offset + wanted.limit)
    if wanted.offset > 0:
        links["previous"] = to(offset=max(0, wanted.offset - wanted.limit))
    return {**links, "all": f"{path}/report/{name}.parquet"}


async def _influence(dashboard: Dashboard, seen: StudySeen, asked: Asked) -> Response:
    data = seen.study.dataset
    n = data.n_train if asked.of == "train" else data.n_test
    _refuse_experiments(seen)
    if asked.index >= n:
        kind = "training" if asked.of == "train" else "test"
        raise HTTPException(404, f"there is no such {kind} example: they are 0 to {n - 1}")
    try:
        content = await dashboard.influence.ask(seen, asked)
    except BusyError:
        raise HTTPException(503, "too many ask at once", {"Retry-After": "1"}) from None
    return Response(content, media_type=MEDIA["json"])


def _refuse_experiments(seen: StudySeen) -> None:
    if seen.is_experiment:
        detail = f"{seen.study.id} has no scores: an experiment left its examples out on purpose"
        raise HTTPException(409, detail)


def _not_now(error: NoReportError | BeingReplacedError) -> HTTPException:
    if isinstance(error, NoReportError):
        return HTTPException(404, str(error))
    return HTTPException(503, f"{error}: try again", {"Retry-After": "1"})
