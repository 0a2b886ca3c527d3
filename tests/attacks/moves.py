"""Moves that several lives share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clearing.recovery import address_of
from tests.attacks.stage import Move, Stage
from tests.verifier.court_world import (
    ALICE,
    BOB,
    SEQUENCER,
    Batch,
)
from verifier.base.transactions import (
    Body,
    ClaimCredit,
    Deposit,
    Finalise,
)

Make = Callable[[Stage], Batch]


def post(name: str, make: Make | None = None, key: bytes = SEQUENCER) -> Move:
    """Post the batch of a name; it need not stand for long."""
    build = make or (lambda stage: stage.make(name, proposer=address_of(key)))
    return Move(
        f"post {name}",
        key,
        lambda stage: build(stage).body(stage.config.bond),
        lambda stage: stage.posted(name) is not None,
    )


def stand(name: str, make: Make | None = None, key: bytes = SEQUENCER) -> Move:
    """Post the batch of a name, and again until one stands."""
    move = post(name, make, key)
    return replace(move, done=lambda stage: stage.stands(name) is not None)


def finalise(name: str) -> Move:
    """Make the batch of a name final, and before it whatever stands below it."""

    def body(stage: Stage) -> Body | None:
        found = stage.court.batches(stage.court.heads().finalised_number + 1, 1)
        return Finalise(found[0].record.batch_id) if found else None

    return Move(f"finalise {name}", BOB, body, lambda stage: stage.is_final(name))


def unless(too_late: Callable[[Stage], bool], move: Move) -> Move:
    """Want a move only for as long as it is not too late for it."""
    return replace(move, done=lambda stage: too_late(stage) or move.done(stage))


def pull(key: bytes, since: Callable[[Stage], bool] = lambda stage: True) -> Move:
    """Pull whatever was earned, once something was."""
    address = address_of(key)
    return Move(
        "claim credit",
        key,
        lambda stage: ClaimCredit(),
        lambda stage: since(stage) and stage.court.bonds.credit(address) == 0,
    )


def call(name: str, key: bytes, body: Body) -> Move:
    """Send a call that is always the same, once."""
    return Move(name, key, lambda stage: body, lambda stage: stage.happened(body.kind, key))


def whoever(name: str, key: bytes, body: Body) -> Move:
    """Send a call that anyone may make, unless somebody else was first."""
    return replace(call(name, key, body), done=lambda stage: stage.happened(body.kind))


def later(name: str, key: str, until: Callable[[Stage], bool]) -> Move:
    """Let the base layer's time pass until the house may be opened, frozen, or upgraded."""

    def target(stage: Stage) -> int:
        return int(getattr(stage.court.standing(stage.now), key))

    def pass_time(stage: Stage) -> None:
        stage.now = max(stage.now, target(stage) - stage.pace_ms)

    def done(stage: Stage) -> bool:
        return until(stage) or stage.chain.head().time_ms >= target(stage)

    return Move(name, b"", pass_time, done)


def deposit(key: bytes = ALICE, amount: int = 1_000) -> Move:
    return call("deposit", key, Deposit(address_of(key), 0, 0, amount))
