"""memtail's way, as in an analysis: bits from files, one pass over all pairs or two."""

import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.at_scale.data import Data, sample
from benchmarks.at_scale.sides import Answer, Phases, Question
from benchmarks.memory import own_peak
from memtail_core.estimation.influence import (
    Engine,
    Evidence,
    Family,
    Pairs,
    Survey,
    engine_for,
    select,
    survey,
)


def look(question: Question) -> Answer:
    """Answer a question, first on small data so that everything is compiled and loaded."""
    start = time.perf_counter()
    engine = engine_for(question.device)
    _look(question, Data.read(question.small), engine, Phases())
    warm_up = time.perf_counter() - start
    phases = Phases()
    with phases.timed("reading"):
        data = Data.read(question.folder)
    evidence, seen, pairs = _look(question, data, engine, phases)
    peak_bytes = own_peak()
    order = np.lexsort((pairs.test_index, pairs.train_index))
    rows, columns = sample((len(data.y_train), len(data.y_test)))
    loaded = engine.load(evidence.correct.words[columns])
    sampled = engine.counts(evidence.members.words[rows], loaded, len(columns))
    return Answer(
        train=pairs.train_index[order],
        test=pairs.test_index[order],
        in_correct=_counts(evidence, pairs)[order],
        tally=seen.tally,
        sampled=sampled.astype(np.int64),
        tested=pairs.n_tested,
        seconds=phases.seconds,
        warm_up=warm_up,
        cpu=phases.cpu,
        peak_bytes=peak_bytes,
    )


def _look(
    question: Question, data: Data, engine: Engine, phases: Phases
) -> tuple[Evidence, Survey, Pairs]:
    n, n_test = len(data.y_train), len(data.y_test)
    with phases.timed("transposing"):
        evidence = Evidence.of(data.subset, data.test_correct, n, n_test)
    with phases.timed("surveying"):
        if question.rule:
            labels = (data.y_train, data.y_test)
            family = Family.of(data.memorized, np.arange(n_test), labels)
        else:
            family = Family.of(np.arange(n), np.arange(n_test))
        seen = survey(
            evidence,
            family,
            question.theta,
            engine=engine,
            significant=question.fdr is not None,
            n_bins=question.bins,
        )
    with phases.timed("listing"):
        pairs = select(evidence, seen, question.fdr, engine=engine)
    return evidence, seen, pairs


def _counts(evidence: Evidence, pairs: Pairs) -> NDArray[np.int64]:
    """Solve the estimate for the count it was computed from.

    Raises:
        ArithmeticError: the solution is not an integer.
    """
    n_in = evidence.n_in[pairs.train_index]
    n_out, n_correct = evidence.trials - n_in, evidence.n_correct[pairs.test_index]
    exact = (pairs.influence * n_out + n_correct) * n_in / evidence.trials
    counts = np.rint(exact)
    if not np.allclose(counts, exact, rtol=0, atol=1e-6):
        raise ArithmeticError("an influence that is no quotient of counts")
    return counts.astype(np.int64)
