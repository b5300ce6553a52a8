"""The results API: scores and pairs of the published report, and the influence of one example."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi import Path as InPath

from services.dashboard.abandoned import unless_abandoned
from services.dashboard.access import READER
from services.dashboard.api import shapes
from services.dashboard.api.management import TheDashboard, TheStudy
from services.dashboard.dashboard import API, Dashboard, root_of
from services.dashboard.error_responses import described
from services.dashboard.influence import Asked, BusyError
from services.dashboard.reports import (
    MOST_ROWS,
    BeingReplacedError,
    Format,
    NoReportError,
    Page,
    TableName,
    TableQuery,
)
from services.dashboard.snapshot import StudyView

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
_SANDBOX = "sandbox; default-src 'none'"  # nothing in a report runs with the dashboard's rights

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


def _query(name: TableName) -> Callable[..., Awaitable[TableQuery]]:
    """The query parameters of a page of one of the tables."""
    sorts: Any = _SORTS[name]

    async def query(
        format: Annotated[Format, Query(description="The format.")] = "json",
        offset: Annotated[int, Query(ge=0, le=2**40)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
        sort: Annotated[
            sorts | None, Query(description="A column to sort by; with '-', the largest first.")
        ] = None,
        min_memorization: Annotated[float | None, Query(ge=-1, le=1)] = None,
        label: Annotated[
            int | None, Query(ge=0, le=2**31, description="The class of the training example.")
        ] = None,
    ) -> TableQuery:
        return TableQuery(format, offset, limit, sort, min_memorization, label)

    return query


_TABLE: dict[str, Any] = {
    "content": {MEDIA["csv"]: {}, MEDIA["parquet"]: {}},
    "description": "The rows; X-Total-Count is their number, Link leads to the next.",
}


@router.get(
    "/studies/{study_id}/scores",
    operation_id="get_scores",
    responses={200: {**_TABLE, "model": shapes.Scores}},
)
async def get_scores(
    request: Request,
    dashboard: TheDashboard,
    view: TheStudy,
    query: Annotated[TableQuery, Depends(_query("scores"))],
) -> Response:
    """Get the memorization of every training example, with its interval, as published last."""
    return await _page(request, dashboard, view, "scores", query)


@router.get(
    "/studies/{study_id}/pairs",
    operation_id="get_pairs",
    responses={200: {**_TABLE, "model": shapes.Pairs}},
)
async def get_pairs(
    request: Request,
    dashboard: TheDashboard,
    view: TheStudy,
    query: Annotated[TableQuery, Depends(_query("pairs"))],
) -> Response:
    """Get the high-influence pairs, as published last."""
    return await _page(request, dashboard, view, "pairs", query)


Index = Annotated[int, InPath(ge=0, le=2**40, description="The index of the example, from 0.")]
K = Annotated[int, Query(ge=1, le=1000, description="How many pairs.")]
Harmful = Annotated[bool, Query(description="Negative influence instead of positive.")]


@router.get(
    "/studies/{study_id}/train/{index}/influence",
    operation_id="influence_of_training_example",
    response_model=shapes.InfluenceOfOne,
)
async def of_training_example(
    request: Request,
    dashboard: TheDashboard,
    view: TheStudy,
    index: Index,
    k: K = 10,
    harmful: Harmful = False,
) -> Response:
    """Get the test examples on which this training example has the most influence."""
    return await _influence(request, dashboard, view, Asked("train", index, k, harmful))


@router.get(
    "/studies/{study_id}/test/{index}/influence",
    operation_id="influence_on_test_example",
    response_model=shapes.InfluenceOfOne,
)
async def on_test_example(
    request: Request,
    dashboard: TheDashboard,
    view: TheStudy,
    index: Index,
    k: K = 10,
    harmful: Harmful = False,
) -> Response:
    """Get the training examples with the most influence on this test example."""
    return await _influence(request, dashboard, view, Asked("test", index, k, harmful))


@router.get(
    "/studies/{study_id}/report/{file:path}",
    operation_id="get_report_file",
    responses={
        200: {
            "content": {kind: {} for kind in (*_FILES.values(), _BINARY)},
            "description": "The file.",
        }
    },
    response_class=Response,
)
def get_report_file(
    dashboard: TheDashboard,
    view: TheStudy,
    file: Annotated[str, InPath(description="Its name in the manifest.")],
) -> Response:
    """Download a file of the published report, verified. Browsers save it and do not run it."""
    try:
        content = dashboard.reports.file(view, file)
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


async def _page(
    request: Request, dashboard: Dashboard, view: StudyView, name: TableName, query: TableQuery
) -> Response:
    _refuse_experiments(view)
    page = dashboard.reports.known(view, name, query)
    if page is None:
        try:
            page = await unless_abandoned(request, dashboard.reports.made(view, name, query))
        except (NoReportError, BeingReplacedError) as error:
            raise _not_now(error) from error
    links = _links(f"{root_of(request)}{API}/studies/{view.study.id}", name, query, page)
    around = [
        f'<{link}>; rel="{rel}"' for rel, link in links.items() if rel in ("next", "previous")
    ]
    headers = {"X-Total-Count": str(page.total)} | ({"Link": ", ".join(around)} if around else {})
    content = page.rows
    if query.format == "json":
        head = shapes.Scores(
            id=view.study.id,
            models=page.models,
            total=page.total,
            offset=query.offset,
            limit=query.limit,
            links=links,
            items=[],
        ).model_dump_json()
        content = head.removesuffix("[]}").encode() + page.rows + b"}"
    return Response(content, media_type=MEDIA[query.format], headers=headers)


def _links(path: str, name: TableName, query: TableQuery, page: Page) -> dict[str, str]:
    """Links to the next and previous rows, to other formats, and to the whole table.

    ``path`` is that of the study.
    """
    given = {key: value for key, value in vars(query).items() if value is not None}

    def to(**changed: Any) -> str:
        return f"{path}/{name}?{urlencode(given | changed)}"

    links = {each: to(format=each) for each in MEDIA if each != query.format}
    if query.offset + query.limit < page.total:
        links["next"] = to(offset=query.offset + query.limit)
    if query.offset > 0:
        links["previous"] = to(offset=max(0, query.offset - query.limit))
    return {**links, "all": f"{path}/report/{name}.parquet"}


async def _influence(
    request: Request, dashboard: Dashboard, view: StudyView, asked: Asked
) -> Response:
    data = view.study.dataset
    n = data.n_train if asked.of == "train" else data.n_test
    _refuse_experiments(view)
    if asked.index >= n:
        kind = "training" if asked.of == "train" else "test"
        raise HTTPException(404, f"no such {kind} example: the indices are 0 to {n - 1}")
    try:
        content = await unless_abandoned(request, dashboard.influence.ask(view, asked))
    except BusyError:
        raise HTTPException(
            503, "too many requests wait: try again", {"Retry-After": "1"}
        ) from None
    return Response(content, media_type=MEDIA["json"])


def _refuse_experiments(view: StudyView) -> None:
    if view.is_experiment:
        raise HTTPException(
            409,
            f"{view.study.id} has no scores: it belongs to an experiment, which leaves examples "
            "out on purpose",
        )


def _not_now(error: NoReportError | BeingReplacedError) -> HTTPException:
    if isinstance(error, NoReportError):
        return HTTPException(404, str(error))
    return HTTPException(503, f"{error}: try again", {"Retry-After": "1"})
