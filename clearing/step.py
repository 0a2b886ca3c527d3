"""A step: a few actions at one law time, within a budget that the law itself counts.

The sequencer asks `fits` before each action and closes the step when it does not; the court runs
the same functions on a witness. `apply_action` is total but for arithmetic overflow, which
raises with nothing committed: the caller then calls `halt` and records INVARIANT.
"""

from typing import Any, cast

from clearing.account_leaves import ACCOUNT_PIECES_MAX
from clearing.accumulators import extend_sequence
from clearing.actions.activate import activate
from clearing.actions.auction_bid import auction_bid
from clearing.actions.auction_start import auction_start
from clearing.actions.call_fill import call_fill
from clearing.actions.call_order import call_order
from clearing.actions.cancel import cancel
from clearing.actions.convert import convert
from clearing.actions.expire import expire
from clearing.actions.funding import funding
from clearing.actions.halt import halt_by_hand, resume
from clearing.actions.inbox import inbox
from clearing.actions.keys import key_grant, key_revoke, rotate_key
from clearing.actions.liquidate import liquidate
from clearing.actions.listing import list_market
from clearing.actions.mark_to_market import mark_to_market
from clearing.actions.owner_check import owner_check
from clearing.actions.parameters import enact, set_params
from clearing.actions.pool_deposit import pool_deposit
from clearing.actions.pool_takeover import pool_takeover
from clearing.actions.pool_trade import pool_trade
from clearing.actions.pool_withdraw import pool_withdraw
from clearing.actions.price import price
from clearing.actions.risk_rows import risk_rows
from clearing.actions.set_asset import set_asset
from clearing.actions.set_grid import enact_grid, set_grid
from clearing.actions.set_market import set_market
from clearing.actions.set_mode import set_mode
from clearing.actions.set_scenarios import set_scenarios
from clearing.actions.settle import settle
from clearing.actions.sweep_apply import sweep_apply
from clearing.actions.sweep_close import sweep_close
from clearing.actions.sweep_open import sweep_open
from clearing.actions.sweep_tally import sweep_tally
from clearing.actions.trade import trade
from clearing.actions.transfer import transfer
from clearing.actions.uncross import uncross
from clearing.actions.withdraw import withdraw
from clearing.codes import Code, InboxKind, InstrumentKind, InstrumentStatus, Kind, Mode, Status
from clearing.compiler import law, law_entry
from clearing.forms import (
    CONTEXT,
    NAMES,
    NAMES_ACCOUNT,
    NAMES_COUNTERPARTY,
    NAMES_INSTRUMENT,
    NAMES_PAYLOAD,
    NAMES_POOL,
    NAMES_UNDERLYING,
    ROW_STRIDE,
)
from clearing.layout import Grid, Rows
from clearing.leaves import UNDERLYING_PIECES
from clearing.lookup import find_account, find_instrument
from clearing.records import Action, Observation, State
from clearing.units import PAGES_MAX, STEP_CELLS, STEP_LISTED, STEP_RECOVERIES, STEP_WORDS

ACCOUNT_WORDS = 25  # globals and funds, header, risk word, hold, order in a call, and a fill page
INSTRUMENT_WORDS = 14  # header and an open sweep
OPTION_WORDS = 17  # the two risk rows, or the book of a call
UNDERLYING_WORDS = UNDERLYING_PIECES // 4
LEAF_WORDS_MAX = ACCOUNT_PIECES_MAX // 4


@law
def begin_step(state: State, time: int) -> None:
    """Open a step: the clock never runs backwards, the budget is fresh, nothing is touched."""
    state.globals[0].clock = max(state.globals[0].clock, time)
    scratch = state.scratch[0]
    scratch.words_left = STEP_WORDS
    scratch.cells_left = STEP_CELLS
    scratch.recoveries_left = STEP_RECOVERIES
    scratch.listed_left = STEP_LISTED
    scratch.touched_accounts = 0
    scratch.touched_instruments = 0
    scratch.touched_pages = 0
    scratch.touched_funds = 0
    scratch.touched_underlyings = 0
    scratch.touched_assets = 0
    scratch.touched_pools = 0
    scratch.touched_params = 0


