"""How long lists take with many studies in a bucket, or with many shards in one study.

    python benchmarks/lists.py --studies 2000
    python benchmarks/lists.py --studies 1 --shards 100000

Real MinIO and Redis. The bucket's objects are made cheaply: archives that MinIO unpacks, and, of
objects that are alike, copies on the server's disk. Every study is complete, was submitted, and has
a report, but for the last, which lacks its last shard. Then it measures the dashboard (until its
first snapshot is complete; its pages; the share of a core that it and MinIO use while nobody
looks), commands of a user, and rounds of the aggregator.
"""

import hashlib
import io
import json
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import psutil
from minio import Minio

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from memtail_core.catalogue import reports
from memtail_core.errors import StoreError
from memtail_core.plan import shards
from memtail_core.running.preparation import prepare
from memtail_core.settings import Settings
from memtail_core.store import open_store
from memtail_core.study import Spec, Study
from services import broker
from services.aggregator.aggregator import Aggregator
from services.orders import Order
from services.submission import Cluster
from tests.servers import S3Server, redis_server, s3_server
from tests.servers.process import free_port

_FILES = ("index.html", "scores.parquet", "pairs.parquet", "memorization.npz", "summary.json")
_SPEC = {
    "study": {"name": "many", "trials": 10, "shard_size": 5},
    "dataset": {"source": "sklearn:iris"},
    "training": {"recipe": "mlp", "widths": [4], "epochs": 1},
}

_NEW = {
    "table": 'source = "csv:FOLDER/rows.csv"\nlabel = "label"',
    "iris": 'source = "sklearn:iris"',  # scikit-learn's import is half of what it costs
}


