"""The membership attacks there are. A new one is one file and one line here."""

from memtail_core.estimation.attacks.attack import Attack
from memtail_core.estimation.attacks.bayesian import BAYESIAN
from memtail_core.estimation.attacks.likelihood_ratio import OWN, POOLED
from memtail_core.estimation.attacks.loss import LOSS
from memtail_core.estimation.attacks.offline import OFFLINE, POOLED_OFFLINE
from memtail_core.estimation.attacks.rmia import RMIA, RMIA_OFFLINE

ATTACKS: dict[str, Attack] = {
    each.word: each
    for each in (OWN, POOLED, LOSS, OFFLINE, POOLED_OFFLINE, RMIA, RMIA_OFFLINE, BAYESIAN)
}
"""By the word that options call them, in the order of tables."""
