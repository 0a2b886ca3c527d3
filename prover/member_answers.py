"""A member's answers: the bytes that somebody asks for on the base layer, from what it holds.

The node answers at once and the members in their turns later, so that mostly one of them pays and
is paid. Nothing is remembered that has to outlive the process: who asks still, the chain says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from clearing.keys import address_of
from prover.gather import asks_of
from prover.member import DataMember
from prover.member_store import StoreError
from verifier.base.interface import LIST_MAX, Ask, BaseLayer, BatchView, Head
from verifier.base.transactions import AnswerStep, Transaction
from verifier.batch import BatchData
from verifier.errors import Refused, TransactionError
from verifier.header import DATA_COMMITTEE, Header
from verifier.host import gas
from verifier.withheld import AskStatus, answer_closes

IN_FLIGHT_MAX = 16
# An answer that no block took in so many is sent again, dearer.
RETRY_BLOCKS = 2
_HARMLESS = frozenset((TransactionError.ALREADY_KNOWN, TransactionError.STALE_NONCE))

Place = tuple[bytes, int]  # a batch's id, and a step of it


class _Sent(NamedTuple):
    """An answer on its way: since which block, with which nonce, at how many gwei per gas."""

    block: int
    nonce: int
    fee: int


def turn_block(asked: int, closes: int, place: int, members: int) -> int:
    """Return from which block on member `place` of `members` answers what was asked in `asked`.

    The turns part the time until block `closes` evenly; before the first one the node has its own,
    and what is left after the last is for whom the base layer keeps waiting.
    """
    return asked + (closes - asked) * (place + 1) // (members + 2)


class Answers:
    """Answers in one member's turn; call `step` again and again.

    `private_key` pays on the base layer and gets the cost back as a credit. `tell` hears why
    something is not answered. `sent` counts answers, however often each was sent.
    """

    def __init__(
        self,
        base: BaseLayer,
        member: DataMember,
        private_key: bytes,
        tell: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.sent = 0
        self._base = base
        self._member = member
        self._key = private_key
        self._address = address_of(private_key)
        self._tell = tell
        self._told: set[str] = set()
        self._reasons: set[str] = set()
        self._config = base.config()
        keys = [one.public_key for one in self._config.committee.members]
        known = member.public_key in keys
        self._place = keys.index(member.public_key) if known else None
        self._sent: dict[Place, _Sent] = {}

    def step(self) -> None:
        """Look once, and answer what is due.

        Raises BlockUnknown if the base layer moved meanwhile, and BaseLayerUnavailable; both ask
        for another look.
        """
        if self._place is None:
            return
        head = self._base.head()
        asked = {
            (view.record.batch_id, ask.step): (view, ask)
            for view in self._asked_about(head)
            for ask in asks_of(self._base, view.record.batch_id, head.hash)
            if ask.status == AskStatus.OPEN
        }
        self._told, self._reasons = self._reasons, set()
        self._sent = {place: sent for place, sent in self._sent.items() if place in asked}
        for place, (view, ask) in asked.items():
            if self._is_due(place, view, ask, head):
                self._answer(place, view, head)

    def _asked_about(self, head: Head) -> Iterator[BatchView]:
        """Yield the batches that are not final and of which a step is asked for."""
        first = self._base.heads(head.hash).finalised_number + 1
        while True:
            page = self._base.batches(first, LIST_MAX, head.hash)
            yield from (view for view in page if view.open_asks)
            if len(page) < LIST_MAX:
                return
            first += len(page)

    def _is_due(self, place: Place, view: BatchView, ask: Ask, head: Head) -> bool:
        assert self._place is not None
        closes = answer_closes(self._config.challenge_window_blocks, view.record.posted_block)
        turn = turn_block(ask.block, closes, self._place, len(self._config.committee.members))
        if not turn <= head.number + 1 <= closes:
            return False
        sent = self._sent.get(place)
        if sent is None:
            return len(self._sent) < IN_FLIGHT_MAX
        return head.number - sent.block >= RETRY_BLOCKS

    def _answer(self, place: Place, view: BatchView, head: Head) -> None:
        """Send an answer, or again what got lost, dearer, in its own place."""
        step_bytes = self._bytes(view, place[1])
        if step_bytes is None:
            return
        account = self._base.account(self._address, head.hash)
        earlier = self._sent.pop(place, None)
        floor, fee_max = self._config.fee_per_gas_min, self._config.proof_fee_per_gas
        fee = floor if earlier is None else max(floor, min(2 * earlier.fee, fee_max))
        if earlier is None or earlier.nonce < account.nonce:
            nonce = max([account.nonce, *(sent.nonce + 1 for sent in self._sent.values())])
        else:
            nonce = earlier.nonce
        limit = gas.answering_max(len(step_bytes))
        if account.native < limit * fee:
            self._say(
                f"expected at least {limit * fee} gwei of {self._address.hex()} to answer for step "
                f"{place[1]} of batch {view.record.number}, was {account.native}; fund the address"
            )
            return
        body = AnswerStep(*place, step_bytes)
        config = self._config
        transaction = Transaction(config.chain_id, config.settlement, nonce, limit, fee, body)
        signed = transaction.sign(self._key)
        # Somebody else's answer is as good, and ours would cost and earn nothing.
        tried = self._base.dry_run(signed)
        if tried.error is not None:
            self._say(f"step {place[1]} of batch {view.record.number}: {tried.text}")
            return
        try:
            self._base.submit(signed)
        except Refused as refused:
            if refused.code not in _HARMLESS:
                self._say(f"step {place[1]} of batch {view.record.number}: {refused}")
                return
        self.sent += earlier is None
        self._sent[place] = _Sent(head.number, nonce, fee)

    def _bytes(self, view: BatchView, step: int) -> bytes | None:
        """Return a step's bytes, None if they are not here."""
        header = Header.decode(view.record.header)
        if header.data_kind != DATA_COMMITTEE:
            return None
        try:
            data = self._member.data(header.generation, header.number, header.data_hash)
        except StoreError as error:
            self._say(str(error))
            return None
        if data is None:
            self._say(f"batch {header.number}: expected its data here, was none; another has them")
            return None
        return BatchData.decode(data, header.step_count).steps[step].encode()

    def _say(self, reason: str) -> None:
        """Tell a reason, unless it was told at the last look already."""
        if reason not in self._told | self._reasons:
            self._tell(reason)
        self._reasons.add(reason)
