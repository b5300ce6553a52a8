import json
from pathlib import Path
from typing import Any

import pytest

from memtail_core.errors import StudyError
from memtail_core.running.preparation import prepare
from memtail_core.study import Spec, Study, shipped
from tests.conftest import digits


def toml(folder: Path, text: str) -> str:
    path = folder / "My Study.toml"
    path.write_text(text)
    return str(path)


def test_only_the_source_is_required(tmp_path: Path) -> None:
    spec = Spec.load(toml(tmp_path, '[dataset]\nsource = "sklearn:digits"'))
    assert spec.study.name == "my-study", "the file names the study"
    assert (spec.subsets.ratio, spec.subsets.design) == (0.7, "balanced")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\[dataset\] is missing"),
        ("[dataset]", r"\[dataset\] source is missing"),
        ("[datasets]\nsource='x'", r"\[dataset\] is missing|datasets is not a known key"),
        ("[dataset]\nsource='x'\n[subset]\nratio=0.5", r"subset .*did you mean 'subsets'"),
        ("[dataset]\nsource='x'\n[study]\ntrails=5", r"\[study\] trails .*did you mean 'trials'"),
        ("[dataset]\nsource='x'\n[study]\ntrials=0", r"\[study\] trials = 0: .*greater than"),
        ("[dataset]\nsource='x'\n[study]\ntrials='9'", r"\[study\] trials = '9': .*integer"),
        ("[dataset]\nsource='x'\n[study]\nname='A b'", r"\[study\] name = 'A b': lower-case"),
        ("[dataset]\nsource='x'\n[study]\nseed=-1", r"\[study\] seed = -1"),
        ("[dataset]\nsource='x'\n[subsets]\nratio=1.5", r"\[subsets\] ratio = 1.5: .*less than 1"),
        ("[dataset]\nsource='x'\n[subsets]\nratio=0.0", r"\[subsets\] ratio = 0.0: .*greater"),
        ("[dataset]\nsource='x'\n[subsets]\nratio=nan", r"\[subsets\] ratio = nan"),
        ("[dataset]\nsource='x'\n[subsets]\ndesign='x'", r"design = 'x': .*'balanced' or 'indep"),
        ("[dataset]\nsource=3", r"\[dataset\] source = 3: should be a text"),
        ("[dataset\n", "is not valid TOML"),
    ],
)
def test_a_mistake_names_the_key_the_value_and_what_was_expected(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(StudyError, match=message) as raised:
        Spec.load(toml(tmp_path, text))
    assert "\n" not in str(raised.value).strip() or "TOML" in message


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot read the study .*No such file"):
        Spec.load(str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="not UTF-8"):
        Spec.load(str(tmp_path / "binary.toml"))


def test_an_unknown_name_suggests_a_study_that_ships() -> None:
    with pytest.raises(StudyError, match="did you mean 'mnist-mlp'"):
        Spec.load("mnist-mpl")


def test_every_study_that_ships_is_valid_and_named_after_its_file() -> None:
    assert {"digits", "mnist-mlp"} <= shipped().keys()
    for name in shipped():
        assert Spec.load(name).study.name == name


def test_the_authors_recipe_ships_unchanged() -> None:
    spec = Spec.load("mnist-mlp")
    expected = {"epochs": 10, "batch_size": 128, "learning_rate": 0.1, "momentum": 0.9}
    assert expected.items() <= spec.training.items()
    assert spec.training["widths"] == [512, 256]
    assert (spec.study.trials, spec.subsets.ratio) == (2000, 0.7)


def test_an_override_replaces_or_adds_a_key() -> None:
    spec = Spec.load("digits", {"training.epochs": 3, "subsets.ratio": 0.5})
    assert spec.training["epochs"] == 3
    assert spec.subsets.ratio == 0.5
    with pytest.raises(StudyError, match="not a table"):
        Spec.load("digits", {"training.recipe.x": 3})


def prepared(**tables: dict[str, Any]) -> Study:
    return prepare(digits(**tables)).study


def test_the_id_is_a_name_and_a_digest_that_never_changes_by_itself() -> None:
    study = prepared()
    assert study.id == f"digits-{study.digest[:10]}"
    assert prepared().id == study.id
    assert Study.from_json(study.to_json()) == study


@pytest.mark.parametrize(
    "change",
    [
        {"study": {"seed": 1}},
        {"study": {"shard_size": 10}},
        {"study": {"margins": False}},
        {"study": {"probabilities": True}},
        {"dataset": {"train_limit": 299}},
        {"subsets": {"ratio": 0.5}},
        {"subsets": {"design": "independent"}},
        {"training": {"epochs": 21}},
        {"training": {"widths": [33]}},
    ],
)
def test_whatever_changes_the_numbers_changes_the_digest(change: dict[str, Any]) -> None:
    assert prepared(**change).digest != prepared().digest


@pytest.mark.parametrize("change", [{"study": {"trials": 999}}, {"study": {"name": "other"}}])
def test_what_does_not_change_the_numbers_does_not(change: dict[str, Any]) -> None:
    assert prepared(**change).digest == prepared().digest


def test_a_default_written_out_is_the_same_study() -> None:
    assert prepared(training={"momentum": 0.9}).digest == prepared().digest


def test_differences_name_the_keys() -> None:
    changed = prepared(training={"epochs": 21})
    assert prepared().differences(changed) == ["training.epochs: 20 → 21"]


def test_study_json_is_canonical() -> None:
    text = prepared().to_json().decode()
    assert json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")) == text


def test_a_damaged_study_json_is_one_sentence() -> None:
    with pytest.raises(StudyError, match="there is damaged or of another version"):
        Study.from_json(b'{"name": "x"}', "there")
    with pytest.raises(StudyError, match="there"):
        Study.from_json(b"\x00", "there")


def test_a_ratio_that_leaves_no_example_in_or_out_is_refused() -> None:
    tables = {"dataset": {"train_limit": 20}, "subsets": {"ratio": 0.99}}
    with pytest.raises(StudyError, match="a subset of 20: at least 1 must be in and 1 out"):
        prepared(**tables)
