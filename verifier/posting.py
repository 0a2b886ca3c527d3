"""The rules that a batch must meet to be posted, one function each, cheap ones first.

What these rules refuse cannot exist; what they let through and the law would not have done is
proven wrong by BAD_STEP. Each rule raises Refused with its own PostError.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from verifier.batch import (
    BatchData,
    OpenedGlobals,
    Opening,
    Pair,
    action_count,
    check_pairs,
    check_steps,
    data_hash,
    decode_pairs,
)
from verifier.batches import BatchRecord
from verifier.committee import Attestation, Attested, check_attestation
from verifier.config import CourtConfig
from verifier.errors import PostError, require
from verifier.freeze import Mode
from verifier.header import DATA_COMMITTEE, DATA_INLINE, Header
from verifier.host import gas
from verifier.host.call import Call
from verifier.inbox import Inbox
from verifier.laws import Switch


@dataclass(frozen=True, slots=True)
class Posting:
    """Everything that the rules look at: the call, where the court stands, and what came.

    `tip` is what the batch has to follow, `law` the switch that its number stands under.
    """

    config: CourtConfig
    call: Call
    bond: int  # gwei that the sender offers
    tip: BatchRecord
    generation: int
    unfinalised: int
    mode: Mode
    sequencer: bytes
    law: Switch
    inbox: Inbox
    header: Header
    opening: Opening
    opened: OpenedGlobals
    data: bytes  # that the header commits to
    attestation: bytes  # behind the data, if a committee holds the steps


def _equal(rule: PostError, expected: object, was: object) -> None:
    require(expected == was, rule, expected, was)


def _frozen(p: Posting) -> None:
    """After the freeze nothing new is posted."""
    require(p.mode != Mode.FROZEN, PostError.POSTING_FROZEN)


def _law_version(p: Posting) -> None:
    """A batch is judged by the law that it names: the one announced for its number, in time."""
    version, _, ready = p.law
    time = p.call.block.time_ms
    _equal(PostError.WRONG_LAW_VERSION, version, p.header.law_version)
    require(time >= ready, PostError.LAW_TIMELOCK, version, ready, time, ready - time)


def _deployment(p: Posting) -> None:
    """A batch of one deployment means nothing in another."""
    _equal(PostError.WRONG_CHAIN, p.config.chain_id, p.header.chain_id)
    _equal(PostError.WRONG_SETTLEMENT, p.config.settlement, p.header.settlement)


def _proposer(p: Posting) -> None:
    """Whom the header names posts and owns the bond: the sequencer, in open posting anyone."""
    sender, proposer = p.call.sender, p.header.proposer
    if p.mode == Mode.SEQUENCER:
        require(sender == p.sequencer, PostError.WRONG_PROPOSER, "sender", p.sequencer, sender)
    require(proposer == sender, PostError.WRONG_PROPOSER, "proposer", sender, proposer)


def _bond(p: Posting) -> None:
    """One flat bond, exactly: sums over bonds are then products, and a rollback is O(1)."""
    _equal(PostError.WRONG_BOND, p.config.bond, p.bond)


def _place(p: Posting) -> None:
    """A batch extends the tip of the present generation, named by content."""
    _equal(PostError.WRONG_GENERATION, p.generation, p.header.generation)
    _equal(PostError.WRONG_NUMBER, p.tip.number + 1, p.header.number)
    _equal(PostError.WRONG_PARENT, p.tip.batch_id, p.header.parent_id)
    _equal(PostError.WRONG_PRE_ROOT, p.tip.post_root, p.header.pre_root)


def _backlog(p: Posting) -> None:
    """Challengers must be able to keep up with what is open."""
    most = p.config.max_unfinalised
    require(p.unfinalised < most, PostError.TOO_MANY_UNFINALISED, most, p.unfinalised)


def _base_reference(p: Posting) -> None:
    """The proposer saw this branch of the base layer, not long ago."""
    number, expected, most = p.header.base_number, p.header.base_hash, p.config.reference_age_blocks
    age = p.call.block.number - number
    require(age <= most, PostError.BASE_REFERENCE_OLD, most, age)
    known = p.call.block.hash_of(number)
    was = "not there yet" if known is None else known
    require(known == expected, PostError.BASE_REFERENCE_NOT_CANONICAL, number, expected, was)


def _sizes(p: Posting) -> None:
    """Counts and lengths are bounded and true before anything is walked."""
    kind, count, steps_max = p.header.data_kind, p.header.step_count, p.config.batch_steps_max
    if kind == DATA_COMMITTEE and p.config.committee.members:
        steps_max = p.config.committee_steps_max
    else:
        _equal(PostError.UNKNOWN_DATA_KIND, DATA_INLINE, kind)
    require(1 <= count <= steps_max, PostError.WRONG_STEP_COUNT, steps_max, count)
    length, length_max = len(p.data), p.config.batch_bytes_max
    require(length <= length_max, PostError.TOO_MANY_BYTES, length_max, length)
    _equal(PostError.WRONG_DATA_LENGTH, p.header.data_length, length)


def _opening(p: Posting) -> None:
    """The opening is the preimage of the post root, under the law that the header names."""
    _equal(PostError.WRONG_OPENING, p.header.post_root, p.opening.state_root())
    _equal(PostError.OPENED_LAW_VERSION, p.header.law_version, p.opened.law_version)


def _clock(p: Posting) -> None:
    """Law time may lag behind the base layer's (an honest backlog always lands), never lead it."""
    clock, latest = p.opened.clock, p.call.block.time_ms + p.config.drift_ms
    require(clock <= latest, PostError.CLOCK_AHEAD, latest, clock, clock - latest)


