"""nginx and Caddy in front of the dashboard, with the very examples of docs/dashboard.md."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from memtail_core import catalogue
from memtail_core.data import Dataset
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.dashboard.dashboard import Dashboard
from services.dashboard.monitor import Monitor
from tests.servers import caddy, nginx
from tests.servers.proxies import Proxy
from tests.services.dashboard.conftest import serving
from tests.services.dashboard.still import TOKEN, Parsed
from tests.services.dashboard.test_behind_a_proxy import BEARER, links

pytestmark = pytest.mark.slow


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def proxied(folder: FilesStore, request: Any) -> Iterator[httpx.Client]:
    """A client of the proxy, which does not trust its certificate in vain."""
    start: Callable[[str], AbstractContextManager[Proxy]] = request.param
    settings = Settings(
        _env_file=None,
        dashboard_token=SecretStr(TOKEN),
        dashboard_prefix="/memtail",
        dashboard_proxies="127.0.0.1",
        dashboard_hosts="lab.example.org",
        dashboard_look=0.05,
    )
    dashboard = Dashboard(folder, None, settings, Monitor(folder, None, 0.05))
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with (
        serving(dashboard) as server,
        start(urlsplit(server).netloc) as proxy,
        httpx.Client(base_url=proxy.address, verify=trusting, timeout=60, trust_env=False) as it,
    ):
        yield it


def test_what_the_guide_says_works(
    proxied: httpx.Client, folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    base = f"{str(proxied.base_url).rstrip('/')}/memtail"
    assert proxied.get("/memtail/").status_code == 401, "whom the proxy lets in needs the token"
    assert proxied.get("/memtail/healthz").status_code == 200
    proxied.headers.update(BEARER)
    moved = proxied.get("/memtail")
    assert moved.is_redirect
    assert urlsplit(moved.headers["location"]).path == "/memtail/"
    study, dataset = prepared
    for page in ("/", "/workers", "/submit", "/about", f"/studies/{study.id}"):
        answer = proxied.get(f"/memtail{page}")
        assert answer.status_code == 200, page
        for link in links(answer.text):
            if not link.endswith("/events"):
                assert proxied.get(link).status_code == 200, f"{page} links to {link}"
    assert f"{base}/api/v1/studies" in Parsed(proxied.get("/memtail/about").text).text
    assert proxied.get("/memtail/workers/").headers["location"] == f"{base}/workers"

    another = study.model_copy(update={"name": "another"})
    with proxied.stream("GET", "/memtail/api/v1/events") as events:
        # nginx buffers events until it is told not to: https://github.com/nginx/nginx/issues/1505
        lines = events.iter_lines()
        assert next(line for line in lines if line == "event: overview")
        catalogue.register(folder, another, dataset, 10)
        told = (json.loads(line[6:]) for line in lines if line.startswith("data: "))
        assert next(each for each in told if each.get("id") == another.id)

    content = dataset.to_npz() + b"\0" * 2_000_000  # more than nginx takes unless told to
    sent = proxied.put("/memtail/api/v1/datasets", content=content)
    assert sent.status_code in (200, 422), sent.text
    assert sent.headers["content-type"] == "application/json"
