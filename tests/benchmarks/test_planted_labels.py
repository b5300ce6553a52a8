"""The reason to use memtail: labels that are wrong come out on top."""

from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import memtail_core as memtail


def test_flipped_labels_are_found_by_their_memorization(tmp_path: Path) -> None:
    """2% of the digits' labels flipped, 100 models: AUROC ≥ 0.95, with the defaults of `mlp`."""
    spec = memtail.Spec.parse(
        {"study": {"name": "flipped"}, "dataset": {"source": "sklearn:digits"},
         "training": {"recipe": "mlp", "widths": [128]}}
    )  # fmt: skip
    _, clean = memtail.prepare(spec)
    rng = np.random.default_rng(0)
    n = len(clean.y_train)
    flipped = rng.permutation(n)[: round(0.02 * n)]
    y = clean.y_train.copy()
    y[flipped] = (y[flipped] + rng.integers(1, 10, len(flipped))) % 10
    dataset = memtail.Dataset.from_arrays(clean.train.whole(), y, clean.test.whole(), clean.y_test)

    study, _ = memtail.prepare(spec, dataset)
    trials = memtail.run(study, memtail.open_store(str(tmp_path)), dataset, 100)
    analysis = memtail.analyse(study, dataset, trials)

    is_flipped = np.isin(np.arange(n), flipped)
    assert roc_auc_score(is_flipped, analysis.scores.memorization) >= 0.95
    assert analysis.fit.warning is None


def test_models_that_do_not_fit_are_said_to(tmp_path: Path) -> None:
    """The same with few epochs of large batches: the flips are not fitted, and that is said."""
    spec = memtail.Spec.parse(
        {"study": {"name": "unfit"}, "dataset": {"source": "sklearn:digits"},
         "training": {"recipe": "mlp", "widths": [64], "epochs": 15, "batch_size": 256}}
    )  # fmt: skip
    _, clean = memtail.prepare(spec)
    rng = np.random.default_rng(0)
    y = clean.y_train.copy()
    flipped = rng.permutation(len(y))[:29]
    y[flipped] = (y[flipped] + 1) % 10
    dataset = memtail.Dataset.from_arrays(clean.train.whole(), y, clean.test.whole(), clean.y_test)
    study, _ = memtail.prepare(spec, dataset)
    trials = memtail.run(study, memtail.open_store(str(tmp_path)), dataset, 40)
    warning = memtail.analyse(study, dataset, trials).fit.warning
    assert warning is not None
    assert "hard examples" in warning
