"""Pairs and influence from the command line, against the matrix of the same study."""

import json
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained

Ask = Callable[..., list[dict[str, float]]]


@pytest.fixture
def matrix(trained: Trained) -> np.ndarray:
    """Influence of every training on every test example, the plain way."""
    trials = trained.trials
    member = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(float)
    correct = np.unpackbits(trials.test_correct, axis=1, count=trials.n_test).astype(float)
    inside = member.T @ correct / member.sum(axis=0)[:, None]
    return inside - (1 - member).T @ correct / (1 - member).sum(axis=0)[:, None]


@pytest.fixture
def ask(memtail: Memtail, trained: Trained) -> Ask:
    def call(command: str, *options: str) -> list[dict[str, float]]:
        result = memtail(command, "digits", "--store", str(trained.folder), *options, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        return list(found["pairs"] if isinstance(found, dict) else found)

    return call


def test_pairs_are_those_of_the_report(ask: Ask, trained: Trained) -> None:
    expected = trained.analysis.pairs
    found = ask("pairs")
    assert [row["train_index"] for row in found] == expected.train_index.tolist()
    assert [row["test_index"] for row in found] == expected.test_index.tolist()
    assert [row["q_value"] for row in found] == expected.q_value.tolist()


def test_pairs_are_filtered(ask: Ask, matrix: np.ndarray) -> None:
    every = ask("pairs", "--min-memorization", "-1", "--any-class", "--min-influence", "0.3")
    expected = np.argwhere(matrix >= 0.3 - 1e-9)
    assert {(row["train_index"], row["test_index"]) for row in every} == set(
        map(tuple, expected.tolist())
    )
    train, test = every[0]["train_index"], every[0]["test_index"]
    one = ("--min-memorization", "-1", "--train", str(train), "--test", str(test))
    some = ask("pairs", "--any-class", "--min-influence", "0", *one)
    assert [(row["train_index"], row["test_index"]) for row in some] == [(train, test)]
    eights = ask("pairs", "--class", "8", "--min-memorization", "-1", "--min-influence", "0.2")
    assert eights
    assert {row["train_label"] for row in eights} == {row["test_label"] for row in eights} == {8}
    low = ("--min-memorization", "-1", "--min-influence", "0")
    sure = ask("pairs", "--fdr", "0.3", *low)
    assert 0 < len(sure) < len(ask("pairs", *low))
    assert all(row["q_value"] <= 0.3 for row in sure)
    assert len(ask("pairs", "--top", "2", "--min-memorization", "-1")) == 2


def test_harm_is_influence_below_zero(ask: Ask, matrix: np.ndarray) -> None:
    found = ask("pairs", "--harmful", "--any-class", "--min-memorization=-1", "--min-influence=0.3")
    expected = np.argwhere(matrix <= -0.3 + 1e-9)
    assert found
    assert {(r["train_index"], r["test_index"]) for r in found} == set(
        map(tuple, expected.tolist())
    )
    for row in found:
        assert row["influence"] == pytest.approx(matrix[row["train_index"], row["test_index"]])
        assert row["ci_low"] <= row["influence"] <= row["ci_high"]
    (worst, *_) = ask("influence", "--test", str(found[0]["test_index"]), "--harmful")
    assert worst["influence"] == pytest.approx(matrix[:, found[0]["test_index"]].min())


def test_the_strongest_partners_of_one_example(ask: Ask, matrix: np.ndarray) -> None:
    j = int(np.unravel_index(matrix.argmax(), matrix.shape)[1])
    found = ask("influence", "--test", str(j), "--top", "5")
    values = [row["influence"] for row in found]
    np.testing.assert_allclose(values, np.sort(matrix[:, j])[::-1][:5])
    i = int(found[0]["train_index"])
    (strongest,) = ask("influence", "--train", str(i), "--top", "1")
    assert strongest["influence"] == pytest.approx(matrix[i].max())


def test_the_strongest_partners_of_every_example(ask: Ask, matrix: np.ndarray) -> None:
    for of, values in (("test", matrix.T), ("train", matrix)):
        found = ask("influence", "--every", of, "--top", "3")
        for index in {row[f"{of}_index"] for row in found}:
            mine = [row["influence"] for row in found if row[f"{of}_index"] == index]
            best = np.sort(values[int(index)][values[int(index)] != 0])[::-1][:3]
            np.testing.assert_allclose(mine, best, atol=1e-12)


def test_the_matrix_is_written_when_asked_for(
    memtail: Memtail, trained: Trained, matrix: np.ndarray
) -> None:
    store = ("--store", str(trained.folder))
    assert (
        "float32 [300, 100]" in memtail("influence", "digits", *store, "--matrix", "m.npy").stdout
    )
    np.testing.assert_allclose(np.load("m.npy", mmap_mode="r"), matrix, atol=1e-6)
    refusal = refused(memtail("influence", "digits", *store, "--matrix", "none/m.npy"))
    assert "cannot write 'none/m.npy': No such file" in refusal


def test_classes_on_classes(memtail: Memtail, trained: Trained, matrix: np.ndarray) -> None:
    said = memtail("influence", "digits", "--store", str(trained.folder), "--by-class").stdout
    table = np.genfromtxt(StringIO(said), delimiter=",", skip_header=1)[:, 1:]
    y, y_test = trained.dataset.y_train, trained.dataset.y_test
    np.testing.assert_allclose(table[2, 5], matrix[y == 2][:, y_test == 5].mean(), atol=1e-12)


def test_every_pair_is_in_the_histogram(ask: Ask, matrix: np.ndarray) -> None:
    rows = ask("influence", "--histogram")
    assert sum(row["pairs"] for row in rows) == 300 * 100
    edges = [row["from"] for row in rows] + [1 + 1e-6]
    expected = np.histogram(matrix + 1e-9, bins=np.array(edges))[0]
    assert [row["pairs"] for row in rows] == expected.tolist()


def test_what_a_person_reads(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    said = memtail("pairs", "digits", *store, "--permutations", "5")
    assert f"{len(trained.analysis.pairs)} pairs of" in said.stdout
    assert "would be found by chance" in said.stdout
    assert "with permuted trials:" in said.stdout
    assert "95% interval" in said.stdout
    assert "of memory" in said.stderr
    constant = np.flatnonzero(trained.trials.evidence().n_correct == 40)[0]
    asked = memtail("influence", "digits", *store, "--test", str(constant)).stdout
    assert f"all 40 models get test example {constant} right: nothing" in asked
    none = memtail("pairs", "digits", *store, "--min-influence", "1", "--fdr", "0.001").stdout
    assert none.startswith("0 pairs of")


def test_damaged_shards_are_left_out_and_said(
    memtail: Memtail, trained: Trained, tmp_path: Path
) -> None:
    shutil.copytree(trained.folder, tmp_path / "copy")
    shard = next((tmp_path / "copy" / trained.study.prefix / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:-100])
    for command in (("pairs",), ("influence", "--every", "test")):
        name, *options = command
        result = memtail(name, "digits", "--store", str(tmp_path / "copy"), *options)
        assert result.exit_code == 0
        assert "1 damaged shard left out" in result.stderr


def test_pairs_go_to_a_file_as_it_ends(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    assert memtail("pairs", "digits", *store, "-o", "pairs.parquet").exit_code == 0
    table = pyarrow.parquet.read_table("pairs.parquet")
    assert len(table) == len(trained.analysis.pairs)
    memtail("pairs", "digits", *store, "--format", "csv", "-o", "pairs.txt")
    assert len(Path("pairs.txt").read_text().splitlines()) == len(table) + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("pairs", "--memory", "1MB"), "of memory, and it may have 0.0 GB"),
        (("pairs", "--memory", "much"), "'much' is no size: write 4GB"),
        (("pairs", "--device", "tpu"), "--device tpu: this machine has"),
        (("pairs", "--train", "300"), "no training example 300"),
        (("pairs", "--class", "cat"), "no class 'cat'"),
        (("pairs", "--fdr", "0"), "0.0 is not in the range"),
        (("pairs", "--min-influence", "nan"), "nan is not a number from -1 to 1"),
        (("influence", "--test", "100"), "no test example 100"),
        (("pairs", "--json", "-o", "pairs.json"), "--json prints; for a file"),
        (("influence", "--every", "test", "--top", "1000000"), "100,000,000 pairs are too many"),
        (("influence",), "say one of --train, --test"),
        (("influence", "--train", "1", "--test", "2"), "say one of --train, --test"),
        (("influence", "--by-class", "--harmful"), "--harmful is for lists"),
    ],
)
def test_mistakes_are_said_in_a_line(
    memtail: Memtail, trained: Trained, options: tuple[str, ...], message: str
) -> None:
    command, *rest = options
    result = memtail(command, "digits", "--store", str(trained.folder), *rest)
    assert result.exit_code == 2
    assert message in result.stderr
