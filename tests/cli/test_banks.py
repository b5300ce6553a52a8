"""``memtail import`` and ``export``: what they print and refuse; what an imported study does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core.store import FilesStore
from tests.cli.conftest import Memtail, refused

N, N_TEST, M = 40, 16, 48
RNG = np.random.default_rng(1)
SUBSET = RNG.random((M, N)) < 0.5
MARGINS = {
    "train_margins": (2 * SUBSET + RNG.normal(size=(M, N))).astype(np.float16),
    "test_margins": RNG.normal(size=(M, N_TEST)).astype(np.float16),
}
LABELS = {"y_train": np.arange(N) % 2, "y_test": np.arange(N_TEST) % 2}


@pytest.fixture(autouse=True)
def _figures_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are defined all the same; turning them into pixels takes most of the time."""
    for name in ("png", "svg"):
        monkeypatch.setattr(f"memtail_core.report.publication.{name}", lambda _: b"")


def bank(*names: str, **changed: Any) -> None:
    arrays = {"subset": SUBSET, **{n: MARGINS[n] for n in names or MARGINS}, **LABELS, **changed}
    np.savez("bank.npz", **{k: v for k, v in arrays.items() if v is not None})  # type: ignore[arg-type]


@pytest.mark.slow
def test_an_imported_study_is_read_by_what_trains_nothing(memtail: Memtail) -> None:
    bank()
    printed = memtail("import", "bank.npz")
    assert printed.exit_code == 0, printed.output
    assert "48, each on about 20 of 40 examples" in printed.stdout
    assert "of 40 training examples and of 16 test examples" in printed.stdout
    study = printed.stdout.split()[0]
    assert study.startswith("bank-")
    assert json.loads(memtail("import", "bank.npz", "--json").stdout)["study"] == study
    found = json.loads(memtail("report", "bank", "--json").stdout)
    assert found["seconds_per_model"] is None and found["memorization"]["scored"] == N
    page = Path(f"runs/studies/{study}/report/index.html").read_text()
    assert "imported npz" in page
    judged = json.loads(memtail("judge", "bank", "counted-margins", "--json").stdout)
    assert judged["judged"][0]["score"]["examples"] == N_TEST
    status = memtail("status", "bank").stdout
    assert "48 of 48, complete" in status and "speed" not in status
    for command in (["scores", "bank"], ["influence", "bank", "--every", "test"]):
        assert memtail(*command).exit_code == 0
    assert "privacy" in memtail("privacy", "bank").stdout


@pytest.mark.parametrize(
    "command",
    [
        ("run", "bank"),
        ("run", "bank", "--trials", "100", "--dry-run"),
        ("judge", "bank", "counted", "--ceiling", "5"),
        ("judge", "bank", "projected-gradients"),
        ("removal", "bank", "--dry-run"),
        ("consistency", "bank"),
        ("last-layer", "bank"),
        ("approximate", "bank"),
    ],
    ids=" ".join,
)
def test_nothing_is_trained_for_it(memtail: Memtail, command: tuple[str, ...]) -> None:
    bank()
    memtail("import", "bank.npz")
    before = list(FilesStore("runs").list(""))
    message = refused(memtail(*command))
    assert "import" in message  # or, of approximations, that there is nothing to compare
    assert list(FilesStore("runs").list("")) == before


def test_without_training_outcomes_memorization_is_unknown(memtail: Memtail) -> None:
    bank("test_margins")
    assert "outcomes  of 16 test examples" in memtail("import", "bank.npz").stdout
    for command in ("scores", "stability", "subgroups", "privacy"):
        assert "memorization is unknown" in refused(memtail(command, "bank"))
    found = json.loads(memtail("judge", "bank", "counted", "counted-margins", "--json").stdout)
    assert len(found["judged"]) == 2
    summary = json.loads(memtail("report", "bank", "--json").stdout)
    assert summary["accuracy"]["held_in"] == {"mean": None, "sd": None}
    assert summary["fit"] == {"held_in": None, "held_in_hard": None, "n_hard": 0}
    pairs = json.loads(memtail("pairs", "bank", "--json").stdout)
    assert pairs["tested"] > 0
    assert "accuracy  test" in memtail("status", "bank").stdout


def test_without_test_outcomes_influence_is_unknown(memtail: Memtail) -> None:
    bank("train_margins", y_test=None)
    assert "outcomes  of 40 training examples" in memtail("import", "bank.npz").stdout
    for command in (
        ["pairs", "bank"],
        ["influence", "bank", "--test", "0"],
        ["judge", "bank", "counted"],
        ["values", "bank"],
        ["datamodels", "bank"],
    ):
        assert "imported without test outcomes" in refused(memtail(*command))
    summary = json.loads(memtail("report", "bank", "--json").stdout)
    assert summary["accuracy"]["test"]["mean"] is None and summary["memorization"]["scored"] == N
    for command in ("scores", "stability", "subgroups", "privacy"):
        assert memtail(command, "bank").exit_code == 0


