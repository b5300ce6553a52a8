"""The data of the page's explorer, against every pair and every score computed another way."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from memtail_core.analysis import Analysis, analyse
from memtail_core.data import Dataset, InMemory
from memtail_core.estimation.influence import counter_for, influence
from memtail_core.experiments.results import keep
from memtail_core.experiments.subgroups.result import Member, Subgroups
from memtail_core.report.exploration import Exploration, encoded, explore, near_duplicates
from memtail_core.report.exploration.explorer_data import subgroups_of
from memtail_core.report.exploration.feature_text import words_of
from memtail_core.report.exploration.json_encoding import i16e4
from memtail_core.running.preparation import prepare
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from tests.conftest import Trained
from tests.report.simulated_exploration import simulated, simulated_exploration

ENGINE = counter_for("cpu")


# --- a study of images ---


@pytest.fixture(scope="module")
def analysis(trained: Trained) -> Analysis:
    return trained.analysis


@pytest.fixture(scope="module")
def exploration(analysis: Analysis) -> Exploration:
    return explore(analysis)


def numbers(text: str, kind: str) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), f"<{kind}")


def decoded(text: str) -> NDArray[np.float64]:
    steps = numbers(text, "i2").astype(float)
    return np.where(steps == -(2**15), np.nan, steps / 10_000)


def test_a_studys_partners_are_of_one_class_and_have_the_influence_of_its_matrix(
    exploration: Exploration, analysis: Analysis
) -> None:
    from_bits = analysis.trials.evidence()
    matrix = influence(from_bits, np.arange(300), np.arange(100), counter=ENGINE).influence
    labels = exploration.dataset.y_train, exploration.dataset.y_test
    for lists, of, (mine, theirs) in (
        (exploration.supported, matrix, labels),
        (exploration.supporters, matrix.T, labels[::-1]),
    ):
        row, column = np.nonzero(lists.index >= 0)
        assert len(row) > 20
        there = lists.index[row, column]
        np.testing.assert_array_equal(mine[row], theirs[there])
        np.testing.assert_allclose(lists.influence[row, column], of[row, there], atol=1e-12)


def test_the_json_says_what_the_analysis_says(exploration: Exploration, analysis: Analysis) -> None:
    said = json.loads(json.dumps(encoded(exploration), allow_nan=False))
    scores, train, test = analysis.scores, said["train"], said["test"]
    assert (said["kind"], said["trials"], train["n"], test["n"]) == ("images", 40, 300, 100)
    assert said["theta"] == {"memorization": 0.25, "influence": 0.15}
    assert said["classes"] == list("0123456789") and said["features"] == []
    for name, values in {
        "memorization": scores.memorization, "low": scores.ci_low, "high": scores.ci_high,
        "accuracy_in": scores.accuracy_in, "accuracy_out": scores.accuracy_out,
    }.items():  # fmt: skip
        np.testing.assert_allclose(decoded(train[name]), values, atol=5.001e-5)
    np.testing.assert_array_equal(numbers(train["label"], "u2"), analysis.dataset.y_train)
    np.testing.assert_array_equal(numbers(test["label"], "u2"), analysis.dataset.y_test)
    np.testing.assert_array_equal(numbers(train["n_out"], "u2"), scores.n_out)
    right = np.unpackbits(analysis.trials.test_correct, axis=1, count=100).mean(axis=0)
    np.testing.assert_allclose(decoded(test["accuracy"]), right, atol=5.001e-5)
    for side, lists in ((train, exploration.supported), (test, exploration.supporters)):
        shape = (side["n"], side["partners"]["k"])
        index = numbers(side["partners"]["index"], "i4").reshape(shape)
        np.testing.assert_array_equal(index, lists.index)
        assert np.isnan(decoded(side["partners"]["influence"])[index.ravel() < 0]).all()
        flags = numbers(side["partners"]["significant"], "u1").reshape(shape)
        np.testing.assert_array_equal(flags, lists.is_significant)
    near = numbers(train["neighbours"]["index"], "i4").reshape(300, -1)
    np.testing.assert_array_equal(near, exploration.neighbours.index)
    assert (near != np.arange(300)[:, None]).all()


def test_the_json_has_the_pairs_strongest_first(
    exploration: Exploration, analysis: Analysis
) -> None:
    said, pairs = encoded(exploration)["pairs"], analysis.pairs
    assert said["shown"] == said["total"] == len(pairs) > 5
    np.testing.assert_array_equal(numbers(said["train"], "i4"), pairs.train_index)
    np.testing.assert_array_equal(numbers(said["test"], "i4"), pairs.test_index)
    for name, values in {
        "influence": pairs.influence, "error": pairs.standard_error,
        "low": pairs.ci_low, "high": pairs.ci_high,
    }.items():  # fmt: skip
        np.testing.assert_allclose(decoded(said[name]), values, atol=5.001e-5)
    assert (np.diff(decoded(said["influence"])) <= 0).all()
    np.testing.assert_allclose(numbers(said["q"], "f4"), pairs.q_value, rtol=1e-6)
    assert said["expected_by_chance"] == pairs.expected_by_chance


def test_every_example_has_its_picture(exploration: Exploration) -> None:
    said = encoded(exploration)["sheets"]
    for which, x in (
        ("train", exploration.dataset.train.whole()),
        ("test", exploration.dataset.test.whole()),
    ):
        of = said[which]
        position = numbers(of["position"], "i4")
        assert sorted(position.tolist()) == list(range(len(x)))
        opened = [Image.open(io.BytesIO(base64.b64decode(image))) for image in of["images"]]
        assert {image.format for image in opened} == {"WEBP"} and of["type"] == "image/webp"
        sheets = [np.asarray(image.convert("L")) for image in opened]
        for i in (0, 31, 32, len(x) - 1):
            sheet, cell = divmod(int(position[i]), of["columns"] * of["rows"])
            row, column = divmod(cell, of["columns"])
            top, left = row * of["height"], column * of["width"]
            cut = sheets[sheet][top : top + of["height"], left : left + of["width"]]
            np.testing.assert_array_equal(cut, x[i, ..., 0])


def test_the_same_analysis_gives_the_same_json(
    exploration: Exploration, analysis: Analysis
) -> None:
    assert json.dumps(encoded(exploration)) == json.dumps(encoded(explore(analysis)))


def test_where_not_all_can_be_pictured_those_in_pairs_are(analysis: Analysis) -> None:
    last = [299]
    some = explore(analysis, shown_train=last, budget=4000)
    assert some.train_sheets is not None and some.test_sheets is not None
    assert some.train_sheets.n_bytes + some.test_sheets.n_bytes <= 4000
    there = some.train_sheets.position >= 0
    assert 50 < there.sum() < 300
    assert there[analysis.rule.is_memorized(analysis.scores.memorization)].all()
    assert there[last].all()


# --- missing scores, names, tables ---


def test_missing_scores_stay_missing(analysis: Analysis) -> None:
    scores = analysis.scores
    gone = {
        name: np.where(np.arange(300) == 7, np.nan, getattr(scores, name))
        for name in ("memorization", "ci_low", "ci_high", "accuracy_out")
    }
    said = encoded(explore(replace(analysis, scores=replace(scores, **gone))))["train"]
    assert np.flatnonzero(np.isnan(decoded(said["memorization"]))).tolist() == [7]
    assert np.isnan(decoded(said["accuracy_out"])[7])


@given(st.lists(st.one_of(st.floats(-1, 1), st.just(float("nan"))), max_size=50))
def test_numbers_survive_to_four_decimals(values: list[float]) -> None:
    np.testing.assert_allclose(decoded(i16e4(np.array(values))), values, atol=5.001e-5)


def test_numbers_out_of_range_are_refused() -> None:
    for value in (3.2768, -3.2768, np.inf):
        with pytest.raises(AssertionError):
            i16e4(np.array([value]))


def test_a_distance_out_of_range_is_the_farthest() -> None:
    e = simulated(20, 10)
    far = replace(e, neighbours=replace(e.neighbours, distance=e.neighbours.distance * 100))
    said = decoded(encoded(far)["train"]["neighbours"]["distance"])
    np.testing.assert_allclose(said, np.minimum(far.neighbours.distance.ravel(), 3.2767), atol=1e-4)


def test_names_are_data_and_cut() -> None:
    e = simulated(20, 10)
    names = ("</script><b>", "x" * 500, *e.dataset.train_names[2:])
    said = encoded(replace(e, dataset=replace(e.dataset, train_names=names)))["train"]["names"]
    assert said[0] == "</script><b>" and said[2] == names[2]
    assert said[1] == "x" * 199 + "…"
    assert encoded(simulated(20, 10, names=False))["train"]["names"] is None


def said(features: tuple[str, ...], row: NDArray[np.float32]) -> str:
    x = np.stack([row, row])
    dataset = Dataset.from_arrays(x, [0, 1], x, [0, 1], features=features)
    return next(words_of(dataset, "train"))


def test_a_row_in_words() -> None:
    row = np.array([3.14159, 1, 0, 0, 1, 7], np.float32)
    features = ("length", "colour=red", "colour=blue", "a=1", "b=2", "depth")
    assert said(features, row) == "length 3.142, colour=red, b=2, depth 7"
    assert said((), np.arange(9, dtype=np.float32)) == "0, 1, 2, 3, 4, 5, 6, 7, …"
    assert said((), np.arange(8, dtype=np.float32)) == "0, 1, 2, 3, 4, 5, 6, 7"
    assert len(said(("n" * 500, "b"), row[:2])) == 200


@pytest.fixture(scope="module")
def table() -> Analysis:
    """Wine, and 20 trials that were never trained: coins."""
    spec = {"dataset": {"source": "sklearn:wine"}, "training": {"recipe": "mlp"}}
    study, dataset = prepare(Spec.parse(spec))
    n, n_test = len(dataset.y_train), len(dataset.y_test)
    chance = np.random.default_rng(0)
    bits = [np.packbits(chance.random((20, m)) < 0.7, axis=1) for m in (n, n, n_test)]
    trials = Trials(n, n_test, *bits, None, None, np.arange(20), np.ones(20), ({"study": ""},))
    return analyse(study, dataset, trials)


def test_a_table_is_told_in_words_and_has_no_pictures(table: Analysis) -> None:
    said = json.loads(json.dumps(encoded(explore(table)), allow_nan=False))
    assert said["kind"] == "table" and said["features"][0] == "alcohol"
    assert said["sheets"] == {"train": None, "test": None}
    assert len(said["train"]["text"]) == said["train"]["n"]
    assert said["train"]["text"][0].startswith(
        f"alcohol {table.dataset.train.take([0])[0, 0]:.4g}, "
    )
    assert said["test"]["text"][3].endswith(", …")


# --- near-duplicates and categories ---


def member(index: int, category: str, **known: Any) -> Member:
    none = dict.fromkeys(Member.model_fields)
    return Member(
        **none
        | {"index": index, "category": category, "supports": 0, "strongest": 0.0}
        | {"duplicate_has_other_label": False}
        | known
    )


def found_of(analysis: Analysis, trials: int = 40) -> Subgroups:
    train, test = int(analysis.pairs.train_index[1]), int(analysis.pairs.test_index[1])
    members = [
        member(train, "likely-mislabeled", duplicate_of=test, duplicate_in="test"),
        member(290, "duplicate", duplicate_of=291, duplicate_in="train"),
        member(5, "atypical-useful"),
    ]
    return Subgroups(
        study=analysis.study.id, trials=trials, examples=300, counts={}, carried=0,
        theta_mem=0.25, theta_infl=0.15, fdr=0.05, doubted=0.5, noise=0.0, has_margins=True,
        members=members, clusters=[], n_clusters=0,
    )  # fmt: skip


def test_what_subgroups_found_is_shown(analysis: Analysis) -> None:
    said = encoded(explore(analysis, found_of(analysis)))
    train, test = int(analysis.pairs.train_index[1]), int(analysis.pairs.test_index[1])
    categories = ["atypical-useful", "likely-mislabeled", "duplicate", "only-of-class"]
    assert said["categories"] == categories
    category = numbers(said["train"]["category"], "u1")
    told = {i: said["categories"][c] for i, c in enumerate(category) if c != 255}
    assert told == {5: "atypical-useful", train: "likely-mislabeled", 290: "duplicate"}
    assert said["duplicates"] == "known"
    copies = {str(train): ["test", test], "290": ["train", 291]}
    assert said["train"]["duplicate_of"] == copies
    flags = numbers(said["pairs"]["duplicate"], "u1")
    assert np.flatnonzero(flags).tolist() == [1]


def test_only_what_subgroups_found_of_these_trials_counts(
    analysis: Analysis, tmp_path: Any
) -> None:
    store = FilesStore(tmp_path)
    assert subgroups_of(store, analysis) is None
    keep(store, analysis.study, found_of(analysis, trials=30))
    assert subgroups_of(store, analysis) is None
    keep(store, analysis.study, found_of(analysis))
    assert subgroups_of(store, analysis) == found_of(analysis)


def copied(dataset: Dataset) -> Dataset:
    """Training example 17 is test example 5, a little brighter."""
    x = dataset.train.whole().copy()
    x[17] = dataset.test.take([5])[0] // 16 * 17
    return replace(dataset, train=InMemory(x))


@pytest.fixture(params=[300 * 64, 120 * 64], ids=["all", "some"])
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(near_duplicates, "_QUICK", request.param)
    monkeypatch.setattr(near_duplicates, "_ORDINARY", 100)
    yield


@pytest.mark.usefixtures("quick")
def test_near_duplicates_are_found_without_subgroups(analysis: Analysis) -> None:
    found = near_duplicates.in_test_set(copied(analysis.dataset), np.array([17, 20]))
    assert found.is_known and found.of[17] == (True, 5)
    assert len(found.of) < 10
    flags = found.are_pairs(np.array([17, 17, 20]), np.array([5, 6, 5]))
    assert flags.tolist() == [True, False, False]


def test_where_looking_takes_long_they_are_unknown(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "_QUICK", 10)
    said = encoded(explore(analysis))
    assert said["duplicates"] == "unknown"
    assert said["categories"] == [] and said["train"]["duplicate_of"] == {}
    assert (numbers(said["train"]["category"], "u1") == 255).all()
    assert not numbers(said["pairs"]["duplicate"], "u1").any()


# --- what the page's own tests are given ---


@pytest.mark.parametrize("kind", ["images", "table"])
def test_the_simulated_one_has_the_form_of_the_real_one(
    kind: Any, exploration: Exploration, table: Analysis
) -> None:
    real = encoded(exploration) if kind == "images" else encoded(explore(table))
    simulation = simulated_exploration(200, 80, kind)
    json.dumps(simulation, allow_nan=False)

    def form(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: form(v) for k, v in value.items() if not k.isdigit()}
        return type(value) if not isinstance(value, int | float) else float

    for of in (real, simulation):
        for side in ("train", "test"):
            del of[side]["names"]
    assert form(real) == form(simulation)
