"""What a step reads, from the names in its actions alone; the law need not run to know it.

Witnesses hold exactly this set, so that a leaf too few or too many is visible before anything runs
(docs/protocol.md, section 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from clearing.codes import Code, Kind
from clearing.decode import Columns
from clearing.units import ALL_SLOTS, PAGE_SLOTS

_NAMES_ACCOUNT = frozenset((Kind.INBOX, Kind.WITHDRAW, Kind.TRANSFER, Kind.CANCEL, Kind.LIQUIDATE))
_NAMES_COUNTERPARTY = frozenset((Kind.TRANSFER, Kind.LIQUIDATE))
_NAMES_INSTRUMENT = frozenset((Kind.TRADE, Kind.PRICE, Kind.FUNDING, Kind.LIQUIDATE))
_MAY_WITHDRAW = frozenset((Kind.INBOX, Kind.WITHDRAW))


@dataclass(frozen=True)
class Names:
    """What the actions of a step name, existing or not.

    ``pages`` holds (account, page number) of each order slot; ``openings`` and ``withdrawals`` are
    the most accounts and withdrawals that the step can append.
    """

    accounts: frozenset[int]
    instruments: frozenset[int]
    pages: frozenset[tuple[int, int]]
    openings: int
    withdrawals: int


def names_of(columns: Columns, first: int, stop: int) -> Names:
    """Return what actions ``first .. stop`` name; one that the law does not judge names nothing."""
    accounts: set[int] = set()
    instruments: set[int] = set()
    pages: set[tuple[int, int]] = set()
    openings = withdrawals = 0
    for action in cast(Any, columns.actions)[first:stop]:
        if action.code not in (Code.APPLIED, Code.QUORUM):
            continue
        kind = int(action.kind)
        if kind in _NAMES_ACCOUNT:
            accounts.add(int(action.account))
        if kind in _NAMES_COUNTERPARTY:
            accounts.add(int(action.counterparty))
        if kind in _NAMES_INSTRUMENT:
            instruments.add(int(action.instrument))
        if kind == Kind.TRADE:
            for order in (action.maker, action.taker):
                accounts.add(int(order.account))
                pages.add((int(order.account), int(order.slot) // PAGE_SLOTS))
        if kind == Kind.CANCEL and action.slot != ALL_SLOTS:
            pages.add((int(action.account), int(action.slot) // PAGE_SLOTS))
        openings += kind == Kind.INBOX
        withdrawals += kind in _MAY_WITHDRAW
    return Names(
        frozenset(accounts), frozenset(instruments), frozenset(pages), openings, withdrawals
    )


def targets(named: frozenset[int], count: int, appended: int, capacity: int) -> list[int]:
    """Return the sorted indices that a multiproof covers.

    They are the named ones below ``count``, and then as many as the step can append.
    """
    existing = sorted(index for index in named if 0 <= index < count)
    return existing + list(range(count, min(count + appended, capacity)))
