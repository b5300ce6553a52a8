"""What a source says of its input reaches the plan, the store and the report."""

import json
from pathlib import Path

import numpy as np
import pytest

from memtail_core import catalogue, data
from memtail_core.catalogue.accounts import put_account
from memtail_core.data import SOURCES, Account, Splits
from memtail_core.errors import DamagedError
from memtail_core.report.page import page
from memtail_core.store import FilesStore
from memtail_core.study import DatasetTable
from tests.cli.conftest import Memtail, memtail
from tests.conftest import Trained

__all__ = ["memtail"]

ACCOUNT = Account(("40 rows read, [2] left out",), ("the <column> is constant",))


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> str:
    """A source whose account is ``ACCOUNT``."""

    def load(name: str, /) -> Splits:
        x = np.arange(80, dtype=np.float64).reshape(40, 2)
        return Splits(x, np.arange(40) % 2, account=ACCOUNT)

    monkeypatch.setitem(SOURCES, "accounted", load)
    return "accounted:any"


def test_it_is_in_the_plan_and_in_the_plan_as_json(
    memtail: Memtail, source: str, tmp_path: Path
) -> None:
    (tmp_path / "study.toml").write_text(f'[dataset]\nsource = "{source}"\n')
    printed = memtail("run", "study.toml", "--dry-run", "--workers", "1")
    assert printed.exit_code == 0, printed.output
    lines = printed.stdout.splitlines()
    assert "  read      40 rows read, [2] left out" in lines
    assert "Warning: the <column> is constant" in lines
    encoded = json.loads(memtail("run", "study.toml", "--dry-run", "--json").stdout)
    assert encoded["read"] == list(ACCOUNT.lines)
    assert encoded["warnings"] == list(ACCOUNT.warnings)


def test_it_changes_no_digest(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_account = data.load(DatasetTable(source=source))
    monkeypatch.setitem(
        SOURCES,
        "accounted",
        lambda _: Splits(np.arange(80, dtype=np.float64).reshape(40, 2), np.arange(40) % 2),
    )
    without = data.load(DatasetTable(source=source))
    assert with_account.account == ACCOUNT
    assert without.account == Account()
    assert with_account.sha256 == without.sha256


def test_it_is_kept_with_the_study_until_another_is_given(trained: Trained, tmp_path: Path) -> None:
    store, study = FilesStore(tmp_path), trained.study
    assert catalogue.account_of(store, study) == Account()
    other = Account(("another",))
    for given, kept in ((ACCOUNT, ACCOUNT), (Account(), ACCOUNT), (other, other)):
        put_account(store, study, given)
        assert catalogue.account_of(store, study) == kept
    store.put(f"{study.prefix}account.json", b"[]")
    assert catalogue.account_of(store, study) == Account()
    with pytest.raises(DamagedError):
        Account.from_json(b"\xff")


def test_it_is_in_the_report_escaped(trained: Trained) -> None:
    html = page(trained.analysis, {}, account=ACCOUNT)
    assert "<td>40 rows read, [2] left out</td>" in html
    assert "The &lt;column&gt; is constant." in html
