"""The inbox: what the base layer forces into the state, in order (docs/protocol.md, section 7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NamedTuple

from clearing.codes import InboxKind
from clearing.messages import InboxMessage, PriceObservation, inbox_accumulator
from clearing.units import (
    ACCOUNTS_DEPTH,
    AMOUNT_MAX,
    ASSETS_MAX,
    OBSERVATIONS_MAX,
    SETTLEMENT_ASSET,
)
from verifier.codec import U8, U32, U64, Through
from verifier.errors import CourtError, require
from verifier.host.ledger import check_asset
from verifier.host.storage import Cell, Table, UndoLog

ACCOUNTS_MAX = 4**ACCOUNTS_DEPTH
EMPTY_ACCUMULATOR = bytes(32)


class InboxEntry(NamedTuple):
    """A message, the accumulator and the sums of deposits by asset after it, and its block."""

    message: InboxMessage
    accumulator: bytes
    deposited: tuple[int, ...]
    block: int
    time_ms: int


class ForcedRequest(NamedTuple):
    """What an owner asks of the law past the operator; the meaning of the numbers is the kind's.

    Withdraw: `number` an asset, `amount` its units. Cancel all: `amount` the last sequence that
    dies. Close position: `number` an instrument, `amount` lots. Liquidate: `account` is the
    keeper's, `other` the failing one, `number` the instrument, `amount` the most lots. Price: see
    `forced_price`; no other kind has `observations`.
    """

    kind: U8
    account: U64
    number: U32
    other: U32
    amount: U64
    observations: Annotated[tuple[PriceObservation, ...], Through(PriceObservation)] = ()


FORCED_KINDS = (
    InboxKind.WITHDRAW,
    InboxKind.CANCEL_ALL,
    InboxKind.CLOSE_POSITION,
    InboxKind.PRICE,
    InboxKind.LIQUIDATE,
)


def forced_price(number: int, observations: Iterable[PriceObservation]) -> ForcedRequest:
    """Return the request that forces 1 .. 16 signed observations of instrument `number` in.

    It acts for no account, so that anybody may send it: account and other are 0, the amount is how
    many observations there are.
    """
    views = tuple(observations)
    return ForcedRequest(InboxKind.PRICE, 0, number, 0, len(views), views)


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

    def deposited_at(self, count: int, asset: int = SETTLEMENT_ASSET) -> int:
        """Return the sum of the deposits of an asset among the first `count` messages."""
        return self._entries[count - 1].deposited[asset] if count else 0

    def deposit(
        self, owner: bytes, subaccount: int, asset: int, amount: int, block: int, time_ms: int
    ) -> InboxMessage:
        """Append a deposit and return its message.

        Raises Refused(UNKNOWN_ASSET, AMOUNT_OUT_OF_BOUNDS or ACCOUNTS_FULL).
        """
        check_asset(asset)
        _check_amount(amount)
        account = self._account_for(owner, subaccount)
        kind, index = InboxKind.DEPOSIT, self.count
        message = InboxMessage(kind, index, account, owner, subaccount, asset, amount)
        return self._append(message, block, time_ms)

    def force(
        self, sender: bytes, request: ForcedRequest, block: int, time_ms: int
    ) -> InboxMessage:
        """Append what `sender` forces on an account, and return the message.

        Whether the account is the sender's only the law can tell: its owner may have passed it on
        to another key. Nor can the base layer tell whether the signatures of a price are those of
        publishers. Raises Refused(UNKNOWN_REQUEST, NO_SUCH_ACCOUNT, UNKNOWN_ASSET or
        AMOUNT_OUT_OF_BOUNDS).
        """
        kind, account, number, other, amount, observations = request
        kinds = f"a message of kind {', '.join(str(int(forced)) for forced in FORCED_KINDS)}"
        nothing_else = "the base layer forces nothing else in"
        require(kind in FORCED_KINDS, CourtError.UNKNOWN_REQUEST, kinds, kind, nothing_else)
        if kind == InboxKind.PRICE:
            _check_price(request)
        else:
            require(
                not observations,
                CourtError.UNKNOWN_REQUEST,
                "observations with a price alone",
                f"{len(observations)} of them with kind {kind}",
                "leave them out",
            )
            self._check_account(account)
            self._check_account(other)
        if kind == InboxKind.WITHDRAW:
            check_asset(number)
        _check_amount(amount)
        message = InboxMessage(
            kind, self.count, account, sender, other, number, amount, observations
        )
        return self._append(message, block, time_ms)

    def _check_account(self, account: int) -> None:
        count = self._next_account.value
        require(0 <= account < count, CourtError.NO_SUCH_ACCOUNT, count, account)

    def _append(self, message: InboxMessage, block: int, time_ms: int) -> InboxMessage:
        index = self.count
        deposited = self._entries[index - 1].deposited if index else (0,) * ASSETS_MAX
        if message.kind == InboxKind.DEPOSIT:
            sums = list(deposited)
            sums[message.asset] += message.amount
            deposited = tuple(sums)
        accumulator = inbox_accumulator(self.accumulator_at(index), message.message_hash())
        self._entries[index] = InboxEntry(message, accumulator, deposited, block, time_ms)
        self._count.value = index + 1
        return message

    def _account_for(self, owner: bytes, subaccount: int) -> int:
        """Return the pair's account id; its first deposit takes the next one for ever."""
        known = self.account_of(owner, subaccount)
        if known is not None:
            return known
        account = self._next_account.value
        require(account < ACCOUNTS_MAX, CourtError.ACCOUNTS_FULL, ACCOUNTS_MAX, account)
        self._accounts[owner, subaccount] = account
        self._next_account.value = account + 1
        return account


def _check_price(request: ForcedRequest) -> None:
    """What the law's parser could not read would block the queue for ever."""
    amount, count = request.amount, len(request.observations)
    require(
        1 <= amount == count <= OBSERVATIONS_MAX,
        CourtError.AMOUNT_OUT_OF_BOUNDS,
        f"1 to {OBSERVATIONS_MAX} observations, as many as the amount says",
        f"{count} and {amount}",
        "send a quorum's",
    )
    require(
        request.account == request.other == 0,
        CourtError.UNKNOWN_REQUEST,
        "a price to act for no account",
        f"{request.account} and {request.other}",
        "leave both 0",
    )


def _check_amount(amount: int) -> None:
    bounds = f"an amount of 1 to {AMOUNT_MAX}"
    require(1 <= amount <= AMOUNT_MAX, CourtError.AMOUNT_OUT_OF_BOUNDS, bounds, amount, "split it")
