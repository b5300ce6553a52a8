"""The benchmark of influence runs, at small sizes, and compares what it says it compares."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import influence
from benchmarks.at_scale import data as made
from benchmarks.at_scale import streamed
from benchmarks.at_scale.sides import Answer, Question
from tests.benchmarks.test_benchmarks import ran

SMALL = (
    "--train", "301", "--test", "203", "--trials", "90", "--classes", "5", "--device", "cpu",
)  # fmt: skip
SIDES = {"what", "ours", "theirs", "our_peak_bytes", "machine"}
WHAT = "seconds, 301 × 203, 90 trials: "


def test_the_numpy_way_and_ours_are_compared() -> None:
    every, rule = ran("influence", "compare", *SMALL, "--rounds", "1", "--bins", "40")
    assert every["what"] == WHAT + "every pair and a histogram"
    assert rule["what"] == WHAT + "memorized, same class"
    for measured in (every, rule):
        assert set(measured) > SIDES | {"ratio", "their_peak_bytes", "their_products_seconds"}
        assert measured["rounds"] == 1
        assert 0 < measured["of_int8_peak"] < 10
        assert 0 < measured["of_bits_peak"] < measured["of_int8_peak"]
        assert measured["our_peak_bytes"] > 5e7
        assert measured["pairs_found"] > 0
        seconds = measured["pairs_tested"] / measured["pairs_per_second"]
        assert seconds == pytest.approx(measured["ours"])
    assert every["identical"] == "pairs and counts, histogram"
    assert every["pairs_found"] > rule["pairs_found"]


def test_imagenet_s_shape_is_measured_in_phases() -> None:
    rule, every = ran("influence", "imagenet", *SMALL)
    phases = ("reading", "transposing", "surveying", "listing")
    for measured in (rule, every):
        assert set(measured) >= SIDES
        total = sum(measured[f"our_{phase}_seconds"] for phase in phases)
        assert measured["ours"] == pytest.approx(total)
    assert every["their_matrix_bytes"] == 4 * 301 * 203
    assert every["pairs_tested"] > 10 * rule["pairs_tested"]


def test_each_size_is_doubled() -> None:
    found = ran("influence", "scaling", *SMALL, "--rounds", "1", "--doublings", "1")
    base, more_trials, more_train, more_test, *exponents = found
    assert [line["what"].split(":")[0] for line in found[:4]] == [
        "seconds, 301 × 203, 90 trials",
        "seconds, 301 × 203, 180 trials",
        "seconds, 602 × 203, 90 trials",
        "seconds, 301 × 406, 90 trials",
    ]
    more = {"trials": more_trials, "train": more_train, "test": more_test}
    assert [line["what"] for line in exponents] == [f"exponent of {name}" for name in more]
    for exponent, doubled in zip(exponents, more.values(), strict=True):
        for kind, measured in (("of_seconds", "ours"), ("of_cpu_seconds", "our_cpu_seconds")):
            expected = np.log2(doubled[measured] / base[measured])
            assert exponent[kind] == pytest.approx(expected)


def test_kept_counts_are_measured_against_counting_again() -> None:
    (found,) = ran("influence", "incremental", *SMALL, "--new", "10", "--rounds", "1")
    assert found["what"].startswith("seconds, 301 × 203, 100 trials, 10 of them new")
    assert set(found) > SIDES | {"their_reading_counts_seconds", "their_writing_counts_seconds"}
    assert found["ratio"] == pytest.approx(found["theirs"] / found["ours"])
    assert found["kept_bytes"] == 2 * 301 * 203


def test_limits_are_measured() -> None:
    (found,) = ran("influence", "limits")
    assert 1e9 < found["theirs"] < 1e15
    assert 1e9 < found["ours"] < 3 * found["bits"]


def _one_pair_less(answer: Answer) -> Answer:
    return replace(
        answer,
        train=answer.train[:-1],
        test=answer.test[:-1],
        in_correct=answer.in_correct[:-1],
    )


def _one_in_another_bin(answer: Answer) -> Answer:
    tally = answer.tally.copy()
    tally[np.flatnonzero(tally)[0]] -= 1
    tally[-1] += 1
    return replace(answer, tally=tally)


def _one_trial_more(answer: Answer) -> Answer:
    sampled = answer.sampled.copy()
    sampled[-1, -1] += 1
    return replace(answer, sampled=sampled)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (_one_pair_less, "['train', 'test', 'in_correct']"),
        (_one_in_another_bin, "['tally']"),
        (_one_trial_more, "['sampled']"),
        (lambda answer: replace(answer, in_correct=answer.in_correct + 1), "['in_correct']"),
    ],
)
def test_numbers_that_differ_are_an_error(
    wrong: Callable[[Answer], Answer], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = streamed.look

    def look(question: Question) -> Answer:
        return wrong(right(question))

    monkeypatch.setattr(streamed, "look", look)
    monkeypatch.setattr(influence, "alone", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(influence, "limits", lambda: None)  # takes seconds, and is not compared
    done = CliRunner().invoke(influence.main, ["compare", *SMALL, "--json"])
    assert done.exit_code == 1
    assert f"ours and theirs differ in {where}" in done.output
    assert "ratio" not in done.stdout


def test_data_are_exact_independent_subsets_with_influence(tmp_path: Path) -> None:
    sizes = made.Sizes(train=1003, test=205, trials=200, classes=10)
    data = made.Data.read(made.make(tmp_path / "data", sizes))
    members = np.unpackbits(data.subset, axis=1, count=1003)
    correct = np.unpackbits(data.test_correct, axis=1, count=205)
    assert (members.sum(axis=1) == 702).all()
    n_in = members.sum(axis=0)
    assert n_in.var() == pytest.approx(200 * 0.7 * 0.3, rel=0.2)
    influence = correct.T.astype(float) @ members / n_in
    influence -= correct.T.astype(float) @ (1 - members) / (200 - n_in)
    strong = np.argwhere(influence > 0.4)
    assert len(strong) > 5
    assert (data.y_test[strong[:, 0]] == data.y_train[strong[:, 1]]).all()
    assert np.isin(strong[:, 1], data.memorized).all()
