"""Brings sealed batches to the base layer and final, whatever the base layer does meanwhile.

`Poster.step` looks at the base layer once and does what is due; it keeps no threads and no time, so
a simulation can call it like anything else. It believes nothing that it did not read in this step:
what a reorganisation took away is sent again, what a rollback voided gets new headers on the new
generation. Data and states never change; only the headers around them do.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeAlias

import structlog

from clearing.keys import address_of
from clearing.messages import inbox_accumulator
from clearing.units import LAW_VERSION
from node.batcher import batch_data
from node.events import GenerationMoved, InboxArrived, Sealed
from node.log import Log
from node.metrics import Metrics
from node.records import PAIR_BYTES, SealRecord
from node.shell import Shell
from node.status import BaseStatus, PostedBatch
from prover.gather import asks_of
from verifier.base.errors import BaseLayerUnavailable, BlockUnknown
from verifier.base.interface import (
    LIST_MAX,
    AccountView,
    BaseLayer,
    BatchView,
    Head,
    Heads,
    InboxEntry,
    Mode,
    Standing,
)
from verifier.base.transactions import (
    AnswerStep,
    ClaimCredit,
    ClosePosting,
    Finalise,
    PostBatch,
    Transaction,
)
from verifier.batch import BatchData, data_hash, steps_root
from verifier.committee import Attestation, Attested
from verifier.config import CourtConfig
from verifier.errors import Refused, TransactionError, VerifierError
from verifier.header import DATA_COMMITTEE, DATA_INLINE, Header
from verifier.host import gas
from verifier.inbox import EMPTY_ACCUMULATOR
from verifier.withheld import AskStatus, answer_closes

POSTS_IN_FLIGHT_MAX = 4
FINALISES_IN_FLIGHT_MAX = 8
ANSWERS_IN_FLIGHT_MAX = 64
INBOX_MAX = 256
CALL_GAS = 1_000_000
# A transaction that is on no block after so many blocks is sent again, as it is.
RESEND_BLOCKS = 2
# Bonds come back as credit; pulling it for every batch would cost more than it is worth.
CREDIT_BONDS = 4

Body: TypeAlias = PostBatch | Finalise | ClaimCredit | AnswerStep | ClosePosting

_log = structlog.get_logger("node.poster")


class Commitment(NamedTuple):
    """What a header says of a batch's data: all of them inline, the pairs if members hold them."""

    data_hash: bytes
    pairs_hash: bytes
    steps_root: bytes


class Quorum(Protocol):
    """Whoever hands data to a committee and brings back its word."""

    def attest(
        self, attested: Attested, step_count: int, data: bytes, sequencer_key: bytes
    ) -> Attestation | None:
        """Return a quorum's attestation, or None if the quorum is short."""


