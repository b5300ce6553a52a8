"""``sklearn:``: the datasets that scikit-learn ships."""

import numpy as np
import pytest

from memtail_core.data import load
from memtail_core.errors import DatasetError
from memtail_core.study import DatasetTable


def read(name, **settings):
    return load(DatasetTable(source=f"sklearn:{name}", **settings))


@pytest.mark.parametrize(
    ("name", "n", "shape", "classes"),
    [
        ("digits", 1797, (8, 8, 1), tuple("0123456789")),
        ("iris", 150, (4,), ("setosa", "versicolor", "virginica")),
        ("wine", 178, (13,), ("class_0", "class_1", "class_2")),
        ("breast_cancer", 569, (30,), ("malignant", "benign")),
    ],
)
def test_each_set_that_ships_has_its_published_size_and_classes(name, n, shape, classes):
    dataset = read(name)
    assert len(dataset.y_train) + len(dataset.y_test) == n
    assert len(dataset.y_test) == round(0.2 * n)
    assert dataset.shape == shape
    assert dataset.classes == classes


def test_breast_cancer_labels_keep_their_meaning():
    """Its documentation counts 212 malignant and 357 benign: 0 and 1, not in alphabetical order."""
    dataset = read("breast_cancer")
    y = np.concatenate([dataset.y_train, dataset.y_test])
    assert np.bincount(y).tolist() == [212, 357]


def test_columns_keep_their_names():
    assert read("iris").features == (
        *("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
    )


def test_digits_use_the_whole_range_of_grey():
    x = read("digits").train.whole()
    assert (x.min(), x.max()) == (0, 255)
    assert len(np.unique(x)) == 17


def test_an_unknown_name_is_refused_with_a_suggestion():
    with pytest.raises(DatasetError, match=r"sklearn:digit is not a source.*mean 'digits'"):
        read("digit")


@pytest.mark.parametrize("name", ["20newsgroups", "diabetes", "olivetti_faces"])
def test_sets_that_are_no_classification_of_arrays_are_refused_with_those_known(name):
    with pytest.raises(DatasetError, match=r"known: .*digits.*iris"):
        read(name)
