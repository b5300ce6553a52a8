"""Submitting, cancelling, retrying by REST, with a real Redis: what is done, what is refused."""

import io
import pickle
import threading
import time
import zipfile
from typing import Any

import httpx
import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Failure
from memtail_core.data import Dataset
from memtail_core.errors import DatasetError
from memtail_core.plan.shards import Shard
from memtail_core.running.preparation import prepare
from memtail_core.study import Spec, shipped
from services import broker, orders
from services.dashboard import admission
from services.dashboard.api import management
from services.dashboard.readers import isolation
from services.dashboard.readers.dataset import is_archive, received
from tests.conftest import Trained
from tests.services.dashboard.conftest import BEARER, Shown
from tests.texts import reviewed


def post(shown: Shown, path: str, body: Any = None) -> httpx.Response:
    found: httpx.Response = shown.client.post(path, json=body, headers=BEARER)
    return found


def submit(shown: Shown, body: Any) -> httpx.Response:
    return post(shown, "/api/v1/studies", body)


def n_queued(shown: Shown) -> int:
    assert shown.dashboard.cluster is not None
    return broker.queue_length(shown.dashboard.cluster.client, "memtail.cpu")


def status_of(shown: Shown, study_id: str, state: str) -> dict[str, Any]:
    """The study as it is listed, once it is in that state."""
    for _ in range(200):
        found = shown.client.get(f"/api/v1/studies/{study_id}")
        if found.status_code == 200 and found.json()["state"] == state:
            answer: dict[str, Any] = found.json()
            return answer
        time.sleep(0.05)
    raise AssertionError(f"never {state}: {found.text}")


def test_submit_cancel_submit_and_grow(on_cluster: Shown) -> None:
    before = n_queued(on_cluster)
    tables = {
        "study": {"name": "flowers", "trials": 20, "shard_size": 5},
        "dataset": {"source": "sklearn:iris"},
        "training": {"recipe": "mlp", "widths": [8], "epochs": 3},
    }
    spec = Spec.parse(tables)
    expected = prepare(spec).study
    found = submit(on_cluster, {**tables, "device": "cpu"})
    assert found.status_code == 202, found.text
    assert found.json() == {"id": expected.id, "trials": 20, "enqueued": 4}
    assert found.headers["location"] == f"/api/v1/studies/{expected.id}"
    assert n_queued(on_cluster) - before == 4
    assert catalogue.read(on_cluster.store, expected.id) == expected
    path = f"/api/v1/studies/{expected.id}"
    assert status_of(on_cluster, expected.id, "waiting")["waiting"] == 20
    assert expected.id == on_cluster.client.get("/api/v1/studies").json()[0]["id"]
    assert post(on_cluster, f"{path}/cancel").json() == {"id": expected.id, "stopped": 0}
    status_of(on_cluster, expected.id, "cancelled")
    assert post(on_cluster, f"{path}/retry").status_code == 409
    grown = post(on_cluster, f"{path}/submit", {"trials": 30})
    assert (grown.status_code, grown.json()["trials"]) == (202, 30)
    smaller = post(on_cluster, f"{path}/submit", {"trials": 20})
    assert smaller.json()["trials"] == 30, "others may wait for 30"
    shrunk = post(on_cluster, f"{path}/submit", {"trials": 25, "shrink": True})
    assert (shrunk.status_code, shrunk.json()["trials"]) == (202, 25)
    assert status_of(on_cluster, expected.id, "waiting")["models"] == 25


def test_retry_enqueues_what_failed_alone(on_cluster: Shown) -> None:
    body = {"dataset": {"source": "sklearn:wine"}, "study": {"name": "wine", "trials": 30}}
    study_id = submit(on_cluster, body | {"device": "cpu"}).json()["id"]
    study = catalogue.read(on_cluster.store, study_id)
    failure = Failure(
        shard=Shard(10, 20).name, attempt=5, kind="last", reason="lost", worker="<b>", when=2.0,
        traceback="Traceback: <script>",
    )  # fmt: skip
    failures.record(on_cluster.store, study.id, failure)
    failures.record(
        on_cluster.store, study.id, failure.model_copy(update={"kind": "machine", "attempt": 4})
    )
    told = on_cluster.client.get(f"/api/v1/studies/{study_id}/failures?limit=1").json()
    assert told["total"] == 2
    assert told["items"] == [failure.model_dump()]
    assert post(on_cluster, f"/api/v1/studies/{study_id}/retry").json()["enqueued"] == 1
    assert not failures.read(on_cluster.store, study)


