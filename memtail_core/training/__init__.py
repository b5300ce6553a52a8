"""Recipes and engines: (dataset, subsets, seeds) → outcomes.

The way of one shard through this room:

1. :mod:`.registry` turns ``[training]`` of the study into a :class:`~.recipe.Recipe`, which is a
   training algorithm with its options.
2. The recipe makes an :class:`~.engine.Engine` for a device, once per process; ``Tuning`` says how
   many models it trains at once and in which precision.
3. The shard's plan gives a subset of the training set and a seed for each of its K models.
   ``Engine.train`` trains the models and runs every training and test example through each.
4. The recipe's :class:`~.outcome.Outcome` compares what a model outputs for an example with the
   target: a correctness bit and, where there is one, a real value (:mod:`.classification`: the
   margin; :mod:`.language`: the accuracy of next tokens). The K × n arrays of these,
   :class:`~.outcome.Outcomes`, are what the shard stores.

Engines are in three folders: :mod:`.gradient` for networks trained by SGD, :mod:`.linear` for
logistic regression, :mod:`.predictors` for scikit-learn and the user's own code. :mod:`.device` and
:mod:`.memory` deal with the machine.
"""

from memtail_core.training.engine import UNTUNED, Engine, Tuning
from memtail_core.training.outcome import Outcome, Outcomes
from memtail_core.training.recipe import Recipe
from memtail_core.training.registry import resolve, restore

__all__ = ["UNTUNED", "Engine", "Outcome", "Outcomes", "Recipe", "Tuning", "resolve", "restore"]
