"""What the steps of the default waterfall share: who pays, from what, and how a sweep is kept.

An account whose equity is below its maintenance margin *fails*; below zero it is *bankrupt*.
Whatever takes lots off a failing account takes them at mark and is paid out of equity that stays
above zero, so that no keeper's reward is ever a loss of the house. What a bankrupt account then
owes is paid by its own collateral, by the market's tranche of insurance, by winners; what is left
stands in the market's `debt`, so that only that market's winners can be asked for it.
"""

from clearing.caps import open_interest_after, position_fits
from clearing.codes import Code, Fund, Operation, Tag
from clearing.collateral import haircut_value
from clearing.compiler import law
from clearing.drafts import commit_drafts
from clearing.keccak import hash_pieces
from clearing.layout import Rows
from clearing.lookup import lots_of
from clearing.margin import grows, judge_change, measure
from clearing.marks import mark_price
from clearing.owner_groups import is_held
from clearing.positions import move_lots
from clearing.records import Account, Instrument, State
from clearing.units import SHARES_BASE
from clearing.waterfall import (
    dynamic_penalty_ppm,
    freeze_after_deficit,
    tranche_payment,
    window_after,
)
from clearing.wide import mul_div_floor

FREEZE_SPACING_MS = 86_400_000
PROFIT_MAX = 1 << 61  # of one position, so that a difference of two stays inside 64 bits


@law
def penalty_rate_ppm(state: State, instrument: Instrument, lots: int) -> int:
    """Return the penalty of closing a position of signed `lots`, in ppm of the value closed.

    It grows with the whole position against the market's depth, so that nobody changes it by
    closing in parts, and with the insurance fee it stays below the maintenance fraction: closing
    then always frees more margin than it costs.
    """
    params = state.params[0]
    tier = params.tiers[instrument.tier]
    value, fits = mul_div_floor(abs(lots), mark_price(state, instrument), 1)
    least = params.liquidation_penalty_ppm
    most = max(least, tier.penalty_max_ppm)
    penalty = dynamic_penalty_ppm(value, tier.depth, least, most) if fits else most
    return min(penalty, max(0, tier.maintenance_ppm - params.insurance_fee_ppm - 1))


@law
def move_leg(
    state: State, taker: Account, failing: Account, instrument: Instrument, signed_lots: int
) -> int:
    """Move signed lots from a failing account to its taker at mark; all three are drafts."""
    if not position_fits(state, taker, instrument, signed_lots):
        return Code.POSITION_CAP
    instrument.open_interest = open_interest_after(instrument, taker, failing, signed_lots)
    mark = mark_price(state, instrument)
    if not move_lots(failing, instrument, -signed_lots, mark):
        return Code.INVARIANT
    if not move_lots(taker, instrument, signed_lots, mark):
        return Code.INVARIANT
    return Code.APPLIED


@law
def check_relief(state: State, failing: Account, old_equity: int, old_maintenance: int) -> int:
    """Judge the draft of a failing account after lots were taken off it, and end what is over.

    MARGIN if it is further from its maintenance margin than before: taking a hedge apart is no
    relief. Healthy again it leaves its auction; flat and bankrupt it is paid by insurance.
    """
    drafted = state.scratch[0].instrument_draft_count
    equity, _, maintenance, _, valid = measure(state, failing, drafted)
    if not valid:
        return Code.INVARIANT
    if equity - maintenance < old_equity - old_maintenance:
        return Code.MARGIN
    if equity >= maintenance:
        failing.auction_time = 0
    elif failing.position_count == 0:
        cover_debt(state, failing, -equity)
    return Code.APPLIED


@law
def check_taker(state: State, before: Account, after: Account) -> int:
    """Return APPLIED if a taker's change over all open market drafts is legal, else MARGIN.

    OWNER_LIMIT if it is, but grew a position and is larger than one owner may be, or is held there.
    """
    drafted = state.scratch[0].instrument_draft_count
    grown = False
    held = False
    for draft in range(drafted):
        id = state.instrument_drafts[draft].id
        if grows(lots_of(before, id), lots_of(after, id)):
            grown = True
            held = held or is_held(state, after, id)
    return judge_change(state, before, after, drafted, grown, held)


# --- Insurance, debts, freezes -------------------------------------------------------------------


@law
def has_collateral(state: State, account: Account) -> bool:
    """Tell whether the account holds collateral that keepers can buy: worth something, by a price
    that counts for margin. Shares of pools are none."""
    oldest = state.globals[0].clock - state.params[0].price_stale_margin_ms
    for i in range(account.collateral_count):
        collateral = account.collaterals[i]
        if collateral.asset < SHARES_BASE:
            asset = state.assets[collateral.asset]
            value, fits = haircut_value(
                collateral.amount, asset.price, asset.price, asset.haircut_ppm
            )
            if asset.price_time >= oldest and (value > 0 or not fits):
                return True
    return False


