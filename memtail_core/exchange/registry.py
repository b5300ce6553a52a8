"""Every format by its name: of trials, and of lists of examples; a new one adds a line."""

from pathlib import Path

from memtail_core.errors import DatasetError, did_you_mean
from memtail_core.exchange.format import Format
from memtail_core.exchange.formats import (
    arrays,
    cleanlab,
    datamodels,
    dattri,
    example_csv,
    fiftyone,
    hugging_face,
    label_studio,
    lira,
    privacy_meter,
)

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        datamodels.FORMAT,
        dattri.FORMAT,
        lira.FORMAT,
        privacy_meter.FORMAT,
        arrays.FORMAT,
        cleanlab.FORMAT,
        fiftyone.FORMAT,
        label_studio.FORMAT,
        hugging_face.FORMAT,
        example_csv.FORMAT,
    )
}
READ = tuple(name for name, each in FORMATS.items() if each.read is not None)
WRITTEN = tuple(name for name, each in FORMATS.items() if each.write is not None)
OF_TRIALS = tuple(name for name in WRITTEN if not FORMATS[name].lists_examples)


def named(name: str, among: tuple[str, ...]) -> Format:
    """Return the format of this name.

    Raises:
        DatasetError: there is none.
    """
    if name not in among:
        hint = did_you_mean(name, among)
        raise DatasetError(f"'{name}' is not a format that memtail can use here{hint}")
    return FORMATS[name]


def recognised(path: Path) -> Format:
    """Return the one format that a path looks like.

    Raises:
        DatasetError: there is nothing, or it looks like none or like several.
    """
    if not path.exists():
        raise DatasetError(f"there is no file or folder '{path}'")
    found = [FORMATS[name] for name in READ if FORMATS[name].recognises(path)]
    if len(found) == 1:
        return found[0]
    known = "; ".join(f"{name}: {FORMATS[name].summary}" for name in READ)
    if found:
        names = " and ".join(each.name for each in found)
        raise DatasetError(f"'{path}' looks like {names}: say which with --format")
    raise DatasetError(f"'{path}' holds no trials that memtail can read ({known})")
