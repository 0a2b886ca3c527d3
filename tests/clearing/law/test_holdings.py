"""Holdings: an account's units by asset, in order, each with the time from which it may leave."""

import numpy as np
import pytest

from clearing.compiler import checked
from clearing.holdings import UNITS_MAX, add_units, can_hold, take_units
from clearing.records import ACCOUNT
from clearing.units import COLLATERALS_MAX


def holding(*entries):
    """An account that holds these (asset, amount, unlock time), all three above zero."""
    account = np.zeros(1, ACCOUNT).view(np.recarray)[0]
    account.collateral_count = len(entries)
    for place, entry in enumerate(entries):
        row = account.collaterals[place]
        row.asset, row.amount, row.unlock_time = entry
    return account


def entries_of(account):
    """Every entry, those that do not count as well."""
    return [(int(c.asset), int(c.amount), int(c.unlock_time)) for c in account.collaterals]


def padded(*entries):
    return [*entries, *[(0, 0, 0)] * (COLLATERALS_MAX - len(entries))]


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        (1, [(1, 9, 0), (2, 20, 200), (5, 50, 500)]),
        (3, [(2, 20, 200), (3, 9, 0), (5, 50, 500)]),
        (7, [(2, 20, 200), (5, 50, 500), (7, 9, 0)]),
        # More of what is held leaves the time alone: who adds to it sets another.
        (2, [(2, 29, 200), (5, 50, 500)]),
    ],
)
def test_units_are_added_in_the_order_of_assets_and_no_lock_moves_to_another(asset, expected):
    account = holding((2, 20, 200), (5, 50, 500))
    with checked():
        add_units(account, asset, 9)
    assert entries_of(account) == padded(*expected)
    assert account.collateral_count == len(expected)


@pytest.mark.parametrize(
    ("asset", "units", "expected"),
    [
        (2, 20, [(5, 50, 500), (7, 70, 700)]),
        (5, 50, [(2, 20, 200), (7, 70, 700)]),
        (7, 70, [(2, 20, 200), (5, 50, 500)]),
        (5, 49, [(2, 20, 200), (5, 1, 500), (7, 70, 700)]),
    ],
)
def test_what_is_taken_whole_leaves_no_entry_and_the_locks_of_the_others(asset, units, expected):
    account = holding((2, 20, 200), (5, 50, 500), (7, 70, 700))
    with checked():
        assert take_units(account, asset, units)
    assert entries_of(account) == padded(*expected)
    assert account.collateral_count == len(expected)


@pytest.mark.parametrize(("asset", "units"), [(5, 51), (4, 1), (0, 1)])
def test_more_than_is_held_is_not_taken(asset, units):
    account = holding((2, 20, 200), (5, 50, 500))
    with checked():
        assert not take_units(account, asset, units)
    assert entries_of(account) == padded((2, 20, 200), (5, 50, 500))


def test_an_entry_holds_to_its_bound_and_an_account_to_its_entries():
    account = holding(*((asset, 1, 1) for asset in range(1, COLLATERALS_MAX + 1)))
    with checked():
        assert can_hold(account, 1, UNITS_MAX - 1)
        assert not can_hold(account, 1, UNITS_MAX)
        assert not can_hold(account, COLLATERALS_MAX + 1, 1)
        assert take_units(account, 2, 1)
        assert can_hold(account, COLLATERALS_MAX + 1, UNITS_MAX)
        assert not can_hold(account, COLLATERALS_MAX + 1, UNITS_MAX + 1)
