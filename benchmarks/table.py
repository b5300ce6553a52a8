"""Print the measurements of a benchmark: a table, or one JSON object per line."""

import json
import sys
from typing import Any

import click

from memtail_core.errors import MemtailError


def show(measured: dict[str, Any], as_json: bool) -> None:
    """Print one measurement: to 4 figures, bytes as MiB, accuracies in percent."""
    if as_json:
        click.echo(json.dumps(measured))
        return
    width = max(len(key) for key in measured)
    for key, value in measured.items():
        click.echo(f"{key.replace('_', ' '):{width}}  {_text(key, value)}")
    click.echo("")


def _text(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k.replace('_', ' ')} {v:.2%}" for k, v in value.items())
    if key.endswith("bytes"):
        return f"{value / 2**20:,.0f} MiB"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def run(command: click.Command) -> None:
    """Run a benchmark; an error of memtail prints one line and exits with code 2."""
    try:
        command()
    except MemtailError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":  # turn JSON lines into tables
    for line in sys.stdin:
        show(json.loads(line), as_json=False)