class Form(NamedTuple):
    """How a batch is posted: the kind of its data, their hash, and the bytes that are sent."""

    kind: int
    data_hash: bytes
    data: bytes
    attestation: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction of ours that is not yet in a final block."""

    body: Body
    number: int
    generation: int
    batch_id: bytes
    nonce: int
    hash: bytes
    encoded: bytes
    at_block: int
    settled: bool


class Survey(NamedTuple):
    """The base layer as one step sees it: all of it at the same head."""

    head: Head
    heads: Heads
    safe: Heads
    final: Heads
    account: AccountView
    open_batches: tuple[BatchView, ...]
    standing: Standing


class News(NamedTuple):
    """What a step found out that the sequencer has to know."""

    generation: int
    closed: str
    away: bool
    inbox_first: int
    inbox: tuple[bytes, ...]
    moved: tuple[SealRecord, ...]


class Poster:
    """The state machine. `seals` are the batches so far; `add` brings the next ones.

    With a `committee` its members hold the step bytes; while it is short they are posted.
    """

    def __init__(
        self,
        base: BaseLayer,
        court: CourtConfig,
        private_key: bytes,
        fee_per_gas: int,
        log: Log,
        seals: Iterable[SealRecord],
        committee: Quorum | None = None,
    ) -> None:
        self.status = BaseStatus()
        self._base = base
        self._court = court
        self._key = private_key
        self._address = address_of(private_key)
        self._fee_per_gas = max(fee_per_gas, court.fee_per_gas_min)
        self._batch_log = log
        self._committee = committee if court.committee.members else None
        self._attestations: dict[int, tuple[Attested, Attestation]] = {}
        self._seals = {seal.number: seal for seal in seals}
        self._added: deque[SealRecord] = deque()
        self._commitments: dict[int, Commitment] = {}
        self._ours: dict[bytes, bool] = {}
        self._sent: list[Sent] = []
        self._postings: dict[int, int] = {}
        self._posted_batches: dict[int, PostedBatch] = {}
        self.submitted = 0
        self.failed = 0

    def add(self, seal: SealRecord) -> None:
        """Take a batch that was sealed durably; on any thread."""
        self._added.append(seal)

    def step(self, inbox_next: int) -> News:
        """Look once and do what is due; `inbox_next` is the inbox message that is wanted next.

        Raises VerifierError when the base layer does not answer or moved under the step: then
        nothing is lost, and the next step begins anew.
        """
        while self._added:
            seal = self._added.popleft()
            self._seals[seal.number] = seal
        survey = self._survey()
        foreign = self._foreign(survey)
        error = self._settle(survey)
        error = self._answer_due(survey) or error
        error = foreign or self._barred(survey) or self._post_due(survey) or error
        self._finalise_due(survey)
        self._pull_credit(survey)
        before = self.status
        entries = self._inbox(inbox_next, survey.head.finalised_hash)
        self.status = self._status(survey, foreign is not None, error, inbox_next + len(entries))
        self._prune()
        return News(
            survey.heads.generation,
            self._closed(survey.standing),
            bool(self._away(survey.standing)),
            inbox_next,
            tuple(entry.message.encode() for entry in entries),
            self._moved(before),
        )

    # What is there.

    def _survey(self) -> Survey:
        head = self._base.head()
        heads = self._base.heads(head.hash)
        return Survey(
            head,
            heads,
            self._base.heads(head.safe_hash),
            self._base.heads(head.finalised_hash),
            self._base.account(self._address, head.hash),
            tuple(self._base.batches(heads.finalised_number + 1, LIST_MAX, head.hash)),
            self._base.standing(head.hash),
        )

    def _inbox(self, first: int, at: bytes) -> list[InboxEntry]:
        """Return final messages from `first` on. Raises BaseLayerUnavailable for a broken chain.

        What is consumed is logged for good, so each message is checked against its accumulator.
        """
        start = max(first - 1, 0)
        found = self._base.inbox(start, INBOX_MAX, at)
        entries = found[first - start :]
        accumulator = found[0].accumulator if found and start < first else EMPTY_ACCUMULATOR
        for index, entry in enumerate(entries, first):
            message = entry.message
            accumulator = inbox_accumulator(accumulator, message.message_hash())
            if message.index != index or entry.accumulator != accumulator:
                reason = f"message {message.index} in place {index}, not of its accumulator"
                raise BaseLayerUnavailable("Inbox", reason)
        return entries

    def _foreign(self, survey: Survey) -> str | None:
        """Return what is said about a batch on the chain that this node did not make, or None."""
        for view in survey.open_batches:
            record = view.record
            if record.batch_id not in self._ours:
                self._ours[record.batch_id] = self._is_ours(Header.decode(record.header))
            if not self._ours[record.batch_id]:
                return (
                    f"expected batch {record.number} to be this node's, was "
                    f"{record.batch_id.hex()} of somebody who has its key; nothing is posted until "
                    "a challenger has it reverted: replace the key"
                )
        return None

    def _is_ours(self, header: Header) -> bool:
        seal = self._seals.get(header.number)
        if (
            seal is None
            or header.pre_root != seal.pre_root
            or header.post_root != seal.post_root
            or header.step_count != seal.step_count
        ):
            return False
        commitment = self._commitment(seal)
        if header.data_kind == DATA_COMMITTEE:
            return header.data_hash == commitment.pairs_hash
        return header.data_length == seal.data_bytes and header.data_hash == commitment.data_hash

    def _commitment(self, seal: SealRecord, data: bytes | None = None) -> Commitment:
        known = self._commitments.get(seal.number)
        if known is None:
            if data is None:
                data = batch_data(self._batch_log, seal)
            posted = data[: seal.step_count * PAIR_BYTES]
            pairs = [
                (posted[start : start + 32], posted[start + 32 : start + PAIR_BYTES])
                for start in range(0, len(posted), PAIR_BYTES)
            ]
            known = Commitment(data_hash(data), data_hash(posted), steps_root(pairs))
            self._commitments[seal.number] = known
        return known

    # What was sent.

    def _settle(self, survey: Survey) -> str:
        """Learn what became of everything sent; send again what got lost. Returns an error text."""
        error = ""
        kept: list[Sent] = []
        for sent in self._sent:
            receipt = self._base.receipt(sent.hash)
            if receipt is not None and receipt.block_number > survey.head.number:
                # A block came since the survey, which does not show yet what this one changed:
                # what was settled against it would be sent twice.
                kept.append(sent)
            elif receipt is not None and receipt.error is not None:
                # A later step builds it anew on what is there then.
                self.failed += 1
                error = f"{type(sent.body).__name__} {sent.number}: {receipt.text}"
                _log.warning("transaction failed", kind=type(sent.body).__name__, reason=error)
            elif receipt is not None:
                if receipt.block_number > survey.head.finalised_number:
                    kept.append(replace(sent, settled=True))
            elif sent.nonce >= survey.account.nonce:
                kept.append(self._send_again(replace(sent, settled=False), survey.head.number))
        waiting = [sent.nonce for sent in kept if not sent.settled]
        if waiting and min(waiting) > survey.account.nonce:
            # Signed when the base layer showed a nonce that it takes back: nothing of ours uses
            # those below, so no block can ever take these.
            kept = [sent for sent in kept if sent.settled]
        self._sent = kept
        return error

    def _send_again(self, sent: Sent, block: int) -> Sent:
        if block - sent.at_block < RESEND_BLOCKS:
            return sent
        try:
            self._base.submit(sent.encoded)
        except Refused as refused:
            if refused.code != TransactionError.ALREADY_KNOWN:
                _log.warning("transaction refused", reason=str(refused))
        return replace(sent, at_block=block)

    def _waiting(self, kind: type[Body]) -> list[Sent]:
        return [sent for sent in self._sent if isinstance(sent.body, kind) and not sent.settled]

    def _send(self, survey: Survey, body: Body, gas_limit: int, number: int, name: bytes) -> None:
        """Sign with the next nonce and submit. Raises Refused or BaseLayerUnavailable."""
        nonces = [sent.nonce + 1 for sent in self._sent]
        nonce = max([survey.account.nonce, *nonces])
        transaction = Transaction(
            chain_id=self._court.chain_id,
            settlement=self._court.settlement,
            nonce=nonce,
            gas_limit=gas_limit,
            fee_per_gas=self._fee_per_gas,
            body=body,
        )
        encoded = transaction.sign(self._key)
        transaction_hash = self._base.submit(encoded)
        self.submitted += 1
        generation, block = survey.heads.generation, survey.head.number
        self._sent.append(
            Sent(body, number, generation, name, nonce, transaction_hash, encoded, block, False)
        )

    # What is due.

    def _barred(self, survey: Survey) -> str:
        """Return why the court takes no batch of this node's, if so; end open posting if it can.

        In open posting everyone posts, this node too: once the clock is brought up, the house is
        the sequencer's alone again.
        """
        standing = survey.standing
        away = self._away(standing)
        if away:
            return away
        ours = standing.sequencer == self._address
        caught_up = standing.lag_ms <= self._court.open_lag_ms
        busy = self._waiting(PostBatch) or self._waiting(ClosePosting)
        if standing.mode == Mode.OPEN and ours and caught_up and not busy:
            self._send(survey, ClosePosting(), CALL_GAS, 0, b"")
        return ""

    def _away(self, standing: Standing) -> str:
        """Return why nothing of this node's can be posted any more, if so."""
        if standing.mode == Mode.FROZEN:
            return "the house is frozen: nothing is posted any more; everybody leaves by exit"
        if standing.mode == Mode.SEQUENCER and standing.sequencer != self._address:
            return (
                f"expected the court's sequencer {standing.sequencer.hex()}, was "
                f"{self._address.hex()}; start the node with that key"
            )
        return ""

    def _closed(self, standing: Standing) -> str:
        """Return why this node must acknowledge nothing, if so: it could not keep its word.

        What is not posted when a successor accepts, he need not post: the receipts for it are void.
        """
        offered = any(standing.successor)
        text = (
            f"the house is being handed over to {standing.successor.hex()}; submit the same bytes "
            "when he accepted or the offer was taken back"
        )
        return self._away(standing) or (text if offered else "")

    def _post_due(self, survey: Survey) -> str:
        """Post the batches after the tip, a few at a time. Returns why not, if so."""
        waiting = self._waiting(PostBatch)
        number, parent = survey.heads.tip_number, survey.heads.tip_id
        for sent in waiting:
            if sent.generation != survey.heads.generation or sent.number != number + 1:
                # Headers of a voided generation, or of blocks that moved: let them fail first.
                return ""
            number, parent = sent.number, sent.batch_id
        room = POSTS_IN_FLIGHT_MAX - len(waiting)
        limit = survey.heads.finalised_number + self._court.max_unfinalised
        while room > 0 and number + 1 in self._seals and number < limit:
            seal = self._seals[number + 1]
            if number == survey.heads.tip_number and seal.pre_root != survey.heads.tip_root:
                return (
                    f"expected the tip's root {seal.pre_root.hex()}, was "
                    f"{survey.heads.tip_root.hex()}; the base layer holds another history"
                )
            form = self._form(survey, seal)
            gas_limit = gas.posting_max(len(form.data), seal.step_count)
            if form.kind == DATA_COMMITTEE:
                gas_limit += gas.attesting(len(self._court.committee.members))
            needed = self._court.bond + gas_limit * self._fee_per_gas
            if survey.account.native < needed * (len(waiting) + 1):
                return (
                    f"expected at least {needed} gwei of {self._address.hex()} for the next batch, "
                    f"was {survey.account.native}; fund the address"
                )
            header = self._header(survey, seal, form, parent)
            posted = form.data + form.attestation
            body = PostBatch(self._court.bond, header.encode(), seal.opening, posted)
            name = header.batch_id()
            try:
                self._send(survey, body, gas_limit, seal.number, name)
            except Refused as refused:
                return f"batch {seal.number}: {refused}"
            self._ours[name] = True
            self._postings[seal.number] = self._postings.get(seal.number, 0) + 1
            number, parent, room = seal.number, name, room - 1
            waiting = self._waiting(PostBatch)
        return ""

    def _form(self, survey: Survey, seal: SealRecord) -> Form:
        """Leave the steps with the committee if it vouches for them, else post them."""
        data = batch_data(self._batch_log, seal)
        commitment = self._commitment(seal, data)
        inline = Form(DATA_INLINE, commitment.data_hash, data, b"")
        if self._committee is None or seal.step_count > self._court.committee_steps_max:
            return inline
        pairs = data[: seal.step_count * PAIR_BYTES]
        attested = Attested(
            self._court.chain_id,
            self._court.settlement,
            survey.heads.generation,
            seal.number,
            commitment.pairs_hash,
            len(pairs),
        )
        known = self._attestations.get(seal.number)
        if known is None or known[0] != attested:
            word = self._committee.attest(attested, seal.step_count, data, self._key)
            if word is None:
                _log.warning("committee is short, posting inline", number=seal.number)
                return inline
            known = self._attestations[seal.number] = (attested, word)
        return Form(DATA_COMMITTEE, commitment.pairs_hash, pairs, known[1].encode())

    def _answer_due(self, survey: Survey) -> str:
        """Answer who asks for steps of our batches. Returns why not, if so."""
        waiting = [sent.body for sent in self._waiting(AnswerStep)]
        asked = {(sent.batch_id, sent.step) for sent in waiting if isinstance(sent, AnswerStep)}
        room = ANSWERS_IN_FLIGHT_MAX - len(asked)
        window = self._court.challenge_window_blocks
        for view in survey.open_batches:
            record = view.record
            closes = answer_closes(window, record.posted_block)
            if not view.open_asks or not self._ours.get(record.batch_id):
                continue
            if survey.head.number + 1 > closes:
                return f"batch {record.number}: steps were not answered by block {closes}"
            seal = self._seals[record.number]
            data = BatchData.decode(batch_data(self._batch_log, seal), seal.step_count)
            for ask in asks_of(self._base, record.batch_id, survey.head.hash):
                place = record.batch_id, ask.step
                if ask.status != AskStatus.OPEN or place in asked or room <= 0:
                    continue
                body = AnswerStep(*place, data.steps[ask.step].encode())
                limit = gas.answering_max(len(body.step_bytes))
                try:
                    self._send(survey, body, limit, record.number, record.batch_id)
                except Refused as refused:
                    return f"answer to batch {record.number}: {refused}"
                room -= 1
        return ""

    def _header(self, survey: Survey, seal: SealRecord, form: Form, parent: bytes) -> Header:
        return Header(
            law_version=LAW_VERSION,
            chain_id=self._court.chain_id,
            settlement=self._court.settlement,
            generation=survey.heads.generation,
            number=seal.number,
            parent_id=parent,
            # A final block is on every branch, so no reorganisation makes this header stale.
            base_number=survey.head.finalised_number,
            base_hash=survey.head.finalised_hash,
            pre_root=seal.pre_root,
            post_root=seal.post_root,
            steps_root=self._commitment(seal).steps_root,
            step_count=seal.step_count,
            data_kind=form.kind,
            data_hash=form.data_hash,
            data_length=len(form.data),
            proposer=self._address,
        )

    def _finalise_due(self, survey: Survey) -> None:
        """Finalise what outlived its window, oldest first; of a foreign batch, only what is below.

        Whose withdrawals stand below must not wait until somebody has the batch reverted.
        """
        waiting = self._waiting(Finalise)
        asked = {sent.number for sent in waiting}
        next_block = survey.head.number + 1
        room = FINALISES_IN_FLIGHT_MAX - len(waiting)
        for view in survey.open_batches:
            closes = view.closes_block
            if room <= 0 or next_block <= closes or not self._ours.get(view.record.batch_id):
                break
            if view.record.number not in asked:
                name = view.record.batch_id
                self._send(survey, Finalise(name), CALL_GAS, view.record.number, name)
                room -= 1

    def _pull_credit(self, survey: Survey) -> None:
        if self._waiting(ClaimCredit):
            return
        credit = self._base.credit(self._address, survey.head.hash)
        if credit >= CREDIT_BONDS * self._court.bond:
            self._send(survey, ClaimCredit(), CALL_GAS, 0, b"")

    # What to tell.

    def _status(
        self, survey: Survey, foreign: bool, error: str, inbox_available: int
    ) -> BaseStatus:
        heads = survey.heads
        for view in survey.open_batches:
            record = view.record
            if self._ours.get(record.batch_id):
                postings = max(self._postings.get(record.number, 1), 1)
                self._posted_batches[record.number] = PostedBatch(
                    record.batch_id, record.header, postings
                )
        # A withdrawable batch that this process never saw open: after a restart.
        final = survey.final.finalised_number
        if final and final not in self._posted_batches:
            for view in self._base.batches(final, 1, survey.head.hash):
                self._posted_batches[final] = PostedBatch(
                    view.record.batch_id, view.record.header, 1
                )
        posted = heads.tip_number if not foreign else heads.finalised_number
        return BaseStatus(
            posted=posted,
            safe=min(survey.safe.tip_number, posted),
            finalised=heads.finalised_number,
            withdrawable=final,
            generation=heads.generation,
            base_block=survey.head.number,
            inbox_available=inbox_available,
            foreign_batch=foreign,
            error=error,
            reached=True,
            mode=survey.standing.mode,
            lag_ms=survey.standing.lag_ms,
            opens_ms=survey.standing.opens_ms,
            freezes_ms=survey.standing.freezes_ms,
            posted_batches=dict(self._posted_batches),
            balance=survey.account.native,
            bonds=self._court.bond * sum(map(self._is_open_ours, survey.open_batches)),
            unfinalised=len(survey.open_batches),
            window_blocks_left=_window_left(survey),
            inbox_age_ms=_inbox_age(survey.standing),
        )

    def _is_open_ours(self, view: BatchView) -> bool:
        return self._ours.get(view.record.batch_id, False)

    def _moved(self, before: BaseStatus) -> tuple[SealRecord, ...]:
        """Return the batches whose stage is another one than before this step."""
        low = min(before.withdrawable, self.status.withdrawable)
        high = max(before.posted, self.status.posted)
        if not before.reached:
            return ()
        return tuple(
            self._seals[number]
            for number in range(low + 1, high + 1)
            if number in self._seals and before.stage(number) != self.status.stage(number)
        )

    def _prune(self) -> None:
        """Forget what no reorganisation can bring back."""
        done = self.status.withdrawable
        tables: tuple[dict[int, Any], ...] = (
            self._seals,
            self._commitments,
            self._attestations,
            self._postings,
            self._posted_batches,
        )
        for table in tables:
            for number in [number for number in table if number < done]:
                del table[number]


