"""A court, a forger and a replica after an honest first batch: where every row is tried.

The court is called as the base layer calls it, with an undo log under it; the replica judges what
the court took; and whatever it finds is proven to the court.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial
from typing import Any, NamedTuple, cast

from clearing.decode import pack, recover_signers
from clearing.keys import address_of
from clearing.messages import Inbox
from clearing.records import State
from clearing.units import LAW_VERSION, SETTLEMENT_ASSET
from prover.engine import Engine
from prover.forge import BatchForge, Place, Posting
from prover.provability.market import (
    CHALLENGER,
    DEPOSIT,
    GENESIS,
    GUARDIAN,
    SEQUENCER,
    START_MS,
    TRADERS,
    Market,
    furnish,
    key_of,
)
from prover.replica import MIGRATIONS, Replica, Verdict
from prover.witness import build_evidence, record_siblings
from verifier import bls
from verifier.batch import PAIR_BYTES, BatchData, data_hash
from verifier.committee import Attestation, Attested, Committee, Member
from verifier.config import CourtConfig
from verifier.court import Court
from verifier.errors import CourtError, PostError, Refused
from verifier.events import BatchReverted
from verifier.evidence import check_bad_step
from verifier.header import DATA_COMMITTEE, Header
from verifier.host.call import BlockContext, Call
from verifier.host.gas import GasMeter
from verifier.host.ledger import Ledger
from verifier.host.storage import UndoLog
from verifier.laws import EvidenceCheck
from verifier.withheld import Wanted

ACCOUNTS_ROOM = 16
NATIVE = 10**14  # gwei that sequencer and challenger begin with
NOW_BLOCK = 100
BATCH_BLOCK = 90
SIGNERS = (0, 2)  # of the committee
DELAY_BLOCKS = 5  # of the guardian
NEXT_LAW = LAW_VERSION + 1


class Caught(StrEnum):
    """Who or what catches a change."""

    POSTING = "posting"  # the court does not take the batch
    BAD_STEP = "BAD_STEP"
    WITHHELD = "WITHHELD"
    BROKEN_RECEIPT = "BROKEN_RECEIPT"
    CHALLENGER = "challenger"  # the error of whoever asks, proves, claims or calls; nobody falls
    READER = "reader"  # whoever reads it does not believe it
    DEPLOYMENT = "deployment"  # no court begins like this
    NOTHING = "nothing"
    FAILED = "failed"  # caught by nothing and not valid, or the row could not be run


class Outcome(NamedTuple):
    """What caught an attempt, and the rule or step that did; empty for NOTHING."""

    caught: Caught
    code: str = ""


UNCAUGHT = Outcome(Caught.NOTHING)


@dataclass(frozen=True)
class Offer:
    """What is sent to the court. `steps` are what a committee's members show, None: nothing."""

    header: bytes
    opening: bytes
    data: bytes
    steps: bytes | None = None
    sender: bytes = address_of(SEQUENCER)
    bond: int | None = None  # None: as the court asks


def offer_of(posting: Posting) -> Offer:
    """Return what an honest poster sends."""
    return Offer(posting.header.encode(), posting.opening.encode(), posting.data)


@cache
def secret_of(place: int) -> bytes:
    """Return the secret of a member of the committee."""
    return (0xC0FFEE * 2**64 + place).to_bytes(bls.SECRET_BYTES, "big")


@cache
def member_of(place: int) -> Member:
    """Return a member of the committee."""
    return Member(bls.public_key(secret_of(place)), bls.prove_possession(secret_of(place)))


def attestation_of(attested: Attested, signers: Sequence[int] = SIGNERS) -> Attestation:
    """Return the word of these members, each once."""
    signatures = [bls.sign(secret_of(place), attested.digest()) for place in signers]
    return Attestation(sum(1 << place for place in signers), bls.aggregate(signatures))


def court_config(committee: Committee | None = None) -> CourtConfig:
    """Return the court's configuration. Raises ConfigError for a committee that is none."""
    config = CourtConfig.test(
        chain_id=GENESIS.chain_id,
        settlement=GENESIS.settlement,
        sequencer=address_of(SEQUENCER),
    )
    return replace(
        config,
        committee=committee or Committee(tuple(map(member_of, range(3))), 2),
        guardian=address_of(GUARDIAN),
        guardian_delay_blocks=DELAY_BLOCKS,
        # Thirds in which steps are asked for and answered outlast a reorganisation.
        challenge_window_blocks=2 * config.challenge_window_blocks + DELAY_BLOCKS,
        max_unfinalised=2 * config.max_unfinalised + DELAY_BLOCKS,
    )


