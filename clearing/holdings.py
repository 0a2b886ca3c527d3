"""What an account holds beside cash: units of collateral assets, and shares of pools.

Entries are dense and sorted by asset; an empty one does not exist.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.layout import Rows
from clearing.records import Account, Asset, Collateral, State
from clearing.units import COLLATERALS_MAX, SETTLEMENT_ASSET, VALUE_MAX
from clearing.wide import mul_div_floor

PRICED_UNITS = 10**6  # units that a collateral price is for
UNITS_MAX = 1 << 60  # of one entry


@law
def find_holding(account: Account, asset: int) -> int:
    """Return the place of the account's entry of `asset`, or -1 - (place where it would stand)."""
    for place in range(account.collateral_count):
        held = account.collaterals[place].asset
        if held == asset:
            return place
        if held > asset:
            return -1 - place
    return -1 - account.collateral_count


@law
def units_held(account: Account, asset: int) -> int:
    """Return the account's units of `asset`; zero without an entry."""
    place = find_holding(account, asset)
    return account.collaterals[place].amount if place >= 0 else 0


@law
def can_hold(account: Account, asset: int, units: int) -> bool:
    """Tell whether `units` > 0 more of `asset` find an entry and stay within its bound."""
    place = find_holding(account, asset)
    if place < 0:
        return account.collateral_count < COLLATERALS_MAX and units <= UNITS_MAX
    return account.collaterals[place].amount <= UNITS_MAX - units


@law
def add_units(account: Account, asset: int, units: int) -> None:
    """Add `units` > 0 of `asset`; the caller asked `can_hold`."""
    place = find_holding(account, asset)
    if place < 0:
        place = -1 - place
        for i in range(account.collateral_count, place, -1):
            copy_entry(account.collaterals, i - 1, i)
        account.collateral_count += 1
        entry = account.collaterals[place]
        entry.asset = asset
        entry.amount = 0
        entry.unlock_time = 0
    account.collaterals[place].amount += units


@law
def take_units(account: Account, asset: int, units: int) -> bool:
    """Take `units` > 0 of `asset`; False, with nothing changed, if the account holds fewer."""
    place = find_holding(account, asset)
    if place < 0 or account.collaterals[place].amount < units:
        return False
    account.collaterals[place].amount -= units
    if account.collaterals[place].amount == 0:
        account.collateral_count -= 1
        for i in range(place, account.collateral_count):
            copy_entry(account.collaterals, i + 1, i)
        last = account.collaterals[account.collateral_count]
        last.asset = 0
        last.amount = 0
        last.unlock_time = 0
    return True


@law
def copy_entry(entries: Rows[Collateral], source: int, target: int) -> None:
    """Copy one entry over another."""
    entries[target].asset = entries[source].asset
    entries[target].amount = entries[source].amount
    entries[target].unlock_time = entries[source].unlock_time


@law
def is_collateral(state: State, asset: int) -> bool:
    """Tell whether `asset` is a listed collateral asset: neither cash nor shares of a pool."""
    return SETTLEMENT_ASSET < asset < state.globals[0].asset_count


@law
def check_credit(account: Account, asset: Asset, units: int) -> int:
    """Return COLLATERAL_CAP unless the account may hold `units` more of an asset, else APPLIED.

    An entry must be free, and the asset have a price at which the whole entry is worth no more
    than a position may be: what has no price has no bound.
    """
    if asset.price <= 0 or not can_hold(account, asset.id, units):
        return Code.COLLATERAL_CAP
    total = units_held(account, asset.id) + units
    value, fits = mul_div_floor(total, asset.price, PRICED_UNITS)
    if not fits or value > VALUE_MAX:
        return Code.COLLATERAL_CAP
    return Code.APPLIED
