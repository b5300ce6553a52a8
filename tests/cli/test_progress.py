"""The bar that all commands draw: a rate and a time left, on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from cli.progress import ProgressBar, progress_bar


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def console(clock: Clock, *, is_terminal: bool) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    drawn = Console(
        file=text,
        force_terminal=is_terminal,
        width=120,
        get_time=clock,
        highlight=False,
        color_system=None,
    )
    return drawn, text


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    clock = Clock()
    on, text = console(clock, is_terminal=False)
    bar = ProgressBar(on, "training", 300, "models", completed=100)
    bar.start()
    for clock.now in (4.0, 8.0, 12.0, 16.0):
        bar.advance(8, below="new models: test 90.0%")
    bar.stop()
    # 8 models in 4 seconds; 176 are left after the third step
    assert text.getvalue() == (
        "  training: 124/300 models · 2.0 models/s · 88 s left · new models: test 90.0%\n"
    )


def test_a_line_below_is_printed_where_one_is_due() -> None:
    clock = Clock()
    on, text = console(clock, is_terminal=False)
    bar = ProgressBar(on, "training", 2, "models")
    for clock.now in (5.0, 12.0):
        bar.show_below("model 0: epoch 3 of 16, 2,810 examples/s")
    assert text.getvalue() == (
        "  training: 0/2 models · model 0: epoch 3 of 16, 2,810 examples/s\n"
    )


def test_a_line_is_not_printed_twice() -> None:
    clock = Clock()
    on, text = console(clock, is_terminal=False)
    bar = ProgressBar(on, "training", 20, "models")
    clock.now = 12.0
    bar.advance(10, rate=1.0)
    bar.print_line()
    bar.advance(10, rate=1.0)
    bar.print_line()
    assert text.getvalue().splitlines() == [
        "  training: 10/20 models · 1.0 models/s · 10 s left",
        "  training: 20/20 models · 1.0 models/s · 0 s left",
    ]


def test_a_rate_that_the_caller_knows_is_shown() -> None:
    clock = Clock()
    on, text = console(clock, is_terminal=False)
    bar = ProgressBar(on, "training", 100, "models")
    bar.advance(10, rate=0.5)
    bar.print_line()
    assert text.getvalue() == "  training: 10/100 models · 30.0 models/min · 3 min left\n"


def test_a_terminal_gets_a_bar_with_rate_time_left_and_a_line_below() -> None:
    clock = Clock()
    on, text = console(clock, is_terminal=True)
    bar = ProgressBar(on, "training", 300, "models", is_transient=False)
    bar.start()
    bar.restart(100, 200)
    bar.extend(300)
    for clock.now in (1.0, 2.0):
        bar.advance(10, below="new models: test 90.0%")
    bar.stop()
    above, below = [line for line in text.getvalue().splitlines() if "model" in line][-2:]
    assert "training" in above
    assert "120/300" in above
    assert "10.0 models/s · 18 s left" in above
    assert "new models: test 90.0%" in below


def test_large_totals_are_a_percentage() -> None:
    on, text = console(Clock(), is_terminal=True)
    bar = ProgressBar(on, "counting", 4_000_000, "pairs", completed=1_000_000)
    bar.show_pace(250_000, 12)
    on.print(bar)
    assert "25%" in text.getvalue()
    assert "250,000 pairs/s · 12 s left" in text.getvalue()


def test_short_work_prints_nothing_to_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("comparing", 2, "comparisons") as advance:
        advance(1)
        advance(1)
    assert capsys.readouterr() == ("", "")
