"""What a page explores, of made-up numbers and drawn digits: as large as wanted, in a second."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from sklearn.datasets import load_digits

from memtail_core.data import Dataset
from memtail_core.data.modalities.text.corpus import Corpus, Texts
from memtail_core.data.neighbours import Neighbours
from memtail_core.estimation import Memorization
from memtail_core.estimation.influence import Pairs, PairsRule
from memtail_core.report.exploration.explorer_data import Exploration
from memtail_core.report.exploration.feature_text import words_of
from memtail_core.report.exploration.json_encoding import encoded
from memtail_core.report.exploration.near_duplicates import UNKNOWN, NearDuplicates
from memtail_core.report.exploration.strongest_influence import Partners
from memtail_core.report.exploration.thumbnails import Ranking, pictures

CLASSES = ("zero", "one", "two", "<script>", "four", "five & more", "six", "'seven'", "eight", "9")


def simulated_exploration(
    n: int, n_test: int, kind: Literal["images", "table", "text"] = "images", seed: int = 0
) -> dict[str, Any]:
    """Make up the JSON that a page reads."""
    return encoded(simulated(n, n_test, kind, seed))


def simulated(
    n: int,
    n_test: int,
    kind: Literal["images", "table", "text"] = "images",
    seed: int = 0,
    *,
    subgroups: bool = True,
    names: bool = True,
) -> Exploration:
    """Make it up: a tenth memorized, each supporting a few test examples of its class.

    One in fifty has no score. Only with ``subgroups`` are there categories and near-duplicates.
    """
    chance = np.random.default_rng(seed)
    dataset = _dataset(n, n_test, kind, chance, names)
    scores = _scores(n, chance)
    train, test, influence = _links(dataset, scores.memorization, chance)
    error = chance.uniform(0.02, 0.04, len(train))
    images = kind == "images"
    sheets = (None, None)
    if images:
        wanted = Ranking.of(train, np.arange(n)), Ranking.of(test, np.arange(n_test))
        sheets = pictures(dataset.train, dataset.test, *wanted)
    pairs = _pairs(train, test, influence, error)
    duplicates = UNKNOWN
    if subgroups:
        of = {i: (bool(i % 2), min(i, n_test - 1)) for i in range(3, n, 97)}
        if len(pairs):
            of[int(pairs.train_index[0])] = (True, int(pairs.test_index[0]))
        duplicates = NearDuplicates(True, of)
    shown = slice(0, 5000)
    return Exploration(
        dataset=dataset,
        rule=PairsRule(),
        trials=1000,
        scores=scores,
        test_accuracy=chance.beta(5, 0.5, n_test),
        categories=("atypical-useful", "likely-mislabeled", "duplicate") if subgroups else (),
        category=np.where(subgroups & (scores.memorization >= 0.25), chance.integers(0, 3, n), -1),
        train_text=None if images else list(words_of(dataset, "train")),
        test_text=None if images else list(words_of(dataset, "test")),
        supported=_partners(n, 5, train, test, influence, error),
        supporters=_partners(n_test, 8, test, train, influence, error),
        neighbours=Neighbours(
            (np.arange(n)[:, None] + np.arange(1, 7)) % n,
            np.sort(chance.uniform(0.1, 0.9, (n, 6)), axis=1).astype(np.float32),
        ),
        duplicates=duplicates,
        pairs=pairs,
        pair_is_duplicate=duplicates.are_pairs(pairs.train_index[shown], pairs.test_index[shown]),
        train_sheets=sheets[0],
        test_sheets=sheets[1],
    )


def _dataset(n: int, n_test: int, kind: str, chance: np.random.Generator, names: bool) -> Dataset:
    if kind == "text":
        return _texts(n, n_test, chance)
    digits = load_digits()
    picked = chance.integers(0, len(digits.data), n + n_test)
    x, y = digits.data[picked], digits.target[picked]
    features: list[str] = []
    if kind == "images":
        drawn = np.kron(x.reshape(-1, 8, 8), np.ones((1, 3, 3))) * 15
        drawn += chance.integers(0, 12, drawn.shape)
        x = np.minimum(drawn, 255).astype(np.uint8)
    else:
        x = np.round(x[:, 18:30] + chance.normal(0, 0.1, (len(x), 12)), 3).astype(np.float32)
        features = [f"column <{j}>" for j in range(12)]
    y[:10] = np.arange(10)[: len(y)]
    made = Dataset.from_arrays(
        x[:n], y[:n], x[n:], y[n:], classes=list(map(str, range(10))), features=features,
        train_names=[f"train/{i:05d} <b>.png" for i in range(n)] if names else (),
        test_names=[f"test/{i:05d}.png" for i in range(n_test)] if names else (),
    )  # fmt: skip
    return replace(made, classes=CLASSES)


def _texts(n: int, n_test: int, chance: np.random.Generator) -> Dataset:
    """Long texts, of which none takes few bytes: three of a character."""
    words = [chr(0x4E00 + i) for i in range(2000)] + ["<img src=x onerror=alert(1)>", "שלום"]
    texts = ["".join(chance.choice(words, 3000)) for _ in range(50)]
    picked = [f"{i} {texts[i % 50]}" for i in range(n + n_test)]
    y = np.arange(n + n_test) % 10
    made = Dataset.from_arrays(
        np.ones((n, 2), int), y[:n], np.ones((n_test, 2), int), y[n:], modality="text",
        classes=list(map(str, range(10))),
    )  # fmt: skip
    kept = Texts(Corpus.of(picked[:n]), Corpus.of(picked[n:]), "{}", 1)
    return replace(made.with_texts(kept), classes=CLASSES)


def _scores(n: int, chance: np.random.Generator) -> Memorization:
    out = chance.beta(0.5, 0.6, n) * (chance.random(n) < 0.15)
    inside = chance.uniform(0.98, 1, n)
    memorization = np.clip(inside * out, 0, 1)
    memorization[::50] = np.nan
    missing = np.isnan(memorization)
    error = np.full(n, 0.03)
    return Memorization(
        memorization=memorization,
        standard_error=np.where(missing, np.nan, error),
        ci_low=memorization - 2 * error,
        ci_high=np.minimum(memorization + 2 * error, 1),
        n_in=np.where(missing, 1000, 700),
        n_out=np.where(missing, 0, 300),
        accuracy_in=inside,
        accuracy_out=inside - memorization,
    )


def _links(
    dataset: Dataset, memorization: np.ndarray, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of one class, each once, by falling influence."""
    links = {}
    for i in np.flatnonzero(memorization >= 0.1).tolist():
        same = np.flatnonzero(dataset.y_test == dataset.y_train[i])
        for j in same[chance.integers(0, max(1, len(same)), min(len(same), i % 8))].tolist():
            links[i, j] = float(memorization[i] * chance.uniform(0.2, 0.9))
    kept = {pair: value for pair, value in links.items() if value >= 0.08}
    order = sorted(kept, key=lambda pair: -kept[pair])
    train = np.array([i for i, _ in order], np.int64)
    test = np.array([j for _, j in order], np.int64)
    return train, test, np.array([kept[pair] for pair in order], np.float64)


