"""The API against its own description, with whatever schemathesis and hypothesis think of."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.dashboard.conftest import BEARER, TOKEN, Shown

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)
pytestmark = pytest.mark.slow
FEW = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(
    ("token", "examples", "phases"),
    [(TOKEN, 12, "examples,coverage,fuzzing"), ("nonsense", 6, "fuzzing")],
    ids=["token", "no token"],
)
def test_answers_are_as_described(
    on_cluster: Shown, tmp_path: Path, token: str, examples: int, phases: str
) -> None:
    """Every operation but the events, which never end; often on the study that is there."""
    document = on_cluster.client.get("/api/v1/openapi.json").json()
    there = {"study_id": [on_cluster.study.id], "file": ["summary.json", "scores.parquet"]}
    for methods in document["paths"].values():
        for operation in methods.values():
            for each in operation.get("parameters", []):
                if each["name"] in there:
                    each["schema"] = {"anyOf": [{"enum": there[each["name"]]}, each["schema"]]}
    described = tmp_path / "openapi.json"
    described.write_text(json.dumps(document))
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(described)),
            *("--url", str(on_cluster.client.base_url), "--checks", CHECKS),
            *("--header", f"Authorization: Bearer {token}", "--max-examples", str(examples)),
            *("--phases", phases, "--seed", "1", "--no-color"),
            *("--exclude-path-regex", "/events$", "--continue-on-failure"),
            *("--suppress-health-check", "all", "--generation-database", "none"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    counted = re.search(r"(\d+) generated, (\d+) passed", ran.stdout)
    assert counted, ran.stdout
    assert counted[1] == counted[2]
    assert int(counted[1]) > 5 * examples


NAMES = st.sampled_from(["study", "dataset", "training", "name", "source", "recipe", "epochs"])
SOURCES = st.sampled_from(
    ["sklearn:iris", "sklearn:wine", "stored:0", "folder:/", "python:os:abort"]
)
RECIPES = st.sampled_from(["mlp", "cnn", "linear", "sklearn:svm.SVC", "python:os:abort", "resnet9"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
SUBMISSIONS = st.fixed_dictionaries(
    {"dataset": st.fixed_dictionaries({"source": SOURCES}, optional={"train_limit": VALUES})},
    optional={
        "study": st.dictionaries(NAMES, VALUES, max_size=3) | VALUES,
        "training": st.fixed_dictionaries(
            {"recipe": RECIPES},
            optional={"epochs": VALUES, "widths": VALUES, "kernel": VALUES, "batch_size": VALUES},
        ),
        "subsets": st.fixed_dictionaries({}, optional={"ratio": VALUES, "design": VALUES}),
        "trials": st.integers(-1, 40) | VALUES,
        "device": st.sampled_from(["cpu", "cuda", "tpu", None]),
        "stack": st.integers(-1, 4) | VALUES,
    },
)


@settings(FEW, max_examples=80)
@given(body=SUBMISSIONS | VALUES)
def test_whatever_is_submitted_is_taken_or_refused(body: Any, on_cluster: Shown) -> None:
    try:
        content = json.dumps(body).encode()
    except UnicodeEncodeError:
        return
    headers = {**BEARER, "Content-Type": "application/json"}
    found = on_cluster.client.post("/api/v1/studies", content=content, headers=headers)
    assert found.status_code in (202, 400, 422), found.text
    if found.status_code != 202:
        assert "\n" not in found.json()["detail"]


@settings(FEW, max_examples=40)
@given(path=st.text(st.characters(codec="utf-8"), max_size=40), raw=st.binary(max_size=40))
def test_whatever_is_asked_for_is_answered(path: str, raw: bytes, on_cluster: Shown) -> None:
    client: httpx.Client = on_cluster.client
    quoted = "".join(f"%{each:02x}" for each in path.encode())
    for start in ("/", "/api/v1/", f"{on_cluster.path}/", f"{on_cluster.path}/report/"):
        found = client.get(start + quoted, headers={"Authorization": raw.hex()})
        assert found.status_code < 500, found.text
    for method, where in (("PUT", "/api/v1/datasets"), ("POST", "/api/v1/studies")):
        assert client.request(method, where, content=raw, headers=BEARER).status_code < 500
