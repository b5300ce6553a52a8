"""Tables of scores, pairs and influence; memorization as npz."""

import io
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from memtail_core.analysis.analysis import Analysis
from memtail_core.analysis.calibrated_pairs import Candidates
from memtail_core.data import Dataset
from memtail_core.estimation import Memorization
from memtail_core.estimation.combined import Discoveries
from memtail_core.estimation.influence import Pairs, StrongestPartners
from memtail_core.estimation.measures import CORRECTNESS, Measure

_SCORES = (
    "memorization",
    "standard_error",
    "ci_low",
    "ci_high",
    "n_in",
    "n_out",
    "accuracy_in",
    "accuracy_out",
)


def scores_table(analysis: Analysis) -> pa.Table:
    """Make one row per training example, in the dataset's order; missing estimates are null.

    ``accuracy_in`` and ``accuracy_out`` are means of the measure; by another than correctness they
    have its name, as ``probability_in``.
    """
    dataset = analysis.dataset
    columns = {
        "index": pa.array(np.arange(analysis.trials.n)),
        "label": pa.array(dataset.y_train),
    }
    measure = analysis.measure
    for name in _SCORES:
        values = getattr(analysis.scores, name)
        mask = np.isnan(values) if values.dtype.kind == "f" else None
        # the mean of correctness is the accuracy
        titled = name if measure is CORRECTNESS else name.replace("accuracy", measure.name)
        columns[titled] = pa.array(values, mask=mask)
    columns["class"] = pa.array(np.array(dataset.classes, dtype=object)[dataset.y_train])
    columns["name"] = pa.array([dataset.train_name(i) for i in range(analysis.trials.n)])
    return pa.table(columns)


def with_estimates(table: pa.Table, name: str, scores: Memorization) -> pa.Table:
    """Add columns with the estimates of another estimator and their 95% intervals."""
    columns = {name: scores.memorization, f"{name}_low": scores.ci_low}
    for column, values in (columns | {f"{name}_high": scores.ci_high}).items():
        table = table.append_column(column, pa.array(values, mask=np.isnan(values)))
    return table


def pairs_table(pairs: Pairs, dataset: Dataset, memorization: NDArray[np.float64]) -> pa.Table:
    """Make one row per pair; ``memorization``, float64 [n], is of all training examples."""
    mem = memorization[pairs.train_index]
    return pa.table(
        {
            "train_index": pairs.train_index,
            "test_index": pairs.test_index,
            "influence": pairs.influence,
            "standard_error": pairs.standard_error,
            "ci_low": pairs.ci_low,
            "ci_high": pairs.ci_high,
            "p_value": pairs.p_value,
            "q_value": pairs.q_value,
            "memorization": pa.array(mem, mask=np.isnan(mem)),
            "train_label": dataset.y_train[pairs.train_index],
            "test_label": dataset.y_test[pairs.test_index],
            **_words(dataset, pairs.train_index, pairs.test_index),
        }
    )


def with_measure(table: pa.Table, measure: Measure) -> pa.Table:
    """Add a column that names what influence and memorization are differences of."""
    return table.append_column("measure", pa.array([measure.name] * len(table), pa.string()))


def calibrated_pairs_table(candidates: Candidates, rows: NDArray[np.int64]) -> pa.Table:
    """Make one row per pair; ``influence`` is null if the example was never held in or out."""
    estimates, dataset = candidates.found, candidates.dataset
    train, test = candidates.train[rows], candidates.test[rows]
    counted = estimates.unbiased[rows]
    missing = np.isnan(counted)
    return pa.table(
        {
            "train_index": train,
            "test_index": test,
            "calibrated": estimates.influence[rows],
            "influence": pa.array(counted, mask=missing),
            "standard_error": pa.array(estimates.standard_error[rows], mask=missing),
            "memorization": candidates.scores.memorization[train],
            "train_label": dataset.y_train[train],
            "test_label": dataset.y_test[test],
            **_words(dataset, train, test),
        }
    )


def combined_pairs_table(
    found: Discoveries, dataset: Dataset, memorization: NDArray[np.float64]
) -> pa.Table:
    """Make one row per pair; ``memorization``, float64 [n], is of all training examples."""
    mem = memorization[found.train]
    return pa.table(
        {
            "train_index": found.train,
            "test_index": found.test,
            "influence": found.influence,
            "standard_error": found.standard_error,
            "ci_low": found.ci_low,
            "ci_high": found.ci_high,
            "false_sign_rate": found.false_sign_rate,
            "q_value": found.q_value,
            "memorization": pa.array(mem, mask=np.isnan(mem)),
            "train_label": dataset.y_train[found.train],
            "test_label": dataset.y_test[found.test],
            **_words(dataset, found.train, found.test),
        }
    )


def partners_table(
    leading: StrongestPartners, of: Literal["test", "train"], dataset: Dataset
) -> pa.Table:
    """Make one row per example and partner, the strongest partner first."""
    k = leading.partner.shape[1]
    example, partner = np.repeat(leading.example, k), leading.partner.ravel()
    exists = partner >= 0
    example, partner = example[exists], partner[exists]
    train, test = (partner, example) if of == "test" else (example, partner)
    return pa.table(
        {
            f"{of}_index": example,
            "rank": np.tile(np.arange(1, k + 1), len(leading.example))[exists],
            "train_index" if of == "test" else "test_index": partner,
            "influence": leading.influence.ravel()[exists],
            "standard_error": leading.standard_error.ravel()[exists],
            "train_label": dataset.y_train[train],
            "test_label": dataset.y_test[test],
            **_words(dataset, train, test),
        }
    )


def _words(
    dataset: Dataset, train: NDArray[np.int64], test: NDArray[np.int64]
) -> dict[str, pa.Array]:
    """What users call the examples of pairs and their classes; a label is only an index."""
    classes = dataset.classes
    texts = {
        "train_class": [classes[label] for label in dataset.y_train[train]],
        "test_class": [classes[label] for label in dataset.y_test[test]],
        "train_name": [dataset.train_name(i) for i in train.tolist()],
        "test_name": [dataset.test_name(i) for i in test.tolist()],
    }
    return {name: pa.array(column, pa.string()) for name, column in texts.items()}


def class_table(means: NDArray[np.float64], dataset: Dataset) -> pa.Table:
    """Make one row per class trained on and one column per class tested on: mean influence."""
    names = [str(name) for name in dataset.classes]
    columns = [pa.array(means[:, b], mask=np.isnan(means[:, b])) for b in range(len(names))]
    return pa.Table.from_arrays([pa.array(names), *columns], names=["trained on", *names])


def histogram_table(tally: NDArray[np.int64]) -> pa.Table:
    """Make one row per bin of equal width over [−1, 1]: ``from`` (included), ``to``, ``pairs``."""
    half = len(tally) / 2
    edges = (np.arange(len(tally) + 1) - half) / half
    return pa.table({"from": edges[:-1], "to": edges[1:], "pairs": tally})


def to_npz(analysis: Analysis) -> bytes:
    """Encode memorization under the key names of the authors' published files.

    ``tr_mem`` float64 [n] (NaN where missing), ``tr_labels`` int64 [n], ``tt_labels`` int64.
    """
    dataset: Dataset = analysis.dataset
    buffer = io.BytesIO()
    np.savez(
        buffer,
        tr_mem=analysis.scores.memorization,
        tr_labels=dataset.y_train,
        tt_labels=dataset.y_test,
    )
    return buffer.getvalue()
