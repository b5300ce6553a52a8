"""A store's studies: what is registered, stored, missing, failed and published."""

from memtail_core.catalogue import leftovers, listed
from memtail_core.catalogue.accounts import account_of
from memtail_core.catalogue.datasets import (
    dataset_of,
    load_arms,
    load_dataset,
    put_dataset,
    put_encoded,
    register_arms,
)
from memtail_core.catalogue.demand import Demand
from memtail_core.catalogue.goals import goal, grow, shrink, take_back
from memtail_core.catalogue.progress import Progress
from memtail_core.catalogue.published_results import Published, published
from memtail_core.catalogue.studies import find, ids, is_known, named, of_same_name, read, register

__all__ = [
    "Demand",
    "Progress",
    "Published",
    "account_of",
    "dataset_of",
    "find",
    "goal",
    "grow",
    "ids",
    "is_known",
    "leftovers",
    "listed",
    "load_arms",
    "load_dataset",
    "named",
    "of_same_name",
    "published",
    "put_dataset",
    "put_encoded",
    "read",
    "register",
    "register_arms",
    "shrink",
    "take_back",
]