def test_a_study_that_ships(on_cluster: Shown) -> None:
    found = submit(on_cluster, {"shipped": "digits", "trials": 10, "device": "cpu"})
    assert found.status_code == 202
    assert found.json()["id"] == prepare(Spec.load("digits")).study.id
    for name in ("nothing", "../digits", "/etc/passwd", "digits.toml", ""):
        assert submit(on_cluster, {"shipped": name}).status_code == 422
    both = submit(on_cluster, {"shipped": "digits", "dataset": {"source": "sklearn:iris"}})
    assert both.status_code == 422


def test_every_shipped_study_is_admitted_or_refused_in_one_line(on_cluster: Shown) -> None:
    for name in shipped():
        source = Spec.parse(admission.shipped_tables(name)).dataset.source
        found = submit(on_cluster, {"shipped": name, "device": "cpu"})
        assert found.status_code == (202 if source.startswith("sklearn:") else 422), name


def test_stored_data_are_named_by_their_digest(on_cluster: Shown, trained: Trained) -> None:
    rng = np.random.default_rng(0)
    dataset = Dataset.from_arrays(
        rng.normal(size=(40, 3)), rng.integers(0, 2, 40), rng.normal(size=(9, 3)),
        rng.integers(0, 2, 9), classes=["<script>", "b"], features=["x", "y", "z"],
    )  # fmt: skip
    put = on_cluster.client.put("/api/v1/datasets", content=dataset.to_npz(), headers=BEARER)
    assert put.status_code == 200, put.text
    assert put.json()["sha256"] == dataset.sha256
    assert on_cluster.store.get(f"datasets/{dataset.sha256}.npz") == dataset.to_npz()
    for source, data in (
        (put.json()["source"], dataset),
        (f"stored:{trained.dataset.sha256}", trained.dataset),
    ):
        body = {"dataset": {"source": source}, "study": {"trials": 10}, "device": "cpu"}
        found = submit(on_cluster, body)
        assert found.status_code == 202, found.text
        study = catalogue.read(on_cluster.store, found.json()["id"])
        assert study.id == prepare(Spec.parse({"dataset": {"source": source}}), data).study.id
        assert catalogue.load_dataset(on_cluster.store, study).sha256 == data.sha256


@pytest.mark.parametrize(
    "source",
    [
        "folder:/etc", "csv:/etc/passwd", "npz:data.npz", "parquet:x", "torchvision:MNIST",
        "python:os:system", "stored:", "stored:../../secret", f"stored:{'0' * 64}",
        f"stored:{'A' * 64}", "sklearn:lfw_people", "sklearn:", "sklearn", "", "http://10.0.0.1/",
    ],
)  # fmt: skip
def test_other_data_are_refused_in_one_line(on_cluster: Shown, source: str) -> None:
    before = list(on_cluster.store.list(""))
    found = submit(on_cluster, {"dataset": {"source": source}})
    assert found.status_code == 422
    assert found.json().keys() == {"detail"}
    assert len(found.json()["detail"]) < 300
    assert list(on_cluster.store.list("")) == before


def test_candidates_in_a_file_are_refused_unread(on_cluster: Shown) -> None:
    body = {"dataset": {"source": "sklearn:iris"}, "subsets": {"candidates": "/etc/passwd"}}
    found = submit(on_cluster, body)
    assert (found.status_code, "reads no files" in found.text) == (422, True)
    body["subsets"] = {"candidates": "class:setosa"}
    assert submit(on_cluster, body).status_code == 202


def test_a_hint_tells_how_stored_data_are_used(on_cluster: Shown, trained: Trained) -> None:
    source = f"stored:{trained.dataset.sha256}"
    found = submit(on_cluster, {"dataset": {"source": source, "train_limit": 10}})
    assert (found.status_code, "taken as they are" in found.text) == (422, True)


