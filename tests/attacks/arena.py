"""A market under attack: a forger's engine, a replica that follows, and the court's own check."""

from typing import Any

from clearing.keys import address_of
from clearing.layout import pieces_of
from clearing.messages import Inbox, InboxMessage
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.replica import Replica, Verdict
from prover.witness import build_evidence
from tests.prover.market import PROPOSER, START_MS, Market, columns_of, key_of
from verifier.evidence import check_bad_step

ARRAYS = (
    "globals",
    "params",
    "accounts",
    "instruments",
    "funds",
    "pages",
    "withdrawals",
    "underlyings",
    "assets",
    "pools",
    "scratch",
)


class Arena:
    """One engine that forges and one replica, both after an honest opening batch.

    ``fresh`` takes the forger back there, so that many attacks share one opening.
    """

    def __init__(self, accounts: int = 6, instruments: int = 3) -> None:
        self.market = Market(instruments)
        self.engine = Engine(self.market.genesis, accounts_capacity=64)
        self.replica = Replica(self.market.genesis, 64)
        self.time = START_MS
        self.follow(self.market.opening(accounts), *self.history())

    def history(self) -> list[list[bytes]]:
        """Steps that leave positions, fill pages, withdrawals and funding behind."""
        market = self.market
        return [
            [market.trade(0, 1, 0), market.trade(1, 2, 1), market.trade(2, 3, 2)],
            [market.withdraw(i) for i in range(5)],
            [market.transfer(4, 5), market.cancel(5, 17), market.cancel(4, 65_535)],
        ]

    def place(self) -> Place:
        """Where the next batch stands."""
        number, parent = self.replica.number, self.replica.batch_id
        return Place(0, number + 1, parent, 9, b"\x02" * 32, PROPOSER)

    def follow(self, *steps: list[bytes]) -> None:
        """Let both make a valid batch, and remember the forger's state after it."""
        forge = BatchForge(self.engine)
        for actions in steps:
            forge.honest(actions, self.time)
        posting = forge.finish(self.place())
        assert self.replica.judge(posting.header, posting.data).verdict is Verdict.VALID
        state = self.engine.state
        self.saved = {name: getattr(state, name).copy() for name in ARRAYS}

    def fresh(self) -> BatchForge:
        """Take the forger back to where the replica stands; return the next batch."""

        def restore(state: Any) -> None:
            for name, rows in self.saved.items():
                held = getattr(state, name)
                pieces_of(held)[:] = 0
                held[: rows.shape[0]] = rows

        self.engine.edit(restore)
        assert self.engine.root() == self.replica.engine.root()
        return BatchForge(self.engine)

    def convict(self, forge: BatchForge, step: int) -> bytes:
        """The replica finds exactly this step wrong, and the court agrees; return the evidence."""
        posting = forge.finish(self.place())
        judged = self.replica.judge(posting.header, posting.data)
        assert judged.verdict is Verdict.INVALID, judged.reason
        assert judged.step == step
        assert check_bad_step(posting.header, judged.evidence) is True
        return judged.evidence

    def deposit(self, account: int) -> bytes:
        """The next inbox message: a deposit; the market's own counter stays."""
        index = int(self.engine.totals.inbox_count)
        owner = address_of(key_of(account))
        return Inbox(InboxMessage(1, index, account, owner, 0, 0, 10**6)).encode()

    def acquit(self, forge: BatchForge) -> None:
        """The court finds no step wrong, and the replica the batch valid; it stays where it is."""
        posting = forge.finish(self.place())
        number, before = self.replica.number, self.replica.engine
        columns = columns_of(before, [a for step in forge.steps for a in step.actions])
        point = before.checkpoint(columns)
        first = 0
        for index, step in enumerate(forge.steps):
            built = build_evidence(before, posting.header, forge.pairs, index, step.encode())
            assert check_bad_step(posting.header, built.encode()) is False
            before.replay_step(columns, step.time, first, len(step.actions))
            first += len(step.actions)
        before.rollback(point)
        assert self.replica.judge(posting.header, posting.data).verdict is Verdict.VALID
        self.replica.roll_back(number)