@click.command()
@click.option("--studies", default=2000, show_default=True, help="How many studies there are.")
@click.option("--shards", "n_shards", default=10, show_default=True, help="Shards of each study.")
@click.option("--seconds", default=30.0, show_default=True, help="How long nobody looks.")
@click.option(
    "--settle",
    default=20.0,
    show_default=True,
    help="Seconds before that, in which the dashboard imports what results need.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(studies: int, n_shards: int, seconds: float, settle: float, as_json: bool) -> None:
    """Measure what lists everything: the dashboard, commands, the aggregator."""
    with tempfile.TemporaryDirectory() as folder, s3_server() as s3, redis_server() as queue:
        bucket = f"lists-{secrets.token_hex(4)}"
        os.environ |= {
            "MEMTAIL_BROKER_URL": queue.url,
            "MEMTAIL_STORE": f"s3://{bucket}",
            "MEMTAIL_S3_ENDPOINT": s3.endpoint,
            "MEMTAIL_S3_ACCESS_KEY": s3.access_key,
            "MEMTAIL_S3_SECRET_KEY": s3.secret_key,
            "MEMTAIL_CACHE": folder,
        }
        begun = time.monotonic()
        last, n_objects = _fill(s3, bucket, studies, n_shards)
        filled = time.monotonic() - begun
        machine = {"studies": studies, "shards_of_each": n_shards, "objects": n_objects}
        show({"what": "the bucket", **machine, "seconds_to_fill": filled}, as_json)
        for measured in _dashboard(s3, last, studies, seconds, settle):
            show(measured, as_json)
        for measured in (*_commands(last), *_rounds()):
            show({**measured, "load_of_the_machine": os.getloadavg()[0]}, as_json)


def _fill(s3: S3Server, bucket: str, n_studies: int, n_shards: int) -> tuple[Study, int]:
    """Make the bucket's objects; return the last study and the number of objects."""
    study, dataset = prepare(Spec.parse(_SPEC))
    store = open_store(f"s3://{bucket}")
    store.put(study.dataset_key, dataset.to_npz())
    studies = [
        study.model_copy(update={"name": f"many-{number:04d}"}) for number in range(n_studies)
    ]
    trials = n_shards * study.shard_size
    for some in (studies[i : i + 200] for i in range(0, n_studies, 200)):
        _unpack(s3, bucket, {key: text for each in some for key, text in _objects(each, trials)})
    first = shards.planned(study, study.shard_size)[0].key(studies[0])
    content = b"a shard"
    store.put(first, content)
    for each in studies:
        keys = [shard.key(each) for shard in shards.planned(each, trials)]
        if each is studies[-1]:
            keys.pop()
        _copy(s3, bucket, first, [key for key in keys if key != first])
    last = studies[-1]
    store.delete(f"{last.prefix}report/manifest.json")
    return last, sum(1 for _ in store.list(""))


def _objects(study: Study, trials: int) -> Iterator[tuple[str, bytes]]:
    """What a study that is complete has beside its shards."""
    yield f"{study.prefix}study.json", study.to_json()
    yield f"{study.prefix}goal.json", json.dumps({"trials": trials}).encode()
    yield f"{study.prefix}order.json", Order(device="cpu").model_dump_json().encode()
    files = {name: f"{name} of {study.id}".encode() for name in _FILES}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name, content in files.items():
        yield f"{study.prefix}report/{name}", content
    manifest = reports.Manifest(trials=trials, files=digests)
    yield f"{study.prefix}report/manifest.json", manifest.model_dump_json().encode()


def _unpack(s3: S3Server, bucket: str, objects: dict[str, bytes]) -> None:
    """Put many objects with their digests by one request."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for key, content in objects.items():
            item = tarfile.TarInfo(key)
            item.size = len(content)
            digest = hashlib.sha256(content).hexdigest()
            item.pax_headers = {"minio.metadata.x-amz-meta-sha256": digest}
            tar.addfile(item, io.BytesIO(content))
    client = Minio(
        endpoint=s3.endpoint.removeprefix("http://"),
        access_key=s3.access_key,
        secret_key=s3.secret_key,
        secure=False,
        region="us-east-1",
    )
    length = archive.tell()
    archive.seek(0)
    client.put_object(
        bucket,
        "objects.tar",
        archive,
        length,
        part_size=1 << 29,
        metadata={"X-Amz-Meta-Snowball-Auto-Extract": "true"},
    )


def _copy(s3: S3Server, bucket: str, key: str, to: list[str]) -> None:
    """Copy an object on the server's disk: MinIO keeps each in a folder with one small file."""
    source = s3.folder / bucket / key / "xl.meta"
    for each in to:
        folder = s3.folder / bucket / each
        folder.mkdir(parents=True)
        shutil.copyfile(source, folder / "xl.meta")


def _dashboard(
    s3: S3Server, last: Study, n_studies: int, seconds: float, settle: float
) -> Iterator[dict[str, object]]:
    port = free_port()
    env = os.environ | {"MEMTAIL_DASHBOARD_PORT": str(port)}
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.dashboard"], env=env, stdout=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
            answered = _waited(client, "/healthz", lambda answer: answer.status_code < 600)
            n = n_studies
            complete = _waited(client, "/api/v1/studies", lambda answer: len(answer.json()) == n)
            usage = psutil.Process(process.pid)
            yield {
                "what": "dashboard, first snapshot",
                "seconds_to_first_answer": answered - begun,
                "seconds": complete - begun,
                "cpu_seconds": sum(usage.cpu_times()[:2]),
                "load_of_the_machine": os.getloadavg()[0],
                "memory_bytes": usage.memory_info().rss,
            }
            for path in ("/", f"/studies/{last.id}", "/workers", "/submit", "/api/v1/studies"):
                at = time.monotonic()
                assert client.get(path).status_code == 200, path
                yield {"what": f"GET {path}", "seconds": time.monotonic() - at}
        time.sleep(settle)
        assert s3.process is not None
        server = psutil.Process(s3.process.pid)
        before = [sum(each.cpu_times()[:2]) for each in (usage, server)]
        time.sleep(seconds)
        after = [sum(each.cpu_times()[:2]) for each in (usage, server)]
        used = [100 * (b - a) / seconds for a, b in zip(before, after, strict=True)]
        yield {
            "what": "dashboard, nobody looks",
            "percent_of_a_core": used[0],
            "percent_of_a_core_of_minio": used[1],
            "memory_bytes": usage.memory_info().rss,
        }
        for name, source in _NEW.items():
            yield _submitted(port, name, source)
    finally:
        process.terminate()
        process.wait(30)


def _submitted(port: int, name: str, source: str) -> dict[str, object]:
    """Submit a new study, and see it in the dashboard."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.csv").write_text("a,b,label\n" + "1,2,x\n3,5,y\n" * 50)
        file = Path(folder) / "study.toml"
        file.write_text(
            f'[study]\nname = "{name}"\ntrials = 10\nshard_size = 5\n'
            f"[dataset]\n{source.replace('FOLDER', folder)}\n"
            '[training]\nrecipe = "mlp"\nwidths = [4]\nepochs = 1\n'
        )
        measured = _memtail("submit", str(file))
        submitted = time.monotonic()
    is_there = f'"{name}-'.encode()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        listed = _waited(client, "/api/v1/studies", lambda answer: is_there in answer.content)
    return {
        "what": f"memtail submit, one more: {name}",
        **measured,
        "seconds_until_the_dashboard_shows_it": listed - submitted,
    }


def _commands(last: Study) -> Iterator[dict[str, object]]:
    for arguments in (
        ("--version",),
        ("status",),
        ("status",),
        ("submit", last.id),
        ("cancel", last.id),
        ("watch", last.id),
    ):
        yield {"what": f"memtail {' '.join(arguments)}", **_memtail(*arguments, codes=(0, 1))}


def _rounds() -> Iterator[dict[str, object]]:
    settings = Settings()
    cluster = Cluster(open_store(settings.store), broker.connect(settings), settings)
    aggregator = Aggregator(cluster)
    for what in ("first round", "a round", "a round"):
        begun, used = time.monotonic(), time.process_time()
        aggregator.look()
        used = time.process_time() - used
        seconds = time.monotonic() - begun
        yield {"what": f"aggregator, {what}", "seconds": seconds, "cpu_seconds": used}
    aggregator.close()


def _memtail(*arguments: str, codes: tuple[int, ...] = (0,)) -> dict[str, float]:
    """Run a command; return what it took. Its CPU time does not depend on other load."""
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in codes, done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": time.monotonic() - begun, "cpu_seconds": used}


def _waited(client: httpx.Client, path: str, is_there: object) -> float:
    """Ask until the answer is as wanted; return when it was."""
    until = time.monotonic() + 600
    while time.monotonic() < until:
        try:
            answer = client.get(path)
            if callable(is_there) and is_there(answer):
                return time.monotonic()
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise StoreError(f"{path} does not answer as expected within 10 minutes")


if __name__ == "__main__":
    run(main)
