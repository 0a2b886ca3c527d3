"""Rows for who runs the house: its keys, its law, its guardian, who may post, and stakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from clearing.keys import address_of
from prover.forge import mint
from prover.provability.exits import freeze
from prover.provability.house import (
    BATCH_BLOCK,
    NEXT_LAW,
    Caught,
    House,
    Outcome,
    offer_of,
    play,
    write_next_law,
)
from prover.provability.market import CHALLENGER, COPYCAT, FIRST_TRADER, GUARDIAN, SEQUENCER
from prover.provability.postings import headed, honest
from prover.provability.table import Attempt, Part, Row

NOBODY = bytes(20)
NATIVE = 10**14  # gwei that a new sequencer has
LAW_BATCHES = 2  # from the announcement of a law to its first batch
Call = Callable[[House], object]
Calls = tuple[Call, ...]


def registry_rows() -> Iterator[Row]:
    """Yield the rows of the registry, of laws, of the guardian, of posting, and of stakes."""
    for rows in (_keys, _laws, _guardian, _posting, _stakes):
        for subject, field, mutation, code, attack, twin in rows():
            yield _row(subject, field, mutation, code, partial(play, attack), partial(play, twin))
    yield _row(
        "rotation", "sequencer", "the old key posts", "WRONG_PROPOSER",
        partial(_rotated, SEQUENCER), partial(_rotated, COPYCAT), Caught.POSTING,
    )  # fmt: skip
    yield _row(
        "rotation", "generation", "a batch made before", "WRONG_GENERATION",
        partial(_rotated, COPYCAT, before=True), partial(_rotated, COPYCAT), Caught.POSTING,
    )  # fmt: skip
    yield _row(
        "law", "version", "one that is not announced", "WRONG_LAW_VERSION",
        partial(_migrated, announced=False), _migrated, Caught.POSTING,
    )  # fmt: skip
    yield _row(
        "law", "migration", "the first step also mints", "BAD_STEP(0)",
        partial(_migrated, mints=True), _migrated, Caught.BAD_STEP,
    )  # fmt: skip


def _row(
    subject: str,
    field: str,
    mutation: str,
    code: str,
    attack: Attempt,
    twin: Attempt,
    caught: Caught = Caught.CHALLENGER,
) -> Row:
    return Row(Part.REGISTRY, subject, field, mutation, caught, code, attack, twin)


Tried = tuple[str, str, str, str, Calls, Calls]


# Keys


def _rotate(house: House, key: bytes = SEQUENCER, to: bytes = address_of(COPYCAT)) -> None:
    house.court.rotate_sequencer(house.call(key), to)


def _name(house: House, key: bytes = SEQUENCER, to: bytes = address_of(COPYCAT)) -> None:
    house.court.name_successor(house.call(key), to)


def _accept(house: House, key: bytes = COPYCAT) -> None:
    house.court.accept_handover(house.call(key))


def _wait(house: House) -> None:
    """Let the former sequencer post what he has acknowledged, and answer for it."""
    house.block += house.config.final_after_blocks + 1


def _keys() -> Iterator[Tried]:
    by_other = partial(_rotate, key=COPYCAT)
    yield "rotation", "sender", "not the operator", "NOT_OPERATOR", (by_other,), (_rotate,)
    for mutation, to in (("nobody", NOBODY), ("the same key", address_of(SEQUENCER))):
        call = partial(_rotate, to=to)
        yield "rotation", "sequencer", mutation, "INVALID_ADDRESS", (call,), (_rotate,)
    yield "rotation", "time", "after the freeze", "FROZEN", (freeze, _rotate), (_rotate,)
    named: Calls = (_name, _wait, _accept)
    by_other = partial(_name, key=COPYCAT)
    yield "handover", "operator", "not the operator", "NOT_OPERATOR", (by_other,), (_name,)
    taken = partial(_accept, key=CHALLENGER)
    yield "handover", "sender", "not who was named", "NOT_SUCCESSOR", (_name, _wait, taken), named
    yield "handover", "time", "at once", "HANDOVER_TOO_SOON", (_name, _accept), named
    back = partial(_name, to=NOBODY)
    yield (
        "handover",
        "successor",
        "taken back",
        "NOT_SUCCESSOR",
        (_name, back, _wait, _accept),
        named,
    )
    yield "handover", "time", "a second time", "NOT_SUCCESSOR", (*named, _accept), named
    frozen: Calls = (_name, _wait, freeze, _accept)
    yield "handover", "time", "after the freeze", "FROZEN", frozen, named


def _rotated(key: bytes, house: House, before: bool = False) -> Outcome:
    """Rotate to another key, and post under this one a batch of the next generation."""
    house.ledger.mint(address_of(COPYCAT), NATIVE, 0)
    early = honest(house)
    _rotate(house)
    posting = headed(early if before else honest(house), proposer=address_of(key))
    return house.offer(replace(offer_of(posting), sender=address_of(key)))


# Laws


def _announce(
    house: House, key: bytes = SEQUENCER, version: int = NEXT_LAW, ahead: int = LAW_BATCHES
) -> None:
    number = house.court.heads().tip_number + ahead
    house.court.announce_law(house.call(key), version, number)


def _laws() -> Iterator[Tried]:
    for field, mutation, code, attack in (
        ("sender", "not the operator", "NOT_OPERATOR", partial(_announce, key=COPYCAT)),
        ("version", "one that the court has not", "UNKNOWN_LAW",
         partial(_announce, version=NEXT_LAW + 1)),
        ("version", "the one in force", "UNKNOWN_LAW", partial(_announce, version=NEXT_LAW - 1)),
        ("number", "of the next batch", "LAW_TOO_SOON", partial(_announce, ahead=1)),
    ):  # fmt: skip
        yield "law", field, mutation, code, (attack,), (_announce,)
    yield "law", "time", "after the freeze", "FROZEN", (freeze, _announce), (_announce,)


def _migrated(house: House, mints: bool = False, announced: bool = True) -> Outcome:
    """Go over to the next law, and offer its first batch."""
    if announced:
        _announce(house)
    house.extend([])
    house.time_ms += house.config.law_delay_ms
    forge = house.forge()
    forge.engine.edit(write_next_law)
    mutate = mint(FIRST_TRADER, 1) if mints else None
    forge.forged([house.market.trade(0, 1)], house.time_ms, mutate=mutate)
    return house.offer(offer_of(headed(forge.finish(house.place()), law_version=NEXT_LAW)))


# The guardian


def _prolong(house: House, key: bytes = GUARDIAN) -> None:
    house.court.prolong(house.call(key))


def _end(house: House) -> None:
    """Make the open batch final in the first block that is not within its own windows."""
    house.block = BATCH_BLOCK + house.config.final_after_blocks + 1
    house.court.finalise(house.call(), house.court.heads().tip_id)


def _guardian() -> Iterator[Tried]:
    by_other = partial(_prolong, key=SEQUENCER)
    yield "delay", "sender", "not the guardian", "NOT_GUARDIAN", (by_other,), (_prolong,)
    twice: Calls = (_prolong, _prolong)
    yield "delay", "time", "a second time", "NOTHING_TO_DELAY", twice, (_prolong,)
    done: Calls = (_end, _prolong)
    yield "delay", "time", "with no batch open", "NOTHING_TO_DELAY", done, (_prolong,)
    early: Calls = (_prolong, _end)
    yield "delay", "blocks", "final all the same", "CHALLENGE_WINDOW_OPEN", early, (_end,)


# Who may post


def _open(house: House) -> None:
    house.court.open_posting(house.call())


def _close(house: House, key: bytes = SEQUENCER) -> None:
    house.court.close_posting(house.call(key))


def _late(house: House) -> None:
    house.time_ms += house.config.open_lag_ms + 20_000


def _catch_up(house: House) -> None:
    house.extend([])


def _posting() -> Iterator[Tried]:
    yield "posting", "time", "opened without a lag", "NOT_LAGGING", (_open,), (_late, _open)
    opened: Calls = (_late, _open)
    yield "posting", "time", "opened a second time", "POSTING_MODE", (*opened, _open), opened
    closed: Calls = (*opened, _catch_up, _close)
    yield "posting", "time", "closed with a lag", "STILL_LAGGING", (*opened, _close), closed
    yield "posting", "mode", "closed and not open", "POSTING_MODE", (_close,), closed
    by_other = partial(_close, key=CHALLENGER)
    attack: Calls = (*opened, _catch_up, by_other)
    yield "posting", "sender", "closed by another", "NOT_OPERATOR", attack, closed


# Stakes


def _stake(house: House, key: bytes = CHALLENGER) -> None:
    house.court.put_stake(house.call(key))


def _unstake(house: House, key: bytes = CHALLENGER) -> None:
    house.court.take_stake(house.call(key))


def _stakes() -> Iterator[Tried]:
    twin: Calls = (_stake, _unstake)
    yield "stake", "time", "a second one", "ALREADY_STAKED", (_stake, _stake), (_stake,)
    yield "stake", "sender", "who has none", "NO_STAKE", (_unstake,), twin
    yield "stake", "time", "taken back twice", "NO_STAKE", (*twin, _unstake), twin
    left = partial(_unstake, key=SEQUENCER)
    freed: Calls = (_end, _rotate, _wait, left)
    for field, mutation, attack in (
        ("sender", "taken back by who posts", (_end, _wait, left)),
        ("time", "taken back while a batch is open", (_rotate, _wait, left)),
        ("time", "taken back while it answers for others", (_end, _rotate, left)),
    ):
        yield "stake", field, mutation, "STAKE_LOCKED", attack, freed
