"""Rows for a committee's batches: their attestation, their steps, and what is asked about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import partial
from typing import Any

from prover.forge import Posting, mint
from prover.provability.house import (
    SIGNERS,
    UNCAUGHT,
    Caught,
    House,
    Outcome,
    attestation_of,
    court_config,
    member_of,
    secret_of,
)
from prover.provability.market import FIRST_TRADER
from prover.provability.postings import changed
from prover.provability.states import flip_bytes
from prover.provability.table import Part, Row
from verifier import bls
from verifier.batch import PAIR_BYTES, data_hash
from verifier.committee import Attestation, Attested, Committee, Member
from verifier.errors import ConfigError, Refused
from verifier.header import Header
from verifier.withheld import Wanted

MEMBERS = 3
ASKED = 0  # the step that is asked for

ChangeWord = Callable[[Attestation, Header], bytes]


def committee_rows() -> Iterator[Row]:
    """Yield all rows of a committee."""
    for field in fields(Attested):
        yield _word_row(
            "attested", field.name, "one off where it was signed", "WRONG_ATTESTATION",
            partial(_signed_otherwise, field.name),
        )  # fmt: skip
    for name, mutation, code, change in (
        ("signers", "a member more than signed", "WRONG_ATTESTATION", _more_signers),
        ("signers", "too few of them", "SHORT_QUORUM", _short_quorum),
        ("signers", "one who is no member", "UNKNOWN_SIGNER", _unknown_signer),
        ("signature", "a bit flipped", "WRONG_ATTESTATION", _flipped_signature),
        ("signature", "a point outside the subgroup", "WRONG_ATTESTATION", _off_subgroup),
        ("signature", "the point at infinity", "WRONG_ATTESTATION", _infinity),
    ):
        yield _word_row("attestation", name, mutation, code, change)
    yield Row(
        Part.COMMITTEE, "attestation", "length", "a byte less and no data",
        Caught.POSTING, "MALFORMED_ATTESTATION", _cut_off, partial(_worded, None),
    )  # fmt: skip
    yield from _member_rows()
    yield from _ask_rows()
    yield from _step_rows()


# The word of a quorum


def _word_row(subject: str, field: str, mutation: str, code: str, change: ChangeWord) -> Row:
    return Row(
        Part.COMMITTEE, subject, field, mutation, Caught.POSTING, code,
        partial(_worded, change), partial(_worded, None),
    )  # fmt: skip


def _posting(house: House, cheats: bool = False) -> Posting:
    forge = house.forge()
    mutate = mint(FIRST_TRADER, 1) if cheats else None
    forge.forged([house.market.trade(0, 1)], house.time_ms, mutate=mutate)
    return forge.finish(house.place())


def _worded(change: ChangeWord | None, house: House) -> Outcome:
    """Offer a batch with another word of the committee than it gave."""
    header, offer = house.held(_posting(house))
    if change is not None:
        word = attestation_of(Attested.of(header))
        pairs = offer.data[: PAIR_BYTES * header.step_count]
        offer = replace(offer, data=pairs + change(word, header))
    return house.offer(offer)


def _signed_otherwise(name: str, word: Attestation, header: Header) -> bytes:
    attested = Attested.of(header)
    other = replace(attested, **{name: changed(getattr(attested, name))})
    return attestation_of(other).encode()


def _more_signers(word: Attestation, header: Header) -> bytes:
    return replace(word, signers=(1 << MEMBERS) - 1).encode()


def _short_quorum(word: Attestation, header: Header) -> bytes:
    return attestation_of(Attested.of(header), SIGNERS[:1]).encode()


def _unknown_signer(word: Attestation, header: Header) -> bytes:
    return attestation_of(Attested.of(header), (SIGNERS[0], MEMBERS)).encode()


def _flipped_signature(word: Attestation, header: Header) -> bytes:
    return replace(word, signature=flip_bytes(word.signature)).encode()


def _off_subgroup(word: Attestation, header: Header) -> bytes:
    return replace(word, signature=OFF_SUBGROUP).encode()


def _infinity(word: Attestation, header: Header) -> bytes:
    return replace(word, signature=b"\xc0" + bytes(95)).encode()


def _cut_off(house: House) -> Outcome:
    """Offer so few bytes that they are no attestation, whatever the header calls data."""
    header, offer = house.held(_posting(house))
    word = offer.data[PAIR_BYTES * header.step_count :]
    bare = replace(header, data_length=0, data_hash=data_hash(b""))
    return house.offer(replace(offer, header=bare.encode(), data=word[:-1]))


# A point of the curve of signatures (x = 2) that is not in the subgroup of prime order.
OFF_SUBGROUP = b"\x80" + bytes(94) + b"\x02"


# Who is on the committee


def _member_rows() -> Iterator[Row]:
    for name, mutation, member in (
        ("public_key", "a bit flipped", _member_with(public_key=flip_bytes)),
        ("public_key", "one made of the others' keys", _rogue),
        ("public_key", "the same twice", lambda: member_of(0)),
        ("proof", "a bit flipped", _member_with(proof=flip_bytes)),
    ):
        yield Row(
            Part.COMMITTEE, "member", name, mutation, Caught.DEPLOYMENT, "ConfigError",
            partial(_deployed, member), partial(_deployed, partial(member_of, MEMBERS - 1)),
        )  # fmt: skip


def _member_with(**changes: Callable[[bytes], bytes]) -> Callable[[], Member]:
    def make() -> Member:
        member = member_of(MEMBERS - 1)
        return member._replace(
            **{name: change(getattr(member, name)) for name, change in changes.items()}
        )

    return make


def _rogue() -> Member:
    """Return a key whose sum with the others' is one that the rogue knows the secret of.

    He can sign for all of them, and proves possession of the only secret that he has.
    """
    own = int.from_bytes(secret_of(MEMBERS), "big")
    others = sum(int.from_bytes(secret_of(place), "big") for place in range(MEMBERS - 1))
    key = bls.public_key(((own - others) % bls.ORDER).to_bytes(bls.SECRET_BYTES, "big"))
    return Member(key, bls.prove_possession(secret_of(MEMBERS)))


def _deployed(last: Callable[[], Member], house: House) -> Outcome:
    """Deploy a court with this last member."""
    members = (*map(member_of, range(MEMBERS - 1)), last())
    try:
        court_config(Committee(members, 2))
    except ConfigError as error:
        return Outcome(Caught.DEPLOYMENT, type(error).__name__)
    return UNCAUGHT


# What is asked and answered


def _wanting(name: str, change: Callable[[Any], Any], wanted: Wanted) -> Wanted:
    return wanted._replace(**{name: change(getattr(wanted, name))})


def _asked(change: Callable[[Wanted], Wanted] | None, house: House) -> Outcome:
    """Ask for a step by a record that the batch did, or did not, commit to."""
    posting = _posting(house)
    header = _post_held(house, posting)
    wanted = house.wanted(posting, ASKED)
    try:
        house.court.ask_step(
            house.call(), header.batch_id(), wanted if change is None else change(wanted)
        )
    except Refused as refused:
        return Outcome(Caught.CHALLENGER, refused.code.name)
    return UNCAUGHT


def _post_held(house: House, posting: Posting) -> Header:
    header, offer = house.held(posting)
    call = house.call(sender=offer.sender)
    house.court.post_batch(call, house.config.bond, offer.header, offer.opening, offer.data)
    return header


def _ask_rows() -> Iterator[Row]:
    changes: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
        ("step", "one more", lambda step: step + 1),
        ("step_hash", "a bit flipped", flip_bytes),
        ("post_root", "a bit flipped", flip_bytes),
        ("siblings", "one too many", lambda siblings: (*siblings, bytes(32))),
    )
    for name, mutation, change in changes:
        yield Row(
            Part.COMMITTEE, "ask", name, mutation, Caught.CHALLENGER, "INVALID_STEP_PROOF",
            partial(_asked, partial(_wanting, name, change)), partial(_asked, None),
        )  # fmt: skip


def _step_rows() -> Iterator[Row]:
    rows = (
        ("answer", "none", Caught.WITHHELD, "WITHHELD(0)", partial(_answered, None)),
        ("answer", "other bytes than were hashed", Caught.CHALLENGER, "WRONG_ANSWER",
         partial(_answered, flip_bytes)),
        ("root", "of a step that only members see", Caught.BAD_STEP, "BAD_STEP(0)",
         partial(_held, True)),
    )  # fmt: skip
    for field, mutation, caught, code, attack in rows:
        twin = partial(_held, False) if field == "root" else partial(_answered, bytes)
        yield Row(Part.COMMITTEE, "step", field, mutation, caught, code, attack, twin)


def _held(cheats: bool, house: House) -> Outcome:
    return house.offer(house.held(_posting(house, cheats))[1])


def _answered(change: Callable[[bytes], bytes] | None, house: House) -> Outcome:
    """Ask for a step; answer it, after a change, or let the time for answers pass."""
    posting = _posting(house)
    batch_id = _post_held(house, posting).batch_id()
    house.court.ask_step(house.call(), batch_id, house.wanted(posting, ASKED))
    if change is None:
        house.block += house.config.challenge_window_blocks * 2 // 3 + 1
        reverted = house.court.settle_ask(house.call(), batch_id, ASKED)[0]
        return Outcome(Caught.WITHHELD, f"WITHHELD({reverted.step})")
    step = posting.data[PAIR_BYTES * posting.header.step_count :]
    try:
        house.court.answer_step(house.call(), batch_id, ASKED, change(step))
    except Refused as refused:
        return Outcome(Caught.CHALLENGER, refused.code.name)
    return UNCAUGHT
