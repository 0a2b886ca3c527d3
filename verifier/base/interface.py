"""The seam to the base layer, and its house inside this process.

Nothing above `verifier` knows whether it talks to a chain in the same process or to a service
(`verifier.base.remote`). Reads take `at`, the hash of a block: they answer the state after that
block, so that several of them agree with each other; None is the head. They raise BlockUnknown once
the block is reorganised away, or older than the last finalised one by more than an epoch.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from verifier.base.chain import Head, HeadChange, Receipt, SimulatedChain
from verifier.batches import BatchView, Heads
from verifier.bonds import BondTotals
from verifier.config import CourtConfig
from verifier.escrow import Solvency
from verifier.events import BatchReverted
from verifier.exit import ExitTotals, FiledClaim
from verifier.freeze import Mode, Standing
from verifier.host.ledger import AccountView
from verifier.inbox import InboxEntry
from verifier.rewards import Commitment, Reward
from verifier.stakes import Stake
from verifier.withheld import Ask

__all__ = [
    "LIST_MAX",
    "AccountView",
    "Ask",
    "BaseLayer",
    "BatchReverted",
    "BatchView",
    "BlockView",
    "BondTotals",
    "Commitment",
    "ExitTotals",
    "FiledClaim",
    "Head",
    "HeadChange",
    "Heads",
    "InProcessBaseLayer",
    "InboxEntry",
    "Mode",
    "Receipt",
    "Reward",
    "Solvency",
    "Stake",
    "Standing",
]

LIST_MAX = 1_024  # entries that one list call answers, however many were asked for


class BlockView(NamedTuple):
    """A canonical block without its bytes."""

    number: int
    hash: bytes
    parent: bytes
    time_ms: int
    gas_used: int
    transaction_hashes: tuple[bytes, ...]


class BaseLayer(Protocol):
    """What a node or a challenger needs of the base layer.

    `submit` and `dry_run` raise Refused; every call may raise BaseLayerUnavailable, and may be
    repeated. Lists answer at most LIST_MAX entries, in order, and fewer only at their end.
    """

    def submit(self, transaction: bytes) -> bytes:
        """Take a signed transaction into the mempool and return its hash."""

    def dry_run(self, transaction: bytes) -> Receipt:
        """Execute a signed transaction as the next block would, without including it."""

    def config(self) -> CourtConfig:
        """Return the configuration of court and chain."""

    def head(self) -> Head:
        """Return the newest, the justified and the finalised block."""

    def block(self, number: int) -> BlockView | None:
        """Return canonical block `number`, or None."""

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return what became of a transaction, or None while it is on no block."""

    def changes(self, after: int, limit: int) -> list[HeadChange]:
        """Return how the head moved after change number `after`."""

    def account(self, address: bytes, at: bytes | None = None, asset: int = 0) -> AccountView:
        """Return balances and nonce of an address, the token being that of an asset."""

    def heads(self, at: bytes | None = None) -> Heads:
        """Return tip, last finalised batch and generation of the court."""

    def batch(self, batch_id: bytes, at: bytes | None = None) -> BatchView | None:
        """Return a batch by its name, also a reverted one, or None."""

    def batch_data(self, batch_id: bytes, at: bytes | None = None) -> bytes | None:
        """Return the data posted with a batch, or None."""

    def asks(self, batch_id: bytes, first: int, limit: int, at: bytes | None = None) -> list[Ask]:
        """Return the asks about a batch from a place on, in the order of their coming."""

    def answered(self, batch_id: bytes, step: int, at: bytes | None = None) -> bytes | None:
        """Return the bytes of a step that an ask was answered with, or None."""

    def batches(self, first_number: int, limit: int, at: bytes | None = None) -> list[BatchView]:
        """Return canonical batches from a number on."""

    def inbox(self, first_index: int, limit: int, at: bytes | None = None) -> list[InboxEntry]:
        """Return inbox messages from an index on."""

    def account_id(self, owner: bytes, subaccount: int, at: bytes | None = None) -> int | None:
        """Return the account id of an owner's sub-account, or None before its first deposit."""

    def is_claimed(self, index: int, at: bytes | None = None) -> bool:
        """Say whether withdrawal `index` was paid."""

    def credit(self, address: bytes, at: bytes | None = None) -> int:
        """Return the gwei that `address` may pull."""

    def bonds(self, at: bytes | None = None) -> BondTotals:
        """Return the sums of the court's own money."""

    def reward(self, generation: int, subject: bytes, at: bytes | None = None) -> Reward | None:
        """Return what a proof earned, by its name (`verifier.rewards`), or None."""

    def commitments(self, address: bytes, at: bytes | None = None) -> list[Commitment]:
        """Return the commitments of an address that stand, oldest first."""

    def stake(self, address: bytes, at: bytes | None = None) -> Stake:
        """Return what backs the receipts of an address."""

    def receipt_signer(self, generation: int, at: bytes | None = None) -> bytes | None:
        """Return whose receipts bind in a generation: zeros for nobody's, None before it begins."""

    def first_bound(self, generation: int, at: bytes | None = None) -> int:
        """Return the first generation whose receipts the batches of `generation` have to keep."""

    def solvency(self, at: bytes | None = None, asset: int = 0) -> Solvency:
        """Compare the escrow of an asset with what the last opened state owes."""

    def reverts(
        self, first_generation: int, limit: int, at: bytes | None = None
    ) -> list[BatchReverted]:
        """Return the falls that ended generations from `first_generation` on."""

    def standing(self, at: bytes | None = None) -> Standing:
        """Return who runs the house, how late its clock is, and what may happen when."""

    def exit_totals(self, at: bytes | None = None) -> ExitTotals:
        """Return the sums of the exit; zeros before it."""

    def exit_claim(self, account: int, at: bytes | None = None) -> FiledClaim | None:
        """Return the claim that was filed for an account in the exit, or None."""


