"""A lower bound on the ε of a study's training, from canaries that its random subsets make.

The bound holds only for guesses on coins that were fair and independent, and that the auditor did
not know otherwise (Steinke, Nasr & Jagielski 2023). A study's subsets have a fixed size and any
ratio, so canaries are pairs of examples, of which a subset has exactly one
(:mod:`memtail_core.estimation.canaries`). Subsets of one balanced block tell of each other, so one
model of every second block is guessed on, with the models of all other blocks as references. How
examples are paired and on how many pairs to guess is decided on the references alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.attacks.attack import Bools, Floats
from memtail_core.estimation.attacks.bayesian import BAYESIAN
from memtail_core.estimation.attacks.tiles import Models
from memtail_core.estimation.canaries import (
    Guesses,
    best_share,
    exposure,
    guess_coins,
    guess_pairs,
    pairs,
)
from memtail_core.estimation.epsilon import epsilon_bound, of_replacing, p_value
from memtail_core.estimation.membership import FEWEST, Attacks
from memtail_core.experiments.privacy.result import Epsilon
from memtail_core.experiments.privacy.target_file import GivenTarget
from memtail_core.study import Study

_MOST_TARGETS = 100  # more make the bound hardly tighter
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Claim:
    """Of (ε, δ)-differential privacy; ``epsilon`` None: nobody claims one."""

    delta: float = 1e-5
    epsilon: float | None = None


NO_CLAIM = Claim()


def study_bound(
    study: Study, models: Models, block: NDArray[np.int64], claim: Claim
) -> tuple[Epsilon | None, str]:
    """Bound the ε of a study's training; or say why no bound would hold.

    Args:
        study: whose design is known.
        models: its trials.
        block: int64 [T]; models of different blocks are independent.
        claim: what is claimed.
    """
    if study.is_imported:
        return None, (
            "No lower bound on ε: the models were imported, and nobody knows whether their "
            "subsets were drawn independently of each other."
        )
    blocks, first = np.unique(block, return_index=True)
    is_reference = np.isin(block, blocks[::2])
    targets = first[1::2][:_MOST_TARGETS]
    if not len(targets) or is_reference.sum() < FEWEST:
        return None, (
            f"No lower bound on ε: it needs models of two independent blocks, {study.id} has "
            f"{len(models):,} of {len(blocks)}."
        )
    references = np.flatnonzero(is_reference)
    made = _bound(models.taken(references), models.taken(targets), block[references], claim.delta)
    if made is None:
        return None, "No lower bound on ε: too few models trained with each example, or without."
    return _epsilon(made, "replace", len(targets), len(references), claim), ""


def target_bound(
    target: GivenTarget, of_target: Models, models: Models, block: NDArray[np.int64], claim: Claim
) -> tuple[Epsilon | None, str]:
    """Bound the ε of a model from outside; or say why no bound would hold.

    Args:
        target: with its membership, and how that was drawn.
        of_target: the same as a model.
        models, block: the references.
        claim: what is claimed.
    """
    if target.members is None:
        return None, "No lower bound on ε: nobody knows what the model was trained on."
    if target.drawn is None:
        return None, (
            "No lower bound on ε: it holds only if chance decided what the model was trained on. "
            "If so, put drawn='coins' or drawn='subset' into the file."
        )
    is_coin = target.drawn == "coins"
    made = _bound(models, of_target, block, claim.delta, is_coin=is_coin)
    if made is None:
        return None, "No lower bound on ε: too few models trained with each example, or without."
    return _epsilon(made, "add or remove" if is_coin else "replace", 1, len(models), claim), ""


def _bound(
    references: Models,
    targets: Models,
    block: NDArray[np.int64],
    delta: float,
    *,
    is_coin: bool = False,
) -> Guesses | None:
    """Guess on targets; None where no example has enough references."""
    apart = Attacks.of(references, targets, [BAYESIAN])
    if not len(apart.examples):
        return None
    sums, scores, members = [], [], []
    for part in apart.parts():
        inside, outside = part.tile.inside, part.tile.outside
        sums.append(
            (
                (inside.mean - outside.mean)[0],
                (inside.squares + outside.squares)[0],
                (inside.n + outside.n - 2)[0],
            )
        )
        scores.append(part.scores[BAYESIAN.name])
        members.append(part.is_member)
    paired = pairs(exposure(*(np.concatenate(each) for each in zip(*sums, strict=True))))
    share = _share(references, apart.examples, block, paired, delta)
    made = []
    for score, is_member in zip(
        np.concatenate(scores, axis=1), np.concatenate(members, axis=1), strict=True
    ):
        made.append(
            guess_coins(score, is_member, share)
            if is_coin
            else guess_pairs(score, is_member, paired, share)
        )
    return Guesses.joined(made)


def _share(
    references: Models,
    examples: NDArray[np.int64],
    block: NDArray[np.int64],
    paired: NDArray[np.int64],
    delta: float,
) -> float:
    """Choose on how many canaries to guess: what would be best on the references."""
    rows = np.unique(block, return_index=True)[1][:_MOST_TARGETS]
    scores = np.zeros((len(rows), len(examples)))
    members = np.zeros((len(rows), len(examples)), np.bool_)
    for at, score, is_member in _left_out(references, examples):
        scores[:, at], members[:, at] = score[rows], is_member[rows]
    return best_share(scores, members, paired, delta)


def _left_out(
    references: Models, examples: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.intp], Floats, Bools]]:
    """Yield where in ``examples`` some are, and scores and membership of all references."""
    for part in Attacks.of(references, attacks=[BAYESIAN]).parts():
        at = np.searchsorted(examples, part.examples)
        yield at, part.scores[BAYESIAN.name].astype(np.float64), part.is_member


def _epsilon(
    made: Guesses,
    neighbours: Literal["replace", "add or remove"],
    models: int,
    references: int,
    claim: Claim,
) -> Epsilon:
    counts = made.canaries, made.made, made.correct
    is_replaced = neighbours == "replace"
    p = p_of_one = None
    if claim.epsilon is not None:
        claimed = claim.epsilon, claim.delta
        p = p_value(*counts, *claimed)
        p_of_one = p_value(*counts, *(of_replacing(*claimed) if is_replaced else claimed))
    return Epsilon(
        bound=epsilon_bound(*counts, claim.delta, CONFIDENCE),
        bound_of_one=epsilon_bound(*counts, claim.delta, CONFIDENCE, is_replaced=is_replaced),
        confidence=CONFIDENCE,
        delta=claim.delta,
        neighbours=neighbours,
        models=models,
        references=references,
        canaries=made.canaries,
        guesses=made.made,
        correct=made.correct,
        claimed=claim.epsilon,
        p_value=p,
        p_value_of_one=p_of_one,
    )