def _partners(
    n: int, k: int, of: np.ndarray, partner: np.ndarray, influence: np.ndarray, error: np.ndarray
) -> Partners:
    made = Partners(
        np.full((n, k), -1), np.full((n, k), np.nan), np.full((n, k), np.nan),
        np.zeros((n, k), bool),
    )  # fmt: skip
    filled = np.zeros(n, int)
    for i, j, value, wrong in zip(of, partner, influence, error, strict=True):
        if filled[i] < k:
            at = i, filled[i]
            made.index[at], made.influence[at], made.standard_error[at] = j, value, wrong
            made.is_significant[at] = value >= 0.15
            filled[i] += 1
    return made


def _pairs(train: np.ndarray, test: np.ndarray, influence: np.ndarray, error: np.ndarray) -> Pairs:
    count = int((influence >= 0.15).sum())  # they fall
    train, test, influence, error = (a[:count] for a in (train, test, influence, error))
    p = np.exp(-0.5 * np.square(influence / error))
    return Pairs(
        train_index=train,
        test_index=test,
        influence=influence,
        standard_error=error,
        ci_low=influence - 4 * error,
        ci_high=influence + 4 * error,
        p_value=p,
        q_value=np.minimum(1, 100 * p),
        n_tested=100 * count,
        n_found=count,
        expected_by_chance=0.03 * count,
        threshold=None,
    )