def _inbox(p: Posting) -> None:
    """What was consumed is what the court has enqueued, in its order."""
    count, inbox = p.opened.inbox_count, p.inbox
    require(0 <= count <= inbox.count, PostError.INBOX_BEYOND, inbox.count, count)
    expected, was = inbox.accumulator_at(count), p.opened.inbox_accumulator
    _equal(PostError.WRONG_INBOX_ACCUMULATOR, expected, was)


def _onward(p: Posting) -> None:
    """What every law only counts up never falls behind the tip, not even until it is proven wrong.

    A clock set back would let anyone freeze the house at once; a sequence set back, and brought up
    again by a further batch, would break every receipt that was kept long ago.
    """
    for what in ("clock", "inbox_count", "sequenced_count"):
        least, was = getattr(p.tip, what), getattr(p.opened, what)
        require(was >= least, PostError.BEHIND_THE_TIP, what, least, was)


def _forced_inclusion(p: Posting) -> None:
    """Nothing enqueued may wait longer than the forced delay, in the batch's own time."""
    index, clock = p.opened.inbox_count, p.opened.clock
    waiting = p.inbox.entry(index)
    if waiting is not None:
        due = waiting.time_ms + p.config.forced_delay_ms
        require(clock <= due, PostError.INBOX_OVERDUE, index, waiting.time_ms, due, clock)


def _overdue_first(p: Posting) -> None:
    """In open posting every batch serves whom the sequencer did not, oldest first."""
    index, now = p.tip.inbox_count, p.call.block.time_ms
    waiting = p.inbox.entry(index)
    if p.mode == Mode.OPEN and waiting is not None:
        due = waiting.time_ms + p.config.forced_delay_ms
        served = p.opened.inbox_count > index
        require(now <= due or served, PostError.OVERDUE_FIRST, index, due, now)


RULES: tuple[Callable[[Posting], None], ...] = (
    _frozen,
    _law_version,
    _deployment,
    _proposer,
    _bond,
    _place,
    _backlog,
    _base_reference,
    _sizes,
    _opening,
    _clock,
    _inbox,
    _onward,
    _forced_inclusion,
    _overdue_first,
)


def check_rules(posting: Posting) -> None:
    """Apply every rule that needs no walk over the data. Raises Refused of the first one broken."""
    for rule in RULES:
        rule(posting)


def check_data(posting: Posting) -> None:
    """Compare the data with all that the header says of them, and pay for it.

    The court hashes every step that is posted and builds the steps root itself, so a broken chain,
    a false count or data that differ from their commitment cannot exist. Of a committee's batch it
    has the pairs, and the word of a quorum that the bytes behind them are held. Raises Refused.
    """
    header = posting.header
    by_committee = header.data_kind == DATA_COMMITTEE
    pairs = _check_attested(posting) if by_committee else _check_inline(posting)
    _equal(PostError.WRONG_POST_ROOT, header.post_root, pairs[-1].post_root)


def _check_inline(posting: Posting) -> tuple[Pair, ...]:
    header, encoded = posting.header, posting.data
    data = BatchData.decode(encoded, header.step_count)
    posting.call.meter.spend(gas.posting(len(encoded), len(data.steps), action_count(data.steps)))
    _equal(PostError.WRONG_DATA_HASH, header.data_hash, data_hash(encoded))
    check_steps(data, header.steps_root)
    return data.pairs


def _check_attested(posting: Posting) -> tuple[Pair, ...]:
    header, encoded = posting.header, posting.data
    attestation = Attestation.decode(posting.attestation)
    pairs = decode_pairs(encoded, header.step_count)
    posting.call.meter.spend(
        gas.posting(len(encoded), len(pairs), 0) + gas.attesting(attestation.count())
    )
    _equal(PostError.WRONG_DATA_HASH, header.data_hash, data_hash(encoded))
    check_pairs(pairs, header.steps_root)
    check_attestation(posting.config.committee, Attested.of(header), attestation)
    return pairs