@pytest.mark.parametrize(
    "training",
    [
        {"recipe": "python:os:system"},
        {"recipe": "sklearn:_config.config_context"},
        {"recipe": "sklearn:conftest.X"},
        {"recipe": "sklearn:tests.test_base.K"},
        {"recipe": "sklearn:..os.X"},
        {"recipe": "sklearn:__main__.X"},
        {"recipe": "finetune", "backbone": "torchvision:resnet18", "weights": "/etc/passwd"},
        {"recipe": "finetune", "backbone": "python:os:system"},
        {"recipe": 7},
        {"recipe": "mlp", "epochs": -1},
        {"recipe": "mlp", "epochs": 1e400},
        {"version": 3},
        {"epochs": {"deep": [[[]]]}},
    ],
    ids=str,
)
def test_other_recipes_are_refused(on_cluster: Shown, training: dict[str, Any]) -> None:
    body = {"dataset": {"source": "sklearn:iris"}, "training": training}
    content = repr(body).replace("'", '"').replace("inf", "1e400")
    found = on_cluster.client.post(
        "/api/v1/studies",
        content=content,
        headers={**BEARER, "Content-Type": "application/json"},
    )
    assert found.status_code == 422, found.text
    assert "\n" not in found.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"study": NaN}', b"{}"],
    ids=lambda content: str(content[:12]),
)
def test_a_body_that_is_no_submission(on_cluster: Shown, content: bytes) -> None:
    headers = {**BEARER, "Content-Type": "application/json"}
    found = on_cluster.client.post("/api/v1/studies", content=content, headers=headers)
    assert found.status_code in (400, 422)
    assert found.json().keys() == {"detail"}


def test_so_many_shards_are_refused(on_cluster: Shown) -> None:
    body = {"study": {"shard_size": 1}, "dataset": {"source": "sklearn:iris"}, "trials": 1_000_000}
    found = submit(on_cluster, body)
    assert (found.status_code, "larger shard_size" in found.text) == (422, True)


def test_a_study_of_ones_own_code_is_not_submitted_from_here(
    on_cluster: Shown, trained: Trained
) -> None:
    study = trained.study.model_copy(
        update={"name": "own", "training": {"recipe": "python:os:system", "version": 1}}
    )
    catalogue.register(on_cluster.store, study, trained.dataset, 10)
    status_of(on_cluster, study.id, "unfinished")
    found = post(on_cluster, f"/api/v1/studies/{study.id}/submit", {"stack": 2})
    assert (found.status_code, "your own code" in found.text) == (422, True)
    assert post(on_cluster, f"/api/v1/studies/{study.id}/cancel").status_code == 409
    assert orders.read(on_cluster.store, study) is None


@pytest.mark.parametrize(
    "study_id",
    [
        "digits-0123456789", "digits", "%2e%2e", "..%2f..%2fsecret", "a/../b", "%00",
        "digits-012345678%0a", "<script>-0123456789", "é-0123456789", "x" * 5000,
        "-0123456789", "DIGITS-0123456789", "*-0123456789",
    ],
)  # fmt: skip
def test_an_id_that_is_none(on_cluster: Shown, study_id: str) -> None:
    for what in ("", "/scores", "/train/0/influence", "/report/index.html", "/failures", "/events"):
        found = on_cluster.client.get(f"/api/v1/studies/{study_id}{what}")
        assert found.status_code in (404, 422) or found.url.path.endswith("/studies/"), found.text
    for what in ("submit", "cancel", "retry"):
        assert post(on_cluster, f"/api/v1/studies/{study_id}/{what}").status_code in (404, 405, 422)


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def parts(**changed: Any) -> dict[str, Any]:
    x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
    return {"x_train": x, "y_train": y, "x_test": x, "y_test": y} | changed


