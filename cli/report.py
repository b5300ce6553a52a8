"""``memtail report``: estimate from the stored trials and write the report."""

import math
from typing import Any

import click

from cli.options import find_study, json_option, print_json, store_option, study_argument


class Threshold(click.FloatRange):
    """A number from −1 to 1; click lets NaN pass."""

    def __init__(self) -> None:
        super().__init__(-1, 1)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse and check."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail("nan is no threshold", param, ctx)
        return number


@click.command()
@study_argument
@store_option
@click.option(
    "--theta-mem", type=Threshold(), default=0.25, show_default=True, help="Memorized from here on."
)
@click.option(
    "--theta-infl", type=Threshold(), default=0.15, show_default=True, help="A pair from here on."
)
@click.option("--any-class", is_flag=True, help="Pairs of different classes too.")
@json_option
def report(
    name: str, location: str, theta_mem: float, theta_infl: float, any_class: bool, as_json: bool
) -> None:
    """Estimate from what is stored of STUDY and write its report.

    An unfinished study gets a provisional one.
    """
    from cli.findings import say_findings
    from memtail_core.estimation import PairsRule
    from memtail_core.report import analyse_stored, publish

    store, study = find_study(location, name)
    rule = PairsRule(theta_mem, theta_infl, same_class=not any_class)
    analysis = analyse_stored(store, study, rule)
    page = f"{store.location}/{publish(store, analysis)}"
    if as_json:
        print_json({**analysis.summary(), "report": page})
    else:
        say_findings(analysis.summary(), page)
