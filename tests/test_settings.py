from pathlib import Path

import pytest

from memtail_core.errors import StudyError
from memtail_core.settings import settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("STORE", "BROKER_URL", "BROKER_PASSWORD", "LEASE", "S3_SECRET_KEY"):
        monkeypatch.delenv(f"MEMTAIL_{name}", raising=False)


def test_the_environment_comes_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings().store == "runs"
    (tmp_path / ".env").write_text(
        "# ours\nMEMTAIL_STORE=s3://filed\nMEMTAIL_LEASE=7\nMEMTAIL_BROKER_URL=\nOTHER=1\n"
    )
    assert (settings().store, settings().lease, settings().broker_url) == ("s3://filed", 7.0, None)
    monkeypatch.setenv("MEMTAIL_STORE", "s3://set")
    assert settings().store == "s3://set"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S3_SECRET_KEY", "BROKER_PASSWORD", "BROKER_URL"):
        monkeypatch.setenv(f"MEMTAIL_{name}", "hush")
    shown = f"{settings()!r} {settings()} {settings().model_dump()} {settings().model_dump_json()}"
    assert "hush" not in shown
    assert settings().s3_secret_key.get_secret_value() == "hush"


@pytest.mark.parametrize(
    ("name", "value"),
    [("LEASE", "soon"), ("LEASE", "-1"), ("PROCESSES", "0"), ("MOST_ATTEMPTS", "x")],
)
def test_a_wrong_setting_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"MEMTAIL_{name}", value)
    with pytest.raises(StudyError, match=f"^MEMTAIL_{name} is wrong: .*environment, or .env"):
        settings()


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"MEMTAIL_STORE=\xff\xfe")
    with pytest.raises(StudyError, match=r"\.env in this folder is not UTF-8"):
        settings()
