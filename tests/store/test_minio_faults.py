"""The store in a bucket while its server, or the network before it, fails."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from memtail_core.errors import StoreError
from memtail_core.store.minio import MinioStore
from tests.faults import Faults
from tests.servers import S3Server
from tests.store.buckets import bucket, opened

LARGE = bytes(range(256)) * (12 << 10)  # 3 MiB
USES: dict[str, Callable[[MinioStore], object]] = {
    "put": lambda store: store.put("new", LARGE),
    "add": lambda store: store.add("new", LARGE),
    "get": lambda store: store.get("k"),
    "exists": lambda store: store.exists("k"),
    "digest": lambda store: store.digest("k"),
    "list": lambda store: list(store.list("")),
    "folders": lambda store: list(store.folders("")),
    "move": lambda store: store.move("k", "moved"),
    "delete": lambda store: store.delete("k"),
}


@pytest.fixture
def network(s3: S3Server) -> Iterator[Faults]:
    with Faults(s3.endpoint) as faults:
        yield faults


@pytest.fixture
def store(s3: S3Server, network: Faults) -> MinioStore:
    """A store with one large object, reached over a network that fails."""
    opened_store = opened(s3, endpoint=network.endpoint, patience=10)
    opened_store.put("k", LARGE)
    return opened_store


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_server_that_is_down_is_told_soon_in_one_line(
    s3: S3Server, store: MinioStore, network: Faults, use: Callable[[MinioStore], object]
) -> None:
    network.refuse()
    hasty = opened(s3, bucket=bucket(store), endpoint=network.endpoint, patience=0.3)
    started = time.monotonic()
    with pytest.raises(StoreError) as told:
        use(hasty)
    assert time.monotonic() - started < 3
    assert str(told.value) == (
        f"cannot reach the store '{store.location}' at {network.address}: connection refused: is "
        "the server up? MEMTAIL_S3_ENDPOINT says where it is looked for"
    )


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_server_that_comes_back_is_waited_for(
    store: MinioStore, network: Faults, use: Callable[[MinioStore], object]
) -> None:
    network.refuse()
    back = threading.Timer(0.4, network.heal)
    back.start()
    use(store)
    back.join()


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_busy_server_is_asked_again(
    store: MinioStore, network: Faults, use: Callable[[MinioStore], object]
) -> None:
    network.answer_503(times=2)
    use(store)
    assert network.connections >= 3


@pytest.mark.parametrize("after", [100, 10_000, 1 << 20])
def test_an_upload_that_is_cut_is_sent_again(
    store: MinioStore, network: Faults, after: int
) -> None:
    network.cut_requests(after, times=2)
    store.put("new", LARGE)
    network.cut_requests(after, times=2)
    assert store.add("added", LARGE)
    network.heal()
    assert store.get("new") == store.get("added") == LARGE


@pytest.mark.parametrize("after", [0, 20, 50, 300, 10_000, 1 << 20, len(LARGE)])
def test_a_download_that_is_cut_goes_on(store: MinioStore, network: Faults, after: int) -> None:
    network.cut_responses(after, times=3)
    assert store.get("k") == LARGE


def test_a_download_goes_on_from_where_it_was_cut(store: MinioStore, network: Faults) -> None:
    network.cut_responses(1 << 20)  # every time: only who goes on ever gets to the end
    assert store.get("k") == LARGE
    assert network.connections < 10


def test_a_success_whose_answer_was_lost_is_a_success(store: MinioStore, network: Faults) -> None:
    assert store.add("first", b""), "asks the server what it can do, which is not asked again"
    network.cut_responses(0, times=1)
    assert store.add("added", LARGE)
    assert not store.add("added", LARGE)


@pytest.mark.parametrize("after", range(0, 3000, 300))
def test_of_many_parts_any_answer_may_be_lost(
    store: MinioStore, network: Faults, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr("memtail_core.store.minio.bucket._PART", 5 << 20)
    content = LARGE * 3
    network.cut_responses(after, times=1)
    store.put("parts", content)
    assert store.get("parts") == content


def test_a_name_that_no_machine_has(s3: S3Server) -> None:
    with pytest.raises(StoreError, match="there is no machine of that name: is the server up"):
        opened(s3, endpoint="http://no-such-machine.invalid:9000", patience=0.1).get("k")


def test_an_endpoint_that_is_no_bucket_server(s3: S3Server) -> None:
    with (
        Faults(s3.endpoint) as network,
        pytest.raises(StoreError, match="answers HTTP 503"),
    ):
        network.answer_503()
        opened(s3, endpoint=network.endpoint, patience=0.1).get("k")
