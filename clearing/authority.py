"""Who may sign: an account's owner, the key in the owner's place, a session key; or governance.

A session key is bounded by scope, instruments, expiry and a limit, off which comes what it opens,
as a trader or as a keeper, and the cash that it transfers, pays for collateral or deposits in
pools. A key with the scope ROOT stands in key place 0 and replaces the owner's own for everything
that is signed, and withdrawals go to its address: that is how an owner rotates.
"""

from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.layout import Grid, Rows
from clearing.lookup import signed_by
from clearing.records import Account, Action, Key, State
from clearing.units import KEYS_MAX

OWNER_KEY = -1  # the owner, or the ROOT key in the owner's place
NO_INSTRUMENT = -1  # for acts that concern no market


@law
def check_authority(
    clock: int, account: Account, signers: Grid, row: int, scope: int, instrument: int
) -> tuple[int, int]:
    """Return (APPLIED, place of the session key or OWNER_KEY), or the rejection.

    BAD_SIGNATURE if the signer is no key of the account, KEY_SCOPE if it is one that may not sign
    this. `scope` is one bit of Scope; ROOT: only the owner may.
    """
    if signed_by_root(account, signers, row):
        return Code.APPLIED, OWNER_KEY
    for i in range(account.key_count):
        key = account.keys[i]
        if signed_by(signers, row, key.address):
            if may_sign(key, clock, scope, instrument):
                return Code.APPLIED, i
            return Code.KEY_SCOPE, OWNER_KEY
    return Code.BAD_SIGNATURE, OWNER_KEY


@law
def check_request(
    state: State, account: Account, action: Action, signers: Grid, scope: int, instrument: int
) -> tuple[int, int]:
    """Judge a signed request by expiry, signature and request sequence.

    Returns what `check_authority` does; `scope` and `instrument` are as there.
    """
    clock = state.globals[0].clock
    if clock > action.expiry:
        return Code.EXPIRED, OWNER_KEY
    code, place = check_authority(
        clock, account, signers, action.signature_first, scope, instrument
    )
    if code != Code.APPLIED:
        return code, OWNER_KEY
    if action.sequence <= account.request_sequence:
        return Code.STALE_SEQUENCE, OWNER_KEY
    return Code.APPLIED, place


@law
def is_rotated(account: Account) -> bool:
    """Tell whether a ROOT key stands in the owner's place."""
    return account.key_count > 0 and account.keys[0].scope == Scope.ROOT


@law
def signed_by_root(account: Account, signers: Grid, row: int) -> bool:
    """Tell whether the owner signed, or the key that took the owner's place."""
    if is_rotated(account):
        return signed_by(signers, row, account.keys[0].address)
    return signed_by(signers, row, account.owner)


@law
def may_sign(key: Key, clock: int, scope: int, instrument: int) -> bool:
    """Tell whether a session key's scope, instruments and expiry allow the act."""
    if key.scope & scope == 0 or scope == Scope.ROOT or clock > key.expiry:
        return False
    if instrument == NO_INSTRUMENT:
        return True
    return key.first_instrument <= instrument <= key.last_instrument


@law
def spend_limit(account: Account, place: int, notional: int) -> bool:
    """Take the notional that a session key opens, or the cash that it pays, from its limit.

    False if it does not suffice. The owner has none.
    """
    if place == OWNER_KEY:
        return True
    key = account.keys[place]
    if notional > key.limit:
        return False
    key.limit -= notional
    return True


@law
def check_governance(state: State, action: Action, signers: Grid) -> int:
    """Judge an act of governance: it signed it, with a sequence above the last act's."""
    return check_address(state, action, signers, state.params[0].governance)


@law
def check_address(state: State, action: Action, signers: Grid, address: Rows[int]) -> int:
    """Judge an act that `address` must have signed; null: nobody may."""
    if not signed_by(signers, action.signature_first, address):
        return Code.BAD_SIGNATURE
    if action.sequence <= state.globals[0].governance_sequence:
        return Code.STALE_SEQUENCE
    return Code.APPLIED


@law
def check_guardian(state: State, action: Action, signers: Grid) -> int:
    """Judge an act of the guardian, whose sequence is the next one: it cannot use them up."""
    code = check_address(state, action, signers, state.params[0].guardian)
    if code == Code.APPLIED and action.sequence != state.globals[0].governance_sequence + 1:
        return Code.STALE_SEQUENCE
    return code


@law
def clear_keys(account: Account) -> None:
    """Zero every key row."""
    for i in range(KEYS_MAX):
        clear_key(account, i)
    account.key_count = 0


@law
def clear_key(account: Account, place: int) -> None:
    """Zero one key row."""
    key = account.keys[place]
    for i in range(4):
        key.address[i] = 0
    key.scope = 0
    key.first_instrument = 0
    key.last_instrument = 0
    key.limit = 0
    key.expiry = 0
