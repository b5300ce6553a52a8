"""How much memory a question takes, said before it is asked."""

from memtail_core.errors import EstimationError
from memtail_core.estimation.influence.pair_statistics import MOST_PAIRS

_PROGRAM = 500_000_000  # Python, numpy and compiled code
_THREAD = 64_000_000  # tiles, and what is found in them
_PAIR = 250  # of each pair listed, with what is said of it


def memory_needed(trials: int, n: int, n_test: int, threads: int) -> int:
    """Return the bytes needed to look at every pair, however many there are.

    The bits, as they are stored and once more turned, and some tiles for each thread; what is
    listed comes on top.
    """
    stored = trials * (2 * n + n_test) / 8
    turned = -(-trials // 256) * 32 * (2 * n + n_test)
    return int(_PROGRAM + threads * _THREAD + 2 * stored + turned)


def most_pairs(budget: int, needed: int) -> int:
    """Return how many pairs may be listed with ``budget`` bytes.

    Raises:
        EstimationError: it is less than ``needed``.
    """
    if budget < needed:
        raise EstimationError(
            f"this takes {needed / 1e9:.1f} GB of memory, and it may have {budget / 1e9:.1f} GB"
        )
    return min(MOST_PAIRS, (budget - needed) // _PAIR)
