"""The authors' published MNIST demo: their recipe in JAX, one model after another.

As in their file: a jitted SGD step per batch of numpy rows, float32, XLA on all cores, a network of
fully connected layers, momentum, pixels in [0, 1], a constant learning rate.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.training.gradient.networks import MLP

_EVALUATION_BATCH = 1000

Weights = list[tuple[jax.Array, jax.Array]]


def train(
    dataset: Dataset, subset: NDArray[np.bool_], seed: int, recipe: MLP
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Train one model; return its correctness on the training and the test examples."""
    x_train, x_test = (_pixels(x.whole()) for x in (dataset.train, dataset.test))
    weights = _initial(seed, x_train.shape[1], recipe.widths, len(dataset.classes))
    velocity = jax.tree.map(jnp.zeros_like, weights)
    step = partial(_step, rate=recipe.learning_rate, momentum=recipe.momentum)
    rng, members = np.random.default_rng(seed), np.flatnonzero(subset)
    for _ in range(recipe.n_epochs):
        order = rng.permutation(members)
        for start in range(0, len(order), recipe.batch_size):
            batch = order[start : start + recipe.batch_size]
            weights, velocity = step(weights, velocity, x_train[batch], dataset.y_train[batch])
    return (
        _correct(weights, x_train, dataset.y_train),
        _correct(weights, x_test, dataset.y_test),
    )


def _pixels(x: NDArray[Any]) -> NDArray[np.float32]:
    return x.reshape(len(x), -1).astype(np.float32) / np.float32(255)


def _initial(seed: int, size: int, widths: tuple[int, ...], n_classes: int) -> Weights:
    key, weights = jax.random.key(seed), []
    for width in (*widths, n_classes):
        key, own = jax.random.split(key)
        glorot = jax.nn.initializers.glorot_normal()(own, (size, width))
        weights.append((glorot, jnp.zeros(width)))
        size = width
    return weights


def _logits(weights: Weights, x: jax.Array) -> jax.Array:
    for w, b in weights[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = weights[-1]
    return x @ w + b


def _loss(weights: Weights, x: jax.Array, y: jax.Array) -> jax.Array:
    log_p = jax.nn.log_softmax(_logits(weights, x))
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()


@jax.jit
def _step(
    weights: Weights, velocity: Weights, x: jax.Array, y: jax.Array, rate: float, momentum: float
) -> tuple[Weights, Weights]:
    gradient = jax.grad(_loss)(weights, x, y)
    velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, gradient)
    return jax.tree.map(lambda w, v: w - rate * v, weights, velocity), velocity


_predicted = jax.jit(lambda weights, x: _logits(weights, x).argmax(1))


def _correct(weights: Weights, x: NDArray[np.float32], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    batches = range(0, len(x), _EVALUATION_BATCH)
    predicted = [_predicted(weights, x[i : i + _EVALUATION_BATCH]) for i in batches]
    return np.asarray(np.concatenate(predicted) == y)