@law
def draw_insurance(state: State, instrument: Instrument, wanted: int) -> int:
    """Take up to `wanted` from the insurance fund on a market's tranche; return what there was.

    The market and the fund are drafts. The tranche is what the tier grants in a window.
    """
    params = state.params[0]
    used, opened = window_after(
        instrument.insurance_used,
        instrument.insurance_time,
        state.globals[0].clock,
        params.insurance_window_ms,
    )
    fund = state.fund_drafts[Fund.INSURANCE]
    paid = tranche_payment(wanted, fund.balance, used, params.tiers[instrument.tier].insurance_cap)
    if paid > 0:
        instrument.insurance_used = used + paid
        instrument.insurance_time = opened
        fund.balance -= paid
    return paid


@law
def cover_debt(state: State, account: Account, debt: int) -> None:
    """Pay the debt of a flat account from the tranches of the open market drafts, in their order.

    Not while it holds collateral that can be sold. What is left is noted as the first market's.
    """
    left = debt
    if not has_collateral(state, account):
        for draft in range(state.scratch[0].instrument_draft_count):
            left -= draw_insurance(state, state.instrument_drafts[draft], left)
    account.cash += debt - left
    market = state.instrument_drafts[0]
    market.debt = min(PROFIT_MAX, market.debt + left)


@law
def commit_failure(state: State) -> int:
    """Commit the drafts, and freeze withdrawals if a market's deficits went beyond the tranche.

    Deficits: what insurance paid in the window and what is still owed. Only an action that adds
    to them freezes, at most once a day.
    """
    worst = 0
    for draft in range(state.scratch[0].instrument_draft_count):
        market = state.instrument_drafts[draft]
        before = state.instruments[state.instrument_draft_rows[draft]]
        if market.debt > before.debt or market.insurance_used != before.insurance_used:
            worst = max(worst, min(PROFIT_MAX, market.insurance_used) + market.debt)
    code = commit_drafts(state, 0)
    if code != Code.APPLIED:
        return code
    totals = state.globals[0]
    params = state.params[0]
    totals.freeze_until, totals.freeze_last = freeze_after_deficit(
        worst,
        params.deficit_tranche,
        totals.clock,
        totals.freeze_until,
        totals.freeze_last,
        params.freeze_ms,
        FREEZE_SPACING_MS,
    )
    return Code.APPLIED


# --- Sweeps over a market ------------------------------------------------------------------------


@law
def unrealised(lots: int, price: int, entry_cost: int) -> int:
    """Return the profit of a position at a price, loss negative, within +-2^62."""
    value, fits = mul_div_floor(lots, price, 1)
    if not fits:
        value = PROFIT_MAX if (lots > 0) == (price > 0) else -PROFIT_MAX
    value = max(-PROFIT_MAX, min(value, PROFIT_MAX))
    return value - max(-PROFIT_MAX, min(entry_cost, PROFIT_MAX))


@law
def lots_on_side(instrument: Instrument, side: int) -> int:
    """Return the lots that all holders of a side hold together (+1 long, -1 short).

    Both sides hold the open interest, unless the market settles and one was closed further.
    """
    if side > 0:
        return instrument.open_interest
    return instrument.open_interest + instrument.settled_lots


@law
def hash_chunk(
    state: State,
    previous: Rows[int],
    payload: Rows[int],
    first: int,
    count: int,
    ascending: bool,
) -> None:
    """Set `state.hash_digest` to H(SWEEP, previous || ids): a stack of chunks as one word.

    The ids are hashed as they were tallied, from the highest down; `ascending` tells how the
    payload has them.
    """
    row = state.hash_row
    for i in range(4):
        row[i] = previous[i]
    for i in range(count):
        row[4 + i] = payload[first + count - 1 - i if ascending else first + i]
    hash_pieces(row, 4 + count, Tag.SWEEP, state.hash_digest)


@law
def begin_tally(state: State, instrument: Instrument) -> None:
    """Let a sweep's tally begin (again): nobody was seen, ids are to come from the highest."""
    instrument.weight = 0
    instrument.running = 0
    instrument.counted = 0
    instrument.cursor = state.globals[0].account_count
    for i in range(4):
        instrument.chunks[i] = 0


@law
def is_swept(instrument: Instrument) -> bool:
    """Tell whether a sweep over holders is open over the market; a call is none."""
    return (
        instrument.operation == Operation.DELEVERAGE or instrument.operation == Operation.SOCIALISE
    )


@law
def clear_operation(instrument: Instrument) -> None:
    """Zero what an open sweep kept in its market."""
    instrument.operation = 0
    instrument.phase = 0
    instrument.deadline = 0
    instrument.bankrupt = 0
    instrument.total = 0
    instrument.weight = 0
    instrument.running = 0
    instrument.cursor = 0
    instrument.side = 0
    instrument.price = 0
    instrument.counted = 0
    instrument.spare = 0
    for i in range(4):
        instrument.chunks[i] = 0