def write_next_law(state: State) -> None:
    """All that the next law changes: its first step writes its version into the globals."""
    cast(Any, state).globals[0].law_version = NEXT_LAW


class House:
    """Where the table's rows are tried, each `apart` from the others.

    `time_ms` and `block` are those of the base layer's next block, `branch` tells its hashes from
    others'. Rows may move them.
    """

    def __init__(self) -> None:
        self.config = court_config()
        genesis = Engine(GENESIS, ACCOUNTS_ROOM)
        genesis.edit(furnish)
        self.log = UndoLog()
        self.ledger = Ledger(self.log)
        check_next = partial(check_bad_step, migrate=write_next_law)
        laws: dict[int, EvidenceCheck] = {LAW_VERSION: check_bad_step, NEXT_LAW: check_next}
        self.court = Court(self.config, genesis.opening(), self.ledger, self.log, laws)
        migrations = {**MIGRATIONS, NEXT_LAW: write_next_law}
        self.replica = Replica(GENESIS, ACCOUNTS_ROOM, migrations=migrations)
        self.replica.stand(copy.deepcopy(genesis), 0, self.court.heads().tip_id)
        self.market = Market()
        self.time_ms, self.block, self.branch = START_MS, BATCH_BLOCK, 0
        for key in (SEQUENCER, CHALLENGER):
            self.ledger.mint(address_of(key), NATIVE, 0)
        self.court.put_stake(self.call(SEQUENCER))
        for trader in range(TRADERS):
            self.deposit(trader)
        self._engine = copy.deepcopy(genesis)
        self.extend([*self.waiting(), self.market.price()], self._history())
        self.block = NOW_BLOCK
        self.time_ms = self.market.time = START_MS + 10_000
        self._prepared = copy.deepcopy(self._engine)

    def _history(self) -> list[bytes]:
        """Actions that leave positions, fill pages and withdrawals behind."""
        market = self.market
        return [market.trade(0, 1), market.trade(1, 2), market.withdraw(0), market.withdraw(3)]

    # What stands

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let a row do what it likes, and stand again where the house stood."""
        mark, number, market = self.log.mark(), self.replica.number, copy.copy(self.market)
        seen = self.time_ms, self.block, self.branch
        try:
            yield
        finally:
            self.log.undo_to(mark)
            self.replica.roll_back(number)
            self.market, (self.time_ms, self.block, self.branch) = market, seen
            self._engine = self._prepared

    def forge(self) -> BatchForge:
        """Return the next batch, still empty, on an engine that nobody else looks at."""
        return BatchForge(copy.deepcopy(self._engine))

    def call(self, key: bytes | None = None, sender: bytes = b"") -> Call:
        """Return a call of the court in the next block, by the challenger unless told."""
        context = BlockContext(self.block, self.time_ms, self.hash_of)
        meter = GasMeter(self.config.block_gas_limit)
        return Call(sender or address_of(key or CHALLENGER), context, meter, 1)

    def hash_of(self, number: int) -> bytes | None:
        """Return the hash of a block below the next one, or None."""
        if not 0 <= number < self.block:
            return None
        return (self.branch << 64 | number).to_bytes(32, "big")

    def place(self, proposer: bytes = address_of(SEQUENCER)) -> Place:
        """Return where the next batch stands."""
        heads, seen = self.court.heads(), self.block - 1
        base = self.hash_of(seen) or bytes(32)
        return Place(heads.generation, heads.tip_number + 1, heads.tip_id, seen, base, proposer)

    # What happens

    def deposit(self, trader: int, amount: int = DEPOSIT) -> None:
        """Let a trader's deposit wait in the inbox."""
        owner = address_of(key_of(trader))
        self.ledger.mint(owner, 0, amount)
        self.court.deposit(self.call(sender=owner), owner, 0, SETTLEMENT_ASSET, amount)

    def waiting(self) -> list[bytes]:
        """Return the inbox actions that the tip has not consumed."""
        consumed = int(self.replica.engine.totals.inbox_count)
        entries = self.court.inbox.entries(consumed, self.court.inbox.count)
        return [Inbox(entry.message).encode() for entry in entries]

    def extend(self, *steps: Sequence[bytes]) -> None:
        """Post an honest batch that everybody follows. Raises AssertionError if it is not."""
        forge = self.forge()
        for actions in steps:
            codes = forge.forged(actions, self.time_ms)
            assert not codes.any(), f"expected honest actions to apply, was {codes}"
        posting = forge.finish(self.place())
        self.post(posting)
        judged = self.replica.judge(posting.header, posting.data)
        assert judged.verdict is Verdict.VALID, judged.reason
        self._engine = forge.engine

    def post(self, posting: Posting) -> None:
        """Let the court take a batch. Raises Refused."""
        parts = posting.header.encode(), posting.opening.encode(), posting.data
        self.court.post_batch(self.call(SEQUENCER), self.config.bond, *parts)

    def offer(self, offer: Offer) -> Outcome:
        """Offer a batch to the court, let the replica judge what it takes, and prove that."""
        bond = self.config.bond if offer.bond is None else offer.bond
        call = self.call(sender=offer.sender)
        try:
            posted = self.court.post_batch(call, bond, offer.header, offer.opening, offer.data)
        except Refused as refused:
            if not isinstance(refused.code, PostError):
                raise
            return Outcome(Caught.POSTING, refused.code.name)
        header = Header.decode(offer.header)
        by_committee = header.data_kind == DATA_COMMITTEE
        shown = offer.steps if by_committee else offer.data
        number = self.replica.number
        before = copy.deepcopy(self.replica.engine)
        judged = self.replica.judge(header, shown)
        if judged.verdict is Verdict.INVALID:
            return self.prove(posted.batch_id, judged.evidence)
        if judged.verdict is Verdict.UNAVAILABLE or shown is None:
            return Outcome(Caught.FAILED, judged.reason)
        self.replica.roll_back(number)
        return self._acquit(before, header, BatchData.decode(shown, header.step_count))

    def prove(self, batch_id: bytes, evidence: bytes) -> Outcome:
        """Send evidence against a posted batch."""
        try:
            reverted = self.court.prove_fraud(self.call(), batch_id, evidence)
        except Refused as refused:
            if refused.code is CourtError.NO_FRAUD:
                return UNCAUGHT
            return Outcome(Caught.CHALLENGER, refused.code.name)
        assert isinstance(reverted, BatchReverted)
        return Outcome(Caught.BAD_STEP, f"BAD_STEP({reverted.step})")

    def _acquit(self, engine: Engine, header: Header, data: BatchData) -> Outcome:
        """Return NOTHING if the court finds none of the steps wrong."""
        for index, step in enumerate(data.steps):
            evidence = build_evidence(engine, header, data.pairs, index, step.encode())
            outcome = self.prove(header.batch_id(), evidence.encode())
            if outcome != UNCAUGHT:
                return outcome
            columns = engine.decode(*pack(step.actions))
            recover_signers(columns)
            engine.replay_step(columns, step.time, 0, len(step.actions))
        return UNCAUGHT

    # A committee's batches

    def held(
        self, posting: Posting, shown: bool = True, signers: Sequence[int] = SIGNERS
    ) -> tuple[Header, Offer]:
        """Return a batch as its committee holds it; `shown` tells whether anyone sees the steps."""
        inline = posting.header
        pairs = posting.data[: PAIR_BYTES * inline.step_count]
        header = replace(
            inline, data_kind=DATA_COMMITTEE, data_hash=data_hash(pairs), data_length=len(pairs)
        )
        word = attestation_of(Attested.of(header), signers).encode()
        steps = posting.data if shown else None
        return header, Offer(header.encode(), posting.opening.encode(), pairs + word, steps)

    def wanted(self, posting: Posting, step: int) -> Wanted:
        """Return what an ask for a step of a batch names."""
        pairs = BatchData.decode(posting.data, posting.header.step_count).pairs
        # The siblings of one record alone: those of the first step have no neighbour before it.
        siblings = record_siblings(pairs, 0) if step == 0 else ()
        return Wanted(step, *pairs[step], siblings)


def play(moves: Sequence[Callable[[House], object]], house: House) -> Outcome:
    """Make these calls in their order; the outcome is what catches the last one."""
    *before, last = moves
    for move in before:
        move(house)
    try:
        last(house)
    except Refused as refused:
        posted = isinstance(refused.code, PostError)
        return Outcome(Caught.POSTING if posted else Caught.CHALLENGER, refused.code.name)
    return UNCAUGHT
