"""What scores are judged by besides: wrong labels, near-duplicates, removal of the highest."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from memtail_core.data import Dataset
from memtail_core.errors import DatasetError, EstimationError, MemtailError
from memtail_core.experiments.judge.duplicates import Duplicates, duplicates, recalls
from memtail_core.experiments.judge.named import counted
from memtail_core.experiments.judge.reading import Reading
from memtail_core.experiments.judge.retraining import _shard_size, costs, removals
from memtail_core.experiments.judge.wrong_labels import detection, wrong_labels
from memtail_core.plan import designs
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from tests.conftest import Trained


def test_wrong_labels_are_read_in_every_form(trained: Trained, tmp_path: Path) -> None:
    mask = np.isin(np.arange(300), [2, 5, 8])
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "indices.npy", [5, 2, 8])
    np.savez(tmp_path / "planted.truth.npz", flips=[8, 5, 2], other=np.zeros(3))
    (tmp_path / "indices.txt").write_text("8\n\n2\n5\n")
    nameless = replace(trained.dataset, train_names=())
    for name in ("mask.npy", "indices.npy", "planted.truth.npz", "indices.txt"):
        np.testing.assert_array_equal(wrong_labels(str(tmp_path / name), nameless), mask)
    names = tuple(f"a/{i}.png" for i in range(300))
    (tmp_path / "names.txt").write_text("a/2.png\na/5.png\na/8.png")
    named = replace(trained.dataset, train_names=names)
    np.testing.assert_array_equal(wrong_labels(str(tmp_path / "names.txt"), named), mask)


def test_wrong_labels_that_are_none_are_refused(trained: Trained, tmp_path: Path) -> None:
    def refusal(name: str, content: Any) -> str:
        file = tmp_path / name
        if name.endswith(".npz"):
            np.savez(file, **content)
        elif name.endswith(".npy"):
            np.save(file, content)
        else:
            file.write_text(content)
        with pytest.raises(MemtailError) as raised:
            wrong_labels(str(file), replace(trained.dataset, train_names=()))
        assert "\n" not in str(raised.value)
        return str(raised.value)

    assert "indices from 0 to 299 are needed, or a mask of 300" in refusal("a.npy", [300])
    assert "a mask of 300" in refusal("a.npy", np.zeros(299, bool))
    assert "names 0 of 300 training examples" in refusal("a.npy", np.zeros(300, bool))
    assert "names 300 of 300" in refusal("a.npy", np.ones(300, bool))
    assert "holds mine, other: 'wrong' is needed" in refusal("a.npz", {"mine": [1], "other": [2]})
    assert "line 2: '300' is no training example" in refusal("a.txt", "3\n300\n")
    with pytest.raises(DatasetError, match="No such file"):
        wrong_labels(str(tmp_path / "none.txt"), trained.dataset)


def test_the_area_is_scikit_learns_and_counting_knows_itself(trained: Trained) -> None:
    trials = loading.load(FilesStore(trained.folder), trained.study, values=True)[0]
    scores = counted("counted", trials)
    assert scores.itself is not None
    memorization = scores.itself()
    np.testing.assert_allclose(memorization, trials.counted().memorization, atol=1e-12)
    wrong = np.random.default_rng(0).random(300) < 0.1
    found = detection("self-influence", memorization, wrong)
    assert found.auroc == pytest.approx(roc_auc_score(wrong, memorization))
    assert found.low < found.auroc < found.high
    margins = counted("counted-margins", trials).itself
    assert margins is not None and trials.train_values is not None
    own, inside = trials.train_values[:, 7].astype(float), trials.subset[:, 0] & 1 == 1
    assert margins()[7] == pytest.approx(own[inside].mean() - own[~inside].mean(), abs=1e-4)


def test_copies_of_test_examples_are_looked_for_among_the_highest(trained: Trained) -> None:
    before = trained.dataset
    x, y = before.train.whole().copy(), before.y_train.copy()
    x[:10], y[:10] = before.test.whole()[30:40], before.y_test[30:40]
    y[9] = (y[9] + 1) % 10  # another label: not looked for
    pairs = duplicates(Dataset.from_arrays(x, y, before.test.whole(), before.y_test))
    planted = dict(zip(pairs.train.tolist(), pairs.test.tolist(), strict=True))
    assert {i: planted.get(i) for i in range(10)} == {i: 30 + i for i in range(9)} | {9: None}


def test_a_test_example_counts_once_however_many_copies_it_has() -> None:
    pairs = Duplicates(np.array([4, 6, 1, 2]), np.array([20, 20, 30, 40]))
    assert pairs.tests.tolist() == [20, 30, 40]
    tests = np.array([10, 20, 30, 40])
    highest = np.tile(np.arange(100, 111)[:, None], (1, 4))
    highest[0] = [4, 6, 2, 3]  # the first is of a test example without a copy
    highest[10] = 2  # beyond the ten highest
    highest[9, 2] = 1
    one, ten = recalls(pairs, tests, highest)
    assert (one.among, ten.among) == (1, 10)
    assert one.share == pytest.approx(1 / 3)
    assert ten.share == pytest.approx(2 / 3)
    assert 0 < one.low < one.share < one.high < 1


def test_there_must_be_near_duplicates() -> None:
    x = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    with pytest.raises(EstimationError, match="leave --duplicates out"):
        duplicates(Dataset.from_arrays(x, np.arange(40) % 2, x[::2] + 9, np.ones(20, int)))


def reading(trained: Trained, highest: np.ndarray[Any, Any]) -> Reading:
    scores = SimpleNamespace(name="My scores (5 runs)")
    return cast("Reading", SimpleNamespace(highest=highest, scores=scores))


def test_every_arm_leaves_out_as_many(trained: Trained) -> None:
    highest = np.random.default_rng(0).permuted(np.tile(np.arange(300)[:, None], (1, 3)), axis=0)
    two, five = removals(trained.study, [reading(trained, highest)], np.array([0, 2]), (2, 5))
    assert two.study.id != five.study.id
    assert two.study.name == "digits-my-scores-5-runs-top-2"
    assert two.study.shard_size == 3, "a repeat is a shard"
    subsets = designs.subsets(five.study, range(6), five.arms)
    assert (subsets.sum(axis=1) == 295).all()
    for arm, column in ((1, 0), (2, 2), (4, 0), (5, 2)):
        assert sorted(np.flatnonzero(~subsets[arm])) == sorted(highest[:5, column])
    assert (subsets[0] != subsets[3]).any(), "other random ones in each repeat"
    seeds = designs.training_seeds(five.study, range(6))
    assert len(set(seeds[:3].tolist())) == len(set(seeds[3:].tolist())) == 1
    assert seeds[0] != seeds[3]
    assert seeds.tolist() == designs.training_seeds(two.study, range(6)).tolist()


def test_a_loss_is_against_random_removal_in_the_same_repeat(trained: Trained) -> None:
    highest = np.tile(np.arange(300)[:, None], (1, 4))
    both = [reading(trained, highest), reading(trained, highest[::-1])]
    planned = removals(trained.study, both, np.arange(4), (3,))
    rng = np.random.default_rng(1)
    margins = rng.normal(size=(2 * 5, 100)).astype(np.float16)
    trials = cast("Trials", SimpleNamespace(test_values=margins, n_test=100))
    tests = np.array([7, 20, 21, 99])
    loss = planned[0].losses(trials, tests, "margin")
    assert loss.shape == (2, 4)
    exact = margins.astype(float)
    for repeat in range(2):
        for place, z in enumerate(tests):
            expected = exact[5 * repeat, z] - exact[5 * repeat + 1 + place, z]
            assert loss[repeat, place] == pytest.approx(expected)
    more = loss + 1 + rng.normal(size=loss.shape) / 100
    (_, one), (_, other) = costs(planned, [loss, more], "margin")
    assert one.loss == pytest.approx(loss.mean())
    assert other.behind is None
    assert one.behind is not None and one.behind_low is not None and one.behind_high is not None
    assert one.behind == pytest.approx((more - loss).mean())
    assert 0.9 < one.behind_low < one.behind < one.behind_high < 1.1
    assert one.low < one.loss < one.high


def test_the_drawn_tests_are_the_same_each_time(trained: Trained) -> None:
    drawn = designs.drawn_tests(trained.study, 20)
    assert len(set(drawn.tolist())) == 20
    assert drawn.tolist() == sorted(drawn.tolist())
    assert drawn.tolist() == designs.drawn_tests(trained.study, 20).tolist()
    assert len(designs.drawn_tests(trained.study, 1_000)) == 100


@pytest.mark.parametrize(
    ("arms", "most", "size"), [(21, 50, 21), (21, 10, 7), (101, 10, 10), (3, 5, 3), (40, 1, 1)]
)
def test_a_repeat_is_whole_shards_unless_they_would_be_small(
    arms: int, most: int, size: int
) -> None:
    assert _shard_size(arms, most) == size
