"""A worker that cannot train a study leaves it to others, and says so; alone it fails, and ends.

https://github.com/sixty-north/cosmic-ray/issues/161 (a worker that lacks a module takes tasks and
gives nothing back), https://github.com/gregberge/node-taskman/issues/20 (workers of two versions).
"""

import json
import time
from collections.abc import Callable

import pytest

from memtail_core import training
from memtail_core.catalogue import failures
from memtail_core.errors import StudyError
from memtail_core.running import shard_training
from services import last_errors, leases, presence
from services.last_errors import LastError
from services.presence import Presence
from services.worker import task
from tests.services.cluster import Cluster as Processes
from tests.services.cluster import GatedCluster
from tests.services.test_attempts import EVERY_ATTEMPT, MOST, Inline, inline

__all__ = ["inline"]

Fail = Callable[..., object]


def another_version(*_: object) -> object:
    raise StudyError("'tree' no longer trains the models of this study: its code has changed")


def missing_module(*_: object) -> object:
    raise ModuleNotFoundError("No module named 'torchvision'")


@pytest.fixture
def pauses(inline: Inline, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counts how often the worker waits before it takes the next task."""
    waited: list[str] = []
    monkeypatch.setattr(task.worker_state(), "pause", lambda: waited.append("once"))
    return waited


def announce_another(inline: Inline, device: str = "cpu") -> None:
    other = Presence(
        name="other", role="worker", device=device, store="s", since=time.time(), version="0.0.9"
    )
    presence.announce(inline.cluster.client, other)


@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ((training, "restore"), another_version, "no longer trains the models"),
        ((shard_training, "versions"), missing_module, "No module named 'torchvision'"),
    ],
)
def test_it_leaves_the_study_to_others_and_no_attempt_counts(
    inline: Inline,
    cluster: Processes,
    pauses: list[str],
    monkeypatch: pytest.MonkeyPatch,
    where: tuple[object, str],
    error: Fail,
    said: str,
) -> None:
    announce_another(inline)
    with monkeypatch.context() as wrong:
        wrong.setattr(*where, error)
        for _ in range(3):
            assert inline.work() == ["left to other workers"] * 2
            inline.look(3)
            assert inline.queued == 2, "once each"
    assert len(pauses) == 6, "it takes a task at a time, later each time"
    assert inline.recorded() == []
    assert leases.current(inline.cluster.client) == []
    (noted,) = last_errors.current(inline.cluster.client)
    assert (noted.is_aside, noted.in_a_row) == (True, 6)
    assert said in noted.reason
    status = cluster.memtail("status", "small").stdout
    assert "leaves it to other workers" in status
    assert said in status
    (told,) = json.loads(cluster.memtail("status", "small", "--json").stdout)["worker_errors"]
    assert said in told["reason"]
    watched = cluster.folder / "watched"
    cluster.started("cli.main", "watch", "small", output=watched)
    cluster.wait_until("watch says it too", lambda: said in watched.read_text())
    listed = cluster.memtail("workers").stdout
    assert "0.0.9" in listed
    assert "install one version everywhere" in listed
    assert [result[:6] for result in inline.work()] == ["stored"] * 2
    assert last_errors.current(inline.cluster.client) == []


def test_alone_its_attempts_count_and_end(
    inline: Inline, pauses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_another(inline, "cuda")  # which takes no task of this study
    monkeypatch.setattr(training, "restore", another_version)
    assert inline.settle() == 2 * MOST
    assert inline.recorded() == EVERY_ATTEMPT
    assert inline.reason().startswith("this worker, memtail ")
    assert not pauses
    (noted,) = last_errors.current(inline.cluster.client)
    assert noted.in_a_row == 2 * MOST


def test_where_every_worker_cannot_attempts_count_and_end(
    inline: Inline, pauses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_another(inline)
    refused = LastError(
        worker="other", study=inline.study.id, reason="no", when=time.time(), is_aside=True
    )
    last_errors.note(inline.cluster.client, refused)
    monkeypatch.setattr(training, "restore", another_version)
    assert inline.settle() == 2 * MOST
    assert inline.recorded() == EVERY_ATTEMPT


def test_a_study_goes_on_beside_a_worker_that_may_not_train_it(
    gated: GatedCluster, gated_scores: bytes
) -> None:
    """As in a cluster where one machine has another version, or lacks the study's code."""
    unfit = gated.worker(MEMTAIL_ALLOW_PYTHON_RECIPES="0")
    fit = gated.worker()
    gated.aggregator()
    gated.wait_until("both are there", lambda: len(gated.client.keys("*presence:worker:*")) == 2)
    gated.memtail("submit", "gated.toml")
    gated.wait_until("one has refused", lambda: last_errors.current(gated.client))
    listed = gated.memtail("workers").stdout
    assert f"Warning: {unfit.name} leaves {gated.study.id} to other workers" in listed
    assert gated.finish() == gated_scores
    assert failures.read(gated.store, gated.study) == []
    assert not fit.has_ended
