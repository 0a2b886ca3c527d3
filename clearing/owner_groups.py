"""Owner groups: how much of one market the accounts of one owner may hold together.

Orders are judged account by account, so that a trade reads two accounts and no more. What an owner
holds in several is added up by an action of its own (clearing.actions.owner_check), and accounts of
an owner beyond the limit are *held*: until a law time they may only reduce in the market. Who is
one owner is what the base layer says, so a key that took the owner's place changes nothing.
"""

from clearing.codes import Tag
from clearing.compiler import law
from clearing.keccak import hash_pieces
from clearing.layout import Rows
from clearing.records import Account, State
from clearing.units import PPM
from clearing.wide import mul_div_floor

EVERYWHERE = 1 << 20  # the market of an account that is held in more than one


@law
def group_limit(position_cap: int, group_ppm: int) -> tuple[int, bool]:
    """Return the most lots of a market, long and short, of one owner; False if there is no limit.

    A share of what one position may be, in ppm, rounded down.
    """
    if group_ppm == 0:
        return 0, False
    return mul_div_floor(position_cap, group_ppm, PPM)


@law
def is_held(state: State, account: Account, instrument: int) -> bool:
    """Tell whether the account may only reduce in the market, by the law's clock."""
    return account.hold_until > state.globals[0].clock and (
        account.hold_instrument == instrument or account.hold_instrument == EVERYWHERE
    )


@law
def hold(state: State, account: Account, instrument: int, group: int) -> None:
    """Let the account only reduce in the market, for as long as the parameters say.

    Held in another market already it may grow nowhere: an owner beyond the limits of two markets
    could otherwise have one hold end the other. Such a hold ends by its time alone.
    """
    clock = state.globals[0].clock
    elsewhere = account.hold_until > clock and account.hold_instrument != instrument
    account.hold_instrument = EVERYWHERE if elsewhere else instrument
    account.hold_group = 0 if elsewhere else group
    account.hold_until = clock + state.params[0].owner_hold_ms


@law
def release(state: State, account: Account, instrument: int, group: int) -> bool:
    """End the hold that this very group was put under; False if the account is under none."""
    if (
        not is_held(state, account, instrument)
        or account.hold_instrument != instrument
        or account.hold_group != group
    ):
        return False
    account.hold_until = 0
    account.hold_instrument = 0
    account.hold_group = 0
    return True


@law
def group_number(state: State, instrument: int, payload: Rows[int], first: int, count: int) -> int:
    """Return the first piece of H(OWNER_GROUP, instrument || ids): which accounts were added up.

    A part of a group that is within the limit says nothing of the whole, so it has another number.
    """
    row = state.hash_row
    row[0] = instrument
    for i in range(count):
        row[1 + i] = payload[first + i]
    hash_pieces(row, 1 + count, Tag.OWNER_GROUP, state.hash_digest)
    return state.hash_digest[0]
