"""Convert: a keeper buys collateral of an account that owes cash, which pays what it owes.

A conversion is legal if
1. the keeper's owner or a keeper's key signed it, unexpired, with a sequence above the last;
2. the asset is a listed collateral, with a price fresh enough for margin;
3. the account fails its maintenance margin, or has no position left;
4. it holds the asset, and nothing of those that are sold before it: the smallest haircut first;
5. what it owes beside its collateral (cash and positions below zero) needs the money: no more
   units move than bring it, at the price less a discount, in the account's favour;
6. the keeper has an entry free, and hands out the cash as a withdrawal would, within the limit of
   the session key that signed.
The discount is never above the haircut, so that no conversion lowers an account's equity.
"""

from clearing.authority import NO_INSTRUMENT, check_request, spend_limit
from clearing.codes import Code, Scope
from clearing.collateral import PRICED_UNITS, conversion_units
from clearing.compiler import law
from clearing.drafts import FIRST, SECOND, commit_pair, draft_account
from clearing.holdings import add_units, check_credit, is_collateral, take_units, units_held
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account
from clearing.margin import NO_DRAFT, check_outflow, measure
from clearing.products import triple_ceil
from clearing.records import Account, Action, Asset, State
from clearing.units import PPM, SHARES_BASE
from clearing.valuation import collateral_value

KEEPER = FIRST
OWING = SECOND


@law
def convert(state: State, action: Action, signers: Grid) -> int:
    """Judge one conversion and apply it."""
    keeper_row = find_account(state, action.account)
    owing_row = find_account(state, action.counterparty)
    if keeper_row == ABSENT or owing_row == ABSENT:
        return Code.NO_ACCOUNT
    if keeper_row < 0 or owing_row < 0:
        return Code.INVARIANT
    if not is_collateral(state, action.asset):
        return Code.NO_ASSET
    code, place = check_request(
        state, state.accounts[keeper_row], action, signers, Scope.KEEPER, NO_INSTRUMENT
    )
    if code != Code.APPLIED:
        return code
    if keeper_row == owing_row:
        return Code.SELF_TRADE
    asset = state.assets[action.asset]
    oldest = state.globals[0].clock - state.params[0].price_stale_margin_ms
    if asset.price == 0 or asset.price_time < oldest:
        return Code.PRICE_STALE
    owing = state.accounts[owing_row]
    equity, _, maintenance, _, valid = measure(state, owing, NO_DRAFT)
    if not valid:
        return Code.INVARIANT
    if owing.position_count > 0 and equity >= maintenance:
        return Code.HEALTHY
    if not is_first(state, owing, asset):
        return Code.WATERFALL_ORDER
    value, _, _ = collateral_value(state, owing)
    units = units_sold(state, owing, asset, value - equity)
    return sell(state, action, keeper_row, owing_row, min(units, action.amount), place)


@law
def discount_ppm(state: State, asset: Asset) -> int:
    """Return what keepers pay less than the price: the parameter, and at most the haircut."""
    return min(state.params[0].conversion_ppm, asset.haircut_ppm)


@law
def is_first(state: State, account: Account, asset: Asset) -> bool:
    """Tell whether no collateral of the account is sold before this one.

    The smallest haircut comes first, then the lower id: what is steadiest sells nearest its price.
    """
    for i in range(account.collateral_count):
        id = account.collaterals[i].asset
        if id >= SHARES_BASE or id == asset.id:
            continue
        haircut = state.assets[id].haircut_ppm
        if haircut < asset.haircut_ppm or (haircut == asset.haircut_ppm and id < asset.id):
            return False
    return True


@law
def units_sold(state: State, account: Account, asset: Asset, owed: int) -> int:
    """Return the units that bring `owed` micro-quote, at most what the account holds."""
    if owed <= 0:
        return 0
    held = units_held(account, asset.id)
    units, _, _ = conversion_units(owed, held, asset.price, discount_ppm(state, asset))
    return units


@law
def sell(
    state: State, action: Action, keeper_row: int, owing_row: int, units: int, place: int
) -> int:
    """Move the units to the keeper and their price to the account, on drafts; judge the keeper.

    `place` is that of the key whose limit pays the price, or OWNER_KEY.
    """
    if units <= 0:
        return Code.NOT_NEEDED
    asset = state.assets[action.asset]
    draft_account(state, KEEPER, keeper_row)
    draft_account(state, OWING, owing_row)
    keeper = state.account_drafts[KEEPER]
    owing = state.account_drafts[OWING]
    paid, fits = triple_ceil(
        units, asset.price, PPM - discount_ppm(state, asset), PRICED_UNITS, PPM
    )
    if not fits or not take_units(owing, asset.id, units):
        return Code.INVARIANT
    owing.cash += paid
    keeper.cash -= paid
    keeper.request_sequence = action.sequence
    code = check_credit(keeper, asset, units)
    if code != Code.APPLIED:
        return code
    add_units(keeper, asset.id, units)
    code = check_outflow(state, keeper)
    if code != Code.APPLIED:
        return code
    if not spend_limit(keeper, place, paid):
        return Code.KEY_CAP
    return commit_pair(state, keeper_row, owing_row)
