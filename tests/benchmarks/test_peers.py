"""Other projects' attributions point where retraining does: their signs, shapes and order.

They are checked where the truth is cheap: a linear network is trained to its minimum without each
example in turn.
"""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.peers.attributions import PEERS, Networks, margin

N, N_TEST, CLASSES = 60, 24, 3
_L2 = 0.02


def trained(x: Tensor, y: Tensor, start: nn.Module | None = None) -> nn.Module:
    """Softmax regression of images, to its minimum."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES))
    if start is not None:
        network.load_state_dict(start.state_dict())
    optimizer = torch.optim.LBFGS(
        network.parameters(), max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        size = sum((p**2).sum() for p in network.parameters())
        loss: Tensor = functional.cross_entropy(network(x), y) + _L2 / 2 * size
        loss.backward()
        return loss

    optimizer.step(closure)
    return network


@pytest.fixture(scope="module")
def world() -> tuple[Networks, NDArray[np.float64]]:
    """A network with its examples, and by how much each raises each test example's margin."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLASSES, 16))
    y = torch.arange(N + N_TEST) % CLASSES
    noise = rng.normal(size=(N + N_TEST, 16))
    x = torch.tensor(centres[y.numpy()] + 1.5 * noise, dtype=torch.float32).reshape(-1, 1, 4, 4)
    train, test = (x[:N], y[:N]), (x[N:], y[N:])
    whole = trained(*train)
    influence = np.zeros((N, N_TEST))
    with torch.no_grad():
        before = margin(whole(test[0]), test[1])
    for i in range(N):
        kept = torch.arange(N) != i
        without = trained(train[0][kept], train[1][kept], whole)
        with torch.no_grad():
            influence[i] = (before - margin(without(test[0]), test[1])).numpy()
    return Networks([whole, whole], [whole, whole], train, test), influence


@pytest.mark.parametrize("name", PEERS)
def test_it_points_where_retraining_does(
    name: str, world: tuple[Networks, NDArray[np.float64]]
) -> None:
    package, attribute = PEERS[name]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'memtail[peers]'")
    networks, influence = world
    scores = attribute(networks)
    assert (scores.shape, scores.dtype) == ((N, N_TEST), np.float32)
    each = [np.corrcoef(scores[:, j], influence[:, j])[0, 1] for j in range(N_TEST)]
    assert np.mean(each) > 0.5, each
