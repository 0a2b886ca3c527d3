"""The inbox: what the base layer forces into the state, in order (docs/protocol.md, section 7)."""

from __future__ import annotations

from typing import NamedTuple

from clearing.codes import InboxKind
from clearing.messages import InboxMessage, inbox_accumulator
from clearing.units import ACCOUNTS_DEPTH, AMOUNT_MAX, SETTLEMENT_ASSET
from verifier.errors import CourtError, Refused
from verifier.undo import Cell, Table, UndoLog

ACCOUNTS_MAX = 4**ACCOUNTS_DEPTH
EMPTY_ACCUMULATOR = bytes(32)


class InboxEntry(NamedTuple):
    """A message, the accumulator and the sum of deposits (micro-quote) after it, and its block."""

    message: InboxMessage
    accumulator: bytes
    deposited: int
    block: int
    time_ms: int


class Inbox:
    """Messages in order of their index. The first account id is the genesis state's count."""

    def __init__(self, log: UndoLog, first_account: int) -> None:
        self._entries: Table[int, InboxEntry] = Table(log)
        self._accounts: Table[tuple[bytes, int], int] = Table(log)
        self._next_account: Cell[int] = Cell(log, first_account)
        self._count: Cell[int] = Cell(log, 0)

    @property
    def count(self) -> int:
        """How many messages there are."""
        return self._count.value

    def entry(self, index: int) -> InboxEntry | None:
        """Return message `index`, or None."""
        return self._entries.get(index)

    def entries(self, first_index: int, limit: int) -> list[InboxEntry]:
        """Return messages from `first_index` on, at most `limit` of them."""
        first = max(first_index, 0)
        return [self._entries[i] for i in range(first, min(self.count, first + max(limit, 0)))]

    def account_of(self, owner: bytes, subaccount: int) -> int | None:
        """Return the account id of the pair, or None before its first deposit."""
        return self._accounts.get((owner, subaccount))

    def accumulator_at(self, count: int) -> bytes:
        """Return the accumulator after the first `count` messages, 0 <= count <= self.count."""
        return self._entries[count - 1].accumulator if count else EMPTY_ACCUMULATOR

    def deposited_at(self, count: int) -> int:
        """Return the sum of the first `count` deposits in micro-quote."""
        return self._entries[count - 1].deposited if count else 0

    def deposit(
        self, owner: bytes, subaccount: int, asset: int, amount: int, block: int, time_ms: int
    ) -> InboxMessage:
        """Append a deposit and return its message.

        Raises Refused(UNKNOWN_ASSET, AMOUNT_OUT_OF_BOUNDS or ACCOUNTS_FULL).
        """
        if asset != SETTLEMENT_ASSET:
            raise Refused(
                CourtError.UNKNOWN_ASSET,
                f"expected asset {SETTLEMENT_ASSET}, was {asset}; deposit the settlement asset",
            )
        if not 1 <= amount <= AMOUNT_MAX:
            raise Refused(
                CourtError.AMOUNT_OUT_OF_BOUNDS,
                f"expected an amount of 1 to {AMOUNT_MAX} micro-quote, was {amount}; split it",
            )
        account = self._account_for(owner, subaccount)
        kind, index = InboxKind.DEPOSIT, self.count
        message = InboxMessage(kind, index, account, owner, subaccount, asset, amount)
        self._entries[index] = InboxEntry(
            message,
            inbox_accumulator(self.accumulator_at(index), message.message_hash()),
            self.deposited_at(index) + amount,
            block,
            time_ms,
        )
        self._count.value = index + 1
        return message

    def _account_for(self, owner: bytes, subaccount: int) -> int:
        """Return the pair's account id; its first deposit takes the next one for ever."""
        known = self.account_of(owner, subaccount)
        if known is not None:
            return known
        account = self._next_account.value
        if account >= ACCOUNTS_MAX:
            raise Refused(
                CourtError.ACCOUNTS_FULL,
                f"expected fewer than {ACCOUNTS_MAX} accounts, was {account}; use one that exists",
            )
        self._accounts[owner, subaccount] = account
        self._next_account.value = account + 1
        return account
