"""The benchmarks run, at a small size, and their peers train what they say they train."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.peers import jax_demo, loop
from benchmarks.roofline import operations, peak
from memtail_core.training.gradient.networks import CNN, MLP
from tests import programs
from tests.training.test_engines import digits

ROOT = Path(__file__).parents[2]
STUDY = """
[dataset]
source = "sklearn:digits"
train_limit = 250
test_limit = 100
[training]
recipe = "mlp"
widths = [16]
epochs = 3
"""


def ran(module: str, *arguments: str) -> list[dict[str, Any]]:
    done = programs.run(str(ROOT / "benchmarks" / f"{module}.py"), *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def ran_afresh(module: str, *arguments: str) -> list[dict[str, Any]]:
    """Run a benchmark in a fresh process: one that starts servers waits for ever as a fork."""
    program = str(ROOT / "benchmarks" / f"{module}.py")
    done = subprocess.run(
        [sys.executable, program, *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def study(tmp_path: Path) -> str:
    (tmp_path / "small.toml").write_text(STUDY)
    return str(tmp_path / "small.toml")


def test_training_is_measured_against_a_loop(study: str) -> None:
    (found,) = ran(
        "training", "--recipe", study, "--against", "loop", "--rounds", "1", "--models", "2",
        "--workers", "1",
    )  # fmt: skip
    assert found["ratio"] == pytest.approx(found["their_seconds"] / found["our_seconds"])
    assert found["ours"] == pytest.approx(3600 / found["our_seconds"])
    assert found["our_peak_bytes"] > 1e8
    assert 0 < found["fraction_of_peak"] < 1
    for side in ("our_accuracy", "their_accuracy"):
        assert found[side]["held_in"] > 0.3


def test_scaling_measures_stacks_and_trials(study: str) -> None:
    found = ran("scaling", "--recipe", study, "--stacks", "1,3")
    assert [line["stack"] for line in found[:2]] == [1, 3]
    assert [line["what"].rpartition(", ")[2] for line in found[2:]] == [
        "3 trials", "6 trials", "12 trials",
    ]  # fmt: skip
    assert all(line["peak_bytes"] > 1e8 for line in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("training.py", "--recipe", "nosuch"), "error: no study 'nosuch'"),
        (
            ("training.py", "--recipe", "digits", "--against", "jax"),
            "the authors' demo is for MNIST",
        ),
        (("scaling.py", "--stacks", "0"), "--stacks 0"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    script, *rest = arguments
    done = programs.run(str(ROOT / "benchmarks" / script), *rest)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_what_runs_on_a_gpu_runs_on_a_cpu(tmp_path: Path) -> None:
    """The MNIST study on digits, and the CIFAR-10 one on noise."""
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(60, 32, 32, 3), dtype=np.uint8)
    y = np.arange(60) % 10
    data = tmp_path / "cifar10.npz"
    np.savez(data, x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    small = ("--set", "training.epochs=1", "--device", "cpu")
    (mnist,) = ran(
        "gpu", "--mnist", "unused", "--trials", "4", "--at-once", "2", *small,
        "--set", "dataset={source='sklearn:digits'}",
    )  # fmt: skip
    assert mnist["what"] == "the authors' MNIST study, 4 models"
    assert mnist["seconds"] >= mnist["seconds_training"] > 0
    (cifar10,) = ran(
        "gpu", "--cifar10", str(data), "--models", "2", *small, "--set", "training.width=4",
    )  # fmt: skip
    assert cifar10["what"] == "CIFAR-10, resnet9, whole training set, 2 models"
    assert cifar10["models_per_hour"] == pytest.approx(3600 / cifar10["seconds_per_model"])
    for measured in (mnist, cifar10):
        assert 0 < measured["fraction_of_peak"] < 1


def test_the_jax_peer_takes_the_steps_of_plain_sgd(monkeypatch: pytest.MonkeyPatch) -> None:
    data = digits()
    recipe = MLP(widths=(6,), epochs=2, batch_size=32, schedule="constant", standardize=False)
    subset = np.arange(250) < 170
    start = jax_demo._initial(3, 64, (6,), 10)
    network = nn.Sequential(nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 10))
    with torch.no_grad():
        for layer, (w, b) in zip((network[0], network[2]), start, strict=True):
            layer.weight.copy_(torch.tensor(np.asarray(w)).T)
            layer.bias.copy_(torch.tensor(np.asarray(b)))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.from_numpy(data.train.whole()).flatten(1) / 255, torch.from_numpy(data.y_train)
    rng = np.random.default_rng(3)
    for _ in range(2):
        for batch in torch.from_numpy(rng.permutation(np.flatnonzero(subset))).split(32):
            loss = nn.functional.cross_entropy(network(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    logits = network(x).detach().numpy()
    correct, _ = jax_demo.train(data, subset, 3, recipe)
    two = np.sort(logits)[:, -2:]
    sure = two[:, 1] - two[:, 0] > 1e-3
    assert sure.mean() > 0.9
    assert ((logits.argmax(1) == data.y_train) == correct)[sure].all()


def test_the_loop_learns_what_it_is_shown() -> None:
    data = digits()
    subset = np.arange(250) < 200
    recipe = CNN(channels=(8,), hidden=16, epochs=25, batch_size=16, crop=1, learning_rate=0.05)
    correct, test = loop.train(data, subset, 0, recipe)
    assert correct[subset].mean() > 0.95
    assert test.mean() > 0.7
    assert correct.shape == (250,)


def test_operations_are_those_of_the_products() -> None:
    """A product of [b, i] with [i, o] takes 2·b·i·o; training takes it three times, less one."""
    recipe = MLP(widths=(16,), epochs=3, batch_size=32)
    layers = np.array([64 * 16, 16 * 10])
    per_example = 3 * 2 * layers.sum() - 2 * layers[0]
    evaluated = 250 + 120
    expected = 3 * 170 * per_example + evaluated * 2 * layers.sum()
    assert operations(recipe, digits(), 170) == pytest.approx(expected)
    assert 1e8 < peak("float32", "cpu") < 1e14
