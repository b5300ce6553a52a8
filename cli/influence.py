"""``memtail influence``: what rests on what, for one example, for every one, or as a matrix."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import numpy as np

from cli import output as out
from cli.measured_pairs import refuse_others
from cli.options import find_study, measure_option, store_option, study_argument
from cli.pair_search import PairSearch, pair_search_options
from cli.pair_tables import pair_console, print_pairs
from cli.progress import progress_bar
from memtail_core.errors import EstimationError, StoreError

if TYPE_CHECKING:
    import pyarrow as pa

    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.estimation.influence import Evidence, PairCounter

_BINS = 200  # each of 0.01


@click.command()
@study_argument
@store_option
@click.option(
    "--train", type=int, help="List the test examples that rest on this training example."
)
@click.option(
    "--test", type=int, help="List the training examples that this test example rests on."
)
@click.option(
    "--every",
    type=click.Choice(["train", "test"]),
    help="List the same for every training or test example.",
)
@click.option(
    "--by-class", is_flag=True, help="Print the mean influence of each class on each class."
)
@click.option("--histogram", is_flag=True, help="Print a histogram of the influence of all pairs.")
@click.option(
    "--matrix",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the influence of all pairs to this .npy file (float32).",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="List this many per example.",
)
@measure_option
@pair_search_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as --format json does.")
def influence(
    name: str,
    location: str,
    train: int | None,
    test: int | None,
    every: Literal["train", "test"] | None,
    by_class: bool,
    histogram: bool,
    matrix: Path | None,
    top: int,
    measure: str | None,
    harmful: bool,
    memory: int | None,
    device: str,
    format_: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Show which training examples predictions rest on.

    `--train 17` lists the test examples on which training example 17 has the most influence;
    `--test 42` lists the training examples with the most influence on test example 42. Both include
    examples of any class, memorized or not. Both take --measure, as memtail pairs does.
    """
    from memtail_core.analysis.measuring import estimator_of, measure_of
    from memtail_core.analysis.pair_queries import why_none
    from memtail_core.estimation.influence import counter_for

    given = (train, test, every, by_class or None, histogram or None, matrix)
    if sum(each is not None for each in given) != 1:
        raise click.UsageError(
            "say one of --train, --test, --every, --by-class, --histogram and --matrix"
        )
    if harmful and (by_class or histogram or matrix is not None):
        raise click.UsageError("--harmful is for lists; what you ask for has both signs")
    format_ = out.format_of(output, "json" if as_json else format_, out.FORMATS)
    counter = counter_for(device)
    store, study = find_study(location, name)
    for_matrices = {"--every": every, "--by-class": by_class, "--histogram": histogram}
    refuse_others(
        measure_of(study, measure),
        {name: bool(given) for name, given in {**for_matrices, "--matrix": matrix}.items()},
    )
    search = PairSearch(store, study, counter, memory)
    ask = _Ask(search.load(estimator_of(study, measure)), counter, search, harmful)
    if matrix is not None:
        ask.for_matrix(matrix)
        return
    if by_class:
        table = ask.by_class()
    elif histogram:
        table = ask.for_histogram()
    elif every is not None:
        table = ask.every(every, top)
    else:
        table = ask.of_one(train, test, top)
        if format_ is None:
            if len(table):
                print_pairs(pair_console(), table.to_pylist())
            else:
                click.echo(why_none(ask.material, train, test))
            return
    out.write(out.encode(table, format_ or "csv"), output)


@dataclass(frozen=True)
class _Ask:
    """One study's trials, and how to look at their pairs."""

    material: "LoadedStudy"
    counter: "PairCounter"
    search: PairSearch
    harmful: bool

    def of_one(self, train: int | None, test: int | None, top: int) -> "pa.Table":
        from memtail_core.analysis.pair_queries import PairQuery, influence_of_one
        from memtail_core.estimation.measures import CORRECTNESS
        from memtail_core.report import tables

        material, measure = self.material, self.material.estimator.measure
        examples = [() if one is None else (one,) for one in (train, test)]
        family = PairQuery(examples[0], examples[1], same_class=False).family(material)
        if measure is CORRECTNESS:
            shown = self.search.at(family.testable(material.evidence).n_pairs)
        else:
            n_pairs = family.testable(material.mean_evidence).n_pairs
            shown = progress_bar("averaging", n_pairs, "pairs")
        with shown as count:
            found = influence_of_one(
                material,
                train,
                test,
                top,
                counter=self.counter,
                most=self.search.most,
                harmful=self.harmful,
                progress=count,
            )
        table = tables.pairs_table(found, material.dataset, material.scores.memorization)
        return table if measure is CORRECTNESS else tables.with_measure(table, measure)

    def every(self, of: Literal["train", "test"], top: int) -> "pa.Table":
        from memtail_core.estimation.influence import strongest_partners
        from memtail_core.report import tables

        n, n_test = self._sizes
        examples = np.arange(n if of == "train" else n_test)
        wanted, most = len(examples) * top, self.search.most
        if wanted > most:
            raise EstimationError(
                f"{wanted:,} pairs are too many to list, of {most:,}: ask for a smaller --top"
            )
        evidence = self._evidence
        with self.search.at(int(evidence.is_estimable.sum() * evidence.varies.sum())) as count:
            found = strongest_partners(
                evidence, examples, top, of, counter=self.counter, progress=count
            )
        found = found.of_harm() if self.harmful else found
        return tables.partners_table(found, of, self.material.dataset)

    def by_class(self) -> "pa.Table":
        from memtail_core.estimation.influence import by_class
        from memtail_core.report import tables

        data = self.material.dataset
        means = by_class(self.material.evidence, data.y_train, data.y_test, len(data.classes))
        return tables.class_table(means, data)

    def for_histogram(self) -> "pa.Table":
        from memtail_core.analysis.pair_queries import PairQuery
        from memtail_core.estimation.influence import pair_statistics
        from memtail_core.report import tables

        family = PairQuery(same_class=False).family(self.material)
        evidence = self.material.evidence
        with self.search.at(family.testable(evidence).n_pairs) as count:
            seen = pair_statistics(
                evidence,
                family,
                1.0,
                counter=self.counter,
                n_bins=_BINS,
                progress=count,
            )
        return tables.histogram_table(seen.tally)

    def for_matrix(self, path: Path) -> None:
        from memtail_core.estimation.influence import write_matrix

        n, n_test = self._sizes
        every = (np.arange(n), np.arange(n_test))
        evidence = self.material.evidence
        try:
            with self.search.at(n * n_test) as count:
                write_matrix(path, evidence, *every, counter=self.counter, progress=count)
        except OSError as error:
            raise StoreError(f"cannot write '{path}': {error.strerror}") from error
        click.echo(f"float32 [{n}, {n_test}], NaN where there is no estimate: {path}")

    @property
    def _evidence(self) -> "Evidence":
        evidence = self.material.evidence
        return evidence.of_errors() if self.harmful else evidence

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.material.trials.n, self.material.trials.n_test
