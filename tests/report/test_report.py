"""A published report: its files, its tables and the examples it shows."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from memtail_core.analysis import Analysis, analyse
from memtail_core.errors import EstimationError
from memtail_core.estimation.influence import PairsRule, counter_for, find
from memtail_core.report import table_files, tables
from memtail_core.report.figures import figures
from memtail_core.report.page import page
from memtail_core.report.publication import publish
from memtail_core.report.selection import most_memorized, spread_by_class, supporters
from memtail_core.report.stored_analysis import analyse_stored
from memtail_core.store import FilesStore
from tests import drawn_once
from tests.conftest import Trained


@pytest.fixture(scope="module")
def analysis(trained: Trained) -> Analysis:
    return trained.analysis


def test_all_that_was_promised_is_published(trained: Trained, tmp_path: Path) -> None:
    store = FilesStore(tmp_path)
    key = publish(store, trained.analysis)
    folder = tmp_path / trained.study.prefix / "report"
    assert tmp_path / key == folder / "index.html"
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {
        *("scores.parquet", "pairs.parquet", "memorization.npz", "summary.json", "index.html"),
        *("figures/memorization.png", "figures/memorization.svg", "figures/memorization.csv"),
    } <= names
    scores = pyarrow.parquet.read_table(folder / "scores.parquet")
    assert scores.num_rows == 300
    np.testing.assert_array_equal(scores["n_in"].to_numpy(), trained.analysis.scores.n_in)
    pairs = pyarrow.parquet.read_table(folder / "pairs.parquet")
    assert pairs.column_names[:11] == [
        *("train_index", "test_index", "influence", "standard_error", "ci_low", "ci_high"),
        *("p_value", "q_value", "memorization", "train_label", "test_label"),
    ]
    assert pairs.column_names[11:] == ["train_class", "test_class", "train_name", "test_name"]
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["pairs"]["pairs"] == pairs.num_rows


def test_publishing_twice_writes_the_same_bytes(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_once.always(monkeypatch)
    publish(FilesStore(tmp_path / "one"), trained.analysis)
    publish(FilesStore(tmp_path / "two"), trained.analysis)
    one, two = (
        {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two


def test_a_missing_score_is_null_never_a_number(analysis: Analysis) -> None:
    scores = analysis.scores
    missing = np.where(np.arange(300) == 7, np.nan, scores.memorization)
    table = tables.scores_table(
        replace(analysis, scores=replace(scores, memorization=missing, ci_low=missing))
    )
    assert table["memorization"].null_count == 1
    assert table["memorization"][7].as_py() is None
    assert b"\n7," in table_files.to_csv(table)
    row = table_files.to_csv(table).splitlines()[8].split(b",")
    assert row[2] == b""
    assert json.loads(table_files.to_json(table))[7]["memorization"] is None


def test_figures_of_an_earlier_report_do_not_stay(trained: Trained, tmp_path: Path) -> None:
    store = FilesStore(tmp_path)
    store.put(f"{trained.study.prefix}report/figures/old.png", b"")
    key = publish(store, trained.analysis)
    assert not store.exists(f"{trained.study.prefix}report/figures/old.png")
    assert store.exists(key)


def test_no_pairs_raise_no_warning_about_pairs(trained: Trained) -> None:
    none = analyse(trained.study, trained.dataset, trained.trials, rule=PairsRule(theta_infl=1.0))
    assert len(none.pairs) == 0
    assert not [w for w in none.warnings if "pairs" in w]


def test_no_trials_no_report(trained: Trained, tmp_path: Path) -> None:
    store = FilesStore(tmp_path)
    store.put(trained.study.dataset_key, trained.dataset.to_npz())
    with pytest.raises(EstimationError, match="no trained model yet"):
        analyse_stored(store, trained.study)


def test_scores_that_are_all_missing_still_make_a_report(trained: Trained, tmp_path: Path) -> None:
    """One model: every example is only in or only out."""
    from memtail_core.running.trials import Trials

    t = trained.trials
    given = {each.name: getattr(t, each.name) for each in fields(Trials) if each.init}
    one = Trials(**{k: v[:1] if isinstance(v, np.ndarray) else v for k, v in given.items()})
    found = analyse(trained.study, trained.dataset, one, 40)
    assert found.n_missing == 300
    assert any("300 of 300 examples have no score" in w for w in found.warnings)
    assert publish(FilesStore(tmp_path), found).endswith("index.html")


def test_counts_agree_with_the_scores(analysis: Analysis) -> None:
    scores = analysis.scores
    assert analysis.n_memorized == sum(m >= 0.25 - 1e-9 for m in scores.memorization)
    assert analysis.n_surely_memorized == sum(low >= 0.25 for low in scores.ci_low)
    assert analysis.n_surely_memorized <= analysis.n_memorized <= analysis.n_possibly_memorized
    assert analysis.n_memorized > 0


def test_what_is_shown_runs_from_least_to_most_memorized(analysis: Analysis) -> None:
    memorization = analysis.scores.memorization
    for label, picks in spread_by_class(analysis):
        members = np.flatnonzero(analysis.dataset.y_train == label)
        values = memorization[picks]
        assert len(picks) == len(set(picks)) == 10
        assert (np.diff(values) >= 0).all()
        assert values[0] == memorization[members].min()
        assert values[-1] == memorization[members].max()
    top = most_memorized(analysis)
    assert set(top) <= set(np.flatnonzero(memorization >= 0.25 - 1e-9).tolist())
    assert len(top) == min(48, analysis.n_memorized)
    assert (np.diff(memorization[top]) <= 0).all()
    assert memorization[top[0]] == memorization.max()


def test_supporters_hold_every_pair_of_theirs(analysis: Analysis) -> None:
    found = supporters(analysis)
    assert found
    for supporter in found:
        rows = np.flatnonzero(analysis.pairs.train_index == supporter.train_index)
        assert len(rows) == len(supporter.pairs) + supporter.n_more
        assert list(supporter.pairs) == rows[: len(supporter.pairs)].tolist()


def test_large_colour_images_become_small_pictures() -> None:
    from memtail_core.drawing.pictures import data_uri

    image = np.random.default_rng(0).integers(256, size=(400, 300, 3), dtype=np.uint8)
    assert len(data_uri(image)) < 40_000
    assert data_uri(image).startswith("data:image/webp;base64,")
    assert data_uri(image, is_exact=True).startswith("data:image/png;base64,")


def test_the_odd_pair_of_few_is_no_warning_of_chance(analysis: Analysis) -> None:
    pairs = analysis.pairs
    few = replace(analysis, pairs=replace(pairs, expected_by_chance=0.4))
    assert not [w for w in few.warnings if "by chance" in w]
    many = replace(analysis, pairs=replace(pairs, expected_by_chance=len(pairs) * 0.5))
    assert [w for w in many.warnings if "by chance" in w]


def test_chance_is_stated_and_checked_by_permuted_trials(analysis: Analysis) -> None:
    said = analysis.summary()["pairs"]
    assert said["tested"] == analysis.pairs.n_tested > 50
    assert said["expected_by_chance"] > 1, "so few models find many by chance"
    rule, dataset = analysis.rule, analysis.dataset
    family = rule.family(analysis.scores.memorization, dataset.y_train, dataset.y_test)
    as_if_others_chose = replace(analysis.trials.evidence(), own=None)  # as permuted trials have it
    found = find(as_if_others_chose, family, rule.theta_infl, counter=counter_for("cpu"))
    ratio = said["found_with_permuted_trials"] / found.expected_by_chance
    assert 0.5 < ratio < 2
    assert said["expected_by_chance"] >= found.expected_by_chance
    html = " ".join(page(analysis, figures(analysis)).split())
    assert "by chance alone, about" in html.lower()
    assert "with trials permuted" in html
    assert "significant at a false discovery rate of 5%" in html


def test_only_significant_pairs_if_asked(trained: Trained) -> None:
    rule = PairsRule(theta_mem=-1.0, theta_infl=0.0, fdr=0.3)
    sure = analyse(trained.study, trained.dataset, trained.trials, rule=rule)
    every = analyse(trained.study, trained.dataset, trained.trials, rule=replace(rule, fdr=None))
    assert 0 < len(sure.pairs) < len(every.pairs)
    assert (sure.pairs.q_value <= 0.3).all()
    assert sure.pairs.n_tested == every.pairs.n_tested
    assert "significant at 30%" in page(sure, figures(sure))
