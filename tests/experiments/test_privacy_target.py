"""A model from outside: what its file may hold, and how its guesses are scored."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from memtail_core.errors import DatasetError
from memtail_core.estimation.roc import keys
from memtail_core.experiments.privacy.lower_bound import Claim
from memtail_core.experiments.privacy.plan import audit
from memtail_core.experiments.privacy.result import Privacy
from memtail_core.experiments.privacy.target_file import GivenTarget
from memtail_core.training.classification import correct_and_margin
from tests.conftest import Trained
from tests.experiments.test_privacy import simulated

Write = Callable[..., str]
N = 300


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(**arrays: object) -> str:
        np.savez(tmp_path / "model.npz", **arrays)  # type: ignore[arg-type]
        return str(tmp_path / "model.npz")

    return _write


def test_margins_of_logits_are_those_of_the_study(trained: Trained, write: Write) -> None:
    logits = np.random.default_rng(0).normal(0, 4, (N, 10)).astype(np.float32)
    target = GivenTarget.read(write(logits=logits), trained.dataset)
    _, margin = correct_and_margin(
        torch.from_numpy(logits)[None], torch.from_numpy(trained.dataset.y_train)
    )
    np.testing.assert_allclose(target.margins, margin[0], atol=0.01)
    assert target.test_margins is None
    assert target.members is None
    same = GivenTarget.read(write(margins=target.margins), trained.dataset)
    np.testing.assert_array_equal(same.margins, target.margins)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "neither margins [n] nor logits"),
        ({"margins": np.zeros(299)}, "margins are float64 [299], float [300] is needed"),
        ({"margins": np.zeros(N, int)}, "float [300] is needed"),
        ({"logits": np.zeros((N, 3))}, "float [300, classes] is needed"),
        ({"margins": np.full(N, np.nan)}, "margins of example 0 are not numbers"),
        ({"logits": np.full((N, 10), np.inf)}, "logits of example 0 are not numbers"),
        ({"margins": np.zeros(N), "members": np.zeros(N)}, "bool [300] is needed"),
        ({"margins": np.zeros(N), "members": np.ones(N, bool)}, "all examples or none"),
        ({"margins": np.zeros(N), "drawn": "dice"}, "write 'coins' or 'subset'"),
        ({"margins": np.zeros(N), "member": np.ones(N, bool)}, "did you mean 'members'?"),
        ({"margins": np.array([None] * N)}, "no .npz file of plain arrays"),
    ],
)
def test_what_is_no_model_of_these_examples_is_refused(
    trained: Trained, write: Write, arrays: dict[str, object], message: str
) -> None:
    with pytest.raises(DatasetError) as refused:
        GivenTarget.read(write(**arrays), trained.dataset)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read_are_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        GivenTarget.read(str(tmp_path / "none.npz"), trained.dataset)
    (tmp_path / "text.npz").write_text("margins")
    with pytest.raises(DatasetError, match=r"no \.npz file"):
        GivenTarget.read(str(tmp_path / "text.npz"), trained.dataset)
    np.save(tmp_path / "one.npy", np.zeros(N))
    with pytest.raises(DatasetError, match="is one array"):
        GivenTarget.read(str(tmp_path / "one.npy"), trained.dataset)


def told(members: bool, drawn: str | None, distance: float = 4.0) -> GivenTarget:
    """One more model of the simulated study, as a target."""
    trials = simulated(np.full(400, distance), 201, 0)
    inside = np.unpackbits(trials.subset[-1], count=400).astype(bool)
    assert trials.train_values is not None
    return GivenTarget(
        "model.npz",
        trials.train_values[-1].astype(np.float64),
        None,
        inside if members else None,
        drawn,  # type: ignore[arg-type]
    )


def audited(trained: Trained, target: GivenTarget, distance: float = 4.0) -> Privacy:
    trials = simulated(np.full(400, distance), 201, 0).taken(np.arange(200))
    return audit(trained.study, trials, target=target, claim=Claim(0.0, 2.0))


def test_guesses_on_a_known_model_are_scored(trained: Trained) -> None:
    given = told(members=True, drawn="coins")
    found = audited(trained, given).target
    assert found is not None
    assert given.members is not None
    assert (found.members, found.others) == (given.members.sum(), (~given.members).sum())
    scores = np.array(found.scores, float)
    (attack,) = (each for each in found.attacks if each.name == found.attack)
    assert attack.auc == pytest.approx(roc_auc_score(given.members, scores), abs=1e-4)
    assert attack.auc_low is not None
    assert attack.auc_high is not None
    assert attack.auc_low < attack.auc < attack.auc_high
    called = np.array([each is not None for each in found.called])
    at = attack.at[0]
    assert at.fpr == 0.001
    assert at.called == called.sum()
    assert at.members == (called & given.members).sum()
    exact = binomtest(int(at.members), int(given.members.sum())).proportion_ci(method="exact")
    assert (at.tpr, at.low, at.high) == pytest.approx(
        (at.members / given.members.sum(), exact.low, exact.high)
    )
    assert at.seen_fpr == pytest.approx((called & ~given.members).sum() / (~given.members).sum())
    order = keys(scores.astype(np.float32))
    assert order[called].min() > order[~called].max(), "one threshold"
    assert {each.name for each in found.attacks} == {
        each.name for each in audited(trained, given).attacks if "RMIA" not in each.name
    }, "RMIA needs test margins"


def test_guesses_on_an_unknown_model_are_listed_only(trained: Trained) -> None:
    given = told(members=False, drawn=None)
    found = audited(trained, given).target
    known = audited(trained, told(members=True, drawn=None)).target
    assert found is not None
    assert known is not None
    assert (found.scores, found.called) == (known.scores, known.called)
    assert found.members is None
    assert all(each.auc is None and each.at[0].tpr is None for each in found.attacks)
    assert found.epsilon is None
    assert "nobody knows what the model was trained on" in found.no_epsilon
    assert "only if chance decided" in known.no_epsilon


@pytest.mark.parametrize(
    ("drawn", "neighbours"), [("coins", "add or remove"), ("subset", "replace")]
)
def test_a_bound_is_given_where_chance_decided(
    trained: Trained, drawn: str, neighbours: str
) -> None:
    found = audited(trained, told(members=True, drawn=drawn)).target
    assert found is not None
    assert found.epsilon is not None
    assert found.epsilon.neighbours == neighbours
    assert found.epsilon.models == 1
    assert found.epsilon.references == 200
    assert found.epsilon.bound > 1.5
    assert found.epsilon.p_value is not None
    assert (found.epsilon.p_value < 0.05) == (found.epsilon.bound > 2)
    nothing = audited(trained, told(members=True, drawn=drawn, distance=0.0), 0.0).target
    assert nothing is not None
    assert nothing.epsilon is not None
    assert nothing.epsilon.bound < 0.5
