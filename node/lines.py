"""Lines of the books: what one action did to each account's cash, and to the house's own money.

Each account that an action touched is compared with what it was before. What the comparison finds
are *lines*; those of an account add up to its cash exactly, because the last line of an action is
whatever the others leave over. The house's funds and the markets' pots are compared too, by their
own balances: over an action that moves no money in or out, all lines together are zero.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from clearing.codes import Fund, InboxKind, Kind
from clearing.compiler import law
from clearing.layout import Rows, dtype_of
from clearing.lookup import find_position, lots_of
from clearing.marks import mark_price
from clearing.pools import holder_of
from clearing.positions import pending_funding
from clearing.records import Account, Action, State
from clearing.units import ACTION_ACCOUNTS_MAX, ACTION_INSTRUMENTS_MAX, FUNDS_MAX, POSITIONS_MAX

Pieces = np.ndarray[Any, np.dtype[np.int64]]

NONE = -1
# An action's accounts, each with funding and a move in all its positions, and what is left over;
# the funds, and the pots of its markets.
LINES_PER_ACTION_MAX = (
    ACTION_ACCOUNTS_MAX * (3 * POSITIONS_MAX + 3) + FUNDS_MAX + ACTION_INSTRUMENTS_MAX
)

# Places in `Passage.progress`.
NEXT = 0  # the action to apply next
STEP = 1  # the step that it is in
OPEN = 2  # 1 while that step is open
LINES = 3  # lines that wait in `Memory.lines`
BASE = 4  # lines that were written before those


class LineKind(IntEnum):
    """What a line is about; the numbers are those of the wire."""

    HOUSE = 0  # what a fund or a pot got; on no account's statement
    FILL = 1
    FEE = 2
    FUNDING = 3
    DEPOSIT = 4
    WITHDRAWAL = 5
    TRANSFER = 6
    LIQUIDATION = 7
    INSURANCE_FEE = 8
    INSURANCE_COVER = 9
    SETTLEMENT = 10
    AUCTION = 11
    AUCTION_REWARD = 12
    DELEVERAGE = 13
    LOSS_SHARE = 14
    POOL_TRADE = 15
    POOL_IMPACT = 16
    POOL_TAKEOVER = 17
    POOL_EQUITY = 18
    POOL_SLEEVE = 19
    POOL_SHARES = 20
    CONVERSION = 21


class Role(IntEnum):
    """The part that an account had in a line; the numbers are those of the wire."""

    UNSPECIFIED = 0
    MAKER = 1
    TAKER = 2
    KEEPER = 3
    LIQUIDATED = 4
    BIDDER = 5
    POOL = 6


class Line:
    """One change of an account's cash, in micro-quote; NONE where a number does not apply.

    `previous` is one more than the place of the account's line before, 0 before the first. A line
    of the house has no account: its amount went into `fund`, or (without one) into the pot of
    `instrument`, and `cash` is what that holds then.
    """

    previous: int
    account: int
    sequence: int
    time: int
    action_kind: int
    kind: int
    instrument: int
    lots: int
    price: int
    amount: int
    cash: int
    counterparty: int
    role: int
    slot: int
    reference: int
    fund: int


LINE = dtype_of(Line)


class Memory(NamedTuple):
    """What the copy knows beside its state, a row an account.

    `before` is each account as the last action left it; `newest` is one more than the place of its
    last line; `dirty` is 1 once it was touched. `tables`, one number, is 1 once something changed
    that concerns accounts nobody named: parameters, underlyings, assets, pools. `lines` waits to be
    written. `funds` and `pots` are the house's balances as the last action left them.
    """

    before: Rows[Account]
    newest: Pieces
    dirty: Pieces
    tables: Pieces
    lines: Rows[Line]
    funds: Pieces
    pots: Pieces


class Passage(NamedTuple):
    """A frame on its way through the law: step i is the actions bounds[i] .. bounds[i + 1].

    `sequences` int64[n] counts the sequenced actions up to and including each. Result: `codes`.
    """

    bounds: Pieces
    sequences: Pieces
    codes: Pieces
    progress: Pieces


# What an action was about: price of its lots, micro-quote that a keeper paid for them, micro-quote
# that a failing account gave up beside its lots, micro-quote that a pool put into its sleeve.
Deal = tuple[int, int, int, int]


@law
def write_action(
    state: State,
    action: Action,
    memory: Memory,
    passage: Passage,
    touched: int,
    touched_instruments: int,
) -> None:
    """Write the lines of what the action touched, from these places on."""
    scratch = state.scratch[0]
    if scratch.touched_accounts > touched:
        deal = deal_of(state, action, memory)
        for place in range(touched, scratch.touched_accounts):
            row = state.touched_accounts[place]
            write_account(state, action, memory, passage, row, deal)
            memory.before[row] = state.accounts[row]
            memory.dirty[row] = 1
    write_house(state, action, memory, passage, touched_instruments)


@law
def is_liquidation(action: Action) -> bool:
    """Tell whether a keeper takes lots over, by his signature or past the operator."""
    forced = action.kind == Kind.INBOX and action.kind_of_message == InboxKind.LIQUIDATE
    return bool(forced or action.kind == Kind.LIQUIDATE)


@law
def deal_of(state: State, action: Action, memory: Memory) -> Deal:
    """Return what the action was about; see `Deal`. All 0 if it was about nothing of that.

    A liquidation's cash is what its keeper paid (negative: got), penalty and all: nothing else
    changes a keeper's cash. Its price is that a lot, rounded down; so is that of a call's fill,
    whose buyer pays nothing else.
    """
    if action.kind == Kind.TRADE:
        return action.price, 0, 0, 0
    if action.kind == Kind.AUCTION_BID:
        return 0, 0, max(0, -rest_of(state, memory, action.counterparty)), 0
    if action.kind == Kind.POOL_TAKEOVER:
        pool = state.pools[action.pool]
        lent = 0
        if holder_of(pool, state.instruments[action.instrument]) == pool.sleeve:
            lent = -rest_of(state, memory, pool.account)
        return 0, 0, -rest_of(state, memory, action.account), lent
    if not is_liquidation(action) and action.kind != Kind.CALL_FILL:
        return 0, 0, 0, 0
    old = memory.before[action.account]
    new = state.accounts[action.account]
    moved = lots_of(new, action.instrument) - lots_of(old, action.instrument)
    if moved == 0:
        return 0, 0, 0, 0
    owed = 0
    place = find_position(old, action.instrument)
    if place >= 0:
        owed, _ = pending_funding(old.positions[place], state.instruments[action.instrument])
    paid = old.cash - new.cash - owed
    return paid // moved, paid, 0, 0


@law
def rest_of(state: State, memory: Memory, row: int) -> int:
    """Return what of an account's change of cash is neither funding nor lots at the mark."""
    old = memory.before[row]
    new = state.accounts[row]
    rest = new.cash - old.cash
    for i in range(old.position_count):
        position = old.positions[i]
        instrument = state.instruments[position.instrument]
        if is_settled(new, position.instrument, position.index_high, position.index_low):
            owed, _ = pending_funding(position, instrument)
            rest += owed
        moved = lots_of(new, position.instrument) - position.lots
        if moved != 0:
            rest += moved * mark_price(state, instrument)
    for i in range(new.position_count):
        position = new.positions[i]
        if find_position(old, position.instrument) < 0:
            rest += position.lots * mark_price(state, state.instruments[position.instrument])
    return rest


