"""Rows for rewards: whose commitment to a proof counts, and what a copied one is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from clearing.keys import address_of
from prover.forge import mint
from prover.provability.house import UNCAUGHT, Caught, House, Outcome
from prover.provability.market import CHALLENGER, COPYCAT, FIRST_TRADER, GUARDIAN
from prover.provability.postings import changed
from prover.provability.table import Part, Row
from verifier.errors import Refused
from verifier.rewards import commitment_of

NATIVE = 10**14  # gwei that each of the parties has


class Committed(NamedTuple):
    """What a commitment is made of."""

    committer: bytes
    generation: int
    subject: bytes
    evidence: bytes


@dataclass
class Lie:
    """A forged batch that stands, with the evidence against it and calls about both."""

    house: House
    name: tuple[int, bytes]
    evidence: bytes

    def committed(self, key: bytes = CHALLENGER) -> Committed:
        """Return what a commitment of the key's owner to the evidence is made of."""
        return Committed(address_of(key), *self.name, self.evidence)

    def commit(self, made_of: Committed | None = None, key: bytes = CHALLENGER) -> None:
        """Commit, to the evidence as it is unless told."""
        hashed = commitment_of(*(made_of or self.committed(key)))
        self.house.court.commit(self.house.call(key), hashed)

    def prove(self, key: bytes) -> None:
        """Show the evidence."""
        self.house.court.prove_fraud(self.house.call(key), self.name[1], self.evidence)

    def settle(self, name: tuple[int, bytes] | None = None) -> None:
        """Settle the reward."""
        self.house.court.settle_reward(self.house.call(), *(name or self.name))

    def wait(self) -> None:
        """Let the time for older commitments pass."""
        self.house.block += self.house.config.reveal_window_blocks + 1

    def pull(self, key: bytes = COPYCAT) -> None:
        """Have the credit of the key's owner paid out."""
        self.house.court.claim_credit(self.house.call(key))


Attempted = Callable[[Lie], None]


def reward_rows() -> Iterator[Row]:
    """Yield the rows of commitments, reveals, settlements and credits."""
    for field in Committed._fields:
        yield _row(
            "commitment", field, "another one than is shown", "NO_OLDER_COMMITMENT",
            partial(_showing, field), partial(_showing, None),
        )  # fmt: skip
    rows: tuple[tuple[str, str, str, str, Attempted, Attempted], ...] = (
        ("commitment", "place", "behind the proof", "NO_OLDER_COMMITMENT",
         _committed_late, partial(_showing, None)),
        ("commitment", "place", "younger than another's", "NO_OLDER_COMMITMENT",
         _committed_second, partial(_showing, None)),
        ("commitment", "hash", "read from another's call", "NO_OLDER_COMMITMENT",
         _copied_hash, partial(_showing, None)),
        ("commitment", "time", "a second time", "ALREADY_COMMITTED",
         partial(_committed, times=2), _committed),
        ("reveal", "time", "after the reveal window", "REWARD_SETTLED",
         partial(_showing, None, late=True), partial(_showing, None)),
        ("settlement", "time", "within the reveal window", "REWARD_WAITS",
         partial(_settled, wait=False), _settled),
        ("settlement", "time", "a second time", "REWARD_SETTLED",
         partial(_settled, times=2), _settled),
        ("settlement", "generation", "one off", "NO_SUCH_REWARD",
         partial(_settled, field=0), _settled),
        ("settlement", "subject", "one off", "NO_SUCH_REWARD",
         partial(_settled, field=1), _settled),
        ("credit", "sender", "who earned nothing", "NO_CREDIT",
         partial(_pulled, keys=(GUARDIAN,)), _pulled),
        ("credit", "time", "a second time", "NO_CREDIT",
         partial(_pulled, keys=(COPYCAT, COPYCAT)), _pulled),
    )  # fmt: skip
    for row in rows:
        yield _row(*row)


def _row(
    subject: str, field: str, mutation: str, code: str, attack: Attempted, twin: Attempted
) -> Row:
    return Row(
        Part.REWARD, subject, field, mutation, Caught.CHALLENGER, code,
        partial(_tried, attack), partial(_tried, twin),
    )  # fmt: skip


def _tried(attempt: Attempted, house: House) -> Outcome:
    """Let a forged batch stand, and try something about the reward for it."""
    for key in (COPYCAT, GUARDIAN):
        house.ledger.mint(address_of(key), NATIVE, 0)
    forge = house.forge()
    forge.forged([house.market.trade(0, 1)], house.time_ms, mutate=mint(FIRST_TRADER, 1))
    posting = forge.finish(house.place())
    house.post(posting)
    judged = house.replica.judge(posting.header, posting.data)
    name = posting.header.generation, posting.header.batch_id()
    try:
        attempt(Lie(house, name, judged.evidence))
    except Refused as refused:
        return Outcome(Caught.CHALLENGER, refused.code.name)
    return UNCAUGHT


def _showing(field: str | None, lie: Lie, late: bool = False) -> None:
    """Commit, be copied, and show the evidence behind the copy."""
    made_of = lie.committed()
    if field is not None:
        other: dict[str, Any] = {field: changed(getattr(made_of, field))}
        made_of = made_of._replace(**other)
    lie.commit(made_of)
    lie.prove(COPYCAT)
    if late:
        lie.wait()
    lie.prove(CHALLENGER)


def _committed(lie: Lie, times: int = 1) -> None:
    for _ in range(times):
        lie.commit()


def _committed_late(lie: Lie) -> None:
    lie.prove(COPYCAT)
    lie.commit()
    lie.prove(CHALLENGER)


def _committed_second(lie: Lie) -> None:
    lie.commit(key=COPYCAT)
    lie.commit()
    lie.prove(COPYCAT)
    lie.prove(CHALLENGER)


def _copied_hash(lie: Lie) -> None:
    lie.commit(lie.committed(CHALLENGER), COPYCAT)
    lie.prove(GUARDIAN)
    lie.prove(COPYCAT)


def _settled(lie: Lie, wait: bool = True, times: int = 1, field: int | None = None) -> None:
    lie.prove(COPYCAT)
    if wait:
        lie.wait()
    generation, subject = lie.name
    name = (generation + (field == 0), changed(subject) if field == 1 else subject)
    for _ in range(times):
        lie.settle(name)


def _pulled(lie: Lie, keys: tuple[bytes, ...] = (COPYCAT,)) -> None:
    _settled(lie)
    for key in keys:
        lie.pull(key)
