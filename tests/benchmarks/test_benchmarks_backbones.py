"""The benchmark of backbones runs at a small size; only the first study computes features."""

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.test_benchmarks import ran


def test_heads_share_features_and_networks_train_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(256, size=(100, 16, 16, 3), dtype=np.uint8), np.arange(100) % 80 // 27
    np.savez(tmp_path / "some.npz", x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    linear, mlp, whole = ran(
        "backbones", "--source", f"npz:{tmp_path / 'some.npz'}", "--examples", "60", "--size", "24",
        "--pretraining", "20", "--pretraining-size", "16", "--pretraining-epochs", "1",
        "--linear", "5", "--mlp", "2", "--whole", "1", "--whole-epochs", "1",
        "--whole-examples", "30", "--folder", str(tmp_path / "kept"),
    )  # fmt: skip
    assert (tmp_path / "kept" / "resnet18.pt").is_file()
    assert [each["models"] for each in (linear, mlp, whole)] == [5, 2, 1]
    assert [each["examples"] for each in (linear, mlp, whole)] == [60, 60, 30]
    assert [each["features_computed"] for each in (linear, mlp, whole)] == [80, 0, 0]
    for each in (linear, mlp, whole):
        assert each["cpu_seconds"] > each["of_which_features_cpu"] >= 0
        assert each["accuracy"]["held_in"] == pytest.approx(0.5, abs=0.5)
    assert linear["of_which_features"] > 0