@law
def write_account(
    state: State, action: Action, memory: Memory, passage: Passage, row: int, deal: Deal
) -> None:
    """Write the lines of one account: funding, lots, and what is left of the change of cash."""
    old = memory.before[row]
    new = state.accounts[row]
    cash = old.cash
    for i in range(old.position_count):
        position = old.positions[i]
        if is_settled(new, position.instrument, position.index_high, position.index_low):
            owed, _ = pending_funding(position, state.instruments[position.instrument])
            if owed != 0:
                cash -= owed
                line = new_line(state, action, memory, passage, row)
                line.kind = LineKind.FUNDING
                line.instrument = position.instrument
                line.lots = position.lots
                line.amount = -owed
                line.cash = cash
                line.counterparty = NONE
    for i in range(old.position_count):
        id = old.positions[i].instrument
        moved = lots_of(new, id) - old.positions[i].lots
        cash = write_move(state, action, memory, passage, row, id, moved, deal, cash)
    for i in range(new.position_count):
        id = new.positions[i].instrument
        if find_position(old, id) < 0:
            moved = new.positions[i].lots
            cash = write_move(state, action, memory, passage, row, id, moved, deal, cash)
    write_rest(state, action, memory, passage, row, deal, cash)


@law
def is_settled(account: Account, instrument: int, index_high: int, index_low: int) -> bool:
    """Tell whether a position is gone, or its funding index moved."""
    place = find_position(account, instrument)
    if place < 0:
        return True
    position = account.positions[place]
    return position.index_high != index_high or position.index_low != index_low


