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
from verifier.errors import PostError, Refused
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


def _equal(code: PostError, what: str, expected: object, was: object, advice: str) -> None:
    if expected != was:
        raise Refused(code, f"expected {what} {_show(expected)}, was {_show(was)}; {advice}")


def _show(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _frozen(p: Posting) -> None:
    """After the freeze nothing new is posted."""
    if p.mode == Mode.FROZEN:
        raise Refused(
            PostError.POSTING_FROZEN,
            "expected a house that goes on, was a frozen one; nothing is posted any more",
        )


def _law_version(p: Posting) -> None:
    """A batch is judged by the law that it names: the one announced for its number, in time."""
    was, law = p.header.law_version, p.law
    _equal(PostError.WRONG_LAW_VERSION, "law version", law.version, was, "upgrade")
    if p.call.block.time_ms < law.ready_ms:
        raise Refused(
            PostError.LAW_TIMELOCK,
            f"expected the first batches of law {law.version} at {law.ready_ms} ms or later, was "
            f"{p.call.block.time_ms}; wait {law.ready_ms - p.call.block.time_ms} ms",
        )


def _deployment(p: Posting) -> None:
    """A batch of one deployment means nothing in another."""
    advice = "post to the chain that the batch was made for"
    _equal(PostError.WRONG_CHAIN, "chain id", p.config.chain_id, p.header.chain_id, advice)
    was = p.header.settlement
    _equal(PostError.WRONG_SETTLEMENT, "settlement address", p.config.settlement, was, advice)


def _proposer(p: Posting) -> None:
    """Whom the header names posts and owns the bond: the sequencer, in open posting anyone."""
    advice = "only the registered sequencer posts, in its own name, unless posting is open"
    if p.mode == Mode.SEQUENCER:
        _equal(PostError.WRONG_PROPOSER, "sender", p.sequencer, p.call.sender, advice)
    _equal(PostError.WRONG_PROPOSER, "proposer", p.call.sender, p.header.proposer, advice)


def _bond(p: Posting) -> None:
    """One flat bond, exactly: sums over bonds are then products, and a rollback is O(1)."""
    _equal(PostError.WRONG_BOND, "a bond in gwei of", p.config.bond, p.bond, "send the bond")


def _place(p: Posting) -> None:
    """A batch extends the tip of the present generation, named by content."""
    advice = "build on the court's tip"
    header, tip = p.header, p.tip
    _equal(PostError.WRONG_GENERATION, "generation", p.generation, header.generation, advice)
    _equal(PostError.WRONG_NUMBER, "number", tip.number + 1, header.number, advice)
    _equal(PostError.WRONG_PARENT, "parent", tip.batch_id, header.parent_id, advice)
    _equal(PostError.WRONG_PRE_ROOT, "pre root", tip.post_root, header.pre_root, advice)


def _backlog(p: Posting) -> None:
    """Challengers must be able to keep up with what is open."""
    if p.unfinalised >= p.config.max_unfinalised:
        raise Refused(
            PostError.TOO_MANY_UNFINALISED,
            f"expected fewer than {p.config.max_unfinalised} unfinalised batches, "
            f"was {p.unfinalised}; finalise what is old enough, then post",
        )


def _base_reference(p: Posting) -> None:
    """The proposer saw this branch of the base layer, not long ago."""
    number, age = p.header.base_number, p.call.block.number - p.header.base_number
    if age > p.config.reference_age_blocks:
        raise Refused(
            PostError.BASE_REFERENCE_OLD,
            f"expected a base reference of at most {p.config.reference_age_blocks} blocks ago, "
            f"was {age}; build the batch again on a newer block",
        )
    known = p.call.block.hash_of(number)
    if known != p.header.base_hash:
        was = "not there yet" if known is None else known.hex()
        raise Refused(
            PostError.BASE_REFERENCE_NOT_CANONICAL,
            f"expected block {number} to be {p.header.base_hash.hex()}, was {was}; "
            "build the batch again on this branch",
        )


def _sizes(p: Posting) -> None:
    """Counts and lengths are bounded and true before anything is walked."""
    kind, advice, steps_max = p.header.data_kind, "post the data inline", p.config.batch_steps_max
    if kind == DATA_COMMITTEE and p.config.committee.members:
        steps_max = p.config.committee_steps_max
    else:
        _equal(PostError.UNKNOWN_DATA_KIND, "data kind", DATA_INLINE, kind, advice)
    if not 1 <= p.header.step_count <= steps_max:
        raise Refused(
            PostError.WRONG_STEP_COUNT,
            f"expected 1 to {steps_max} steps, was {p.header.step_count}; seal the batch earlier",
        )
    if len(p.data) > p.config.batch_bytes_max:
        raise Refused(
            PostError.TOO_MANY_BYTES,
            f"expected at most {p.config.batch_bytes_max} bytes of data, was {len(p.data)}; "
            "seal the batch earlier",
        )
    advice = "send the data that the header was made from"
    length = p.header.data_length
    _equal(PostError.WRONG_DATA_LENGTH, "a data length of", length, len(p.data), advice)


def _opening(p: Posting) -> None:
    """The opening is the preimage of the post root, under the law that the header names."""
    opened = p.opening.state_root()
    advice = "open the root after the last step"
    _equal(PostError.WRONG_OPENING, "the opening of root", p.header.post_root, opened, advice)
    expected, was = p.header.law_version, p.opened.law_version
    _equal(PostError.OPENED_LAW_VERSION, "opened law version", expected, was, advice)


def _clock(p: Posting) -> None:
    """Law time may lag behind the base layer's (an honest backlog always lands), never lead it."""
    latest = p.call.block.time_ms + p.config.drift_ms
    if p.opened.clock > latest:
        raise Refused(
            PostError.CLOCK_AHEAD,
            f"expected a clock of at most {latest} ms (block time and drift), "
            f"was {p.opened.clock}; wait {p.opened.clock - latest} ms, then post",
        )


def _inbox(p: Posting) -> None:
    """What was consumed is what the court has enqueued, in its order."""
    count = p.opened.inbox_count
    if not 0 <= count <= p.inbox.count:
        raise Refused(
            PostError.INBOX_BEYOND,
            f"expected at most {p.inbox.count} inbox messages consumed, was {count}; "
            "consume only what this branch holds",
        )
    _equal(
        PostError.WRONG_INBOX_ACCUMULATOR,
        "the inbox accumulator",
        p.inbox.accumulator_at(count),
        p.opened.inbox_accumulator,
        "consume the messages of this branch in order",
    )


def _onward(p: Posting) -> None:
    """What every law only counts up never falls behind the tip, not even until it is proven wrong.

    A clock set back would let anyone freeze the house at once; a sequence set back, and brought up
    again by a further batch, would break every receipt that was kept long ago.
    """
    for what in ("clock", "inbox_count", "sequenced_count"):
        least, was = getattr(p.tip, what), getattr(p.opened, what)
        if was < least:
            raise Refused(
                PostError.BEHIND_THE_TIP,
                f"expected {what} of at least {least}, the tip's, was {was}; open the root after "
                "the last step",
            )


def _forced_inclusion(p: Posting) -> None:
    """Nothing enqueued may wait longer than the forced delay, in the batch's own time."""
    waiting = p.inbox.entry(p.opened.inbox_count)
    deadline = p.opened.clock - p.config.forced_delay_ms
    if waiting is not None and waiting.time_ms < deadline:
        raise Refused(
            PostError.INBOX_OVERDUE,
            f"expected inbox message {p.opened.inbox_count} of {waiting.time_ms} ms to be consumed "
            f"before the clock passes {waiting.time_ms + p.config.forced_delay_ms} ms, "
            f"was unconsumed at {p.opened.clock}; consume it",
        )


def _overdue_first(p: Posting) -> None:
    """In open posting every batch serves whom the sequencer did not, oldest first."""
    waiting = p.inbox.entry(p.tip.inbox_count)
    if p.mode != Mode.OPEN or waiting is None:
        return
    deadline = waiting.time_ms + p.config.forced_delay_ms
    if p.call.block.time_ms > deadline and p.opened.inbox_count <= p.tip.inbox_count:
        raise Refused(
            PostError.OVERDUE_FIRST,
            f"expected inbox message {p.tip.inbox_count}, due at {deadline} ms, to be consumed "
            f"by whoever posts now, was left at {p.call.block.time_ms}; begin the batch with it",
        )


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
    expected = header.post_root
    advice = "send the data that the header was made from"
    _equal(PostError.WRONG_POST_ROOT, "the last root", expected, pairs[-1].post_root, advice)


def _check_inline(posting: Posting) -> tuple[Pair, ...]:
    header, encoded = posting.header, posting.data
    data = BatchData.decode(encoded, header.step_count)
    posting.call.meter.spend(gas.posting(len(encoded), len(data.steps), action_count(data.steps)))
    _check_hash(posting)
    check_steps(data, header.steps_root)
    return data.pairs


def _check_attested(posting: Posting) -> tuple[Pair, ...]:
    header, encoded = posting.header, posting.data
    attestation = Attestation.decode(posting.attestation)
    pairs = decode_pairs(encoded, header.step_count)
    posting.call.meter.spend(
        gas.posting(len(encoded), len(pairs), 0) + gas.attesting(attestation.count())
    )
    _check_hash(posting)
    check_pairs(pairs, header.steps_root)
    check_attestation(posting.config.committee, Attested.of(header), attestation)
    return pairs


def _check_hash(posting: Posting) -> None:
    advice = "send the data that the header was made from"
    expected, was = posting.header.data_hash, data_hash(posting.data)
    _equal(PostError.WRONG_DATA_HASH, "the data hash", expected, was, advice)
