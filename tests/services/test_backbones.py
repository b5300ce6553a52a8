"""Backbones on a cluster: weights and features travel by digest, and nobody computes them twice."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from memtail_core.errors import MachineError
from memtail_core.study import Study
from services.worker.state import WorkerState
from tests.services.cluster import Cluster
from tests.services.conftest import scores_of

TOML = """
[study]
name = "tuned"
trials = 12
shard_size = 3
[dataset]
source = "sklearn:digits"
train_limit = 600
[training]
recipe = "finetune"
backbone = "torchvision:shufflenet_v2_x0_5"
weights = "{weights}"
size = 32
"""


def test_workers_need_no_file_and_share_the_features(cluster: Cluster, tmp_path: Path) -> None:
    import torchvision

    weights = tmp_path / "weights.pt"
    torch.manual_seed(3)
    torch.save(torchvision.models.shufflenet_v2_x0_5().state_dict(), weights)
    toml = TOML.format(weights=weights)
    (cluster.folder / "tuned.toml").write_text(toml)
    (tmp_path / "local").mkdir()
    expected = scores_of(toml, tmp_path / "local", trials=12)
    cluster.memtail("submit", "tuned.toml")
    weights.unlink()
    for number in range(2):
        cluster.worker(MEMTAIL_CACHE=str(tmp_path / f"cache-{number}"))
    cluster.aggregator()
    assert cluster.finish() == expected
    keys = list(cluster.store.list("features/"))
    assert len(keys) == 3 + 2, "600 training and 360 test examples, and no claim"
    assert all(key.endswith(".npz") and "/claims/" not in key for key in keys)


@pytest.mark.parametrize(
    "training",
    [
        {"recipe": "python:os:system"},
        {"recipe": "finetune", "backbone": "python:os:system", "weights": f"sha256:{'0' * 64}"},
    ],
)
def test_a_worker_runs_code_that_a_study_names_only_if_it_may(training: dict[str, Any]) -> None:
    worker = WorkerState(SimpleNamespace(allow_python_recipes=False))  # type: ignore[arg-type]
    study = Study.model_construct(training=training)
    with pytest.raises(MachineError, match=r"does not run code .* \('python:os:system'\)"):
        worker._check_recipe(study)
