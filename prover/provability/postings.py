"""Rows for what is posted: every field of header, opening and data, and of the call around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any

from clearing.keys import address_of
from clearing.messages import encode_step
from clearing.units import ACTION_BYTES_MAX, ACTIONS_PER_STEP, TIME_MAX
from prover.forge import Posting
from prover.provability.house import Caught, House, Offer, Outcome, offer_of
from prover.provability.market import CHALLENGER, SEQUENCER
from prover.provability.states import flip_bytes, reopened
from prover.provability.table import Attempt, Part, Row
from verifier.batch import GLOBALS_BYTES, PAIR_BYTES, BatchData, Pair, Step, data_hash, steps_root
from verifier.config import BATCH_STEPS_MAX
from verifier.header import DATA_COMMITTEE, HEADER_BYTES, MAGIC, Header

# What refuses a header whose field is one off, or has a bit flipped, and nothing else.
HEADER_CODES = {
    "law_version": "WRONG_LAW_VERSION",
    "chain_id": "WRONG_CHAIN",
    "settlement": "WRONG_SETTLEMENT",
    "generation": "WRONG_GENERATION",
    "number": "WRONG_NUMBER",
    "parent_id": "WRONG_PARENT",
    "base_number": "BASE_REFERENCE_NOT_CANONICAL",
    "base_hash": "BASE_REFERENCE_NOT_CANONICAL",
    "pre_root": "WRONG_PRE_ROOT",
    "post_root": "WRONG_OPENING",
    "steps_root": "WRONG_STEPS_ROOT",
    "step_count": "MALFORMED_DATA",
    "data_kind": "WRONG_DATA_LENGTH",  # a committee's pairs have an attestation behind them
    "data_hash": "WRONG_DATA_HASH",
    "data_length": "WRONG_DATA_LENGTH",
    "proposer": "WRONG_PROPOSER",
}
_ENVELOPE: tuple[tuple[str, int, str], ...] = (
    ("magic", len(MAGIC) - 1, "WRONG_MAGIC"),
    ("padding", HEADER_BYTES - 1, "MALFORMED_HEADER"),
)

Change = Callable[[Posting], Posting]
ChangeOffer = Callable[[Offer], Offer]
Rearrange = Callable[[tuple[bytes, ...]], Iterable[bytes]]


def posting_rows() -> Iterator[Row]:
    """Yield all rows of header, opening, data and call."""
    for field in fields(Header):
        yield _header_row(field.name)
    yield _posting_row(
        Part.HEADER, "header", "data_kind", "of no kind that there is", "UNKNOWN_DATA_KIND",
        partial(headed, data_kind=DATA_COMMITTEE + 1),
    )  # fmt: skip
    for name, place, code in _ENVELOPE:
        yield _offer_row(Part.HEADER, "header", name, "a bit flipped", code, _spoil(place))
    yield _offer_row(
        Part.HEADER, "header", "length", "a byte more", "MALFORMED_HEADER",
        lambda offer: replace(offer, header=offer.header + b"\0"),
    )  # fmt: skip
    yield from _opening_rows()
    yield from _data_rows()
    yield from _size_rows()
    yield from _call_rows()


def honest(house: House) -> Posting:
    """Return an honest batch of three steps, none of them like another."""
    forge, market = house.forge(), house.market
    for actions in ([market.trade(0, 1), market.trade(1, 2)], [], [market.withdraw(2)]):
        forge.forged(actions, house.time_ms)
    return forge.finish(house.place())


def offered(change: Change, house: House) -> Outcome:
    """Offer an honest batch after a change."""
    return house.offer(offer_of(change(honest(house))))


def _posting_row(
    part: Part, subject: str, field: str, mutation: str, code: str, change: Change
) -> Row:
    step = code.startswith(Caught.BAD_STEP)
    caught = Caught.BAD_STEP if step else Caught.POSTING
    twin = partial(offered, recommitted)
    return Row(part, subject, field, mutation, caught, code, partial(offered, change), twin)


def _offer_row(
    part: Part, subject: str, field: str, mutation: str, code: str, change: ChangeOffer
) -> Row:
    def attack(house: House) -> Outcome:
        return house.offer(change(offer_of(honest(house))))

    twin = partial(offered, recommitted)
    return Row(part, subject, field, mutation, Caught.POSTING, code, attack, twin)


def _spoil(place: int) -> ChangeOffer:
    def change(offer: Offer) -> Offer:
        head = offer.header
        return replace(offer, header=flip_bytes(head[: place + 1]) + head[place + 1 :])

    return change


def changed(value: Any) -> Any:
    """Return an integer one more, or bytes with the last bit flipped."""
    return value + 1 if isinstance(value, int) else flip_bytes(value)


def _header_row(name: str) -> Row:
    def change(posting: Posting) -> Posting:
        value = changed(getattr(posting.header, name)) if name != "step_count" else BATCH_STEPS_MAX
        return headed(posting, **{name: value})

    mutation = "more than the data hold" if name == "step_count" else "one off"
    return _posting_row(Part.HEADER, "header", name, mutation, HEADER_CODES[name], change)


def headed(posting: Posting, **changes: Any) -> Posting:
    """Return the posting with other values of header fields."""
    return replace(posting, header=replace(posting.header, **changes))


# Opening


def _opening_rows() -> Iterator[Row]:
    """Yield the rows of an opening that is not the preimage of the root in the header.

    Those of openings that are, but whose root is wrong, are the state's.
    """
    for name, place in (("globals_leaf", 0), ("sub_roots", GLOBALS_BYTES)):

        def change(offer: Offer, place: int = place) -> Offer:
            opening = offer.opening
            return replace(offer, opening=flip_bytes(opening[: place + 1]) + opening[place + 1 :])

        yield _offer_row(Part.OPENING, "opening", name, "a bit flipped", "WRONG_OPENING", change)
    yield _offer_row(
        Part.OPENING, "opening", "length", "a byte less", "MALFORMED_OPENING",
        lambda offer: replace(offer, opening=offer.opening[:-1]),
    )  # fmt: skip


# Data


def recommitted(posting: Posting, data: bytes | None = None, **header: Any) -> Posting:
    """Return the posting with these data, header fields, and a hash and length that fit them."""
    data = posting.data if data is None else data
    fitting: dict[str, Any] = {"data_hash": data_hash(data), "data_length": len(data)}
    return headed(replace(posting, data=data), **(fitting | header))


def rebuilt(posting: Posting, pairs: Sequence[Pair], steps: Sequence[Step]) -> Posting:
    """Return the posting with other pairs and steps, to which the header is committed anew."""
    data = BatchData(tuple(pairs), tuple(steps)).encode()
    root = steps_root(pairs)
    return recommitted(posting, data, steps_root=root, step_count=len(pairs))


def _parts(posting: Posting) -> tuple[list[Pair], list[Step]]:
    data = BatchData.decode(posting.data, posting.header.step_count)
    return list(data.pairs), list(data.steps)


def _with_pair(place: int, name: str, posting: Posting) -> Posting:
    pairs, steps = _parts(posting)
    pairs[place] = pairs[place]._replace(**{name: flip_bytes(getattr(pairs[place], name))})
    return rebuilt(posting, pairs, steps)


def with_step(place: int, step: Step, posting: Posting) -> Posting:
    """Return the posting with another step whose hash the pair has, and the root as it was."""
    pairs, steps = _parts(posting)
    pairs[place] = Pair(step.hash(), pairs[place].post_root)
    steps[place] = step
    return rebuilt(posting, pairs, steps)


def _with_time(place: int, posting: Posting) -> Posting:
    step = _parts(posting)[1][place]
    return with_step(place, step._replace(time=step.time + 1), posting)


def _with_actions(
    place: int, make: Callable[[tuple[bytes, ...]], Any], posting: Posting
) -> Posting:
    step = _parts(posting)[1][place]
    return with_step(place, step._replace(actions=tuple(make(step.actions))), posting)


def _reordered(posting: Posting) -> Posting:
    """Exchange the first two steps and their hashes; the roots stand where they stood."""
    pairs, steps = _parts(posting)
    steps[0], steps[1] = steps[1], steps[0]
    pairs = [Pair(step.hash(), pair.post_root) for step, pair in zip(steps, pairs, strict=True)]
    return rebuilt(posting, pairs, steps)


def _dropped(posting: Posting) -> Posting:
    """Leave the first step out; the others keep their roots."""
    pairs, steps = _parts(posting)
    return rebuilt(posting, pairs[1:], steps[1:])


def _uncommitted_step(posting: Posting) -> Posting:
    """Change a step and not its hash."""
    pairs, steps = _parts(posting)
    steps[0] = steps[0]._replace(time=steps[0].time + 1)
    return rebuilt(posting, pairs, steps)


def _data_rows() -> Iterator[Row]:
    rows: tuple[tuple[str, str, str, str, Change], ...] = (
        ("pair", "step_hash", "a bit flipped", "WRONG_STEP_HASH",
         partial(_with_pair, 0, "step_hash")),
        ("pair", "post_root", "of the first step", "BAD_STEP(0)",
         partial(_with_pair, 0, "post_root")),
        ("pair", "post_root", "of an empty step", "BAD_STEP(1)",
         partial(_with_pair, 1, "post_root")),
        ("pair", "post_root", "of the last step", "WRONG_POST_ROOT",
         partial(_with_pair, 2, "post_root")),
        ("step", "time", "other bytes than were hashed", "WRONG_STEP_HASH", _uncommitted_step),
        ("step", "time", "a millisecond more", "BAD_STEP(0)", partial(_with_time, 0)),
        ("step", "actions", "the last left out", "BAD_STEP(0)",
         partial(_with_actions, 0, lambda actions: actions[:-1])),
        ("step", "actions", "one repeated", "BAD_STEP(0)",
         partial(_with_actions, 0, lambda actions: (*actions, actions[-1]))),
        ("step", "actions", "two exchanged", "BAD_STEP(0)",
         partial(_with_actions, 0, reversed)),
        ("step", "actions", "one of no bytes added", "BAD_STEP(1)",
         partial(_with_actions, 1, lambda actions: (b"",))),
        ("step", "actions", "one of an unknown kind added", "BAD_STEP(1)",
         partial(_with_actions, 1, lambda actions: (b"\xff",))),
        ("data", "steps", "two exchanged", "BAD_STEP(0)", _reordered),
        ("data", "steps", "the first left out", "BAD_STEP(0)", _dropped),
        ("data", "pairs", "cut short", "MALFORMED_DATA",
         lambda posting: recommitted(posting, posting.data[: PAIR_BYTES * 3 - 1])),
    )  # fmt: skip
    for subject, field, mutation, code, change in rows:
        yield _posting_row(Part.DATA, subject, field, mutation, code, change)


def _oversized(count: int, length: int, posting: Posting) -> Posting:
    """Put a step of this many actions of this length, which no encoder writes, in the place of all.

    The bytes are written out by hand; nothing looks at the hash of a step that cannot be read.
    """
    action = length.to_bytes(2, "big") + bytes(length)
    step = encode_step(0, ())[:8] + bytes([count]) + count * action
    return recommitted(posting, bytes(64) + step, step_count=1)


def _far_time(posting: Posting) -> Posting:
    step = (TIME_MAX + 1).to_bytes(8, "big") + b"\0"
    return recommitted(posting, bytes(64) + step, step_count=1)


def _many_bytes(posting: Posting, limit: int = 1 << 20) -> Posting:
    return recommitted(posting, posting.data + bytes(limit))


def _size_rows() -> Iterator[Row]:
    """Yield the rows of batches that are too large, too small or not cut where they end."""
    rows: tuple[tuple[str, str, str, Change], ...] = (
        ("actions", "one more than a step holds", "TOO_MANY_ACTIONS",
         partial(_oversized, ACTIONS_PER_STEP + 1, 1)),
        ("actions", "a byte more than an action has", "ACTION_TOO_LONG",
         partial(_oversized, 1, ACTION_BYTES_MAX + 1)),
        ("time", "beyond every time of the law", "STEP_TIME_OUT_OF_BOUNDS", _far_time),
        ("end", "a byte more", "TRAILING_BYTES",
         lambda posting: recommitted(posting, posting.data + b"\0")),
        ("end", "a byte less", "MALFORMED_DATA",
         lambda posting: recommitted(posting, posting.data[:-1])),
        ("count", "no steps", "WRONG_STEP_COUNT",
         lambda posting: recommitted(posting, step_count=0)),
        ("count", "more steps than a batch holds", "WRONG_STEP_COUNT",
         lambda posting: recommitted(posting, step_count=1 << 16)),
        ("length", "more bytes than a batch holds", "TOO_MANY_BYTES", _many_bytes),
    )  # fmt: skip
    for field, mutation, code, change in rows:
        yield _posting_row(Part.DATA, "size", field, mutation, code, change)


# Who posts, when, and after what


def _call_row(field: str, mutation: str, code: str, attack: Attempt, twin: Attempt) -> Row:
    return Row(Part.CALL, "call", field, mutation, Caught.POSTING, code, attack, twin)


def _call_rows() -> Iterator[Row]:
    yield _call_row("sender", "not the sequencer", "WRONG_PROPOSER",
                    partial(_sent_by, CHALLENGER), partial(_sent_by, SEQUENCER))  # fmt: skip
    for name, more in (("less", -1), ("more", 1)):
        yield _call_row("bond", f"a gwei {name}", "WRONG_BOND",
                        partial(_with_bond, more), partial(_with_bond, 0))  # fmt: skip
    for field, mutation, code, attack in (
        ("block", "the reference is of another branch", "BASE_REFERENCE_NOT_CANONICAL",
         _reorganised),
        ("block", "the reference is too old", "BASE_REFERENCE_OLD", _aged),
        ("time", "the clock leads by more than the drift", "CLOCK_AHEAD", _led),
        ("inbox", "a message consumed that is not there", "INBOX_BEYOND", _beyond),
        ("inbox", "a message that the court never had", "WRONG_INBOX_ACCUMULATOR", _altered),
        ("inbox", "a message left until it is overdue", "INBOX_OVERDUE", _ignored),
        ("inbox", "in open posting, the overdue message left", "OVERDUE_FIRST", _left),
        ("tip", "its clock set back", "BEHIND_THE_TIP", partial(_set_back, "clock")),
        ("tip", "its sequence set back", "BEHIND_THE_TIP",
         partial(_set_back, "sequenced_count")),
        ("mode", "after the freeze", "POSTING_FROZEN", _frozen),
        ("law", "announced, and not yet in force", "LAW_TIMELOCK", _too_early),
        ("tip", "as many batches open as may be", "TOO_MANY_UNFINALISED", _crowded),
    ):  # fmt: skip
        yield _call_row(field, mutation, code, partial(attack, True), partial(attack, False))


def _sent_by(key: bytes, house: House) -> Outcome:
    return house.offer(replace(offer_of(honest(house)), sender=address_of(key)))


def _with_bond(more: int, house: House) -> Outcome:
    return house.offer(replace(offer_of(honest(house)), bond=house.config.bond + more))


def _reorganised(cheat: bool, house: House) -> Outcome:
    posting = honest(house)
    if cheat:
        house.branch += 1
    return house.offer(offer_of(posting))


def _aged(cheat: bool, house: House) -> Outcome:
    posting = honest(house)
    house.block += house.config.reference_age_blocks - 1 + cheat
    return house.offer(offer_of(posting))


def _empty(house: House, time: int, *actions: bytes) -> Outcome:
    """Offer a batch of one step at a law time."""
    forge = house.forge()
    forge.forged(actions, time)
    return house.offer(offer_of(forge.finish(house.place())))


def _led(cheat: bool, house: House) -> Outcome:
    return _empty(house, house.time_ms + house.config.drift_ms + cheat)


def _beyond(cheat: bool, house: House) -> Outcome:
    mark = house.log.mark()
    house.deposit(0)
    message = house.waiting()
    if cheat:
        house.log.undo_to(mark)
    return _empty(house, house.time_ms, *message)


def _altered(cheat: bool, house: House) -> Outcome:
    mark = house.log.mark()
    house.deposit(0, 10**6)
    message = house.waiting()
    if cheat:
        house.log.undo_to(mark)
        house.deposit(0, 10**6 - 1)
    return _empty(house, house.time_ms, *message)


def _ignored(cheat: bool, house: House) -> Outcome:
    house.deposit(0)
    message = house.waiting()
    house.time_ms += house.config.forced_delay_ms + 1
    return _empty(house, house.time_ms, *(() if cheat else message))


def _left(cheat: bool, house: House) -> Outcome:
    house.deposit(0)
    message = house.waiting()
    house.time_ms += house.config.open_lag_ms + 20_000
    house.court.open_posting(house.call())
    # The clock stays back, so that the message is not overdue by the batch's own time.
    return _empty(house, house.market.time, *(() if cheat else message))


def _set_back(field: str, cheat: bool, house: House) -> Outcome:
    forge = house.forge()
    forge.forged([], house.time_ms)
    opening = forge.engine.opening()
    if cheat:
        tip = house.court.batch(house.court.heads().tip_id)
        assert tip is not None
        back = opening.globals()._replace(**{field: getattr(tip.record, field) - 1})
        opening = replace(opening, globals_leaf=back.encode())
    return house.offer(offer_of(reopened(forge, house, opening)))


def _frozen(cheat: bool, house: House) -> Outcome:
    house.time_ms += house.config.freeze_lag_ms + 20_000
    if cheat:
        house.court.freeze(house.call())
    return house.offer(offer_of(honest(house)))


def _too_early(cheat: bool, house: House) -> Outcome:
    version = house.config.law_version
    if cheat:
        number = house.court.heads().tip_number + 2
        house.court.announce_law(house.call(SEQUENCER), version + 1, number)
    house.extend([])
    return house.offer(offer_of(headed(honest(house), law_version=version + cheat)))


def _crowded(cheat: bool, house: House) -> Outcome:
    while house.court.heads().tip_number < house.config.max_unfinalised - 1 + cheat:
        house.extend([])
    return house.offer(offer_of(honest(house)))
