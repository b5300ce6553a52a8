"""Arms: what an experiment's trials leave out, on purpose and at random."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core import catalogue
from memtail_core.analysis import analyse
from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import EstimationError, StudyError
from memtail_core.plan import designs
from memtail_core.plan.arms import Arms
from memtail_core.running import execution
from memtail_core.store import FilesStore
from memtail_core.study import ArmsTable, Study
from tests.conftest import Trained


def arms(n: int = 40) -> Arms:
    left_out = np.zeros((3, n), bool)
    left_out[1, :5] = left_out[2, 30] = True
    return Arms(left_out, np.array([0, 0, 7]))


def of_arms(study: Study, arms: Arms) -> Study:
    plan = ArmsTable(count=len(arms), sha256=arms.sha256)
    return study.model_copy(
        update={"name": "digits-removal", "subsets": plan, "shard_size": 1, "margins": False}
    )


def test_each_arm_leaves_out_what_it_should(trained: Trained) -> None:
    n = trained.trials.n
    study = of_arms(trained.study, arms(n))
    rows = designs.subsets(study, range(30), arms(n))
    for trial, row in enumerate(rows):
        left_out = set(np.flatnonzero(~row).tolist())
        if trial % 3 == 0:
            assert left_out == set()
        elif trial % 3 == 1:
            assert left_out == set(range(5))
        else:
            assert 30 in left_out
            assert len(left_out) == 8
    drawn = {tuple(np.flatnonzero(~row)) for row in rows[2::3]}
    assert len(drawn) == 10, "every repeat draws anew"
    assert (designs.subsets(study, range(7, 9), arms(n)) == rows[7:9]).all()


def test_random_examples_are_drawn_uniformly_from_those_left(trained: Trained) -> None:
    n = trained.trials.n
    rows = designs.subsets(of_arms(trained.study, arms(n)), range(2, 6000, 3), arms(n))
    counts = (~rows).sum(axis=0)
    assert counts[30] == len(rows)
    others = np.delete(counts, 30)
    assert abs(others - len(rows) * 7 / (n - 1)).max() < 6 * np.sqrt(len(rows) * 7 / n)


def test_the_trials_of_a_repeat_start_from_the_same_weights(trained: Trained) -> None:
    study = of_arms(trained.study, arms(trained.trials.n))
    seeds = designs.training_seeds(study, range(9)).tolist()
    assert seeds[:3] == [seeds[0]] * 3
    assert len(set(seeds)) == 3
    assert not set(seeds) & set(designs.training_seeds(trained.study, range(40)).tolist())


def test_unpaired_trials_start_from_their_own_weights(trained: Trained) -> None:
    paired = of_arms(trained.study, arms(trained.trials.n))
    table = paired.subsets.model_copy(update={"design": "unpaired-arms"})
    study = paired.model_copy(update={"subsets": table})
    assert len(set(designs.training_seeds(study, range(9)).tolist())) == 9
    assert study.id != paired.id
    assert Study.from_json(study.to_json()) == study


def test_arms_are_part_of_the_study(trained: Trained) -> None:
    some, other = arms(), replace(arms(), at_random=np.array([0, 0, 8]))
    assert some.sha256 != other.sha256
    assert of_arms(trained.study, some).id != of_arms(trained.study, other).id
    with pytest.raises(ValueError, match="its own arms"):
        designs.subsets(of_arms(trained.study, some), range(1), other)
    restored = Study.from_json(of_arms(trained.study, some).to_json())
    assert restored == of_arms(trained.study, some)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(2, 200), st.randoms(use_true_random=False))
def test_arms_survive_being_stored(count: int, n: int, random: object) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined]
    left_out = rng.random((count, n)) < 0.3
    left_out[:, :2] = False
    before = Arms(left_out, rng.integers(0, 2, count) * (n - 2 - left_out.sum(axis=1)))
    after = Arms.from_npz(before.to_npz(), before.sha256)
    assert (after.left_out == before.left_out).all()
    assert (after.at_random == before.at_random).all()


def test_damaged_arms_are_refused() -> None:
    content = arms().to_npz()
    with pytest.raises(StudyError, match="damaged"):
        Arms.from_npz(content[:-40], arms().sha256)
    with pytest.raises(StudyError, match="digest differs"):
        Arms.from_npz(content, "0" * 64)


@pytest.mark.parametrize(
    ("left_out", "at_random", "message"),
    [
        (np.ones((1, 5), bool), [0], "fewer than 2"),
        (np.zeros((1, 5), bool), [4], "fewer than 2"),
        (np.zeros((0, 5), bool), [], "fewer than 2"),
        (np.zeros((1, 5), bool), [-1], "a number ≥ 0"),
    ],
)
def test_arms_that_leave_nothing_are_refused(
    left_out: np.ndarray, at_random: list[int], message: str
) -> None:
    with pytest.raises((StudyError, ValueError), match=message):
        Arms(left_out, np.array(at_random, np.int64))


def test_an_experiment_is_trained_as_a_study_is(trained: Trained, tmp_path: Path) -> None:
    """Every model is one of the engine's own, trained on what its arm leaves."""
    n = trained.trials.n
    study, store = of_arms(trained.study, arms(n)), FilesStore(tmp_path)
    catalogue.register_arms(store, study, arms(n))
    found = execution.run(study, store, trained.dataset, 6, workers=1, stack=1)
    assert len(found) == 6
    assert len(stored_shards(store, study)) == 6
    subset = np.unpackbits(found.subset, axis=1, count=n).astype(bool)
    assert (subset == designs.subsets(study, range(6), arms(n))).all()
    accuracies = found.accuracies()
    assert np.isnan(accuracies.held_out[::3]).all()
    assert accuracies.means()["held_in"] == accuracies.held_in.mean() > 0.95
    with pytest.raises(EstimationError, match="an experiment trained it"):
        analyse(study, trained.dataset, found)
    (tmp_path / study.arms_key).unlink()
    with pytest.raises(StudyError, match="run the experiment again"):
        catalogue.load_arms(store, study)