@law
def write_move(
    state: State,
    action: Action,
    memory: Memory,
    passage: Passage,
    row: int,
    instrument: int,
    moved: int,
    deal: Deal,
    cash: int,
) -> int:
    """Write the line of moved lots, if any, and return cash after it."""
    if moved == 0:
        return cash
    price, paid, _, _ = deal
    line = new_line(state, action, memory, passage, row)
    line.kind = kind_of_move(action)
    line.instrument = instrument
    line.lots = moved
    if line.kind == LineKind.DELEVERAGE:
        price = state.instruments[instrument].price
    elif line.kind != LineKind.FILL and line.kind != LineKind.LIQUIDATION:
        price = mark_price(state, state.instruments[instrument])
    line.price = price
    line.amount = -moved * price
    if line.kind == LineKind.LIQUIDATION:
        line.amount = -paid if row == action.account else paid
    cash += line.amount
    line.cash = cash
    return cash


@law
def kind_of_move(action: Action) -> int:
    """Return what it is that moves lots."""
    kind = LineKind.SETTLEMENT
    if action.kind == Kind.TRADE or action.kind == Kind.CALL_FILL:
        kind = LineKind.FILL
    elif is_liquidation(action):
        kind = LineKind.LIQUIDATION
    elif action.kind == Kind.AUCTION_BID:
        kind = LineKind.AUCTION
    elif action.kind == Kind.SWEEP_APPLY:
        kind = LineKind.DELEVERAGE
    elif action.kind == Kind.POOL_TRADE:
        kind = LineKind.POOL_TRADE
    elif action.kind == Kind.POOL_TAKEOVER:
        kind = LineKind.POOL_TAKEOVER
    return kind


@law
def write_rest(
    state: State,
    action: Action,
    memory: Memory,
    passage: Passage,
    row: int,
    deal: Deal,
    cash: int,
) -> None:
    """Write what is left of a change of cash, by who it came from or went to."""
    _, _, given, lent = deal
    amount = state.accounts[row].cash - cash
    if action.kind == Kind.POOL_TAKEOVER and row != action.account:
        pool = state.pools[action.pool]
        if row != holder_of(pool, state.instruments[action.instrument]):
            # The pool's own account, which only fills its sleeve up.
            write_part(state, action, memory, passage, row, LineKind.POOL_SLEEVE, amount, cash)
            return
        insured = amount - given - lent
        cash = write_part(state, action, memory, passage, row, LineKind.POOL_EQUITY, given, cash)
        cash = write_part(state, action, memory, passage, row, LineKind.POOL_SLEEVE, lent, cash)
        write_part(state, action, memory, passage, row, LineKind.INSURANCE_COVER, insured, cash)
        return
    found = kind_of_rest(state, action, row, amount, given)
    write_part(state, action, memory, passage, row, found, amount, cash)


