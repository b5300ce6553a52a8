"""The dashboard behind a proxy: its prefix, whose headers it believes, and who may read."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.dashboard.proxies import prefix_of, proxies_of
from tests.services.dashboard.still import TOKEN, Parsed, client, viewed

BEARER = {"Authorization": f"Bearer {TOKEN}"}
PROXY = "10.1.2.3"


@pytest.fixture
def behind(folder: FilesStore, prepared: tuple[Study, Dataset]) -> Any:
    """A client, as a proxy at 10.1.2.3 sends its requests; keywords are settings."""

    def opened(address: str = PROXY, **given: Any) -> TestClient:
        return client(folder, viewed(prepared[0]), address=address, settings=given)

    return opened


def links(html: str) -> Iterator[str]:
    """What a page leads to or loads, from this server."""
    for _, attributes in Parsed(html).tags:
        for name in ("href", "src", "action", "data-events"):
            value = attributes.get(name)
            if value and not value.startswith(("#", "http")):
                yield value


@pytest.mark.parametrize("is_kept", [False, True], ids=["removed by the proxy", "kept"])
def test_every_link_is_below_the_prefix(behind: Any, is_kept: bool) -> None:
    """Flower: assets and links outside the prefix, or 404 for all once the proxy keeps it.

    https://github.com/mher/flower/issues/308, https://github.com/mher/flower/issues/1069
    """
    found = behind(dashboard_prefix="/lab/memtail/", dashboard_open=True)
    inner = "/lab/memtail" if is_kept else ""
    toward, seen = ["/", "/workers", "/submit", "/about"], set()
    while toward:
        path = toward.pop()
        seen.add(path)
        answer = found.get(inner + path)
        assert answer.status_code == 200, path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        assert 'data-root="/lab/memtail"' in answer.text
        for link in links(answer.text):
            assert link.startswith("/lab/memtail/"), f"{path} links to {link}"
            below = link.removeprefix("/lab/memtail").partition("?")[0]
            if not below.endswith("/events") and below not in seen:
                toward.append(below)
    assert any(path.startswith("/studies/") for path in seen)
    assert any(path.endswith(".js") for path in seen)


def test_the_scripts_ask_below_the_prefix(behind: Any) -> None:
    found = behind(dashboard_open=True)
    scripts = {link for link in links(found.get("/submit").text) if link.endswith(".js")}
    scripts |= {link.replace("submit.js", other) for link in scripts for other in
                ("token.js", "live.js", "actions.js")}  # fmt: skip
    for script in scripts:
        for quoted in re.findall(r"[\"'`](?:/)[a-z][^\"'`]*", found.get(script).text):
            raise AssertionError(f"{script} asks for {quoted}: begin with ROOT")


def test_the_api_links_below_the_prefix(behind: Any, prepared: tuple[Study, Dataset]) -> None:
    found = behind(dashboard_prefix="/memtail", dashboard_open=True)
    document = found.get("/api/v1/openapi.json").json()
    assert document["servers"] == [{"url": "/memtail"}]
    assert found.get("/memtail").url.path == "/memtail/"
    assert found.get("/memtail/healthz").status_code == 200
    assert found.get("/memtails/healthz").status_code == 404
    large = b"x" * 300_000
    limited = found.put("/memtail/api/v1/datasets", content=large, headers=BEARER)
    assert limited.status_code != 413, "a dataset may be larger than other bodies"
    assert found.get("/memtail/api/v1/studies").status_code == 200
    assert 'route="/api/v1/studies"' in found.get("/memtail/metrics").text


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ("memtail", "not a path"),
        ("/a b", "not a path"),
        ("/a/../b", "not a path"),
        ("/a//b", "not a path"),
        ("https://example.org/memtail", "not a path"),
        ("/studies", "choose another"),
        ("/api/memtail", "choose another"),
    ],
)
def test_a_prefix_is_a_path_of_its_own(prefix: str, reason: str) -> None:
    with pytest.raises(StudyError, match=f"MEMTAIL_DASHBOARD_PREFIX.*{reason}"):
        prefix_of(Settings(_env_file=None, dashboard_prefix=prefix))


@pytest.mark.parametrize("proxies", ["proxy.example.org", "10.0.0.1/8", "*", "127.0.0.1 10.0.0.1"])
def test_proxies_are_addresses_or_networks(proxies: str) -> None:
    with pytest.raises(StudyError, match="MEMTAIL_DASHBOARD_PROXIES"):
        proxies_of(Settings(_env_file=None, dashboard_proxies=proxies))


FORWARDED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "board.example.org",
}


@pytest.mark.parametrize(
    ("address", "base"),
    [(PROXY, "https://board.example.org/memtail"), ("10.9.9.9", "http://127.0.0.1/memtail")],
    ids=["named", "another"],
)
def test_headers_of_named_proxies_alone_count(behind: Any, address: str, base: str) -> None:
    """FastAPI: a redirect of a trailing slash loses https behind a proxy.

    https://github.com/fastapi/fastapi/issues/4990
    """
    given = {
        "dashboard_prefix": "/memtail",
        "dashboard_proxies": "10.1.2.0/24, 127.0.0.1",
        "dashboard_hosts": "board.example.org",
    }
    found = behind(address, **given)
    headers = {**FORWARDED, **BEARER}
    about = found.get("/about", headers=headers)
    assert f"{base}/api/v1/studies" in Parsed(about.text).text
    moved = found.get("/workers/", headers=headers, follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (307, f"{base}/workers")


def test_a_proxy_cannot_make_it_answer_to_any_name(behind: Any) -> None:
    found = behind(dashboard_proxies=PROXY, dashboard_open=True)
    assert found.get("/", headers=FORWARDED).status_code == 400
    assert found.get("/", headers={"Host": "evil.example.org"}).status_code == 400


def test_each_client_of_a_proxy_has_its_own_changes(behind: Any) -> None:
    found = behind(dashboard_proxies=PROXY)

    def changed(client: str) -> int:
        headers = {**BEARER, "X-Forwarded-For": client}
        return int(found.post("/api/v1/studies", json={}, headers=headers).status_code)

    assert [changed("203.0.113.7") for _ in range(31)] == [422] * 30 + [429]
    assert changed("9.9.9.9, 203.0.113.7") == 429, "what a client writes itself does not count"
    assert changed("203.0.113.8") == 422


def test_a_client_is_one_client_on_every_port(behind: Any) -> None:
    """uvicorn: a port in X-Forwarded-For (of Azure's gateway) made each request another client.

    https://github.com/Kludex/uvicorn/issues/2789
    """
    found = behind(dashboard_proxies=PROXY)
    for address in ("203.0.113.7:{}", "[2001:db8::7]:{}"):
        answers = [
            found.post(
                "/api/v1/studies",
                json={},
                headers={**BEARER, "X-Forwarded-For": address.format(port)},
            ).status_code
            for port in range(1024, 1055)
        ]
        assert answers == [422] * 30 + [429]


def test_a_probe_by_address_is_answered(behind: Any) -> None:
    """Homepage: Kubernetes probes with the address of the pod as host, and got 400.

    https://github.com/gethomepage/homepage/pull/6775
    """
    found = behind("10.244.0.1", dashboard_token=None)
    for host in ("10.244.1.17:8080", "[fd00::17]:8080", "memtail.default.svc", ""):
        assert found.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        ({"dashboard_proxies": PROXY}, {}),
        ({"dashboard_prefix": "/memtail"}, {}),
        ({}, {"X-Forwarded-For": "203.0.113.7"}),
        ({}, {"Forwarded": "for=203.0.113.7"}),
        ({}, {"X-Real-IP": "203.0.113.7"}),
        ({}, {"Via": "1.1 proxy"}),
        ({"dashboard_hosts": "board.example.org"}, {"Host": "board.example.org"}),
    ],
    ids=str,
)
def test_whom_a_proxy_lets_in_needs_the_token_to_read(
    behind: Any, given: dict[str, Any], headers: dict[str, str]
) -> None:
    """It is bound to 127.0.0.1, and all connections come from there: but not all who read."""
    found = behind("127.0.0.1", **given)
    for path in ("/", "/api/v1/studies", "/metrics", "/workers"):
        assert found.get(path, headers=headers).status_code == 401, path
        assert found.get(path, headers={**headers, **BEARER}).status_code == 200, path
    assert found.get("/healthz", headers=headers).status_code == 200
    opened = behind("127.0.0.1", dashboard_open=True, **given)
    assert opened.get("/", headers=headers).status_code == 200
    untold = behind("127.0.0.1", dashboard_token=None, **given)
    refused = untold.get("/api/v1/studies", headers=headers)
    assert (refused.status_code, "MEMTAIL_DASHBOARD_OPEN" in refused.text) == (403, True)


def test_without_a_proxy_reading_is_free_here(behind: Any) -> None:
    for host in ("127.0.0.1:8080", "localhost", "[::1]:8080"):
        assert behind("127.0.0.1").get("/", headers={"Host": host}).status_code == 200
