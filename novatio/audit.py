"""Verifying without trust: batches replayed on this machine from what the base layer holds.

An ``Audit`` needs a base layer and the genesis, and no node. It judges batch after batch; the first
one that the law does not confirm can be taken apart step by step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np

from clearing.codes import Code
from clearing.decode import pack, recover_signers
from clearing.genesis import Genesis
from clearing.keccak import to_bytes
from clearing.messages import MalformedAction, decode_action
from novatio.errors import ConfigInvalid, NotFound, Unavailable, VerificationFailed
from prover.blame import Blame, find_wrong
from prover.engine import Steps
from prover.gather import StepSource, gather
from prover.proofs import account_proof
from prover.replica import Judgement, Replica, Verdict
from verifier.account_leaf import ProvenAccount
from verifier.account_proof import verify_account_proof
from verifier.base.errors import BlockUnknown
from verifier.base.interface import BaseLayer, BatchView
from verifier.batch import BatchData
from verifier.batches import BatchStatus
from verifier.evidence import Evidence
from verifier.header import Header

__all__ = ["Audit", "Divergence", "TouchedLeaf"]

Progress = Callable[[int, int], None]
Differences: TypeAlias = tuple[tuple[str, Any, Any], ...]
T = TypeVar("T")

PINS_MAX: Final = 8
_AGAIN: Final = "the same command again: the base layer took back what was being looked at"


@dataclass(frozen=True, slots=True)
class TouchedLeaf:
    """A leaf that the first bad step reads: its kind, its number, and its bytes before the step."""

    kind: str
    id: int
    before: bytes


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first step of a batch whose committed root the law does not confirm.

    ``actions`` are (kind, outcome that the law gives). ``globals_differ`` names what the batch
    committed of its last globals leaf and what the law gives instead, as (name, committed, law).
    ``blame`` is what the law changes in the step, and the leaf that is wrong if it was found.
    """

    number: int
    step: int
    time_ms: int
    pre_root: bytes
    committed_root: bytes
    law_root: bytes
    actions: tuple[tuple[str, str], ...]
    leaves: tuple[TouchedLeaf, ...]
    globals_differ: Differences
    blame: Blame


