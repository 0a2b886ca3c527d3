"""Who may sign for an account: its owner, the key that took the owner's place, or a session key.

A session key is bounded by scope, instruments, expiry and the notional that it may still open. A
key with the scope ROOT replaces the owner's own for everything: that is how an owner rotates.
"""

from clearing.codes import Code, Scope
from clearing.compiler import law
from clearing.layout import Grid
from clearing.lookup import signed_by
from clearing.records import Account, Key
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
    rotated = False
    for i in range(account.key_count):
        if account.keys[i].scope & Scope.ROOT != 0:
            rotated = True
            if signed_by(signers, row, account.keys[i].address):
                return Code.APPLIED, OWNER_KEY
    if not rotated and signed_by(signers, row, account.owner):
        return Code.APPLIED, OWNER_KEY
    for i in range(account.key_count):
        key = account.keys[i]
        if signed_by(signers, row, key.address):
            if may_sign(key, clock, scope, instrument):
                return Code.APPLIED, i
            return Code.KEY_SCOPE, OWNER_KEY
    return Code.BAD_SIGNATURE, OWNER_KEY


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
    """Take the notional that a session key opens from its limit; False if it does not suffice."""
    if place == OWNER_KEY:
        return True
    key = account.keys[place]
    if notional > key.limit:
        return False
    key.limit -= notional
    return True


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
