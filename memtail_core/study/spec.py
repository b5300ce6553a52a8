"""The study file: what a user writes down, as TOML, and the presets that ship with memtail."""

import codecs
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field

from memtail_core.errors import StudyError, did_you_mean
from memtail_core.study.tables import DatasetTable, StudyTable, SubsetsTable, Table
from memtail_core.study.validation import validated


class Spec(Table):
    """A study as a user writes it, the tables of a TOML file; only ``source`` is required.

    ``training`` is checked by the recipe it names (:mod:`memtail_core.training`).

    Example:
        >>> spec = Spec.parse({"dataset": {"source": "sklearn:digits"}, "study": {"seed": 1}})
        >>> spec.study.trials, spec.subsets.ratio
        (200, 0.7)
    """

    study: StudyTable = StudyTable()
    dataset: DatasetTable
    subsets: SubsetsTable = SubsetsTable()
    training: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def parse(cls, tables: dict[str, Any], where: str = "the study") -> "Spec":
        """Validate ``tables`` (a parsed TOML file); ``where`` opens the error messages.

        Raises:
            StudyError: one sentence that names the key, the value and what was expected.
        """
        return validated(cls, tables, where)

    @classmethod
    def load(cls, path_or_name: str, overrides: dict[str, Any] | None = None) -> "Spec":
        """Read a TOML file, or the study of that name that ships with memtail.

        Args:
            path_or_name: ``study.toml`` or, say, ``mnist-mlp``.
            overrides: dotted keys to replace, as ``{"training.epochs": 20}``.
        """
        path = Path(path_or_name)
        if path.suffix == ".toml" or path.is_file():
            try:
                text = _text(path.read_bytes())
            except OSError as error:
                reason = error.strerror or error
                raise StudyError(f"cannot read the study '{path_or_name}': {reason}") from error
            except UnicodeDecodeError as error:
                raise StudyError(
                    f"{path_or_name} is not a TOML file: not UTF-8 text in line "
                    f"{error.object.count(10, 0, error.start) + 1}"
                ) from error
            name = name_of(path_or_name)
        elif path_or_name in shipped():
            text, name = shipped()[path_or_name], path_or_name
        else:
            raise StudyError(
                f"no study '{path_or_name}': give a .toml file, a study that ships with memtail, "
                f"or one of the store{did_you_mean(path_or_name, list(shipped()))}"
            )
        try:
            tables = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            hint = ""
            if "\\" in str(error):
                hint = ": write a path of Windows in single quotes, or with '/'"
            raise StudyError(f"{path_or_name} is not valid TOML: {error}{hint}") from error
        for dotted, value in (overrides or {}).items():
            _override(tables, dotted, value)
        if isinstance(study := tables.setdefault("study", {}), dict):
            study.setdefault("name", name)
        return cls.parse(tables, path_or_name)


def _text(content: bytes) -> str:
    """UTF-8, or UTF-16 with its mark, as editors on Windows write; their line ends are plain."""
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf16 else "utf-8-sig").replace("\r\n", "\n")


def name_of(path: str) -> str:
    """The name of a study whose file gives none: ``My Study.toml`` → ``my-study``."""
    return re.sub(r"[^a-z0-9]+", "-", Path(path).stem.lower()).strip("-")[:40]


def shipped() -> dict[str, str]:
    """The studies that ship with memtail: name → TOML text."""
    folder = resources.files("memtail_core.study") / "presets"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {file.name.removesuffix(".toml"): file.read_text("utf-8") for file in files}


def _override(tables: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    for key in path:
        tables = tables.setdefault(key, {})
        if not isinstance(tables, dict):
            raise StudyError(f"cannot set '{dotted}': '{key}' is not a table")
    tables[last] = value
