"""The studies of a store: their data, their goals, their reports, what failed in training them."""

from memtail_core.catalogue.studies import (
    dataset_of,
    find,
    goal,
    ids,
    load_arms,
    load_dataset,
    named,
    namesake,
    put_dataset,
    read,
    register,
    register_arms,
    set_goal,
)

__all__ = [
    "dataset_of",
    "find",
    "goal",
    "ids",
    "load_arms",
    "load_dataset",
    "named",
    "namesake",
    "put_dataset",
    "read",
    "register",
    "register_arms",
    "set_goal",
]