@law
def kind_of_rest(state: State, action: Action, row: int, amount: int, given: int) -> int:
    """Return what a change of cash is that is neither funding nor the price of lots."""
    kind = action.kind
    if kind == Kind.TRADE:
        return LineKind.FEE
    if is_liquidation(action):
        # An account that pays the fee out of its equity is not left with a debt.
        return LineKind.INSURANCE_FEE if amount < 0 else LineKind.INSURANCE_COVER
    if kind == Kind.INBOX and action.kind_of_message == InboxKind.DEPOSIT:
        return LineKind.DEPOSIT
    if kind == Kind.INBOX and action.kind_of_message == InboxKind.WITHDRAW:
        return LineKind.WITHDRAWAL
    if kind == Kind.WITHDRAW:
        return LineKind.WITHDRAWAL
    if kind == Kind.TRANSFER:
        return LineKind.TRANSFER
    if kind == Kind.CONVERT:
        return LineKind.CONVERSION
    if kind == Kind.SWEEP_APPLY:
        return LineKind.LOSS_SHARE
    if kind == Kind.AUCTION_BID:
        # Without equity to give up a slice costs nothing, and insurance pays its bidder.
        return LineKind.AUCTION_REWARD if given != 0 else LineKind.INSURANCE_COVER
    if kind == Kind.SWEEP_OPEN or kind == Kind.SWEEP_CLOSE or kind == Kind.SETTLE:
        return LineKind.INSURANCE_COVER
    return kind_of_pool(state, action)


@law
def kind_of_pool(state: State, action: Action) -> int:
    """Return what a change of cash is that an action on a pool made."""
    kind = action.kind
    if kind == Kind.POOL_TRADE:
        pool = state.pools[action.pool]
        # What a sleeve holds is traded without impact; what it does not need any more goes home.
        if holder_of(pool, state.instruments[action.instrument]) == pool.sleeve:
            return LineKind.POOL_SLEEVE
        return LineKind.POOL_IMPACT
    if kind == Kind.POOL_DEPOSIT or kind == Kind.POOL_WITHDRAW:
        return LineKind.POOL_SHARES
    return LineKind.POOL_EQUITY if kind == Kind.POOL_TAKEOVER else LineKind.SETTLEMENT


@law
def write_part(
    state: State,
    action: Action,
    memory: Memory,
    passage: Passage,
    row: int,
    kind: int,
    amount: int,
    cash: int,
) -> int:
    """Write a line without lots, unless it is of nothing, and return cash after it."""
    if amount == 0:
        return cash
    line = new_line(state, action, memory, passage, row)
    line.kind = kind
    line.amount = amount
    line.cash = cash + amount
    if names_market(action):
        line.instrument = action.instrument
    if kind == LineKind.FEE:
        line.fund = Fund.FEES
        line.counterparty = NONE
    elif kind == LineKind.INSURANCE_FEE or kind == LineKind.INSURANCE_COVER:
        line.fund = Fund.INSURANCE
        line.counterparty = NONE
    elif kind == LineKind.POOL_SLEEVE:
        pool = state.pools[action.pool]
        line.counterparty = pool.account if row == pool.sleeve else pool.sleeve
    return cash + amount


@law
def names_market(action: Action) -> bool:
    """Tell whether all that the action moves belongs to the one market that it names."""
    kind = action.kind
    if kind == Kind.TRADE or kind == Kind.SETTLE or is_liquidation(action):
        return True
    if kind == Kind.POOL_TRADE or kind == Kind.POOL_TAKEOVER:
        return True
    return bool(kind >= Kind.SWEEP_OPEN and kind <= Kind.SWEEP_CLOSE)


