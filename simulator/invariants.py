"""What must hold in every world, looked at after everything that could break it.

I1   value is conserved: in the law (cash + pots + funds = custody), on the base layer (nothing
     appears but by the faucet), and between them (escrow = custody + unclaimed + unconsumed)
I2   the lots of every market sum to zero, and to its open interest on either side
I3   gains and losses of a market sum to zero at every mark; its pot covers the funding owed
I4   what was acknowledged stays in the log at its sequence, with its outcome, after any crash, and
     in the books of those who were told
I5   an action has one effect at most: no action is twice in the log, no reply contradicts another
     (but for what nobody signs: its bytes may come again, and are then another action)
I6   the same log gives the same roots, in the node after a crash, the auditor and the challenger
I7   every invalid batch is reverted before it becomes final
I8   no valid batch is reverted for fraud, except as the descendant of an invalid one
I9   withdrawals pay what was applied for, once
I10  what is final in the court never changes, reorganisations or not
I11  batches follow one another; generations only grow; one key posts in each
I12  bonds are conserved; the challenger's evidence is always accepted by the court's own check;
     receipts that contradict each other cost their signer's stake, and nobody honest loses it so
I13  nobody fails maintenance for longer than a grace without an attempt to liquidate him
I14  queues, frames and files stay within their declared limits
I15  nothing is acknowledged before it is durable, and every receipt is signed and adds up
I16  a damaged or incomplete log is refused, or nothing that was promised is missing in it
I17  with the operator dead everybody leaves with base-layer bytes alone
I18  the node's view is what its log folds to
I19  a node that runs carries the law's clock on, business or not
L1   once everything is healed, everything acknowledged becomes final, and withdrawals are paid
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from clearing.codes import Code, Kind
from clearing.keys import recover
from node.errors import LogBehind, LogCorrupt
from node.events import Publish, Reply
from node.log import Log
from node.receipts import check_receipt, receipt_digest
from node.records import FrameRecord, OutcomeRecord, RecordKind
from simulator.broken import InvariantBroken, require
from simulator.follower import Follower, Posted
from simulator.market import DOMAIN, OPERATOR, address, is_unsigned
from simulator.standing import Graces, check_chain, check_frame, check_variation
from verifier.base.chain import Block
from verifier.base.interface import LIST_MAX
from verifier.events import BatchFinalised, BatchPosted, BatchReverted, ReceiptBroken
from verifier.header import Header
from verifier.receipts import SignedReceipt

if TYPE_CHECKING:
    from simulator.world import World


@dataclass(frozen=True)
class Finding:
    """What the auditor says of a batch; a descendant of an invalid batch has no own bad step."""

    bad_step: int | None
    descendant: bool

    @property
    def valid(self) -> bool:
        """Whether the law confirms the batch and everything before it."""
        return self.bad_step is None and not self.descendant


class Invariants:
    """Remembers what was promised and compares it with what is."""

    def __init__(self, world: World) -> None:
        self.acknowledged: dict[bytes, tuple[int, int]] = {}
        self.applied: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.frauds: Counter[str] = Counter()
        self.receipts: dict[tuple[int, int], SignedReceipt] = {}
        self.receipts_broken = 0
        self.honest_reverts = 0
        self.lost_acknowledged = 0
        self.mispostings: dict[bytes, str] = {}
        self.reverted: Counter[str] = Counter()
        self.descendants = 0
        self.revert_blocks_max = 0
        self.findings: dict[bytes, Finding] = {}
        self.known: dict[bytes, Posted] = {}
        self.fraud_names: dict[bytes, str] = {}
        self.withheld: dict[bytes, bytes] = {}  # data that only a committee's members have
        self.auditor: Follower | None = None
        self._world = world
        self._published: dict[int, bytes] = {}
        self._final: dict[int, bytes] = {}
        self._settled = 0
        self._graces = Graces(world)

    # The node.

    def on_publish(self, effect: Publish, engine: Any) -> None:
        """Look at the state after a frame."""
        payload = effect.outcome.encode()
        self._published[effect.token] = payload
        self.check_law(engine.state)
        check_variation(engine.state)
        check_frame(effect, self._world.node)
        self._graces.look(effect, engine.state, actions_of(effect.frame))

    def on_reply(self, actions: tuple[bytes, ...], reply: Reply, log: Log) -> None:
        """Take note of a promise as it leaves the node, whether or not it arrives."""
        for action, code, sequence in zip(
            actions, reply.codes.tolist(), reply.sequences.tolist(), strict=True
        ):
            known = self.acknowledged.get(action)
            if known is None or is_unsigned(action):
                self.acknowledged[action] = (sequence, code)
                require("I6", code != Code.INVARIANT, "the law met a state that cannot be")
                if code:
                    self.rejects[Code(code).name] += 1
                else:
                    self.applied[Kind(action[0]).name] += 1
                continue
            require("I5", known == (sequence, code), f"answered {known}, then {(sequence, code)}")
        receipt = reply.receipt
        if receipt is None:
            return
        self.receipts[receipt.generation, receipt.count] = SignedReceipt(
            receipt.generation, receipt.count, receipt.accumulator, receipt.signature
        )
        durable = log.durable_tail.sequence
        require("I15", receipt.token <= durable, f"record {receipt.token} beyond {durable}")
        check_receipt(receipt)
        digest = receipt_digest(DOMAIN, receipt.generation, receipt.count, receipt.accumulator)
        signer = recover(receipt.signature, digest)
        require("I15", signer == address(OPERATOR), f"a receipt signed by {signer.hex()}")

    def on_restart(self, log: Log) -> None:
        """Compare a recovered log with everything that was ever promised or shown."""
        sequenced: dict[bytes, tuple[int, int]] = {}
        shown = 0
        for frame, outcome, payload in frames_of(log):
            token = outcome.frame_token
            if token in self._published:
                shown += 1
                same = self._published[token] == payload
                require("I6", same, f"frame {token} has another outcome than before")
            codes = outcome.codes.tolist()
            for place, action in enumerate(actions_of(frame)):
                if place < frame.inbox_count:
                    continue
                repeated = action in sequenced and not is_unsigned(action)
                require("I5", not repeated, f"frame {token} repeats an action")
                sequence = frame.sequence_before + place - frame.inbox_count + 1
                sequenced[action] = (sequence, codes[place])
        lost = [
            f"promised {promised}, found {sequenced.get(action)}"
            for action, promised in self.acknowledged.items()
            if promised[0] and not is_unsigned(action) and sequenced.get(action) != promised
        ]
        self.lost_acknowledged = max(self.lost_acknowledged, len(lost))
        require("I4", not lost, f"{len(lost)} acknowledged are lost: {lost[:1]}")
        require(
            "I4", shown == len(self._published), f"{len(self._published) - shown} frames are gone"
        )

    def on_unreadable(self, error: LogCorrupt) -> NoReturn:
        """Take note that a log was refused: all that was promised is lost with it."""
        self.lost_acknowledged = sum(1 for sequence, _ in self.acknowledged.values() if sequence)
        raise InvariantBroken("I4", str(error)) from error

    def on_held_back(self, error: LogBehind) -> None:
        """Let a node wait if a batch on the chain is invalid, and thus somebody else's."""
        court = self._world.base.chain.court
        views = court.batches(court.heads().finalised_number + 1, LIST_MAX)
        foreign = any(not self.findings[view.record.batch_id].valid for view in views)
        require("I4", foreign, f"what was promised is missing: {error}")

    def check_law(self, state: Any) -> None:
        """Recompute the law's totals from every row."""
        totals = state.globals[0]
        accounts = state.accounts[: int(totals.account_count)]
        instruments = state.instruments[: int(totals.instrument_count)]
        cash, pots = sum(accounts["cash"].tolist()), sum(instruments["pot"].tolist())
        funds = sum(state.funds["balance"].tolist())
        require(
            "I1",
            (cash, pots) == (int(totals.cash_total), int(totals.pot_total))
            and cash + pots + funds == int(totals.custody),
            f"cash {cash}, pots {pots}, funds {funds}, custody {int(totals.custody)}",
        )
        held = accounts["positions"]["lots"]
        used = np.arange(held.shape[1]) < accounts["position_count"][:, None]
        for row in instruments:
            lots = held[used & (accounts["positions"]["instrument"] == row["id"])].tolist()
            longs = sum(each for each in lots if each > 0)
            require(
                "I2",
                sum(lots) == 0 and longs == int(row["open_interest"]),
                f"market {row['id']}: lots {lots}, open interest {row['open_interest']}",
            )

    # The base layer.

    def on_block(self, block: Block) -> None:
        """Look at what a block did, and at the court after it."""
        for receipt in block.receipts:
            kind = self.mispostings.get(receipt.transaction_hash)
            if kind is not None:
                self.frauds[kind] += 1
                require("I7", receipt.error is not None, f"the court took a batch: {kind}")
            for event in receipt.events:
                if isinstance(event, BatchPosted):
                    self._audit(event.batch_id)
                elif isinstance(event, ReceiptBroken):
                    self.receipts_broken += 1
                elif isinstance(event, BatchReverted):
                    self._on_reverted(event)
                elif isinstance(event, BatchFinalised):
                    finding = self.findings[event.batch_id]
                    name = self.fraud_names.get(event.batch_id, "?")
                    require(
                        "I7", finding.valid, f"invalid batch {event.number} ({name}) became final"
                    )
        self._check_court()

    def on_reorg(self) -> None:
        """Look at the court as it is again."""
        self._check_court()

    def _check_court(self) -> None:
        self._check_money()
        self._check_final()
        court = self._world.base.chain.court
        check_chain(court.batches(0, LIST_MAX), court.heads().generation)

    def _audit(self, batch_id: bytes) -> None:
        court = self._world.base.chain.court
        view = court.batch(batch_id)
        data = self.withheld.get(batch_id) or court.batch_data(batch_id)
        assert view is not None and data is not None
        if batch_id in self.findings:
            return
        batch = Posted(Header.decode(view.record.header), data)
        parent = self.findings.get(batch.header.parent_id, Finding(None, False))
        if not parent.valid:
            self.findings[batch_id] = Finding(None, True)
            self.known[batch_id] = batch
            return
        assert self.auditor is not None
        bad = self.auditor.judge(batch)
        self.known[batch_id] = batch
        self.findings[batch_id] = Finding(bad, False)
        if bad is not None:
            self.frauds[self.fraud_names.get(batch_id, "?")] += 1
            # Some rejections no client can bring about, only whoever makes the steps.
            self.rejects.update(Code(code).name for code in self.auditor.codes if code)
            expected = batch_id in self.fraud_names
            require("I6", expected, f"the node's batch {batch.header.number} is invalid")

    def _on_reverted(self, event: BatchReverted) -> None:
        finding = self.findings[event.batch_id]
        self.honest_reverts += finding.bad_step is None
        require("I8", finding.bad_step is not None, f"valid batch {event.number} was reverted")
        view = self._world.base.chain.court.batch(event.batch_id)
        assert view is not None
        took = event.block - view.record.posted_block
        self.revert_blocks_max = max(self.revert_blocks_max, took)
        self.reverted[self.fraud_names.get(event.batch_id, "?")] += 1
        self.descendants += event.slashed // self._world.base.chain.config.bond - 1

    def _check_money(self) -> None:
        chain = self._world.base.chain
        court, ledger = chain.court, chain.ledger
        bonds = court.bonds.totals
        require("I12", bonds.deposited == bonds.paid + bonds.burned + bonds.held, f"bonds {bonds}")
        native = ledger.native_total() + bonds.held + bonds.burned + ledger.fees_burned.value
        require(
            "I1", native == ledger.native_minted.value, f"{native} gwei, not as many as were made"
        )
        token = ledger.token_total() + court.escrow.held()
        require("I1", token == ledger.token_minted(), f"{token} tokens, not as many as were made")
        tip = self.findings.get(court.heads().tip_id)
        if tip is None or tip.valid:
            require("I1", court.solvency().holds, f"{court.solvency()}")

    def _check_final(self) -> None:
        chain = self._world.base.chain
        final = chain.court.heads().finalised_number
        for view in chain.court.batches(1, final):
            record = view.record
            known = self._final.setdefault(record.number, record.post_root)
            require(
                "I10", known == record.post_root, f"final batch {record.number} changed its root"
            )
        with chain.at(chain.head().finalised_hash):
            settled = chain.court.heads().finalised_number
        require("I10", settled >= self._settled, f"{settled} final after {self._settled}")
        self._settled = settled


def frames_of(log: Log) -> list[tuple[FrameRecord, OutcomeRecord, bytes]]:
    """Return each frame of the log, its outcome, and the outcome's bytes."""
    found = []
    frame = None
    for record in log.records():
        if record.kind == RecordKind.FRAME:
            frame = FrameRecord.decode(record.payload)
        elif record.kind == RecordKind.OUTCOME and frame is not None:
            found.append((frame, OutcomeRecord.decode(record.payload), record.payload))
    return found


def actions_of(frame: FrameRecord) -> list[bytes]:
    """Return the bytes of each action of a frame."""
    offsets = frame.offsets().tolist()
    return [frame.blob[a:b] for a, b in pairwise(offsets)]
