"""Tables on a terminal keep their numbers, whatever names are in them and however narrow it is."""

import io
import re

import pytest
from rich.console import Console

from cli.pair_tables import print_pairs
from cli.text_tables import Named, print_table, shortened

LONG = "ILSVRC2012_val_00000017_n01440764_from_camera_west.JPEG"


def row(name: str, klass: str) -> dict[str, object]:
    return {
        **{"train_index": 123456, "train_name": name, "train_class": klass, "memorization": 0.25},
        **{"test_index": 7, "test_name": f"n01443537/{name}", "test_class": klass},
        **{"influence": 0.4567, "standard_error": 0.0321, "ci_low": -0.11, "ci_high": 0.9876},
        **{"p_value": 1.2e-5, "q_value": 0.04},
    }


def printed(rows: list[dict[str, object]], width: int, *, terminal: bool = True) -> list[str]:
    file = io.StringIO()
    print_pairs(Console(file=file, width=width, force_terminal=terminal, no_color=True), rows)
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines()


@pytest.mark.parametrize(("width", "terminal"), [(80, True), (120, True), (80, False)])
def test_long_names_are_shortened_and_numbers_are_whole(width: int, *, terminal: bool) -> None:
    """Rich makes all columns narrower until they fit, numbers too.

    https://github.com/ibis-project/ibis/pull/4554.
    """
    lines = printed([row(LONG, "n01440764, tench, Tinca tinca" * 2)] * 3, width, terminal=terminal)
    assert len(lines) == 4
    for line in lines[1:]:
        for number in ("123456 (", "0.25", "0.46 ± 0.03", "-0.11 … 0.99", "1e-05", "0.04"):
            assert number in line
        assert LONG not in line
        assert re.search(r"123456 \(I.*…\w*G\)", line), "both ends of a name are there"
        assert len(line.rstrip()) <= (width if terminal else 120)


def test_short_names_stay_whole() -> None:
    line = printed([row("a.png", "cat")], 120)[1]
    assert "123456 (a.png)" in line
    assert "7 (n01443537/a.png)" in line


def test_markup_and_control_characters_in_names_are_text() -> None:
    line = printed([row("[red]a[/]\x1b[2J", "[b]")], 200)[1]
    assert "[red]a[/]" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("width", range(1, 12))
@pytest.mark.parametrize("text", ["abcdefghijk", "日本語のクラス名", "a"])
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, width: int) -> None:
    from rich.cells import cell_len

    assert cell_len(shortened(text, width)) <= max(width, 1)
    if width >= 6:
        assert shortened(text, width)[0] == text[0]


def test_an_index_is_never_shortened() -> None:
    assert Named(1234567, "x" * 50).within(3).startswith("1234567 (")
    assert Named(5, "5").within(3) == "5"


def test_other_tables_keep_their_numbers_too() -> None:
    file = io.StringIO()
    rows = [("a meaning of many words " * 8, "12,345", "99.9%")]
    print_table(
        Console(file=file, width=80, force_terminal=True), ("meaning", "n", "share"), rows, {0}
    )
    assert "12,345" in file.getvalue()
    assert "99.9%" in file.getvalue()
    assert "…" in file.getvalue()
