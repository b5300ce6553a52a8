"""The benchmark of datamodels: both sides solve the same problems."""

import json

from click.testing import CliRunner

from benchmarks import datamodels


def test_both_sides_reach_the_same_objective() -> None:
    sizes = ("--train", "80", "--test", "6", "--trials", "60", "--theirs", "4", "--rounds", "2")
    done = CliRunner().invoke(
        datamodels.main, [*sizes, "--tolerance", "1e-8", "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    (found,) = (json.loads(line) for line in done.stdout.splitlines())
    assert found["their_problems_solved"] == 4
    assert abs(found["our_objective_above_theirs_at_most"]) < 1e-6
    assert found["ratio"] > 0
