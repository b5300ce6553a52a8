"""A targeted study leaves out its candidates alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core.data import Dataset
from memtail_core.errors import DatasetError, StudyError
from memtail_core.plan import designs
from memtail_core.plan.candidates import is_file, with_candidates
from memtail_core.running.preparation import prepare
from memtail_core.study import Spec, Study, SubsetsTable
from tests.conftest import digits
from tests.plan.test_designs import study

Candidates = str | tuple[int, ...]


def targeted(n: int, candidates: list[int], ratio: float, design: str, seed: int) -> Study:
    whole = study(n, ratio, design, seed)
    plan = whole.subsets.model_copy(update={"candidates": tuple(sorted(candidates))})
    return whole.model_copy(update={"subsets": plan})


cases = st.integers(4, 200).flatmap(
    lambda n: st.builds(
        targeted,
        n=st.just(n),
        candidates=st.lists(st.integers(0, n - 1), min_size=2, unique=True),
        ratio=st.floats(0.05, 0.95),
        design=st.sampled_from(["balanced", "independent"]),
        seed=st.integers(0, 2**40),
    )
)
cases = cases.filter(lambda s: 0 < round(s.subsets.ratio * len(s.candidates)) < len(s.candidates))


@settings(max_examples=60, deadline=None)
@given(cases, st.integers(0, 200))
def test_candidates_are_drawn_as_a_training_set_of_their_number_is(of: Study, trial: int) -> None:
    rows = designs.subsets(of, range(trial, trial + 12))
    others = np.setdiff1d(np.arange(of.dataset.n_train), of.candidates)
    assert rows[:, others].all()
    assert (rows.sum(axis=1) == of.subset_size).all()
    alone = study(len(of.candidates), of.subsets.ratio, of.subsets.design, of.seed)
    drawn = designs.subsets(alone, range(trial, trial + 12))
    np.testing.assert_array_equal(rows[:, of.candidates], drawn)


@pytest.fixture
def dataset() -> Dataset:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    made = Dataset.from_arrays(x, np.arange(20) % 2, x[:4], np.arange(4) % 2)
    names = tuple(f"a/{i}.png" for i in range(20))
    return replace(made, classes=("cat", "dog"), train_names=names)


def resolved(candidates: Candidates, dataset: Dataset) -> Any:
    return with_candidates(SubsetsTable(candidates=candidates), dataset).candidates


def test_candidates_are_named_by_indices_a_class_or_a_file(
    dataset: Dataset, tmp_path: Path
) -> None:
    assert resolved((7, 2, 7, 4), dataset) == (2, 4, 7)
    assert resolved("class:dog", dataset) == tuple(range(1, 20, 2))
    assert resolved(tuple(range(20)), dataset) is None, "all of them are no choice"
    files = {name: str(tmp_path / name) for name in ("a.csv", "a.parquet", "a.txt", "a.npy")}
    Path(files["a.csv"]).write_text('"memorization","index"\n0.9,7\n0.8,2\n0.7,4\n')
    pa.parquet.write_table(pa.table({"train_index": [7, 7, 4, 2]}), files["a.parquet"])
    Path(files["a.txt"]).write_text("a/2.png\na/4.png\n\na/7.png\n")
    np.save(files["a.npy"], np.isin(np.arange(20), [2, 4, 7]))
    for path in files.values():
        assert resolved(path, dataset) == (2, 4, 7), path
    names = tmp_path / "names.csv"
    names.write_text("a/2.png\na/7.png\n")
    assert resolved(str(names), dataset) == (2, 7)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ((3, 20), "no training example 20"),
        ("class:bird", r"no class 'bird' \(known: cat, dog\)"),
        ("none.csv", "cannot read 'none.csv': No such file"),
        ("one.txt", "candidates are 1 of 20 training examples: 2 to 20,000"),
        ("unknown.txt", r"line 2: 'a/99.png' is no training example"),
        ("no_index.parquet", r"no column 'index' \(columns: mine\)"),
        ("broken.parquet", "cannot read 'broken.parquet'"),
        ("beyond.csv", "indices from 0 to 19 are needed"),
        ("empty.csv", "candidates are 0 of 20"),
    ],
)
def test_candidates_that_are_none_are_refused(
    dataset: Dataset,
    candidates: Candidates,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.txt").write_text("a/1.png\n")
    Path("unknown.txt").write_text("a/1.png\na/99.png\n")
    pa.parquet.write_table(pa.table({"mine": [1]}), "no_index.parquet")
    Path("broken.parquet").write_bytes(b"PAR1")
    Path("beyond.csv").write_text("index\n3\n20\n")
    Path("empty.csv").write_text("")
    with pytest.raises((StudyError, DatasetError), match=message) as raised:
        resolved(candidates, dataset)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[1]", r"\[subsets\] candidates = \[1\]: should be a file, 'class:NAME', or a list of 2"),
        ("[1, -2]", r"\[subsets\] candidates = \[1, -2\]: .*indices from 0"),
        ("[1, 2.5]", r"\[subsets\] candidates = \[1, 2.5\]: should be"),
        ("true", r"\[subsets\] candidates = True: should be"),
    ],
)
def test_a_mistake_in_the_study_file_is_one_line(
    tmp_path: Path, written: str, message: str
) -> None:
    file = tmp_path / "study.toml"
    file.write_text(f'[dataset]\nsource = "sklearn:iris"\n[subsets]\ncandidates = {written}\n')
    with pytest.raises(StudyError, match=message) as raised:
        Spec.load(str(file))
    assert "\n" not in str(raised.value)


def test_a_study_keeps_its_candidates_and_one_without_keeps_its_id() -> None:
    whole = prepare(digits()).study
    assert "candidates" not in whole.to_json().decode()
    few = prepare(digits(subsets={"candidates": [5, 3, 200]})).study
    again = Study.from_json(few.to_json())
    assert (again, again.id) == (few, few.id)
    assert again.candidates.tolist() == [3, 5, 200]
    assert few.id != whole.id
    assert few.subset_size == 299
    assert (few.is_targeted, whole.is_targeted) == (True, False)
    assert "subsets.candidates: not set → [3, 5, 200]" in " ".join(whole.differences(few))
    copied = few.model_copy(update={"subsets": whole.subsets})
    assert len(copied.candidates) == 300


def test_only_a_path_is_a_file() -> None:
    given = {"a.csv": True, "class:cat": False, (1, 2): False, None: False}
    for candidates, expected in given.items():
        assert is_file(SubsetsTable(candidates=candidates)) == expected