def _window_left(survey: Survey) -> int:
    """Return the blocks until the oldest open batch may be made final, 0 without one."""
    if not survey.open_batches:
        return 0
    return max(survey.open_batches[0].closes_block - survey.head.number, 0)


def _inbox_age(standing: Standing) -> int:
    """Return for how long the oldest message has waited that the tip has not consumed, in ms."""
    if not standing.waiting_ms:
        return 0
    return standing.clock_ms + standing.lag_ms - standing.waiting_ms


class PosterThread:
    """Steps the poster now and then, and tells the sequencer what it found.

    `seen_at` is when a step last went through, in seconds of the monotonic clock.
    """

    def __init__(self, poster: Poster, shell: Shell, metrics: Metrics, poll_seconds: float) -> None:
        """Listen for sealed batches of `shell` from now on."""
        self.poster = poster
        self._shell = shell
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._stopping = threading.Event()
        self.seen_at = time.monotonic()
        self._told = (-1, "", False)
        self._thread = threading.Thread(target=self._run, name="poster", daemon=True)
        shell.sealed.append(self._sealed)

    @property
    def status(self) -> BaseStatus:
        """What was last seen of the base layer."""
        return self.poster.status

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that runs."""
        self._stopping.set()
        self._thread.join()

    def _sealed(self, sealed: Sealed) -> None:
        self.poster.add(sealed.seal)

    def _run(self) -> None:
        while not self._stopping.wait(self._poll_seconds):
            submitted, failed = self.poster.submitted, self.poster.failed
            try:
                self._tell(self.poster.step(self._shell.sequencer.inbox_next))
                self.seen_at = time.monotonic()
            except BlockUnknown:
                # The base layer moved between two reads; the next step sees one state again.
                continue
            except (VerifierError, OSError) as error:
                self.poster.status = replace(self.poster.status, error=str(error))
                _log.warning("base layer step failed", reason=str(error))
            except Exception as error:
                # A defect of ours must not end posting silently: it is said, and tried again.
                self.poster.status = replace(self.poster.status, error=repr(error))
                _log.exception("poster step failed")
            self._metrics.postings.inc(self.poster.submitted - submitted)
            self._metrics.posting_failures.inc(self.poster.failed - failed)
            self._metrics.foreign_batch.set(self.poster.status.foreign_batch)

    def _tell(self, news: News) -> None:
        told = news.generation, news.closed, news.away
        if told != self._told:
            self._told = told
            self._shell.send(GenerationMoved(*told))
        if news.inbox:
            self._shell.send(InboxArrived(news.inbox_first, news.inbox))
        for seal in news.moved:
            self._shell.batch_moved(seal)
