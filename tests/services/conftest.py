"""A cluster for each test, and what the same study gives on one machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from memtail_core.analysis import analyse
from memtail_core.report import publish
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.servers import S3Server, s3_server
from tests.services.cluster import Cluster, running

TOML = """
[study]
name = "small"
trials = 36
shard_size = 3
[dataset]
source = "sklearn:digits"
train_limit = 400
[training]
recipe = "mlp"
widths = [64]
epochs = 150
precision = "float32"
"""
STACK = 3  # two stores could measure that another is the fastest


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def cluster(s3: S3Server, tmp_path: Path) -> Iterator[Cluster]:
    with running(s3, tmp_path) as found:
        (tmp_path / "small.toml").write_text(TOML)
        yield found


@pytest.fixture(scope="session")
def local_scores(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """``scores.parquet`` of the same study, run on this machine without any of this."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "small.toml").write_text(TOML)
    study, dataset = prepare(Spec.load(str(folder / "small.toml")))
    store = FilesStore(folder / "runs")
    trials = execution.run(study, store, dataset, 36, workers=1, stack=STACK)
    publish(store, analyse(study, dataset, trials))
    return store.get(f"{study.prefix}report/scores.parquet")
