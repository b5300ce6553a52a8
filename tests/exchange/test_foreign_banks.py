"""Banks as other projects write them, made here by their documentation alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from memtail_core.errors import DatasetError
from memtail_core.exchange import array_files, labels, registry
from memtail_core.exchange.bank import Bank
from memtail_core.exchange.importing import import_bank
from memtail_core.exchange.survey import Survey
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore

N, N_TEST, M = 60, 21, 36
RNG = np.random.default_rng(0)
MASKS = RNG.random((M, N)) < 0.5
Y = RNG.integers(0, 3, N)


def read(path: Path, y: Any = None) -> Bank:
    format_ = registry.recognised(path)
    assert format_.read is not None
    return format_.read(path, y)


def whole(bank: Bank) -> Any:
    return bank.part(0, bank.trials)


def stored(bank: Bank, folder: Path) -> Trials:
    """Import with labels alone, and load."""
    y_test = np.arange(bank.n_test) % 3
    dataset = labels.dataset_of(labels.Splits(None, Y[: bank.n], None, y_test), bank.n, bank.n_test)
    study = import_bank(FilesStore(folder), bank, dataset, "bank", "here")
    trials, damaged = loading.load(FilesStore(folder), study, values=True)
    assert not damaged
    return trials


def test_datamodels_data_with_the_names_that_are_published(tmp_path: Path) -> None:
    margins = RNG.normal(size=(M, N_TEST)).astype(np.float16)
    np.save(tmp_path / "train_masks_50pct.npy", MASKS)
    np.save(tmp_path / "test_margins_50pct.npy", margins)
    bank = read(tmp_path)
    assert (bank.trials, bank.n, bank.n_test, bank.has_train) == (M, N, N_TEST, False)
    part = whole(bank)
    np.testing.assert_array_equal(part.test_margins, margins)
    np.testing.assert_array_equal(part.test_correct, margins > 0)
    assert part.train_correct is None
    trials = stored(bank, tmp_path / "runs")
    assert (trials.train_correct, trials.train_values) == (None, None)
    assert np.isnan(trials.counted().memorization).all()
    assert (trials.counted().n_in == MASKS.sum(axis=0)).all()
    np.testing.assert_array_equal(trials.test_values, margins)
    assert trials.accuracies().means() == {
        "held_in": None,
        "held_out": None,
        "test": pytest.approx((margins > 0).mean()),
    }
    np.save(tmp_path / "train_masks_10pct.npy", MASKS)
    with pytest.raises(DatasetError, match=r"masks of several ratios: .*train_masks_10pct.npy"):
        read(tmp_path)
    assert read(tmp_path / "train_masks_50pct.npy").n_test == N_TEST
    with pytest.raises(DatasetError, match=r"has no test_correct_10pct or .*train_margins_10pct"):
        read(tmp_path / "train_masks_10pct.npy")


def test_the_datamodels_library_leaves_models_that_are_not_completed(tmp_path: Path) -> None:
    completed = np.ones(M, bool)
    completed[[3, 35]] = False
    margins = RNG.normal(size=(M, N_TEST)).astype(np.float32)
    margins[~completed] = np.nan
    for name, array in (("masks", MASKS), ("margins", margins), ("_completed", completed)):
        np.save(tmp_path / f"{name}.npy", array)
    bank = read(tmp_path)
    assert bank.notes == ("left out: 2 models that are not completed",)
    np.testing.assert_array_equal(whole(bank).subset, MASKS[completed])
    np.testing.assert_array_equal(bank.part(3, 5).subset, MASKS[[4, 5]])


def lira(folder: Path, kind: str, array: np.ndarray, k: int, keep: np.ndarray) -> None:
    (folder / f"experiment-{k}_{M}" / kind).mkdir(parents=True)
    np.save(folder / f"experiment-{k}_{M}" / "keep.npy", keep)
    np.save(folder / f"experiment-{k}_{M}" / kind / "0000000100.npy", array)


def test_logits_of_lira_give_score_and_correctness(tmp_path: Path) -> None:
    """[n, 1, augmentations, classes], as inference.py saves them; scores as score.py computes."""
    logits = RNG.normal(size=(M, N, 1, 2, 3)).astype(np.float32) * 4
    for k in range(M):
        lira(tmp_path, "logits", logits[k], k, np.append(MASKS[k], True))  # a larger pool
        stale = logits[k] * np.nan
        np.save(tmp_path / f"experiment-{k}_{M}" / "logits" / "0000000090.npy", stale)
    np.save(tmp_path / "y_train.npy", np.append(Y, 0))
    images = RNG.integers(0, 256, (N + 1, 4, 4, 3))
    np.save(tmp_path / "x_train.npy", images / 127.5 - 1)
    bank = read(tmp_path)
    assert (bank.trials, bank.n, bank.n_test) == (M, N, 0)
    part = whole(bank)
    np.testing.assert_array_equal(part.subset, MASKS)
    own = np.take_along_axis(logits, Y[None, :, None, None, None], 4)[..., 0]
    others = logsumexp(
        np.where(np.arange(3) == Y[None, :, None, None, None], -np.inf, logits), axis=4
    )
    expected = (own - others).mean(axis=(2, 3))
    np.testing.assert_allclose(part.train_margins, expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(part.train_correct, logits[:, :, 0, 0].argmax(axis=2) == Y)
    assert bank.data is not None
    dataset = labels.dataset_of(bank.data, bank.n, 0)
    np.testing.assert_array_equal(dataset.train.take(slice(None)), images[:N])
    assert dataset.modality.name == "images" and len(dataset.test) == 0


def test_scores_of_lira_are_averaged_over_augmentations(tmp_path: Path) -> None:
    scores = RNG.normal(size=(M, N, 2))
    for k in range(M):
        lira(tmp_path, "scores", scores[k], k, MASKS[k])
    (tmp_path / "experiment-99_99").mkdir()
    np.save(tmp_path / "experiment-99_99" / "keep.npy", MASKS[0])  # still being trained
    bank = read(tmp_path)
    assert bank.notes == ("left out: 1 experiments without scores or logits",)
    assert bank.data is None
    part = bank.part(8, 12)  # experiment 9 before 10
    np.testing.assert_allclose(part.train_margins, scores[8:12].mean(axis=2), atol=2e-3)
    np.testing.assert_array_equal(part.train_correct, scores[8:12].mean(axis=2) > 0)
    np.testing.assert_array_equal(part.subset, MASKS[8:12])
    trials = stored(bank, tmp_path / "runs")
    assert (trials.n_test, trials.test_values) == (0, None)
    assert trials.accuracies().means()["test"] is None


def test_signals_of_privacy_meter_are_probabilities(tmp_path: Path) -> None:
    logits = RNG.normal(size=(N + N_TEST, M, 3)) * 8
    p = softmax(logits, axis=2)[..., 0].astype(np.float32)
    p[0, 0], p[1, 0] = 1, 0
    for folder in ("models", "signals"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "models/memberships.npy", MASKS)
    np.save(tmp_path / "signals/rmia_signals.npy", p[:N])
    np.save(tmp_path / "signals/rmia_signals_pop.npy", p[N:])
    bank = read(tmp_path)
    assert (bank.n, bank.n_test) == (N, N_TEST)
    part = whole(bank)
    np.testing.assert_array_equal(part.test_correct, p[N:].T > 0.5)
    exact = p[2:N].T.astype(float).clip(1e-9, 1 - 1e-9)
    expected = np.log(exact) - np.log1p(-exact)
    sure = np.abs(expected) < 10
    np.testing.assert_allclose(
        part.train_margins[:, 2:][sure], expected[sure], rtol=1e-3, atol=1e-3
    )
    assert part.train_margins[0, 0] == pytest.approx(16.6, abs=0.1)  # 1 as float32 has it
    assert part.train_margins[0, 1] == pytest.approx(-87.3, abs=0.1)


@pytest.mark.parametrize("is_compressed", [False, True])
def test_arrays_in_one_file(tmp_path: Path, is_compressed: bool) -> None:
    margins = RNG.normal(size=(M, N)).astype(np.float32)
    save = np.savez_compressed if is_compressed else np.savez
    save(
        tmp_path / "mine.npz",
        subset=np.asfortranarray(MASKS.astype(np.int64)),
        train_margins=margins,
        test_correct=np.ones((M, N_TEST), np.uint8),
        y_train=np.array(["a", "b", "c"])[Y],
        y_test=np.array(["a"] * N_TEST),
    )
    mapped = array_files.npz(tmp_path / "mine.npz")
    assert isinstance(mapped["train_margins"], np.memmap) != is_compressed
    bank = read(tmp_path / "mine.npz")
    part = whole(bank)
    np.testing.assert_array_equal(part.subset, MASKS)
    np.testing.assert_array_equal(part.train_correct, margins > 0)
    assert part.test_margins is None and part.test_correct.all()
    assert bank.data is not None
    dataset = labels.dataset_of(bank.data, N, N_TEST)
    assert dataset.classes == ("a", "b", "c")
    study = import_bank(FilesStore(tmp_path), bank, dataset, "bank", "here")
    trials, damaged = loading.load(FilesStore(tmp_path), study, values=True)
    assert not damaged and trials.test_values is None
    np.testing.assert_array_equal(trials.train_values, margins.astype(np.float16))


def bank_of(subset: np.ndarray, correct: np.ndarray | None = None) -> Bank:
    right = np.zeros_like(subset) if correct is None else correct
    arrays = {"subset": subset, "train_correct": right}
    return Bank(
        "test",
        len(subset),
        subset.shape[1],
        0,
        lambda first, last: {name: array[first:last] for name, array in arrays.items()},
        True,
    )


def survey(subset: np.ndarray) -> Survey:
    return Survey.of(bank_of(subset), lambda _: None)


def test_the_digest_is_of_the_trials_and_not_of_how_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = survey(MASKS)
    monkeypatch.setattr("memtail_core.exchange.bank._PART_BYTES", 4 * 250)
    assert bank_of(MASKS).at_once() < 10
    assert survey(MASKS) == whole
    other = MASKS.copy()
    other[-1, [0, 1]] = other[-1, [1, 0]] if other[-1, 0] != other[-1, 1] else ~other[-1, [0, 1]]
    assert survey(other).sha256 != whole.sha256
    assert Survey.of(bank_of(MASKS, MASKS), lambda _: None).sha256 != whole.sha256


def test_balanced_blocks_are_recognised_by_what_they_are() -> None:
    from memtail_core.plan.designs import _block

    blocks = np.concatenate([_block(N, 42, 10, 0, b) for b in range(4)])
    assert survey(blocks).is_balanced and survey(blocks).ratio == 0.7
    assert survey(blocks[:37]).is_balanced  # whole blocks count
    assert not survey(blocks[5:]).is_balanced
    assert not survey(blocks[:9]).is_balanced
    assert not survey(MASKS).is_balanced
    pairs = np.stack([MASKS[:10], ~MASKS[:10]], axis=1).reshape(20, N)
    assert not survey(pairs).is_balanced  # of different sizes
    order = np.stack([np.argsort(RNG.random(N)) < N // 2 for _ in range(10)])
    halves = np.stack([order, ~order], axis=1).reshape(20, N)
    assert survey(halves).is_balanced  # complements, as Privacy Meter trains them


def test_a_ratio_varies_by_chance_and_no_more() -> None:
    assert survey(MASKS).ratio == pytest.approx(MASKS.mean())
    other = np.concatenate([MASKS, RNG.random((4, N)) < 0.9])
    with pytest.raises(DatasetError, match=r"trial 3\d trained on .* a study has one ratio"):
        survey(other)
    for row, what in ((np.ones(N, bool), "all"), (np.zeros(N, bool), "none")):
        with pytest.raises(DatasetError, match=f"trial {M} trained on {what} of the 60 examples"):
            survey(np.concatenate([MASKS, row[None]]))


@pytest.mark.parametrize(("trials", "size"), [(36, 36), (10_007, 1), (12_000, 6000)])
def test_shards_are_whole_whatever_the_number_of_trials(trials: int, size: int) -> None:
    from memtail_core.exchange.importing import _shard_size

    bank = Bank("test", trials, N, 0, lambda first, last: {}, True)
    assert _shard_size(bank) == size
