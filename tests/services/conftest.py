"""A cluster for each test, and what the same studies give on one machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from memtail_core.analysis import analyse
from memtail_core.analysis.measuring import with_values
from memtail_core.report import table_files, tables
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.conftest import Shared
from tests.servers import S3Server, s3_server
from tests.services.cluster import Cluster, GatedCluster, running
from tests.services.gated import STUDY
from tests.texts import study_file

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
epochs = 30
precision = "float32"
"""
STACK = 3  # two stores could measure that another is the fastest


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def cluster(s3: S3Server, tmp_path: Path) -> Iterator[Cluster]:
    with running(s3, tmp_path) as started:
        (tmp_path / "small.toml").write_text(TOML)
        yield started


@pytest.fixture
def gated(s3: S3Server, tmp_path: Path) -> Iterator[GatedCluster]:
    with running(s3, tmp_path, GatedCluster) as started:
        (tmp_path / "gated.toml").write_text(STUDY)
        yield started


@pytest.fixture(scope="session")
def local_scores(shared: Shared) -> bytes:
    """``scores.parquet`` of the small study, run on this machine without a cluster."""
    with shared("small") as folder:
        return scores_of(TOML, folder, STACK)


@pytest.fixture
def text_scores(cluster: Cluster, shared: Shared, request: pytest.FixtureRequest) -> bytes:
    """The same of texts, by the recipe that the test names; they are the cluster's small study."""
    toml = study_file(request.param, cluster.folder, trials=36)
    (cluster.folder / "small.toml").write_text(toml)
    with shared(f"small-{request.param}") as folder:
        return scores_of(toml, folder, STACK)


@pytest.fixture(scope="session")
def gated_scores(shared: Shared) -> bytes:
    """The same of the gated study."""
    with shared("gated") as folder:
        return scores_of(STUDY, folder)


def scores_of(toml: str, folder: Path, stack: int | None = None, trials: int = 36) -> bytes:
    """``scores.parquet`` of a study that is run here, by one process."""
    (folder / "study.toml").write_text(toml)
    study, dataset = prepare(Spec.load(str(folder / "study.toml")))
    store = FilesStore(folder / "runs")
    bits = execution.run(study, store, dataset, trials, workers=1, stack=stack)
    loaded = with_values(store, study, bits)
    return table_files.to_parquet(tables.scores_table(analyse(study, dataset, loaded)))
