"""What follows training, at ImageNet's size: the report, the commands and the dashboard's pages.

    python benchmarks/imagenet_report.py --trials 200
    python benchmarks/imagenet_report.py --trials 2000 --store FOLDER    # keep the study

Makes a study whose trials are drawn instead of trained (benchmarks/untrained.py), with float16
values beside the bits, unless the folder has it. Then runs ``memtail report``, ``status``,
``scores`` and ``pairs``, each in a process of its own, and asks a dashboard for its pages and
tables, each twice: the first request loads what the second finds. On a machine that does other work
too, compare the seconds of CPU.

``--measure probability`` then also writes the report by another measure, which replaces the first.
``--limit`` also measures how fast the pairs are counted, beside what the processor can count.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.at_scale.sides import alone
from benchmarks.table import run, show
from memtail_core.catalogue import reports
from memtail_core.store import FilesStore
from memtail_core.study import Study

_MEMTAIL = "import sys; sys.argv[0] = 'memtail'; from cli.main import main; main()"
_STARTS_WITHIN = 120.0  # seconds
_API = "/api/v1"


@click.command()
@click.option("--store", "folder", type=click.Path(file_okay=False), help="[default: temporary]")
@click.option("--train", default=1_281_167, show_default=True, help="Training examples.")
@click.option("--test", default=50_000, show_default=True, help="Test examples.")
@click.option("--classes", default=1_000, show_default=True)
@click.option("--trials", default=200, show_default=True)
@click.option("--distinct", help="Draw only so many trials, and repeat them.", type=int)
@click.option("--measure", help="Write the report by this measure too.")
@click.option("--limit", "has_limit", is_flag=True, help="Measure the counting of pairs too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    folder: str | None,
    train: int,
    test: int,
    classes: int,
    trials: int,
    distinct: int | None,
    measure: str | None,
    has_limit: bool,
    as_json: bool,
) -> None:
    """Measure what follows training: report, commands, the dashboard's pages."""
    with tempfile.TemporaryDirectory() as temporary:
        where = folder or temporary
        start = time.perf_counter()
        study = _made(where, (train, test, classes), trials, distinct)
        show({"step": "make the study", "seconds": time.perf_counter() - start}, as_json)
        for command in ("report", "status", "scores", "pairs"):
            show(_command(command, study, where), as_json)
        page = Path(where) / reports.page_key(study)
        show({"step": "page", "page_bytes": page.stat().st_size}, as_json)
        for each in _pages(study, where):
            show(each, as_json)
        if measure is not None:
            show(_command("report", study, where, "--measure", measure), as_json)
        if has_limit:
            show(_counting(study, where), as_json)


def _made(where: str, sizes: tuple[int, int, int], trials: int, distinct: int | None) -> Study:
    """Make the study, or find it, in a process of its own.

    This one stays small, and imports neither torch nor numba: the system counts its memory as that
    of the commands that it starts.
    """
    return alone(_make, where, sizes, trials, distinct)


def _make(where: str, sizes: tuple[int, int, int], trials: int, distinct: int | None) -> Study:
    from benchmarks.untrained import Sizes, make

    return make(FilesStore(Path(where)), Sizes(*sizes), trials, distinct=distinct)


def _command(name: str, study: Study, where: str, *options: str) -> dict[str, Any]:
    """Run a command of memtail; seconds, seconds of CPU, peak memory."""
    arguments = [sys.executable, "-c", _MEMTAIL, name, study.id, "--store", where, *options]
    start = time.perf_counter()
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=_environment()) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException(f"memtail {name} failed")
    return {
        "step": " ".join(("memtail", name, *options)),
        "seconds": time.perf_counter() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }


def _pages(study: Study, where: str) -> Iterator[dict[str, Any]]:
    """Ask a dashboard for pages and tables, twice each."""
    of_study, of_api = f"/studies/{study.id}", f"{_API}/studies/{study.id}"
    paths = {
        "studies": "/",
        "study": of_study,
        "report": f"{of_study}/report/index.html",
        "scores": f"{of_api}/scores?limit=100&sort=-memorization",
        "scores of a class": f"{of_api}/scores?limit=100&label=7",
        "pairs": f"{of_api}/pairs?limit=100&sort=-influence",
        "influence of one": f"{of_api}/train/17/influence",
    }
    with _dashboard(where) as address:
        for name, path in paths.items():
            seconds = [_asked(address + path) for _ in range(2)]
            yield {"step": f"dashboard: {name}", "first_seconds": seconds[0], "seconds": seconds[1]}


@contextmanager
def _dashboard(where: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [sys.executable, "-c", _MEMTAIL, "dashboard", "--no-browser"]
    arguments += ["--store", where, "--port", str(port)]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=_environment()) as process:
        address, end = f"http://127.0.0.1:{port}", time.monotonic() + _STARTS_WITHIN
        try:
            while _is_down(address):
                if time.monotonic() > end or process.poll() is not None:
                    raise click.ClickException("the dashboard does not answer")
                time.sleep(0.2)
            time.sleep(5)  # it lists the store, and imports what results need
            yield address
        finally:
            process.send_signal(signal.SIGINT)


def _is_down(address: str) -> bool:
    try:
        _asked(address)
    except (urllib.error.URLError, ConnectionError):
        return True
    return False


def _asked(address: str) -> float:
    start = time.perf_counter()
    with urllib.request.urlopen(address, timeout=1200) as answer:
        answer.read()
    return time.perf_counter() - start


def _counting(study: Study, where: str) -> dict[str, Any]:
    """The rate at which the pairs of the report are counted, and the limit of the processor."""
    from benchmarks.at_scale.limits import limits

    seconds, words = alone(_counted, where, study.id)
    limit = alone(limits).bits / 64
    return {
        "step": "count the pairs",
        "seconds": seconds,
        "words_per_second": words / seconds,
        "limit": limit,
        "of": {"the_limit": words / seconds / limit},
    }


def _counted(where: str, study_id: str) -> tuple[float, float]:
    """Seconds of counting the pairs of memorized examples and their class, and the words of it."""
    from memtail_core import catalogue
    from memtail_core.estimation.influence import PairsRule, counter_for, pair_statistics
    from memtail_core.running import loading

    store = FilesStore(Path(where))
    study = catalogue.find(store, study_id)
    dataset = catalogue.load_dataset(store, study)
    trials, _ = loading.load(store, study)
    rule, evidence = PairsRule(), trials.evidence()
    family = rule.family(trials.counted().memorization, dataset.y_train, dataset.y_test)
    counter = counter_for("cpu")
    pair_statistics(evidence, family, 0.9, counter=counter, n_bins=80)  # compiles
    start = time.perf_counter()
    pair_statistics(evidence, family, 0.9, counter=counter, n_bins=80)
    seconds = time.perf_counter() - start
    words = family.testable(evidence).n_pairs * evidence.members.words.shape[1]
    return seconds, float(words)


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}


if __name__ == "__main__":
    run(main)