@law
def fits(state: State, action: Action, words: int, cells: int) -> bool:
    """Tell whether the step's budget has room for the action, which costs so much."""
    scratch = state.scratch[0]
    return (
        words <= scratch.words_left
        and cells <= scratch.cells_left
        and action.signature_count <= scratch.recoveries_left
        and listed_accounts(action) <= max(0, scratch.listed_left)
    )


@law
def listed_accounts(action: Action) -> int:
    """Return how many accounts the action's payload names, first of all that stands there.

    Behind those of a sweep's apply stands its hash stack.
    """
    if action.code != Code.APPLIED or NAMES[action.kind] & NAMES_PAYLOAD == 0:
        return 0
    stack = 4 if action.kind == Kind.SWEEP_APPLY else 0
    return max(0, action.payload_count - stack)


@law
def cost(state: State, action: Action) -> tuple[int, int]:
    """Return (leaf words, margin cells) that the action may touch, an upper bound by its names."""
    kind = action.kind
    if action.code != Code.APPLIED and action.code != Code.QUORUM:
        return 0, 0
    names = names_of_action(action)
    words = INSTRUMENT_WORDS + OPTION_WORDS
    cells = 0
    if kind == Kind.TRADE:
        words, cells = add_account(state, action.maker.account, words, cells)
        words, cells = add_account(state, action.taker.account, words, cells)
    if names & NAMES_ACCOUNT != 0:
        words, cells = add_account(state, action.account, words, cells)
        if kind == Kind.SET_MODE:
            # The account may be a portfolio afterwards, which reads what it held before, deeply.
            words += state.globals[0].underlying_count * UNDERLYING_WORDS
    if names & NAMES_COUNTERPARTY != 0:
        words, cells = add_account(state, action.counterparty, words, cells)
    if names & NAMES_POOL != 0:
        words, cells = add_pool(state, action.pool, words, cells)
    if kind == Kind.FUNDING:
        row = find_instrument(state, action.instrument)
        if row >= 0:
            words, cells = add_pool(state, state.instruments[row].pool - 1, words, cells)
    if names & NAMES_PAYLOAD != 0:
        # Nobody is valued: the accounts' leaves are read, and no market but the one named.
        words += action.payload_count * LEAF_WORDS_MAX
    if kind == Kind.RISK_ROWS:
        # Each row's option, and those that its neighbours are in.
        markets = CONTEXT + action.payload_count // ROW_STRIDE
        words += markets * (INSTRUMENT_WORDS + OPTION_WORDS)
    if brings_underlying(action):
        words += UNDERLYING_WORDS
    return words, cells


@law
def names_of_action(action: Action) -> int:
    """Return the NAMES bits of an action: its kind's, and of a forced liquidation its keeper's.

    A forced price names its market and no account.
    """
    if action.kind == Kind.INBOX and action.kind_of_message == InboxKind.LIQUIDATE:
        return int(NAMES[Kind.INBOX] | NAMES[Kind.LIQUIDATE])
    if action.kind == Kind.INBOX and action.kind_of_message == InboxKind.PRICE:
        return int(NAMES[Kind.PRICE])
    return int(NAMES[action.kind])


@law
def brings_underlying(action: Action) -> bool:
    """Tell whether the action reads its market's underlying whatever that is.

    All that name a market do, but for the hot kinds and forced messages other than prices.
    """
    kind = action.kind
    if kind == Kind.INBOX and action.kind_of_message == InboxKind.PRICE:
        return True
    if NAMES[kind] & NAMES_UNDERLYING != 0:
        return True
    return (
        bool(NAMES[kind] & NAMES_INSTRUMENT != 0) and kind != Kind.TRADE and kind != Kind.LIQUIDATE
    )


@law
def add_account(state: State, id: int, words: int, cells: int) -> tuple[int, int]:
    """Add what one account costs: its leaf and page, its markets, and their underlyings."""
    row = find_account(state, id)
    if row < 0:
        return words + ACCOUNT_WORDS, cells + 1
    account = state.accounts[row]
    words += ACCOUNT_WORDS + account.collateral_count + 2 * account.key_count
    for i in range(PAGES_MAX):
        words += (account.page_mask >> i) & 1
    deep = 1 if account.mode == Mode.PORTFOLIO else 0
    for i in range(account.position_count):
        words += 1 + INSTRUMENT_WORDS
        place = find_instrument(state, account.positions[i].instrument)
        if place >= 0 and state.instruments[place].kind != InstrumentKind.PERPETUAL:
            words += OPTION_WORDS
            deep = 1
        elif place >= 0 and state.instruments[place].status == InstrumentStatus.AUCTION:
            words += OPTION_WORDS
    underlyings = min(account.position_count + 1, state.globals[0].underlying_count)
    words += deep * underlyings * UNDERLYING_WORDS
    return words, cells + account.position_count + 1


