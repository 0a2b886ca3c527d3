"""A liar may commit to any state. Evidence over it is judged or refused; the court never breaks."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prover.witness import build_evidence
from tests.attacks.arena import Arena
from tests.attacks.committed import committed, count_of, evidence_over, with_piece
from tests.prover.market import columns_of
from verifier.errors import VerifierError
from verifier.evidence import Evidence, EvidenceError, check_bad_step

INT64 = (1 << 63) - 1
SMALL, LARGE = (0, 1, -1, 2, 8, 31, 255), (31, 32, 48, 61, 62)
ODD = (*SMALL, *(1 << bits for bits in LARGE), INT64, -INT64, -INT64 - 1)
LEAVES = ("globals_leaf", "params_leaf", "funds", "accounts", "pages", "instruments")


@pytest.fixture(scope="module")
def arena() -> Arena:
    return Arena()


def test_an_honest_prior_state_with_made_up_siblings_is_judged(arena: Arena) -> None:
    header, built = committed(evidence_over(arena.engine, [arena.market.trade(0, 1)], arena.time))
    assert check_bad_step(header, built.encode()) is True


def spoilt(built: Evidence, chance: random.Random) -> Evidence:
    """One piece of one leaf is an odd number."""
    part = chance.choice(LEAVES)
    leaves: Any = getattr(built, part)
    change: Any
    if isinstance(leaves, bytes):
        change = {part: spoilt_leaf(leaves, chance)}
        return replace(built, **change)
    if not leaves:
        return built
    place = chance.randrange(len(leaves))
    changed = spoilt_leaf(leaves[place], chance)
    change = {part: (*leaves[:place], changed, *leaves[place + 1 :])}
    return replace(built, **change)


def spoilt_leaf(leaf: bytes, chance: random.Random) -> bytes:
    return with_piece(leaf, chance.randrange(len(leaf) // 8), chance.choice(ODD))


@settings(max_examples=400)
@given(st.integers(0, 2**32))
def test_no_state_that_a_liar_commits_to_breaks_the_court(seed: int) -> None:
    arena, chance = shared(), random.Random(seed)
    market = arena.market
    actions = [
        market.trade(1, 2, 0, 1),
        market.withdraw(3, 5),
        market.transfer(0, 4, 5),
        market.liquidate(1, 2, 1, 1),
        market.funding(0),
        market.price(1, time=arena.time + 5),
        market.cancel(2, 17),
        arena.deposit(6),
    ]
    built = evidence_over(arena.engine, chance.sample(actions, 8), arena.time + 4_000_000)
    for _ in range(chance.randrange(1, 5)):
        built = spoilt(built, chance)
    try:
        header, told = committed(built)
    except VerifierError:
        return  # no root stands for these leaves, so none can be posted
    try:
        assert check_bad_step(header, told.encode()) in (True, False)
    except EvidenceError as error:
        assert "witness of step 0" in str(error)


def shared(memory: list[Arena] = []) -> Arena:  # noqa: B006
    if not memory:
        memory.append(Arena())
    return memory[0]


FULL = 4**20


def test_a_full_tree_of_accounts_is_still_provable(arena: Arena) -> None:
    built = evidence_over(arena.engine, [arena.deposit(2), arena.deposit(4**12)], arena.time)
    built = replace(built, globals_leaf=with_piece(built.globals_leaf, 3, 4**12))
    header, told = committed(built)
    assert check_bad_step(header, told.encode()) is True


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("kind", ["withdraw", "refund"])
def test_a_full_tree_of_withdrawals_is_still_provable(arena: Arena, left: int, kind: str) -> None:
    actions = {
        "withdraw": [arena.market.withdraw(1), arena.market.withdraw(2)],
        "refund": [arena.deposit(77), arena.market.withdraw(2)],
    }[kind]
    built = evidence_over(arena.engine, actions, arena.time)
    built = replace(built, globals_leaf=with_piece(built.globals_leaf, 6, FULL - left))
    assert count_of(built.globals_leaf, 6) == FULL - left
    header, told = committed(built)
    assert check_bad_step(header, told.encode()) is True


def honest_steps(market: Any, arena: Arena) -> list[list[bytes]]:
    """Steps whose evidence differs in kind: empty, opening, exits, cancels, undecodable, full."""
    return [
        [],
        [arena.deposit(6), b"\x01" + bytes(53)],
        [market.withdraw(1), market.transfer(2, 3), market.cancel(0, 17)],
        [market.price(1, time=arena.time + 9), market.funding(2), market.liquidate(1, 2)],
        [market.trade(i % 3, i % 3 + 1, i % 3) for i in range(8)],
    ]


@pytest.mark.parametrize("which", range(5))
def test_no_flipped_byte_of_any_honest_steps_evidence_is_a_verdict(
    arena: Arena, which: int
) -> None:
    chance = random.Random(which)
    forge = arena.fresh()
    forge.forged([arena.market.trade(0, 1)], arena.time)
    forge.forged(honest_steps(arena.market, arena)[which], arena.time + 1)
    header = forge.finish(arena.place()).header
    engine = arena.replica.engine
    first = columns_of(engine, forge.steps[0].actions)
    point = engine.checkpoint(first)
    engine.replay_step(first, arena.time, 0, 1)
    built = build_evidence(engine, header, forge.pairs, 1, forge.steps[1].encode()).encode()
    engine.rollback(point)
    assert check_bad_step(header, built) is False
    for _ in range(250):
        flipped = bytearray(built)
        flipped[chance.randrange(len(built))] ^= 1 << chance.randrange(8)
        with pytest.raises(EvidenceError):
            check_bad_step(header, bytes(flipped))
