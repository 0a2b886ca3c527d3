"""What a step reads, from the names in its actions alone; the law need not run to know it.

Witnesses hold exactly this set, so that a leaf too few or too many is visible before anything runs
(docs/protocol.md, section 9).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from clearing.codes import Code, InstrumentKind, Kind, Mode
from clearing.decode import Columns
from clearing.forms import (
    CONTEXT,
    NAMES_ACCOUNT,
    NAMES_COUNTERPARTY,
    NAMES_INSTRUMENT,
    NAMES_PAYLOAD,
    NAMES_POOL,
    NAMES_UNDERLYING,
    ROW_STRIDE,
)
from clearing.step import brings_underlying, listed_accounts, names_of_action
from clearing.units import ALL_SLOTS, PAGE_SLOTS, STEP_LISTED

_SETS = (
    "accounts",
    "lean",
    "instruments",
    "deep",
    "underlyings",
    "pools",
    "funded",
    "pages",
)
_MAY_WITHDRAW = frozenset((Kind.INBOX, Kind.WITHDRAW))


@dataclass(frozen=True)
class Names:
    """What the actions of a step name, existing or not.

    ``lean`` are the accounts that only payloads name: their leaves are read and none of their
    markets. ``pages`` holds (account, page number) of each order slot. ``underlyings`` are named;
    ``deep`` are the instruments that bring their underlying in. ``pools`` bring their accounts in,
    and so do those of the markets in ``funded``. ``modes`` tells whether an account's mode may
    change, to a portfolio's. The rest are the most accounts, instruments and withdrawals that the
    step can append.
    """

    accounts: frozenset[int]
    lean: frozenset[int]
    instruments: frozenset[int]
    deep: frozenset[int]
    underlyings: frozenset[int]
    pools: frozenset[int]
    funded: frozenset[int]
    pages: frozenset[tuple[int, int]]
    modes: bool
    openings: int
    listings: int
    withdrawals: int


def names_of(columns: Columns, first: int, stop: int) -> Names:
    """Return what actions ``first .. stop`` name; one that the law does not judge names nothing."""
    found: dict[str, set[Any]] = {name: set() for name in _SETS}
    modes = False
    openings = listings = withdrawals = 0
    room = STEP_LISTED
    for action in cast(Any, columns.actions)[first:stop]:
        if action.code not in (Code.APPLIED, Code.QUORUM):
            continue
        kind = int(action.kind)
        # Beyond what the payloads of a step may name the law reads nothing: the action is
        # STEP_FULL, and so are all that follow it and name any.
        room -= int(listed_accounts(action))
        _add_names(found, action, cast(Any, columns.payload), room >= 0)
        modes = modes or kind == Kind.SET_MODE
        openings += kind == Kind.INBOX
        listings += kind == Kind.LIST
        withdrawals += kind in _MAY_WITHDRAW
    sets = {name: frozenset(members) for name, members in found.items()}
    sets["lean"] -= sets["accounts"]
    return Names(**sets, modes=modes, openings=openings, listings=listings, withdrawals=withdrawals)


def _add_names(found: dict[str, set[Any]], action: Any, payload: Any, lists: bool) -> None:
    kind = int(action.kind)
    names = int(names_of_action(action))
    if names & NAMES_ACCOUNT:
        found["accounts"].add(int(action.account))
    if names & NAMES_COUNTERPARTY:
        found["accounts"].add(int(action.counterparty))
    if names & NAMES_INSTRUMENT:
        found["instruments"].add(int(action.instrument))
    if names & NAMES_UNDERLYING:
        found["underlyings"].add(int(action.underlying))
    if names & NAMES_INSTRUMENT and brings_underlying(action):
        found["deep"].add(int(action.instrument))
    if names & NAMES_POOL:
        found["pools"].add(int(action.pool))
    if names & NAMES_PAYLOAD and lists:
        found["lean"].update(int(piece) for piece in listed(action, payload))
    if kind == Kind.FUNDING:
        found["funded"].add(int(action.instrument))
    if kind == Kind.RISK_ROWS:
        start = int(action.payload_first)
        # A payload may be shorter than the context; what stands behind it in the column is no part
        # of the step.
        own = payload[start : start + int(action.payload_count)]
        named = (*own[:CONTEXT], *own[CONTEXT::ROW_STRIDE])
        found["instruments"].update(int(piece) for piece in named)
    if kind == Kind.TRADE:
        for order in (action.maker, action.taker):
            found["accounts"].add(int(order.account))
            found["pages"].add((int(order.account), int(order.slot) // PAGE_SLOTS))
    if kind == Kind.CANCEL and action.slot != ALL_SLOTS:
        found["pages"].add((int(action.account), int(action.slot) // PAGE_SLOTS))


def listed(action: Any, payload: Any) -> Any:
    """Return the accounts that the action's payload names."""
    first = int(action.payload_first)
    return payload[first : first + int(listed_accounts(action))]


def accounts_read(
    names: Names, count: int, pools: Sequence[Any], markets: Iterable[Any]
) -> tuple[list[int], list[int]]:
    """Return (accounts whose markets are read too, all accounts), sorted, of ``count``.

    ``pools`` are the state's pool records: a named one brings its two accounts, and so does that
    of a funded market. ``markets`` hold at least the funded instruments that exist; one that does
    not may be listed in the step, for any pool.
    """
    funded = {int(row.id): int(row.pool) - 1 for row in markets if int(row.id) in names.funded}
    anyones = names.listings > 0 and len(funded) < len(names.funded)
    owned = {
        int(account)
        for pool in pools
        if anyones or int(pool.id) in names.pools or int(pool.id) in funded.values()
        for account in (pool.account, pool.sleeve)
    }
    full = targets(names.accounts | owned, count, 0, 0)
    return full, targets(names.accounts | owned | names.lean, count, 0, 0)


def instruments_read(names: Names, count: int, accounts: Iterable[Any]) -> list[int]:
    """Return the sorted instruments that are named, or held by one of ``accounts``."""
    held = {int(p.instrument) for row in accounts for p in row.positions[: row.position_count]}
    return targets(names.instruments | held, count, 0, 0)


def underlyings_read(
    names: Names, count: int, accounts: Iterable[Any], instruments: Iterable[Any]
) -> list[int]:
    """Return the sorted underlyings that a step reads, given the other leaves.

    Those named; those of named markets but for trades and liquidations; those of markets that are
    no perpetuals; and those of every market that a portfolio among ``accounts`` holds or could
    come to hold. Where a mode may change, every account may become a portfolio.
    """
    found = set(names.underlyings)
    deep = set(names.deep)
    for account in accounts:
        if names.modes or int(account.mode) == Mode.PORTFOLIO:
            held = account.positions[: account.position_count]
            deep |= names.instruments | {int(position.instrument) for position in held}
    for row in instruments:
        if int(row.id) in deep or int(row.kind) != InstrumentKind.PERPETUAL:
            found.add(int(row.underlying))
    return targets(frozenset(found), count, 0, 0)


def targets(named: frozenset[int], count: int, appended: int, capacity: int) -> list[int]:
    """Return the sorted indices that a multiproof covers.

    They are the named ones below ``count``, and then as many as the step can append.
    """
    existing = sorted(index for index in named if 0 <= index < count)
    return existing + list(range(count, min(count + appended, capacity)))