class InProcessBaseLayer:
    """`BaseLayer` on a simulated chain in the same thread."""

    def __init__(self, chain: SimulatedChain) -> None:
        self.chain = chain

    def submit(self, transaction: bytes) -> bytes:
        """Take a signed transaction into the mempool and return its hash."""
        return self.chain.submit(transaction)

    def dry_run(self, transaction: bytes) -> Receipt:
        """Execute a signed transaction as the next block would, without including it."""
        return self.chain.dry_run(transaction)

    def config(self) -> CourtConfig:
        """Return the configuration of court and chain."""
        return self.chain.config

    def head(self) -> Head:
        """Return the newest, the justified and the finalised block."""
        return self.chain.head()

    def block(self, number: int) -> BlockView | None:
        """Return canonical block `number`, or None."""
        block = self.chain.block(number)
        if block is None:
            return None
        hashes = tuple(receipt.transaction_hash for receipt in block.receipts)
        return BlockView(
            block.number, block.hash, block.parent, block.time_ms, block.gas_used, hashes
        )

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return what became of a transaction, or None while it is on no block."""
        return self.chain.receipt(transaction_hash)

    def changes(self, after: int, limit: int) -> list[HeadChange]:
        """Return how the head moved after change number `after`."""
        return self.chain.changes(after, min(limit, LIST_MAX))

    def account(self, address: bytes, at: bytes | None = None, asset: int = 0) -> AccountView:
        """Return balances and nonce of an address, the token being that of an asset."""
        with self.chain.at(at):
            return self.chain.ledger.account(address, asset)

    def heads(self, at: bytes | None = None) -> Heads:
        """Return tip, last finalised batch and generation of the court."""
        with self.chain.at(at):
            return self.chain.court.heads()

    def batch(self, batch_id: bytes, at: bytes | None = None) -> BatchView | None:
        """Return a batch by its name, also a reverted one, or None."""
        with self.chain.at(at):
            return self.chain.court.batch(batch_id)

    def batch_data(self, batch_id: bytes, at: bytes | None = None) -> bytes | None:
        """Return the data posted with a batch, or None."""
        with self.chain.at(at):
            return self.chain.court.batch_data(batch_id)

    def asks(self, batch_id: bytes, first: int, limit: int, at: bytes | None = None) -> list[Ask]:
        """Return the asks about a batch from a place on, in the order of their coming."""
        with self.chain.at(at):
            return self.chain.court.withheld.asks(batch_id, first, min(limit, LIST_MAX))

    def answered(self, batch_id: bytes, step: int, at: bytes | None = None) -> bytes | None:
        """Return the bytes of a step that an ask was answered with, or None."""
        with self.chain.at(at):
            return self.chain.court.withheld.answered(batch_id, step)

    def batches(self, first_number: int, limit: int, at: bytes | None = None) -> list[BatchView]:
        """Return canonical batches from a number on."""
        with self.chain.at(at):
            return self.chain.court.batches(first_number, min(limit, LIST_MAX))

    def inbox(self, first_index: int, limit: int, at: bytes | None = None) -> list[InboxEntry]:
        """Return inbox messages from an index on."""
        with self.chain.at(at):
            return self.chain.court.inbox.entries(first_index, min(limit, LIST_MAX))

    def account_id(self, owner: bytes, subaccount: int, at: bytes | None = None) -> int | None:
        """Return the account id of an owner's sub-account, or None before its first deposit."""
        with self.chain.at(at):
            return self.chain.court.inbox.account_of(owner, subaccount)

    def is_claimed(self, index: int, at: bytes | None = None) -> bool:
        """Say whether withdrawal `index` was paid."""
        with self.chain.at(at):
            return self.chain.court.escrow.is_claimed(index)

    def credit(self, address: bytes, at: bytes | None = None) -> int:
        """Return the gwei that `address` may pull."""
        with self.chain.at(at):
            return self.chain.court.bonds.credit(address)

    def bonds(self, at: bytes | None = None) -> BondTotals:
        """Return the sums of the court's own money."""
        with self.chain.at(at):
            return self.chain.court.bonds.totals

    def reward(self, generation: int, subject: bytes, at: bytes | None = None) -> Reward | None:
        """Return what a proof earned, by its name (`verifier.rewards`), or None."""
        with self.chain.at(at):
            return self.chain.court.rewards.reward(generation, subject)

    def commitments(self, address: bytes, at: bytes | None = None) -> list[Commitment]:
        """Return the commitments of an address that stand, oldest first."""
        with self.chain.at(at):
            return self.chain.court.rewards.commitments(address)

    def stake(self, address: bytes, at: bytes | None = None) -> Stake:
        """Return what backs the receipts of an address."""
        with self.chain.at(at):
            return self.chain.court.stakes.of(address)

    def receipt_signer(self, generation: int, at: bytes | None = None) -> bytes | None:
        """Return whose receipts bind in a generation: zeros for nobody's, None before it begins."""
        with self.chain.at(at):
            return self.chain.court.stakes.signer_of(generation)

    def first_bound(self, generation: int, at: bytes | None = None) -> int:
        """Return the first generation whose receipts the batches of `generation` have to keep."""
        with self.chain.at(at):
            return self.chain.court.stakes.first_bound(generation)

    def solvency(self, at: bytes | None = None, asset: int = 0) -> Solvency:
        """Compare the escrow of an asset with what the last opened state owes."""
        with self.chain.at(at):
            return self.chain.court.solvency(asset)

    def reverts(
        self, first_generation: int, limit: int, at: bytes | None = None
    ) -> list[BatchReverted]:
        """Return the falls that ended generations from `first_generation` on."""
        with self.chain.at(at):
            return self.chain.court.reverts(first_generation, min(limit, LIST_MAX))

    def standing(self, at: bytes | None = None) -> Standing:
        """Return who runs the house, how late its clock is, and what may happen when."""
        with self.chain.at(at):
            block = self.chain.block_of(self.chain.head().hash if at is None else at)
            return self.chain.court.standing(0 if block is None else block.time_ms)

    def exit_totals(self, at: bytes | None = None) -> ExitTotals:
        """Return the sums of the exit; zeros before it."""
        with self.chain.at(at):
            return self.chain.court.exit.totals()

    def exit_claim(self, account: int, at: bytes | None = None) -> FiledClaim | None:
        """Return the claim that was filed for an account in the exit, or None."""
        with self.chain.at(at):
            return self.chain.court.exit.claim(account)
