"""A small loss means a member (Yeom, Giacomelli, Fredrikson & Jha, CSF 2018).

The loss log(1 + e^−φ) falls with the margin φ, so the margin itself is the score.
"""

from memtail_core.estimation.attacks.attack import Attack, Fit, Floats, Population, Tile, Unfitted


class _Fit(Unfitted):
    def scores(self, tile: Tile) -> Floats:
        return tile.margin


class Loss:
    """The attack by loss; see the file."""

    word, name = "loss", "loss"
    source = "Yeom, Giacomelli, Fredrikson & Jha 2018"
    needs_population = False

    def fit(self, population: Population | None) -> Fit:
        """See :class:`.attack.Attack`."""
        del population
        return _Fit()


LOSS: Attack = Loss()
