"""The chart of a study's throughput, and how seldom it is drawn."""

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from memtail_core.data import Dataset
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.dashboard import throughput
from services.dashboard.detail import _Cached
from services.pace import KEPT, Stored
from tests.services.dashboard.still import Parsed, client, viewed


def test_one_thread_makes_what_many_ask_for() -> None:
    kept, made = _Cached(), []

    def make() -> int:
        made.append(1)
        time.sleep(0.05)
        return len(made)

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("a", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 8
    assert kept.get("b", make) == 1, "it took long: not again at once"
    deadline = time.monotonic() + 10
    while kept.get("b", make) == 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert kept.get("b", make) == 2


def stored(whens: list[float], seconds: float = 1.0, models: int = 10) -> list[Stored]:
    every = sorted(whens, reverse=True)
    return [
        Stored(worker="w", when=when, seconds=seconds, models=models, accuracy={}) for when in every
    ]


def test_a_steady_pace_is_a_level_line() -> None:
    found = throughput.rates(stored([100.0 * number for number in range(1, 61)], seconds=100.0))
    assert found is not None
    assert found.width == 300
    assert found.models_per_hour == (360.0,) * 20
    assert found.shards == 60


@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=KEPT),
    st.floats(0.01, 1e3),
)
def test_bars_count_what_was_stored_in_their_time(whens: list[float], seconds: float) -> None:
    found = throughput.rates(stored(whens, seconds))
    if found is None:
        return
    last, n, width = max(whens), len(found.models_per_hour), found.width
    assert width >= 2 * seconds
    known_from = min(whens) - (seconds if len(whens) < KEPT else 0)
    assert last - n * width >= known_from - 1e-6, "no interval reaches into what is not known"
    assert last - (n + 1) * width < known_from + 1e-6, "none that is known is left out"
    for number, rate in enumerate(found.models_per_hour):
        begin, end = last - (n - number) * width, last - (n - number - 1) * width
        inside = sum(begin + 1e-6 < when <= end - 1e-6 for when in whens)
        around = sum(begin - 1e-6 < when <= end + 1e-6 for when in whens)
        assert 10 * inside <= rate * width / 3600 + 1e-6
        assert rate * width / 3600 <= 10 * around + 1e-6


def test_the_chart_is_drawn_without_styles_in_the_colour_of_the_text(
    folder: FilesStore, prepared: tuple[Study, Dataset]
) -> None:
    recent = tuple(stored([10.0 * number for number in range(40)], seconds=10.0))
    study = prepared[0]
    html = client(folder, viewed(study, recent=recent)).get(f"/studies/{study.id}").text
    svg = html[html.index("<svg") : html.index("</svg>")]
    assert "currentColor" in svg
    assert "style=" not in svg
    assert "Models per hour, in intervals of 30 seconds" in svg
    assert "Models per hour over the last 39 shards" in Parsed(html).text
