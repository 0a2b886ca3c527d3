"""Mark to market: what losers cover is what winners' profits may count as.

Cash is the signed balance, so no money moves: what moves is entry cost, from which unrealised
profit is counted. Anyone may send it, for any account that
1. has positions, whose marks all count for margin;
2. has a loss to take or a profit to be paid.
At the stable price, of each linear position in turn: a loss is taken as far as the account covers
it, so entry cost falls and the market's variation pot rises by as much; what is not covered is the
negative equity that would be left without any unrealised profit. A profit is paid as far as the
variation pot goes: entry cost rises, the pot falls. So nobody's profit counts before a loser has
covered it. What was paid still counts as unrealised for one cycle, and within it no more is paid,
so that nobody can keep another's profit from ripening. Options have no variation: their premium was
paid when they were opened. A market with an open sweep is left as it is.
"""

from clearing.codes import Code, InstrumentStatus, Operation
from clearing.compiler import law
from clearing.drafts import begin_drafts, commit_drafts, open_account, open_instrument
from clearing.lookup import ABSENT, find_account, find_instrument
from clearing.margin import NO_DRAFT, measure
from clearing.marks import is_option, mark_price
from clearing.price_gates import NON_POSITIVE, STALE_MARGIN, price_doubts
from clearing.records import Account, Action, Instrument, Position, State
from clearing.units import AMOUNT_MAX
from clearing.wide import mul_div_floor

VARIATION_MAX = AMOUNT_MAX  # micro-quote in one market's variation pot


@law
def mark_to_market(state: State, action: Action) -> int:
    """Judge one marking and apply it."""
    row = find_account(state, action.account)
    if row == ABSENT:
        return Code.NO_ACCOUNT
    if row < 0:
        return Code.INVARIANT
    if state.accounts[row].position_count == 0:
        return Code.NO_POSITION
    begin_drafts(state)
    account = state.account_drafts[open_account(state, row)]
    code = check_marked(state, account)
    if code != Code.APPLIED:
        return code
    shortfall, valid = uncovered(state, account)
    if not valid:
        return Code.INVARIANT
    moved = 0
    for i in range(account.position_count):
        position = account.positions[i]
        instrument_row = find_instrument(state, position.instrument)
        gain, fits = variation(state.instruments[instrument_row], position)
        if not fits:
            return Code.INVARIANT
        if gain < 0:
            instrument = state.instrument_drafts[open_instrument(state, instrument_row)]
            lost = min(-gain, shortfall)
            shortfall -= lost
            moved += take_loss(instrument, position, -gain - lost)
        elif gain > 0 and may_be_paid(state, state.accounts[row]):
            instrument = state.instrument_drafts[open_instrument(state, instrument_row)]
            paid = pay_profit(instrument, position, gain)
            record_profit(state, account, paid)
            moved += paid
    if moved == 0:
        return Code.NOT_NEEDED
    return commit_drafts(state, 0)


@law
def check_marked(state: State, account: Account) -> int:
    """Return PRICE_STALE if a mark of the account's does not count for margin, OPERATION_OPEN if a
    sweep over one of its markets weighs entry costs."""
    for i in range(account.position_count):
        row = find_instrument(state, account.positions[i].instrument)
        if row < 0:
            return Code.INVARIANT
        if state.instruments[row].operation != Operation.NONE:
            return Code.OPERATION_OPEN
        if price_doubts(state, state.instruments[row]) & (STALE_MARGIN | NON_POSITIVE) != 0:
            return Code.PRICE_STALE
    return Code.APPLIED


@law
def uncovered(state: State, account: Account) -> tuple[int, bool]:
    """Return (micro-quote of its losses that an account cannot cover, whether it fits).

    What its equity lacks of zero, counting none of its unrealised profit at the mark.
    """
    equity, _, _, _, valid = measure(state, account, NO_DRAFT)
    if not valid:
        return 0, False
    for i in range(account.position_count):
        position = account.positions[i]
        row = find_instrument(state, position.instrument)
        value, fits = mul_div_floor(position.lots, mark_price(state, state.instruments[row]), 1)
        if not fits:
            return 0, False
        equity -= max(0, value - position.entry_cost)
    return max(0, -equity), True


@law
def variation(instrument: Instrument, position: Position) -> tuple[int, bool]:
    """Return (unrealised profit at the stable price, loss negative, and whether it fits).

    Zero for options, for what settles, before the first price, and while a sweep weighs profits.
    """
    if (
        is_option(instrument)
        or instrument.operation != 0
        or instrument.status >= InstrumentStatus.SETTLING
        or instrument.stable_price == 0
    ):
        return 0, True
    value, fits = mul_div_floor(position.lots, instrument.stable_price, 1)
    return (value - position.entry_cost if fits else 0), fits


@law
def may_be_paid(state: State, account: Account) -> bool:
    """Tell whether what was last paid to the account has ripened, if anything was."""
    ripe = account.recent_time + state.params[0].profit_cycle_ms
    return account.recent_profit == 0 or state.globals[0].clock >= ripe


@law
def take_loss(instrument: Instrument, position: Position, covered: int) -> int:
    """Move a covered loss from the entry cost into the variation pot; return how much went."""
    taken = min(covered, VARIATION_MAX - instrument.variation_pot)
    position.entry_cost -= taken
    instrument.variation_pot += taken
    return taken


@law
def pay_profit(instrument: Instrument, position: Position, gain: int) -> int:
    """Move profit from the variation pot into the entry cost; return how much there was."""
    paid = min(gain, instrument.variation_pot)
    position.entry_cost += paid
    instrument.variation_pot -= paid
    return paid


@law
def record_profit(state: State, account: Account, paid: int) -> None:
    """Note what was paid now, in place of what has ripened."""
    if paid == 0:
        return
    clock = state.globals[0].clock
    if account.recent_time != clock:
        account.recent_profit = 0
    account.recent_time = clock
    account.recent_profit += paid
