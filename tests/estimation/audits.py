"""Audits of mechanisms whose ε is known: the bounds that they give."""

from functools import cache
from math import exp

import numpy as np

from memtail_core.estimation import epsilon as bounds
from memtail_core.estimation.canaries import guess_pairs, pairs
from memtail_core.estimation.proportions import clopper_pearson, clustered_clopper_pearson

Floats = np.ndarray

_COINS = 200
epsilon_bound = cache(bounds.epsilon_bound)  # few counts come again and again


def coin_audits(
    epsilon: float,
    replications: int,
    delta: float = 0.0,
    said_delta: float | None = None,
    guessed: int = 100,
) -> Floats:
    """Bounds from coins that randomized response tells: right with e^ε / (1 + e^ε).

    With probability ``delta`` it tells all coins as they are. ``said_delta`` is what the bound
    allows for, ``delta`` if it is None.
    """
    rng = np.random.default_rng(0)
    rate = 1 / (1 + exp(-epsilon))
    found = []
    for _ in range(replications):
        told = rng.random(guessed) < rate
        correct = guessed if rng.random() < delta else int(told.sum())
        allowed = delta if said_delta is None else said_delta
        found.append(epsilon_bound(_COINS, guessed, correct, allowed))
    return np.array(found)


def pair_audits(epsilon: float, ratio: float, replications: int, share: float = 0.5) -> Floats:
    """Bounds from pairs of a random subset, of which each membership is told with ε."""
    rng = np.random.default_rng(1)
    rate, n = 1 / (1 + exp(-epsilon)), 400
    found = []
    for _ in range(replications):
        is_member = np.zeros(n, bool)
        is_member[rng.permutation(n)[: round(ratio * n)]] = True
        told = np.where(rng.random(n) < rate, is_member, ~is_member)
        noise = rng.uniform(0, 0.1, n)  # so that no two scores are equal
        guesses = guess_pairs(told + noise, is_member, pairs(rng.normal(size=n)), share)
        found.append(epsilon_bound(guesses.canaries, guesses.made, guesses.correct))
    return np.array(found)


def missed_rates(rate: float, n: int, clusters: int, spread: float, replications: int) -> Floats:
    """Which intervals of a rate miss it, bool [replications, 2]: in clusters, and taken as alone.

    n guesses in clusters, whose rates have a Beta distribution with this mean and, in units of
    rate (1 − rate), this variance.
    """
    rng = np.random.default_rng(2)
    each = n // clusters
    missed = []
    for _ in range(replications):
        of_cluster = np.full(clusters, rate)
        if spread:
            size = 1 / spread - 1
            of_cluster = rng.beta(rate * size, (1 - rate) * size, clusters)
        counts = rng.binomial(each, of_cluster)
        k = int(counts.sum())
        apart = (counts - counts.mean()) / (clusters * each)
        variance = float((apart**2).sum() * clusters / (clusters - 1))
        intervals = (
            clustered_clopper_pearson(k, clusters * each, variance, clusters),
            clopper_pearson(k, clusters * each),
        )
        missed.append([not low <= rate <= high for low, high in intervals])
    return np.array(missed)
