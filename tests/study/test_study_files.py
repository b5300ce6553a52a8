"""A study file as editors on Windows write it."""

import codecs

import pytest

from memtail_core.errors import StudyError
from memtail_core.study import Spec

TEXT = '[dataset]\r\nsource = "csv:a.csv"\r\nlabel = "größe"\r\n'


@pytest.mark.parametrize(
    "content", [codecs.BOM_UTF8 + TEXT.encode(), TEXT.encode("utf-16"), TEXT.encode()]
)
def test_a_study_file_may_begin_with_a_byte_order_mark(tmp_path, content):
    (tmp_path / "study.toml").write_bytes(content)
    assert Spec.load(str(tmp_path / "study.toml")).dataset.options == {"label": "größe"}


def test_a_study_file_in_another_encoding_is_refused_with_its_line(tmp_path):
    (tmp_path / "study.toml").write_bytes(TEXT.encode("latin-1"))
    with pytest.raises(StudyError, match=r"study\.toml is not a TOML file: not UTF-8 .* line 3"):
        Spec.load(str(tmp_path / "study.toml"))


def test_a_path_of_windows_in_double_quotes_is_refused_with_what_mends_it(tmp_path):
    (tmp_path / "study.toml").write_text('[dataset]\nsource = "csv:C:\\data\\a.csv"\n')
    with pytest.raises(StudyError, match=r"at line 2.*: write a path of Windows in single quotes"):
        Spec.load(str(tmp_path / "study.toml"))