@law
def new_line(  # type: ignore[no-untyped-def]
    state: State,
    action: Action,
    memory: Memory,
    passage: Passage,
    row: int,
):
    """Return the next line with what it has from the action; its account's chain is continued."""
    line = blank_line(state, action, memory, passage)
    progress = passage.progress
    line.previous = memory.newest[row]
    memory.newest[row] = progress[BASE] + progress[LINES]
    line.account = row
    if action.kind == Kind.TRADE:
        if row == action.maker.account:
            line.counterparty = action.taker.account
            line.role = Role.MAKER
            line.slot = action.maker.slot
            line.reference = action.maker.sequence
        else:
            line.counterparty = action.maker.account
            line.role = Role.TAKER
            line.slot = action.taker.slot
            line.reference = action.taker.sequence
    elif names_pair(action):
        first = row == action.account
        line.counterparty = action.counterparty if first else action.account
        if is_liquidation(action):
            line.role = Role.KEEPER if first else Role.LIQUIDATED
        elif action.kind == Kind.AUCTION_BID:
            line.role = Role.BIDDER if first else Role.LIQUIDATED
    elif action.kind == Kind.SWEEP_APPLY:
        # Many stand against the bankrupt account at once.
        if row != action.account:
            line.counterparty = action.account
    elif action.kind >= Kind.POOL_DEPOSIT and action.kind <= Kind.POOL_TAKEOVER:
        name_pool(state, action, line, row)
    return line


@law
def names_pair(action: Action) -> bool:
    """Tell whether the action is between its account and its counterparty."""
    kind = action.kind
    between = kind == Kind.TRANSFER or kind == Kind.CONVERT or kind == Kind.AUCTION_BID
    return bool(between or kind == Kind.CALL_FILL or is_liquidation(action))


@law
def name_pool(state: State, action: Action, line: Line, row: int) -> None:
    """Set counterparty and role of a line between an account and a pool."""
    pool = state.pools[action.pool]
    if row != action.account:
        line.counterparty = action.account
        line.role = Role.POOL
        return
    line.counterparty = pool.account
    if action.kind == Kind.POOL_TRADE or action.kind == Kind.POOL_TAKEOVER:
        line.counterparty = holder_of(pool, state.instruments[action.instrument])
    if action.kind == Kind.POOL_TAKEOVER:
        line.role = Role.LIQUIDATED


@law
def blank_line(  # type: ignore[no-untyped-def]
    state: State, action: Action, memory: Memory, passage: Passage
):
    """Return the next line, of no account yet."""
    progress = passage.progress
    line = memory.lines[progress[LINES]]
    progress[LINES] += 1
    line.previous = 0
    line.account = NONE
    line.sequence = passage.sequences[progress[NEXT]]
    line.time = state.globals[0].clock
    line.action_kind = action.kind
    line.kind = LineKind.HOUSE
    line.instrument = NONE
    line.lots = 0
    line.price = 0
    line.amount = 0
    line.counterparty = NONE
    line.role = Role.UNSPECIFIED
    line.slot = NONE
    line.reference = action.inbox_index if action.kind == Kind.INBOX else action.sequence
    line.fund = NONE
    return line


@law
def write_house(
    state: State, action: Action, memory: Memory, passage: Passage, touched: int
) -> None:
    """Write what each fund got, and the pots of the touched markets from place `touched` on."""
    for fund in range(state.globals[0].fund_count):
        balance = state.funds[fund].balance
        if balance != memory.funds[fund]:
            line = blank_line(state, action, memory, passage)
            line.fund = fund
            if names_market(action):
                line.instrument = action.instrument
            line.amount = balance - memory.funds[fund]
            line.cash = balance
            memory.funds[fund] = balance
    for place in range(touched, state.scratch[0].touched_instruments):
        row = state.touched_instruments[place]
        pot = state.instruments[row].pot
        if pot != memory.pots[row]:
            line = blank_line(state, action, memory, passage)
            line.instrument = row
            line.amount = pot - memory.pots[row]
            line.cash = pot
            memory.pots[row] = pot
