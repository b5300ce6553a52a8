"""Images that look wrong together are warned of, from whatever source."""

import numpy as np

from memtail_core.data import load
from memtail_core.study import DatasetTable


def warnings(tmp_path, change):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (12, 5, 4, 3), dtype=np.uint8)
    change(x)
    y = np.arange(12) % 3
    np.savez(tmp_path / "a.npz", x_train=x[:8], y_train=y[:8], x_test=x[8:], y_test=y[8:])
    return load(DatasetTable(source=f"npz:{tmp_path}/a.npz")).account.warnings


def test_images_that_differ_are_not_warned_of(tmp_path):
    assert warnings(tmp_path, lambda x: None) == ()


def test_images_of_one_colour_are_counted(tmp_path):
    def change(x):
        x[2], x[4] = (9, 8, 7), (9, 8, 200)

    assert warnings(tmp_path, change) == ("2 images of a single colour, as '2'",)


def test_copies_are_counted_across_both_sets_and_those_of_another_class_apart(tmp_path):
    def change(x):
        x[3] = x[0]  # of one class
        x[10] = x[0]  # a test image, of another class
        x[7] = x[5]  # of another class

    assert warnings(tmp_path, change) == (
        "3 exact copies of other images, as '0' and '3'",
        "2 exact copies of images of another class, as '0' (0) and '2' (1)",
    )


def test_tables_are_not_looked_at(tmp_path):
    x = np.zeros((8, 3), np.float32)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=np.arange(8) % 2, x_test=x, y_test=x[:, 0] > 1)
    assert load(DatasetTable(source=f"npz:{tmp_path}/a.npz")).account.warnings == ()
