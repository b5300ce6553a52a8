"""A user's mistake gets one line that says what and how to mend it, exit code 2, no traceback."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from memtail_core import catalogue
from memtail_core.errors import StoreError
from memtail_core.store import FilesStore
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained

ARRAYS = {
    "x_train": np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32),
    "y_train": np.arange(60) % 3,
}


def npz(**arrays: object) -> None:
    np.savez("data.npz", **{**ARRAYS, **arrays})  # type: ignore[arg-type]
    Path("study.toml").write_text('[dataset]\nsource = "npz:data.npz"\n')


def test_a_missing_study_file(memtail: Memtail) -> None:
    assert "cannot read the study 'none.toml': No such file" in refused(memtail("run", "none.toml"))


def test_an_unknown_study(memtail: Memtail) -> None:
    message = refused(memtail("run", "mnist"))
    assert "no study 'mnist'" in message
    assert "mnist-mlp" in message


def test_missing_data(memtail: Memtail) -> None:
    Path("study.toml").write_text('[dataset]\nsource = "npz:nowhere.npz"\n')
    assert "nowhere.npz': No such file" in refused(memtail("run", "study.toml"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": np.full((60, 4), np.nan)}, "x_train[0, 0] is nan: fill or drop it"),
        ({"x_train": np.full((60, 4, 4), np.nan)}, "pixels that are not finite"),
        ({"x_train": np.array([["a"] * 4] * 60)}, "features as float32"),
        ({"y_train": np.zeros(60, int)}, "at least two classes"),
        ({"y_train": np.arange(60) % 3, "classes": ["a", "b"]}, "there are 2 class names"),
        ({"y_train": np.arange(59)}, "59 labels"),
        ({"y_train": np.linspace(0, 1, 60)}, "labels are whole numbers, or strings"),
        ({"y_train": np.array([None] * 60)}, "holds Python objects"),
    ],
)
def test_data_that_cannot_be_used(
    memtail: Memtail, arrays: dict[str, object], message: str
) -> None:
    npz(**arrays)
    assert message in refused(memtail("run", "study.toml"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("subsets.ratio=1.0", "[subsets] ratio = 1.0: should be less than 1"),
        ("subsets.ratio=-3", "ratio = -3"),
        ("training.epoch=3", "epoch is not a known key (did you mean 'epochs'?)"),
        ("training.recipe=resnet9", "is for images"),
        ("nonsense", "write KEY=VALUE"),
        ("dataset.sorce=x", "sorce is not an option of 'npz:'"),
    ],
)
def test_settings_that_make_no_sense(memtail: Memtail, setting: str, message: str) -> None:
    npz()
    assert message in refused(memtail("run", "study.toml", "--set", setting))


def test_more_memory_than_there_is(memtail: Memtail) -> None:
    npz()
    message = refused(memtail("run", "study.toml", "--set", "training.widths=[300000, 300000]"))
    assert "training one model needs about" in message
    assert "GiB are free: use a smaller network" in message


def test_a_device_that_is_not_there(memtail: Memtail) -> None:
    npz()
    assert "--device cuda:7" in refused(memtail("run", "study.toml", "--device", "cuda:7"))


def test_a_store_that_is_a_file(memtail: Memtail) -> None:
    npz()
    assert "is a file" in refused(memtail("run", "study.toml", "--store", "data.npz"))


def test_a_store_that_belongs_to_another_study(memtail: Memtail, trained: Trained) -> None:
    npz()
    Path("study.toml").write_text('[dataset]\nsource = "npz:data.npz"\n[study]\ntrials = 1\n')
    planned = memtail("run", "study.toml", "--dry-run", "--json")
    import json

    study_id = json.loads(planned.stdout)["study"]
    FilesStore("runs").put(f"studies/{study_id}/study.json", trained.study.to_json())
    message = refused(memtail("run", "study.toml"))
    assert "belongs to another study" in message
    assert "use another --store" in message


@pytest.mark.parametrize("command", ["status", "report", "scores"])
def test_a_study_the_store_does_not_have(memtail: Memtail, command: str) -> None:
    assert "holds no study" in refused(memtail(command, "digits"))


def test_a_report_of_nothing(memtail: Memtail, trained: Trained) -> None:
    store = FilesStore("runs")
    store.put(f"{trained.study.prefix}study.json", trained.study.to_json())
    store.put(trained.study.dataset_key, trained.dataset.to_npz())
    assert "no trained model yet: start it with memtail run" in refused(memtail("report", "digits"))


def test_debug_shows_the_traceback(memtail: Memtail) -> None:
    from click.testing import CliRunner

    from memtail_core.errors import StudyError

    result = CliRunner().invoke(main, ["--debug", "run", "none.toml"])
    assert isinstance(result.exception, StudyError)


@pytest.mark.parametrize("arguments", [("run", "x" * 5000), ("status", "--store", "x" * 5000)])
def test_what_the_operating_system_refuses(memtail: Memtail, arguments: tuple[str, ...]) -> None:
    assert "File name too long: xxx" in refused(memtail(*arguments))


def test_a_home_that_nobody_has(memtail: Memtail) -> None:
    assert "there is no file" in refused(
        memtail("run", "digits", "--set", "dataset={source='csv:~nobody-at-all/x.csv', label='y'}")
    )


def test_a_file_name_reaches_the_terminal_as_text(memtail: Memtail) -> None:
    folder = Path("photos/train/a\x1b]0;owned\x07")
    folder.mkdir(parents=True)
    (folder / "b.png").write_bytes(b"no image")
    line = refused(memtail("run", "digits", "--set", "dataset={source='folder:photos'}"))
    assert "cannot read the image" in line
    assert "\x1b" not in line
    assert "\x07" not in line


def test_a_refused_run_leaves_the_other_study_as_it_was(memtail: Memtail, trained: Trained) -> None:
    shutil.copytree(trained.folder, "runs")
    key = Path(f"runs/studies/{trained.study.id}/study.json")
    key.write_bytes(trained.study.to_json().replace(b'"seed":0', b'"seed":1'))
    goal = key.with_name("goal.json").read_bytes()
    with pytest.raises(StoreError, match="belongs to another study"):
        catalogue.register(FilesStore("runs"), trained.study, trained.dataset, 900)
    assert key.with_name("goal.json").read_bytes() == goal