def test_data_bring_pictures_and_names(memtail: Memtail) -> None:
    bank(y_train=None, y_test=None)
    x = RNG.integers(0, 256, (N + N_TEST, 6, 6), dtype=np.uint8)
    np.savez("data.npz", x_train=x[:N], x_test=x[N:], **LABELS)  # type: ignore[arg-type]
    assert "--labels labels.npz" in refused(memtail("import", "bank.npz"))
    study = memtail("import", "bank.npz", "--data", "npz:data.npz").stdout.split()[0]
    memtail("report", study)
    folder = Path(f"runs/studies/{study}/report/figures")
    assert (folder / "typical_to_odd.png").exists()
    np.savez("labels.npz", **LABELS)  # type: ignore[arg-type]
    other = memtail("import", "bank.npz", "--labels", "labels.npz").stdout.split()[0]
    assert other != study
    both = memtail("import", "bank.npz", "--labels", "labels.npz", "--data", "npz:data.npz")
    assert both.exit_code == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"subset": SUBSET[:-1]}, "train_margins has the shape [48, 40], and subset [47, 40]"),
        ({"subset": SUBSET.astype(int) + 1}, "subset has 2 for trial"),
        ({"subset": SUBSET[:, :-1]}, "train_margins has the shape [48, 40], and subset [48, 39]"),
        ({"subset": SUBSET[0]}, "subset [40]: both need a row for each model"),
        ({"subset": None}, "'subset' and one of train_correct"),
        ({"y_train": np.arange(N - 1) % 2}, "40 training examples, and there are 39 labels"),
        ({"y_test": None}, "16 test examples, and there are no labels"),
        ({"y_train": np.zeros(N, int), "y_test": np.zeros(N_TEST, int)}, "at least two classes"),
        ({"train_margins": np.array([[None] * N] * M)}, "holds Python objects"),
        ({"train_margins": np.full((M, N), "a")}, "train_margins holds <U1, not numbers"),
        (
            {"test_margins": np.where(np.arange(N_TEST) == 7, np.nan, MARGINS["test_margins"])},
            "test_margins has nan for trial 0 and test example 7",
        ),
        (
            {"test_correct": SUBSET[:, :3]},
            "test_margins has the shape [48, 16], and test_correct [48, 3]: both",
        ),
        ({"subset": np.vstack([SUBSET[:-1], np.ones((1, N), bool)])}, "trial 47 trained on all"),
    ],
)
def test_bad_banks_are_refused_in_a_line_and_leave_nothing(
    memtail: Memtail, changed: dict[str, Any], message: str
) -> None:
    bank(**changed)
    assert message in refused(memtail("import", "bank.npz"))
    assert not Path("runs").exists()


def test_files_that_are_not_whole_are_refused(memtail: Memtail) -> None:
    assert "there is no file or folder 'none'" in refused(memtail("import", "none"))
    Path("empty").mkdir()
    message = refused(memtail("import", "empty"))
    assert "no trials that memtail can read (datamodels: MadryLab's" in message
    Path("half").mkdir()
    np.save("half/train_masks_50pct.npy", SUBSET)
    np.save("half/test_margins_50pct.npy", MARGINS["test_margins"])
    file = Path("half/test_margins_50pct.npy")
    file.write_bytes(file.read_bytes()[:-50])
    assert "test_margins_50pct.npy' is cut short" in refused(memtail("import", "half"))
    bank()
    Path("bank.npz").write_bytes(Path("bank.npz").read_bytes()[:-300])
    assert "bank.npz' is cut short or damaged" in refused(memtail("import", "bank.npz"))
    assert "did you mean 'npz'" in refused(memtail("import", "bank.npz", "--format", "npy"))
    assert "'dattri' is not a format" in refused(memtail("import", "half", "--format", "dattri"))
    assert "--name: " in refused(memtail("import", "half", "--name", "Not A Name"))


def test_export_says_what_it_wrote(memtail: Memtail) -> None:
    bank()
    memtail("import", "bank.npz")
    printed = memtail("export", "bank", "--to", "datamodels", "-o", "out/here")
    assert printed.exit_code == 0, printed.output
    assert "48 models of bank-" in printed.stdout
    assert "train_masks_50pct.npy" in printed.stdout
    found = json.loads(memtail("export", "bank", "--to", "lira", "-o", "lira", "--json").stdout)
    assert len(found["files"]) == 2 + 3 * M
    assert "not empty" in refused(memtail("export", "bank", "--to", "npz", "-o", "lira"))
    message = refused(memtail("export", "bank", "--to", "dattri", "-o", "dattri"))
    assert "dattri needs subsets of one size; choose --to datamodels" in message
    assert not Path("dattri").exists()
    assert "did you mean 'dattri'" in refused(memtail("export", "bank", "--to", "datri", "-o", "x"))
    again = memtail("import", "out/here", "--json").stdout
    assert json.loads(again)["study"].rpartition("-")[2]


def test_no_study_file_asks_for_the_recipe_of_imported_trials(memtail: Memtail) -> None:
    Path("study.toml").write_text(
        '[dataset]\nsource = "sklearn:iris"\n[training]\nrecipe = "imported"\n'
    )
    assert "is the recipe of studies made by memtail import" in refused(
        memtail("run", "study.toml")
    )
