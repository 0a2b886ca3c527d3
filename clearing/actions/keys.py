"""Keys: session keys are granted and revoked, and an owner's key is replaced.

Only the owner, or the key in the owner's place, may sign any of the three. A key may not be null,
and what stands in the owner's place is neither granted nor revoked like a session key (KEY_SCOPE).

Grant: the account has room for the key (KEY_SLOTS), or holds its address already: then scope,
instruments, limit and expiry are replaced. Revoke: the account holds the key (KEY_SLOTS).

Rotate: every key of the account goes, because whoever had the old one may have granted them, and
the new key stands in the owner's place. The owner's key then signs nothing any more, orders of old
are dead with it, and withdrawals go to the new key's address, forced ones too. The owner's address
keeps its name in the base layer's messages: it may still force an exit, but to the new address.
"""

from clearing.authority import NO_INSTRUMENT, check_request, clear_key, clear_keys
from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.drafts import FIRST, draft_account, store_account
from clearing.layout import Grid
from clearing.lookup import ABSENT, find_account, is_zero, same_word
from clearing.records import Account, Action, Key, State
from clearing.units import KEYS_MAX


@law
def key_grant(state: State, action: Action, signers: Grid) -> int:
    """Judge one grant and apply it."""
    row = find_account(state, action.account)
    code = check_owner(state, action, signers, row)
    if code != Code.APPLIED:
        return code
    draft_account(state, FIRST, row)
    account = state.account_drafts[FIRST]
    place = place_of(account, action)
    if place < account.key_count and account.keys[place].scope == Scope.ROOT:
        return Code.KEY_SCOPE
    if place == KEYS_MAX:
        return Code.KEY_SLOTS
    account.key_count = max(account.key_count, place + 1)
    key = account.keys[place]
    for i in range(4):
        key.address[i] = action.address[i]
    key.scope = action.scope
    key.first_instrument = action.first
    key.last_instrument = action.last
    key.limit = action.limit
    key.expiry = action.time
    account.request_sequence = action.sequence
    store_account(state, FIRST, row)
    return Code.APPLIED


@law
def key_revoke(state: State, action: Action, signers: Grid) -> int:
    """Judge one revocation and apply it: the last key takes the place of the one that goes."""
    row = find_account(state, action.account)
    code = check_owner(state, action, signers, row)
    if code != Code.APPLIED:
        return code
    draft_account(state, FIRST, row)
    account = state.account_drafts[FIRST]
    place = place_of(account, action)
    if place >= account.key_count:
        return Code.KEY_SLOTS
    if account.keys[place].scope == Scope.ROOT:
        return Code.KEY_SCOPE
    last = account.key_count - 1
    copy_key(account.keys[last], account.keys[place])
    clear_key(account, last)
    account.key_count = last
    account.request_sequence = action.sequence
    store_account(state, FIRST, row)
    return Code.APPLIED


@law
def rotate_key(state: State, action: Action, signers: Grid) -> int:
    """Judge one rotation and apply it: the new key alone remains, in the owner's place."""
    row = find_account(state, action.account)
    code = check_owner(state, action, signers, row)
    if code != Code.APPLIED:
        return code
    draft_account(state, FIRST, row)
    account = state.account_drafts[FIRST]
    clear_keys(account)
    account.key_count = 1
    for i in range(4):
        account.keys[0].address[i] = action.address[i]
    account.keys[0].scope = Scope.ROOT
    account.request_sequence = action.sequence
    store_account(state, FIRST, row)
    return Code.APPLIED


@law
def check_owner(state: State, action: Action, signers: Grid, row: int) -> int:
    """The account in `row` exists, its owner signed the request, and the key is not null."""
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if row < 0:
        return Code.INVARIANT
    account = state.accounts[row]
    code, _ = check_request(state, account, action, signers, Scope.ROOT, NO_INSTRUMENT)
    if code != Code.APPLIED:
        return code
    if is_zero(action.address):
        return Code.KEY_SCOPE
    return Code.APPLIED


@law
def place_of(account: Account, action: Action) -> int:
    """Return the place of the key that the action names, or the first free one."""
    for i in range(account.key_count):
        if same_word(account.keys[i].address, action.address):
            return i
    return account.key_count


@law
def copy_key(source: Key, target: Key) -> None:
    """Copy one key row."""
    for i in range(4):
        target.address[i] = source.address[i]
    target.scope = source.scope
    target.first_instrument = source.first_instrument
    target.last_instrument = source.last_instrument
    target.limit = source.limit
    target.expiry = source.expiry
