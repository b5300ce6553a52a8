"""What was read when a study's data came in: ``studies/<id>/account.json``."""

from contextlib import suppress

from memtail_core.data.account import NO_ACCOUNT, Account
from memtail_core.errors import DamagedError
from memtail_core.store import ObjectStore
from memtail_core.study import Study


def put_account(store: ObjectStore, study: Study, account: Account) -> None:
    """Keep the account of the study's data; an empty one, of data from a store, changes nothing."""
    if account and account != account_of(store, study):
        store.put(_key(study), account.to_json())


def account_of(store: ObjectStore, study: Study) -> Account:
    """The account of the study's data; empty where none is kept or it is damaged."""
    with suppress(KeyError, DamagedError):
        return Account.from_json(store.get(_key(study)))
    return NO_ACCOUNT


def _key(study: Study) -> str:
    return f"{study.prefix}account.json"
