"""Transactions that wait for a block, and who decides on their order.

The pool itself is a queue. What a hostile block builder does with it (reorder, delay, censor) is a
policy: a function from what waits to what it offers the next block. A policy that copies
transactions submits the copies through the chain like anybody else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from verifier.base.transactions import SignedTransaction, TransactionKind
from verifier.errors import Refused, TransactionError


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction and the head's number when it came."""

    signed: SignedTransaction
    arrived: int


# (what waits in order of arrival, number of the block to be built) -> what is offered, in order
Policy: TypeAlias = Callable[[Sequence[Pending], int], Sequence[Pending]]


def first_come(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
    """Offer everything in order of arrival: the honest policy."""
    return waiting


def shuffled(seed: int) -> Policy:
    """Return a policy that offers everything in an order drawn from `seed` and the block."""

    def policy(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
        order = list(waiting)
        random.Random(f"{seed}/{number}").shuffle(order)
        return order

    return policy


def delayed(blocks: int) -> Policy:
    """Return a policy that lets everything wait for at least `blocks` blocks."""

    def policy(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
        return [pending for pending in waiting if number - pending.arrived > blocks]

    return policy


def censoring(
    *, senders: Collection[bytes] = (), kinds: Collection[TransactionKind] = ()
) -> Policy:
    """Return a policy that never offers what comes from `senders` or is of `kinds`."""

    def policy(waiting: Sequence[Pending], number: int) -> Sequence[Pending]:
        return [
            pending
            for pending in waiting
            if pending.signed.sender not in senders
            and pending.signed.transaction.body.kind not in kinds
        ]

    return policy


class Mempool:
    """At most `size_max` transactions, each once, in order of arrival."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.policy: Policy = first_come
        self._waiting: dict[bytes, Pending] = {}

    def __contains__(self, transaction_hash: bytes) -> bool:
        return transaction_hash in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, signed: SignedTransaction, number: int) -> None:
        """Let `signed` wait from block `number` on. Raises Refused(MEMPOOL_FULL)."""
        if len(self) >= self.size_max:
            raise Refused(
                TransactionError.MEMPOOL_FULL,
                f"expected fewer than {self.size_max} waiting transactions, was {len(self)}; "
                "submit again after the next block",
            )
        self._waiting[signed.hash] = Pending(signed, number)

    def make_room(self, is_ready: Callable[[SignedTransaction], bool]) -> None:
        """If the pool is full, forget the oldest transaction that no block can include yet.

        What waits for a nonce or for money pays for nothing, so it must not shut others out.
        """
        if len(self) < self.size_max:
            return
        for key, pending in self._waiting.items():
            if not is_ready(pending.signed):
                del self._waiting[key]
                return

    def put_back(self, signed: Iterable[SignedTransaction], number: int) -> None:
        """Let transactions of dropped blocks wait before all others, in their old order."""
        returned = {one.hash: Pending(one, number) for one in signed}
        self._waiting = returned | {
            key: pending for key, pending in self._waiting.items() if key not in returned
        }

    def remove(self, transaction_hash: bytes) -> None:
        """Forget a transaction, if it is there."""
        self._waiting.pop(transaction_hash, None)

    def offered(self, number: int) -> list[Pending]:
        """Return what the policy offers block `number`."""
        return list(self.policy(list(self._waiting.values()), number))
