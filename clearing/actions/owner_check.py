"""Owner check: anyone has the law add up what the accounts of one owner hold in a market.

It names a market and up to 48 accounts, and is legal if
1. the market exists, and so does each account; their ids rise, so that none counts twice;
2. none is a pool's, and all have one owner: whom the base layer names, whoever signs for them now;
3. their lots, long and short added up without sign, exceed the limit of an owner's group: then
   each of them is held, and may only reduce in the market for a while (clearing.owner_groups);
4. or they do not, and some of them are held since a check of these very accounts: they are free.
Lots never cancel out between accounts: each can be left bankrupt by its own side. Naming some of
an owner's accounts can only find too little, so nobody within the limit is ever held; freeing takes
the same accounts, or a part of them that is within the limit would free the whole. No money and no
lots move, and no price matters. An account that holds nothing can be named and held like others.
"""

from clearing.codes import Code
from clearing.compiler import law
from clearing.drafts import touch_account
from clearing.layout import Rows
from clearing.lookup import ABSENT, find_account, find_instrument, lots_of, same_word
from clearing.owner_groups import group_limit, group_number, hold, release
from clearing.pools import is_pool_account
from clearing.records import Action, State


@law
def owner_check(state: State, action: Action, payload: Rows[int]) -> int:
    """Judge one check and apply it: nothing is written before nothing can fail any more."""
    row = find_instrument(state, action.instrument)
    if row == ABSENT:
        return Code.NO_INSTRUMENT
    if row < 0:
        return Code.INVARIANT
    lots, code = sum_lots(state, action, payload)
    if code != Code.APPLIED:
        return code
    cap = state.instruments[row].position_cap
    limit, exists = group_limit(cap, state.params[0].owner_group_ppm)
    first = action.payload_first
    group = group_number(state, action.instrument, payload, first, action.payload_count)
    if exists and lots > limit:
        for k in range(first, first + action.payload_count):
            account = state.accounts[find_account(state, payload[k])]
            hold(state, account, action.instrument, group)
            touch_account(state, account.id)
        return Code.APPLIED
    freed = 0
    for k in range(first, first + action.payload_count):
        account = state.accounts[find_account(state, payload[k])]
        if release(state, account, action.instrument, group):
            touch_account(state, account.id)
            freed += 1
    return Code.APPLIED if freed > 0 else Code.NOT_NEEDED


@law
def sum_lots(state: State, action: Action, payload: Rows[int]) -> tuple[int, int]:
    """Return (lots of all accounts in the market without sign, code of what is wrong with them)."""
    lots = 0
    last = -1
    first_row = 0
    for k in range(action.payload_first, action.payload_first + action.payload_count):
        row = find_account(state, payload[k])
        if row == ABSENT:
            return 0, Code.NO_ACCOUNT
        if row < 0:
            return 0, Code.INVARIANT
        if payload[k] <= last:
            return 0, Code.OPERATION_ORDER
        if is_pool_account(state, payload[k]):
            return 0, Code.ACCOUNT_MODE
        if last < 0:
            first_row = row
        elif not same_word(state.accounts[row].owner, state.accounts[first_row].owner):
            return 0, Code.OTHER_OWNER
        last = payload[k]
        lots += abs(lots_of(state.accounts[row], action.instrument))
    return lots, Code.APPLIED
