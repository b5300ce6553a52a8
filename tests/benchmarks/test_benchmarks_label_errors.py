"""The benchmark of wrong labels runs at a small size, and its figures are what they say."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.label_errors import _interval, _listed, _planted, _ranked
from tests.benchmarks.test_benchmarks import ran

_WAYS = ["cleanlab, held-out averages", "cleanlab, 5-fold", "memtail, mislabeled_probability"]


def test_every_way_is_measured_on_the_same_labels() -> None:
    found = ran(
        "label_errors",
        "--examples",
        "100",
        "--models",
        "20",
        "--epochs",
        "2",
        "--draws",
        "2",
        "--first",
        "3",
    )
    assert [each["way"] for each in found] == [*_WAYS, "memtail, memorization"]
    for each in found:
        assert each["draws"] == 2
        assert 0 <= each["auroc"] <= 1
        assert each["auroc_low"] <= each["auroc"] <= each["auroc_high"]
        areas, low, high = np.array(each["auroc_of_each_draw"]).T
        assert each["auroc"] == pytest.approx(areas.mean())
        assert len(areas) == 2
        assert ((low < areas) & (areas < high)).all()
        assert ("recall" in each) == (each["way"] in _WAYS)


def test_labels_are_planted_and_lists_and_intervals_counted() -> None:
    x, y = np.zeros((60, 4, 4), np.uint8), np.arange(60) % 4
    dataset, is_wrong = _planted(x + np.arange(60, dtype=np.uint8)[:, None, None], y, 40, 0.1, 0)
    truth = y[dataset.train.whole()[:, 0, 0, 0]]
    np.testing.assert_array_equal(dataset.y_train != truth, is_wrong)
    assert is_wrong.sum() == 4
    assert _ranked(is_wrong.astype(float), is_wrong) == {"auroc": 1.0, "average_precision": 1.0}
    chosen = np.zeros(40, bool)
    chosen[np.flatnonzero(is_wrong)[:1]] = chosen[np.flatnonzero(~is_wrong)[:1]] = True
    assert _listed(chosen, is_wrong) == {"precision": 0.5, "recall": 0.25}
    values = np.array([0.5, 0.7, 0.9])
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = _interval("auroc", values)
    assert (found["auroc_low"], found["auroc_high"]) == pytest.approx((low, high))