def with_member(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO(npz(**parts()))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def lying() -> bytes:
    """An array whose header says that it has a million million numbers."""
    small = io.BytesIO()
    np.save(small, np.zeros(1))
    lie = small.getvalue().replace(b"(1,), }           ", b"(1000000000000,), }"[:19])
    assert b"1000000" in lie
    return with_member("classes.npy", lie)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK nonsense",
        pickle.dumps([1]),
        npz(),
        npz(x_train=np.zeros((2, 2))),
        npz(**parts(y_train=np.array([0, 1, 0, 9]), classes=["a", "b"])),
        npz(**parts(x_train=np.full((4, 2), np.nan))),
        npz(**parts(y_test=np.array([0, 1]))),
        npz(**parts(x_train=np.array([None] * 4, dtype=object))),
        npz(**parts(classes=np.array(["a", "a"]))),
        npz(**parts(classes=np.array(3))),
        npz(**parts(train_names=np.array(["a"]))),
        npz(**parts(), other=np.zeros(3)),
        npz(**parts(x_train=np.zeros((2_000_000, 20), np.float32))),
        with_member("../evil.npy", b""),
        with_member("classes.npy", b"\x93NUMPY\x09\x00garbage"),
        with_member("x_train.npy", b""),
        lying(),
        npz(**parts())[:-30],
        npz(**parts(x_train=np.zeros((4, 2), dtype=[("a", "f4")]))),
    ],
    ids=range(20),
)
def test_data_that_are_none_are_refused(content: bytes) -> None:
    with pytest.raises(DatasetError) as refused:
        received(content, 10_000_000)
    assert "\n" not in str(refused.value)


def test_what_is_no_archive_starts_no_process(
    on_cluster: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "dataset", None)
    for content in (b"", b"PK\x03\x04" + bytes(100_000), npz(**parts())[:-30]):
        put = on_cluster.client.put("/api/v1/datasets", content=content, headers=BEARER)
        assert (put.status_code, "not an npz file" in put.json()["detail"]) == (422, True)
    commented = bytearray(npz(**parts()))
    commented[-2:] = (2**16 - 1).to_bytes(2, "little")
    assert is_archive(bytes(commented) + bytes(2**16 - 1))


def test_received_data_are_as_they_were(trained: Trained) -> None:
    content = trained.dataset.to_npz()
    assert received(content, len(content)).to_npz() == content
    with pytest.raises(DatasetError, match="bytes when unpacked"):
        received(content, len(content) // 2)


def test_received_texts_are_as_they_were_and_no_others() -> None:
    content = reviewed().to_npz()
    dataset = received(content, len(content))
    assert dataset.to_npz() == content
    assert dataset.texts is not None
    assert dataset.sha256 == reviewed().sha256
    with np.load(io.BytesIO(content)) as file:
        sent = {name: file[name] for name in file.files}
    for changed in (
        {"text_train_ends": sent["text_train_ends"][:-1]},
        {"text_train_ends": sent["text_train_ends"][::-1].copy()},
        {"text_test": sent["text_test"][:-1]},
        {"text_test": sent["text_test"].astype(np.float32)},
        {"vocabulary": np.array(1)},
        {"text_train": sent["text_test"], "text_train_ends": sent["text_test_ends"]},
    ):
        altered = npz(**(sent | changed))
        with pytest.raises(DatasetError) as refused:
            received(altered, 10_000_000)
        assert "\n" not in str(refused.value)


def test_too_many_changes_at_once_are_told(
    on_cluster: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management, "_AT_ONCE", threading.BoundedSemaphore(1))
    monkeypatch.setattr(management, "_PATIENCE", 0.01)
    with management._AT_ONCE:
        found = post(on_cluster, f"{on_cluster.path}/retry")
    assert (found.status_code, found.headers["retry-after"]) == (503, "5")


def test_without_a_cluster_nothing_is_submitted(shown: Shown) -> None:
    for path in ("submit", "cancel", "retry"):
        found = post(shown, f"{shown.path}/{path}")
        assert (found.status_code, "no cluster" in found.text) == (409, True)
    assert submit(shown, {"shipped": "digits"}).status_code == 409
    assert shown.get().json()["state"] == "complete"
    assert shown.client.get("/api/v1/workers").json() == {
        "workers": [], "aggregators": [], "queues": {},
    }  # fmt: skip
