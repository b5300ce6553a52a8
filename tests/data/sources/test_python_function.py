"""``python:module:function``: arrays from the user's own code, and what it may do wrong."""

import importlib
import sys
from textwrap import dedent

import numpy as np
import pytest

from memtail_core.data import load
from memtail_core.errors import DatasetError, MemtailError, StudyError
from memtail_core.study import DatasetTable

PREAMBLE = """
import numpy as np
x = np.arange(24.0).reshape(12, 2)
y = np.arange(12) % 2
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a module into the current folder, from which alone it can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def put(body, name="my_reader"):
        (tmp_path / f"{name}.py").write_text(PREAMBLE + dedent(body))
        importlib.invalidate_caches()

    yield put
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.fixture
def returning(write):
    """Load what a function returns, written as an expression."""

    def read(expression, **options):
        write(f"def read(**options):\n    return {expression}\n")
        return load(DatasetTable(source="python:my_reader:read", **options))

    return read


def refused(match, function="my_reader:read", **options):
    with pytest.raises(MemtailError, match=match) as caught:
        load(DatasetTable(source=f"python:{function}", **options))
    return type(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        "(x, y)",
        "{'x_train': x, 'y_train': y}",
        "{'x_train': x, 'y_train': y, 'x_test': None, 'y_test': None}",
        "__import__('memtail_core.data').data.Splits(x, y)",
        "(x.tolist(), y.tolist())",
        "(__import__('torch').tensor(x), __import__('torch').tensor(y))",
    ],
    ids=["pair", "dict", "dict without test", "Splits", "lists", "tensors"],
)
def test_examples_and_labels_come_in_any_usual_form(returning, expression):
    dataset = returning(expression, test_fraction=0.25)
    assert (len(dataset.y_train), len(dataset.y_test)) == (9, 3)
    at = np.array([int(name) for name in dataset.train_names])
    np.testing.assert_array_equal(dataset.train.whole(), np.stack([2 * at, 2 * at + 1], axis=1))
    np.testing.assert_array_equal(dataset.y_train, at % 2)


def test_four_arrays_are_training_and_test_set(returning):
    dataset = returning("(x, y, x[:3] + 1, 1 - y[:3])")
    assert dataset.train.whole().shape == (12, 2)
    assert dataset.test.whole().tolist() == [[1, 2], [3, 4], [5, 6]]
    assert dataset.y_test.tolist() == [1, 0, 1]


def test_names_and_classes_in_a_dict_are_kept(returning):
    dataset = returning(
        "{'x_train': x, 'y_train': y, 'x_test': x[:2], 'y_test': y[:2], 'classes': ['no', 'yes'],"
        " 'train_names': [f'row {i}' for i in range(12)], 'test_names': ('u', 'v')}"
    )
    assert dataset.classes == ("no", "yes")
    assert (dataset.train_name(11), dataset.test_name(1)) == ("row 11", "v")


def test_names_may_come_as_an_array(returning):
    dataset = returning(
        "{'x_train': x, 'y_train': y, 'train_names': np.array(list('abcdefghijkl'))}"
    )
    assert {*dataset.train_names, *dataset.test_names} == set("abcdefghijkl")


def test_parts_of_a_dict_that_are_none_are_as_if_left_out(returning):
    nothing = "'x_test': None, 'y_test': None, 'classes': None"
    names = "'train_names': None, 'test_names': None"
    dataset = returning(f"{{'x_train': x, 'y_train': y, {nothing}, {names}}}")
    assert dataset.classes == ("0", "1")
    assert sorted(map(int, dataset.train_names + dataset.test_names)) == list(range(12))


@pytest.mark.parametrize("part", ["train_names", "classes"])
def test_a_number_in_place_of_names_is_refused(returning, part):
    with pytest.raises(DatasetError, match=part):
        returning(f"{{'x_train': x, 'y_train': y, '{part}': 2}}")


@pytest.mark.parametrize("given", ["{'no', 'yes'}", "{0: 'no', 1: 'yes'}"])
def test_names_without_an_order_are_refused(returning, given):
    """A set of class names was taken, in an order that changed from one process to the next."""
    with pytest.raises(DatasetError, match=r"classes is a (set|dict): give a list of names"):
        returning(f"{{'x_train': x, 'y_train': y, 'classes': {given}}}")


def test_classes_without_training_examples_are_told(returning):
    dataset = returning("{'x_train': x, 'y_train': 2 * y, 'classes': list('abcde')}")
    line = "3 classes have no training example: 'b', 'd', 'e'"
    assert dataset.account.lines == (line,)


def test_what_only_looks_like_a_frame_is_refused(returning):
    """It ended in a traceback."""
    like = "type('Like', (), {'columns': ['a'], 'to_numpy': None})()"
    with pytest.raises(DatasetError, match="x_train is object"):
        returning(f"({like}, y)")


def test_the_sources_options_are_the_functions_arguments(write):
    write("def read(*, scale, path='p', label='l'): return x * scale + len(path + label), y")
    table = DatasetTable(source="python:my_reader:read", scale=10, path="abc", label="de")
    dataset = load(table)
    index = int(dataset.train_name(4))
    assert dataset.train.whole()[4].tolist() == [20 * index + 5, 20 * index + 15]


def test_an_argument_that_the_function_does_not_take_is_refused_by_name(write):
    write("def read(): return x, y")
    assert refused("my_reader:read failed: TypeError: .*'scale'", scale=1) is DatasetError


def test_an_error_in_the_function_is_told_with_its_kind(write):
    write("def read(): raise KeyError('height')")
    assert refused("my_reader:read failed: KeyError: 'height'") is DatasetError


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("[x, y]", "returned list: return"),
        ("None", "returned NoneType: return"),
        ("(x, y, x)", "returned tuple: return"),
        ("{'x_train': x}", "returned dict: return"),
        ("{'x_train': x, 'y_train': y, 'weights': y}", "unknown part 'weights'"),
        ("{'x_train': x, 'y_train': y, 1: y, 'weights': y}", "unknown part"),
        ("{'x_train': x, 'y_train': y, 'x_test': x}", "only one of 'x_test' and 'y_test'"),
        ("{'x_train': x, 'y_train': y, 'y_test': y}", "only one of 'x_test' and 'y_test'"),
        ("(None, None)", "x_train|y_train"),
        ("(x, None)", "y_train"),
        ("(x, y / 2)", "y_train is float64"),
        ("(x, np.array([0, 'a'] * 6, dtype=object))", "y_train is object"),
        ("(x, [None, 1] * 6)", r"y_train\[0\] is missing"),
        ("([[1, 2], [3]] * 6, y)", "x_train"),
        ("(__import__('scipy.sparse').sparse.csr_matrix(x), y)", "x_train"),
        ("(__import__('torch').ones(12, 2, requires_grad=True), y)", "x_train"),
        ("{'x_train': x, 'y_train': y, 'train_names': ['a', 'b']}", "2 train_names"),
    ],
    ids=[
        *("list", "nothing", "triple", "no labels", "strange part", "strange parts"),
        *("half a test set", "other half", "two nothings", "nothing as labels", "decimals"),
        *("mixed labels", "missing labels", "ragged", "sparse", "with gradient", "few names"),
    ],
)
@pytest.mark.parametrize(
    "options", [{}, {"train_limit": 6, "test_limit": 2}], ids=["whole", "limited"]
)
def test_what_no_dataset_can_be_made_of_is_refused(returning, expression, word, options):
    with pytest.raises(DatasetError, match=word):
        returning(expression, **options)


def test_a_module_that_is_not_there_is_refused_by_name(write):
    assert refused("cannot import my_other: No module", "my_other:read") is StudyError


def test_a_function_that_is_not_in_the_module_is_refused_by_name(write):
    write("def read(): return x, y")
    assert refused("the module my_reader has no 'raed'", "my_reader:raed") is StudyError


def test_something_that_cannot_be_called_is_refused(write):
    write("read = x, y")
    assert refused("'python:my_reader:read' is not a function") is StudyError


@pytest.mark.parametrize("path", ["my_reader", "my_reader:", ":read"])
def test_a_path_without_module_or_function_is_refused_with_the_form(write, path):
    assert refused("write python:module:function", path) is StudyError


def test_a_source_without_its_argument_is_refused():
    assert refused("source = 'python:': say which, as 'python:…'", "") is StudyError


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("def read(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import my_missing_library", "No module named 'my_missing_library'"),
        ("np.no_such_thing", "AttributeError.*no_such_thing"),
    ],
)
def test_a_module_that_fails_on_import_is_told_with_the_reason(write, body, reason):
    write(f"{body}\ndef read(): return x, y")
    assert refused(f"my_reader.*{reason}") is StudyError


def test_a_module_in_a_package_of_the_current_folder_is_found(write, tmp_path):
    (tmp_path / "my_package").mkdir()
    write("def read(): return x, y", name="my_package/reader")
    assert len(load(DatasetTable(source="python:my_package.reader:read")).y_train) == 10
