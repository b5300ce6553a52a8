"""A small loss means a member (Yeom, Giacomelli, Fredrikson & Jha, CSF 2018).

The loss log(1 + e^−φ) falls with the margin φ, so the margin itself is the score.
"""

from memtail_core.estimation.attacks.attack import Attack, Floats, Tile, Unfitted


class _Fit(Unfitted):
    def scores(self, tile: Tile) -> Floats:
        return tile.margin


LOSS = Attack("loss", "loss", "Yeom, Giacomelli, Fredrikson & Jha 2018", lambda _: _Fit())
