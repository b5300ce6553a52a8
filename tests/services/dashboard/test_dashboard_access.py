"""The dashboard's door: who may read and write, which names it answers to, how much, how often."""

import base64
from collections.abc import Iterator

import pytest

from memtail_core.settings import Settings
from services.dashboard.access import is_reading_free
from services.dashboard.limits import MOST_BYTES, Rates
from tests.services.dashboard.conftest import BEARER, TOKEN, Show, Shown

CHANGES = [
    ("POST", "/api/v1/studies"),
    ("POST", "{study}/submit"),
    ("POST", "{study}/cancel"),
    ("POST", "{study}/retry"),
    ("PUT", "/api/v1/datasets"),
]


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


def test_every_change_wants_the_token(shown: Shown) -> None:
    document = shown.client.get("/api/v1/openapi.json").json()
    documented = {
        (method.upper(), path.replace("/api/v1/studies/{study_id}", "{study}"))
        for path, methods in document["paths"].items()
        for method in methods
        if method != "get"
    }
    assert documented == set(CHANGES)


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": b"Bearer \xe9\xff\x80"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        basic(TOKEN),  # which a browser would send by itself, for any page
    ],
    ids=str,
)
def test_without_the_token_nothing_changes(
    shown: Shown, method: str, path: str, headers: dict[str, str]
) -> None:
    before = list(shown.store.list(""))
    found = shown.client.request(method, path.format(study=shown.path), headers=headers, json={})
    assert found.status_code == 401
    assert found.headers["WWW-Authenticate"].startswith("Bearer")
    assert TOKEN not in found.text
    assert list(shown.store.list("")) == before


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_no_token_no_writing(show: Show, method: str, path: str) -> None:
    shown = show()
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
        found = shown.client.request(
            method, path.format(study=shown.path), headers=headers, json={}
        )
        assert (found.status_code, "no token is configured" in found.text) == (403, True)


@pytest.mark.parametrize(
    ("bind", "is_free"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("::", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_reading_is_free_on_this_machine_alone(bind: str, is_free: bool) -> None:
    assert is_reading_free(Settings(_env_file=None, dashboard_bind=bind)) == is_free
    assert is_reading_free(Settings(_env_file=None, dashboard_bind=bind, dashboard_open=True))


def test_reading_on_another_address_wants_the_token(show: Show) -> None:
    shown = show(dashboard_bind="10.0.0.1", dashboard_token=TOKEN)
    document = shown.client.get("/api/v1/openapi.json").json()
    paths = [path for path, methods in document["paths"].items() if "get" in methods]
    assert len(paths) > 10
    for path in paths:
        if path == "/healthz" or path.endswith("events"):
            continue
        path = path.format(study_id=shown.study.id, index=0, file="summary.json")  # noqa: PLW2901
        assert shown.client.get(path).status_code == 401, path
        assert shown.client.get(path, headers=basic("wrong")).status_code == 401
        assert shown.client.get(path, headers=basic(TOKEN)).status_code == 200, path
        assert shown.client.get(path, headers=BEARER).status_code == 200
    for path in ("/api/v1/events", f"{shown.path}/events"):
        assert shown.client.get(path).status_code == 401
    assert "Basic" in shown.client.get(shown.path).headers["WWW-Authenticate"]
    for nonsense in ("Basic %%%", "Basic \u00e9", "basic", "Basic bWU="):
        header = {"Authorization": nonsense.encode()}
        assert shown.client.get(shown.path, headers=header).status_code == 401
    health = shown.client.get("/healthz")
    assert (health.status_code, health.json()["status"]) == (200, "ok")


def test_reading_on_another_address_without_any_token_is_refused(show: Show) -> None:
    shown = show(dashboard_bind="10.0.0.1")
    assert shown.get().status_code == 403
    assert show(dashboard_bind="10.0.0.1", dashboard_open=True).get().status_code == 200


def test_a_token_may_have_any_letters(show: Show) -> None:
    shown = show(dashboard_bind="10.0.0.1", dashboard_token="sésame ☃ ouvre-toi")
    right = {"Authorization": "Bearer sésame ☃ ouvre-toi".encode()}
    assert shown.client.get(shown.path, headers=right).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("LOCALHOST:1", 200),
        ("board.example.org", 200),
        ("evil.example.org", 400),
        ("127.0.0.1.evil.example.org", 400),
        ("localhost@evil.example.org", 400),
        ("evil.example.org:8080@127.0.0.1", 200),  # which is 127.0.0.1, and no browser sends
        ("10.0.0.2", 200),  # nobody can let a name resolve to another address and send an address
        ("", 400),
        ("[", 400),
        ("\u00e9", 400),
    ],
)
def test_only_its_own_names_are_answered(show: Show, host: str, status: int) -> None:
    shown = show(dashboard_hosts=" , Board.example.org", dashboard_token=TOKEN)
    headers = {"Host": host.encode("latin-1"), **BEARER}
    found = shown.client.get("/api/v1/studies", headers=headers)
    assert found.status_code == status
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    health = shown.client.get("/healthz", headers={"Host": host.encode("latin-1")})
    assert health.status_code == 200, "who probes it may send any name, or none"


def test_what_every_answer_says_to_browsers(shown: Shown) -> None:
    for path in ("/api/v1/studies", "/nothing", "/metrics", f"{shown.path}/report/index.html"):
        headers = shown.client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy or policy == "sandbox; default-src 'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Access-Control-Allow-Origin" not in headers
    asked = {"Origin": "http://evil.example.org", "Access-Control-Request-Method": "POST"}
    assert shown.client.options("/api/v1/studies", headers=asked).status_code == 405


def test_a_body_is_no_larger_than_it_may_be(shown: Shown) -> None:
    large = b'{"shipped": "' + b"x" * MOST_BYTES + b'"}'
    post = shown.client.post
    assert post("/api/v1/studies", content=large, headers=BEARER).status_code == 413

    read = []

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            read.append(1)
            yield b"x" * (MOST_BYTES // 4)

    for length in ("99999999999999999999", "-1", "x", "1e3"):
        headers = {**BEARER, "Content-Length": length}
        assert post("/api/v1/studies", content=b"", headers=headers).status_code == 413
    found = post("/api/v1/studies", content=chunks(), headers=BEARER)
    assert (found.status_code, "too large" in found.text) == (413, True)


def test_a_dataset_may_be_larger_but_not_without_end(show: Show) -> None:
    shown = show(dashboard_token=TOKEN, dashboard_most_bytes=3 * MOST_BYTES)
    for size, status in ((2 * MOST_BYTES, 422), (3 * MOST_BYTES + 1, 413)):
        for content in (b"x" * size, iter([b"x" * (size - 5), b"x" * 5])):
            found = shown.client.put("/api/v1/datasets", content=content, headers=BEARER)
            assert found.status_code == status, found.text


def test_changes_are_counted(shown: Shown) -> None:
    vars(shown.dashboard)["rates"] = Rates(3, 100)
    said = [shown.client.post(f"{shown.path}/retry", headers=BEARER) for _ in range(4)]
    assert [each.status_code for each in said] == [409, 409, 409, 429]
    assert 0 < int(said[-1].headers["Retry-After"]) <= 60
    wrong = shown.client.post(f"{shown.path}/retry")
    assert wrong.status_code == 401, "who has no token uses up nobody's changes"


def test_all_clients_together_are_counted_too() -> None:
    rates = Rates(2, 3)
    assert [rates.hit(each) is None for each in "aaabb"] == [True, True, False, True, False]