@law
def add_pool(state: State, id: int, words: int, cells: int) -> tuple[int, int]:
    """Add what a pool's two accounts cost; nothing if there is no such pool."""
    if id < 0 or id >= state.globals[0].pool_count:
        return words, cells
    pool = state.pools[id]
    words, cells = add_account(state, pool.account, words, cells)
    return add_account(state, pool.sleeve, words, cells)


@law
def apply_action(
    state: State,
    actions: Rows[Action],
    observations: Rows[Observation],
    payload: Rows[int],
    signers: Grid,
    k: int,
) -> int:
    """Apply action `k` and return its Code. Only APPLIED changes the state (see the module)."""
    scratch = state.scratch[0]
    scratch.cursor = k
    action = actions[k]
    if action.code != Code.APPLIED and action.code != Code.QUORUM:
        return action.code
    words, cells = cost(state, action)
    room = fits(state, action, words, cells)
    # What does not fit names its accounts all the same, see `verifier.read_set`.
    scratch.listed_left -= listed_accounts(action)
    if not room:
        return Code.STEP_FULL
    scratch.words_left -= words
    scratch.cells_left -= cells
    scratch.recoveries_left -= action.signature_count
    kind = action.kind
    if state.globals[0].status != Status.ACTIVE and not runs_halted(kind):
        return Code.HALTED
    code = dispatch(state, action, observations, payload, signers)
    # What a witness lacks is its builder's fault and voids the run; it must not halt the law.
    if code == Code.INVARIANT and scratch.missing_kind == 0:
        halt(state)
    return code


@law
def runs_halted(kind: int) -> bool:
    """Tell whether actions of the kind run in a halted law: exits, and the end of the halt."""
    return kind == Kind.INBOX or kind == Kind.WITHDRAW or kind == Kind.RESUME


@law
def dispatch(
    state: State,
    action: Action,
    observations: Rows[Observation],
    payload: Rows[int],
    signers: Grid,
) -> int:
    """Call the rule of the action's kind."""
    kind = action.kind
    if kind == Kind.TRADE:
        return trade(state, action, signers)
    if kind == Kind.INBOX:
        return inbox(state, action, observations, signers)
    if kind == Kind.WITHDRAW:
        return withdraw(state, action, signers)
    if kind == Kind.TRANSFER:
        return transfer(state, action, signers)
    if kind == Kind.CONVERT:
        return convert(state, action, signers)
    if kind == Kind.CANCEL:
        return cancel(state, action, signers)
    if kind == Kind.PRICE:
        return price(state, action, observations, signers)
    if kind == Kind.FUNDING:
        return funding(state, action)
    if kind == Kind.RISK_ROWS:
        return risk_rows(state, action, payload, signers)
    if kind == Kind.ACTIVATE:
        return activate(state, action, signers)
    if kind == Kind.SCENARIOS:
        return set_scenarios(state, action, payload, signers)
    if kind == Kind.SET_GRID:
        return set_grid(state, action, payload, signers)
    if kind == Kind.ENACT_GRID:
        return enact_grid(state, action)
    if kind == Kind.EXPIRE:
        return expire(state, action)
    if kind == Kind.SETTLE:
        return settle(state, action)
    if kind == Kind.MARK_TO_MARKET:
        return mark_to_market(state, action)
    if kind == Kind.UNCROSS:
        return uncross(state, action, signers)
    if kind == Kind.CALL_ORDER:
        return call_order(state, action, signers)
    if kind == Kind.CALL_FILL:
        return call_fill(state, action)
    if kind == Kind.LIQUIDATE:
        return liquidate(state, action, signers)
    if kind == Kind.SET_MODE:
        return set_mode(state, action, signers)
    if kind == Kind.OWNER_CHECK:
        return owner_check(state, action, payload)
    if Kind.POOL_DEPOSIT <= kind <= Kind.POOL_TAKEOVER:
        return clear_pools(state, action, signers)
    if (
        Kind.AUCTION_START <= kind <= Kind.AUCTION_BID
        or Kind.SWEEP_OPEN <= kind <= Kind.SWEEP_CLOSE
    ):
        return unwind(state, action, payload, signers)
    return govern(state, action, payload, signers)