class Audit:
    """A replica that follows the base layer's canonical batches, pinned to one block at a time.

    A replay may take longer than the base layer keeps the states of a block. Then a newer one takes
    its place, provided that it still has the batch that the replica stands after.
    """

    def __init__(
        self,
        base: BaseLayer,
        genesis: Genesis,
        progress: Progress = lambda done, total: None,
        members: StepSource | None = None,
    ) -> None:
        """Raises ConfigInvalid for a genesis that is not the base layer's.

        Step bytes that a committee holds come from ``members``.
        """
        self._base = base
        self._members = members
        self._at = base.head().hash
        self._progress = progress
        self.replica = Replica(genesis)
        committed = base.batches(0, 1, self._at)[0].record.batch_id
        if committed != self.replica.genesis_id:
            raise ConfigInvalid(
                "genesis",
                [
                    f"expected genesis batch {committed.hex()} of the base layer, was "
                    f"{self.replica.genesis_id.hex()}"
                ],
                next_step="name the chain's genesis file with client.genesis",
            )

    def batch(self, number: int) -> BatchView:
        """Return canonical batch ``number``. Raises NotFound or Unavailable."""
        found = self._read(lambda at: self._base.batches(number, 1, at))
        if not found:
            tip = self._read(self._base.heads).tip_number
            raise NotFound(
                f"batch {number}: expected a batch on the base layer, 0 .. {tip}, was none",
                reason="NO_SUCH_BATCH",
                metadata={"number": str(number), "tip_number": str(tip)},
                next_step="novatio root list",
            )
        return found[0]

    def judge(self, number: int) -> Judgement:
        """Judge batches in their order up to ``number``; the verdict on the last one, or on the
        first one before it that is not valid."""
        self.batch(number)
        judgement = Judgement(self.replica.batch_id, self.replica.number, Verdict.VALID)
        first = self.replica.number + 1
        for current in range(first, number + 1):
            judgement = self._judge_next(current)
            self._progress(current - first + 1, number + 1 - first)
            if judgement.verdict is not Verdict.VALID:
                break
            self.replica.release(current)
        return judgement

    def _read(self, ask: Callable[[bytes], T]) -> T:
        """Ask at the pinned block, or at a newer one if that is on the chain no longer."""
        for _ in range(PINS_MAX):
            with contextlib.suppress(BlockUnknown):
                return ask(self._at)
            with contextlib.suppress(BlockUnknown):
                self._pin()
        return ask(self._at)

    def _pin(self) -> None:
        """Pin the head. Raises Unavailable if its batches are not those of the replica."""
        self._at = self._base.head().hash
        number, expected = self.replica.number, self.replica.batch_id
        found = self._base.batches(number, 1, self._at)
        if not found or found[0].record.batch_id != expected:
            raise Unavailable(
                f"batch {number}: expected {expected.hex()} on the base layer, was another one or "
                "none",
                next_step=_AGAIN,
            )

    def _judge_next(self, number: int) -> Judgement:
        record = self.batch(number).record
        header = Header.decode(record.header)
        return self.replica.judge(header, self._data(header))

    def _data(self, header: Header) -> bytes | None:
        return self._read(lambda at: gather(self._base, header, at, self._members)).data

    def stand_after(self, number: int) -> None:
        """Replay up to batch ``number``. Raises VerificationFailed or Unavailable."""
        judgement = self.judge(number)
        if judgement.verdict is Verdict.INVALID:
            raise VerificationFailed(
                f"batch {judgement.number}: expected the law's roots, was another one at step "
                f"{judgement.step}",
                metadata={"number": str(judgement.number), "step": str(judgement.step)},
                next_step=f"novatio batch diff {judgement.number}",
            )
        if judgement.verdict is Verdict.UNAVAILABLE:
            raise Unavailable(
                f"batch {judgement.number}: {judgement.reason}",
                next_step=f"novatio root show {judgement.number}",
            )

    def account(self, account: int, number: int) -> ProvenAccount:
        """Return an account as it stands after batch ``number``, proven under its root.

        Raises NotFound, VerificationFailed or Unavailable.
        """
        self.stand_after(number)
        root = self.batch(number).record.post_root
        try:
            proof = account_proof(self.replica.engine, account)
        except KeyError as error:
            raise NotFound(
                f"account {account}: {error.args[0]} after batch {number}",
                reason="NO_ACCOUNT",
                metadata={"account": str(account), "number": str(number)},
                next_step="novatio account show <account>",
            ) from None
        return verify_account_proof(proof, root)

    def judge_reverted(self, batch_id: bytes) -> Judgement:
        """Judge a batch that the base layer took back, on the batches that it stood on.

        The verdict on it, or on the first one before it that is not valid. Raises NotFound.
        """
        above: list[Header] = []
        found = self._posted(batch_id)
        while found.status == BatchStatus.REVERTED:
            above.append(Header.decode(found.record.header))
            found = self._posted(above[-1].parent_id)
        judgement = self.judge(found.record.number)
        while above and judgement.verdict is Verdict.VALID:
            header = above.pop()
            judgement = self.replica.judge(header, self._data(header))
        return judgement

    def _posted(self, batch_id: bytes) -> BatchView:
        found = self._read(lambda at: self._base.batch(batch_id, at))
        if found is None:
            raise NotFound(
                f"batch {batch_id.hex()}: expected one that was posted, was none",
                reason="NO_SUCH_BATCH",
                next_step="novatio dispute list",
            )
        return found

    def divergence(self, judgement: Judgement) -> Divergence:
        """Take an INVALID batch apart: what was committed, what the law gives, and where.

        The replica stays where it stands, before the batch.
        """
        view = self._posted(judgement.batch_id)
        header = Header.decode(view.record.header)
        posted = self._data(header)
        if posted is None:
            raise Unavailable(f"batch {judgement.number}: expected its data, was none")
        data = BatchData.decode(posted, header.step_count)
        bad = judgement.step
        step, committed = data.steps[bad], data.pairs[bad].post_root
        ran, differ, blame = self._run(data, bad, view.record)
        first = int(ran.firsts[bad])
        return Divergence(
            judgement.number,
            bad,
            step.time,
            header.pre_root if bad == 0 else data.pairs[bad - 1].post_root,
            committed,
            to_bytes(ran.post_roots[bad]),
            tuple(
                (_kind(action), Code(int(code)).name)
                for action, code in zip(step.actions, ran.codes[first:], strict=False)
            ),
            _leaves(Evidence.decode(judgement.evidence)),
            differ,
            blame,
        )

    def _run(self, data: BatchData, bad: int, record: Any) -> tuple[Steps, Differences, Blame]:
        """Run the batch to its end by the law, then up to the bad step, and look into that."""
        engine = self.replica.engine
        columns = engine.decode(*pack([action for step in data.steps for action in step.actions]))
        recover_signers(columns)
        times = np.array([step.time for step in data.steps], np.int64)
        counts = [0, *(len(step.actions) for step in data.steps)]
        bounds = np.cumsum(np.array(counts, np.int64))
        point = engine.checkpoint(columns)
        ran = engine.replay(columns, times, bounds)
        differ = self._globals(record)
        surplus = sum(committed - law for name, committed, law in differ if name == "custody_micro")
        engine.rollback(point)
        point = engine.checkpoint(columns)
        engine.replay(columns, times[:bad], bounds[: bad + 1])
        part = int(bounds[bad]), counts[bad + 1]
        committed = data.pairs[bad].post_root
        known = surplus, record.withdrawals_root
        blame = find_wrong(engine, columns, int(times[bad]), part, committed, *known)
        engine.rollback(point)
        return ran, differ, blame

    def _globals(self, record: Any) -> Differences:
        """Compare what the court knows of the committed globals with those of the engine."""
        totals = self.replica.engine.totals
        pairs = (
            ("clock_ms", record.clock, int(totals.clock)),
            ("inbox_count", record.inbox_count, int(totals.inbox_count)),
            ("custody_micro", record.custody, int(totals.custody)),
            ("withdrawal_count", record.withdrawal_count, int(totals.withdrawal_count)),
            ("withdrawals_root", record.withdrawals_root, to_bytes(totals.withdrawals_root)),
            ("sequenced_count", record.sequenced_count, int(totals.sequenced_count)),
            (
                "sequenced_accumulator",
                record.sequenced_accumulator,
                to_bytes(totals.sequenced_accumulator),
            ),
        )
        return tuple(pair for pair in pairs if pair[1] != pair[2])


def _kind(action: bytes) -> str:
    try:
        return type(decode_action(action)).__name__.lower()
    except MalformedAction:
        return "malformed"


def _leaves(evidence: Evidence) -> tuple[TouchedLeaf, ...]:
    """Return the leaves of a witness. Their numbers stand in their own words."""
    found = [
        TouchedLeaf("account", int.from_bytes(leaf[8:16], "big"), leaf)
        for leaf in evidence.accounts
    ]
    found += [
        TouchedLeaf("instrument", int.from_bytes(leaf[8:16], "big"), leaf)
        for leaf in evidence.instruments
    ]
    return tuple(found)