@law
def unwind(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Call the rule of the action's kind, of the waterfall."""
    kind = action.kind
    if kind == Kind.AUCTION_START:
        return auction_start(state, action)
    if kind == Kind.AUCTION_BID:
        return auction_bid(state, action, signers)
    if kind == Kind.SWEEP_OPEN:
        return sweep_open(state, action)
    if kind == Kind.SWEEP_TALLY:
        return sweep_tally(state, action, payload)
    if kind == Kind.SWEEP_APPLY:
        return sweep_apply(state, action, payload)
    return sweep_close(state, action)


@law
def govern(state: State, action: Action, payload: Rows[int], signers: Grid) -> int:
    """Call the rule of the action's kind, of keys and governance."""
    kind = action.kind
    if kind == Kind.KEY_GRANT:
        return key_grant(state, action, signers)
    if kind == Kind.KEY_REVOKE:
        return key_revoke(state, action, signers)
    if kind == Kind.ROTATE_KEY:
        return rotate_key(state, action, signers)
    if kind == Kind.SET_PARAMS:
        return set_params(state, action, payload, signers)
    if kind == Kind.ENACT:
        return enact(state, action, payload)
    if kind == Kind.HALT:
        return halt_by_hand(state, action, signers)
    if kind == Kind.RESUME:
        return resume(state, action, signers)
    if kind == Kind.LIST:
        return list_market(state, action, payload, signers)
    if kind == Kind.SET_MARKET:
        return set_market(state, action, signers)
    if kind == Kind.SET_ASSET:
        return set_asset(state, action, payload, signers)
    return Code.UNKNOWN_KIND


@law
def clear_pools(state: State, action: Action, signers: Grid) -> int:
    """Call the rule of the action's kind, of pools."""
    kind = action.kind
    if kind == Kind.POOL_TRADE:
        return pool_trade(state, action, signers)
    if kind == Kind.POOL_DEPOSIT:
        return pool_deposit(state, action, signers)
    if kind == Kind.POOL_WITHDRAW:
        return pool_withdraw(state, action, signers)
    if kind == Kind.POOL_TAKEOVER:
        return pool_takeover(state, action)
    return Code.UNKNOWN_KIND


@law
def halt(state: State) -> None:
    """Stop everything but exits: a number or an invariant broke, so nothing may be trusted."""
    state.globals[0].status = Status.HALTED


@law
def end_step(state: State, actions: Rows[Action], first: int, stop: int) -> None:
    """Close the step over actions `first .. stop`: fold their hashes into the accumulator."""
    extend_sequence(state, actions, first, stop)


@law_entry
def run_actions(
    state: State,
    actions: Rows[Action],
    observations: Rows[Observation],
    payload: Rows[int],
    signers: Grid,
    first: int,
    stop: int,
    codes: Rows[int],
) -> None:
    """Apply actions `first .. stop` within the open step, writing a Code each."""
    for k in range(first, stop):
        codes[k] = apply_action(state, actions, observations, payload, signers, k)


@law_entry
def open_step(state: State, time: int) -> None:
    """`begin_step`, to be called from Python."""
    begin_step(state, time)


@law_entry
def close_step(state: State, actions: Rows[Action], first: int, stop: int) -> None:
    """`end_step`, to be called from Python."""
    end_step(state, actions, first, stop)


def transition(state: State, columns: Any, first: int, stop: int, time: int, codes: Any) -> None:
    """Run exactly one step over actions `first .. stop` of `columns`, writing `codes[first:stop]`.

    Total: an overflow undoes its action, which becomes INVARIANT, halts the law, and the rest of
    the step goes on. `columns` holds actions, observations and recovered signers.
    """
    open_step(state, time)
    opened = first
    while first < stop:
        try:
            run_actions(
                state,
                columns.actions,
                columns.observations,
                columns.payload,
                columns.signers,
                first,
                stop,
                codes,
            )
            break
        except ArithmeticError:
            culprit = int(cast(Any, state.scratch)[0].cursor)
            codes[culprit] = Code.INVARIANT
            cast(Any, state.globals)[0].status = Status.HALTED
            first = culprit + 1
    close_step(state, columns.actions, opened, stop)
