"""The simulated base layer: blocks, gas, fees, a mempool, finality, and reorganisations on demand.

It is deterministic: the same configuration, genesis, seed, clock readings and calls give the same
blocks, hashes included. It executes one contract, the court. It is not safe for threads; the
service that shares it holds a lock.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import NamedTuple

from clearing.keccak import keccak256
from verifier.base.chain_file import ChainFile, Record, RecordKind
from verifier.base.errors import BlockUnknown, ChainFileCorrupt, ReorgTooDeep
from verifier.base.mempool import Mempool
from verifier.base.transactions import Body, Faucet, SignedTransaction, TransactionKind
from verifier.batch import Opening
from verifier.config import CourtConfig
from verifier.court import Court
from verifier.errors import Refusal, Refused, TransactionError, VerifierError
from verifier.events import Event
from verifier.host import gas
from verifier.host.call import BlockContext, Call
from verifier.host.ledger import Ledger
from verifier.host.storage import UndoLog
from verifier.laws import LAWS, EvidenceCheck

Clock = Callable[[], int]  # milliseconds since 1970

NO_HASH = bytes(32)
_BLOCK = struct.Struct(">4sQQQQ32s")
_GENESIS_RECORD = struct.Struct(">32sQ")
_BLOCK_RECORD = struct.Struct(">QQ32sI")
_REORG_RECORD = struct.Struct(">Q")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction. `error` is None if it did what it asked for.

    `fee` is gwei; a transaction that failed has no events and changed nothing but nonce and fee.
    """

    transaction_hash: bytes
    sender: bytes
    kind: TransactionKind
    block_number: int
    block_hash: bytes
    index: int
    error: Refusal | None
    text: str
    gas_used: int
    fee: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A block, what it did, and the place in the undo log that is the state after it.

    The transactions of a finalised block are let go: they never return to the mempool, their
    hashes stand in the receipts, and the court keeps the data of batches.
    """

    number: int
    hash: bytes
    parent: bytes
    time_ms: int
    transactions: tuple[SignedTransaction, ...]
    receipts: tuple[Receipt, ...]
    gas_used: int
    mark: int


class ChangeKind(IntEnum):
    """How the head moved."""

    BLOCK = 1
    REORG = 2


class HeadChange(NamedTuple):
    """A new block, or the block that became the head again when others were dropped.

    `sequence` counts from 1 and stays the same when the chain is opened from its file again.
    """

    sequence: int
    kind: ChangeKind
    number: int
    hash: bytes
    parent: bytes
    time_ms: int


class Head(NamedTuple):
    """The newest block, and the newest justified (safe) and finalised ones."""

    number: int
    hash: bytes
    parent: bytes
    time_ms: int
    safe_number: int
    safe_hash: bytes
    finalised_number: int
    finalised_hash: bytes


class SimulatedChain:
    """A chain from genesis, or from its file.

    `clock` gives ms since 1970; a block's time is max(parent's + 1, clock()). `seed` makes the
    block hashes of two chains differ. With `file`, every block is durable before `mine` returns,
    and what the file holds already is executed again first. Raises ChainFileCorrupt for a file that
    is damaged, of another configuration, or whose blocks do not execute to the same hashes.
    """

    def __init__(
        self,
        config: CourtConfig,
        genesis: Opening,
        *,
        clock: Clock,
        seed: int = 0,
        file: ChainFile | None = None,
        laws: Mapping[int, EvidenceCheck] = LAWS,
    ) -> None:
        self.config = config
        self.clock = clock
        self.mempool = Mempool(config.mempool_max)
        self._log = UndoLog()
        self.ledger = Ledger(self._log)
        self.court = Court(config, genesis, self.ledger, self._log, laws)
        self._seed = seed
        self._forks = 0
        self._finalised = 0
        self._file: ChainFile | None = None
        self._receipts: dict[bytes, Receipt] = {}
        self._by_hash: dict[bytes, Block] = {}
        self._changes: list[HeadChange] = []
        self._blocks: list[Block] = []
        fingerprint = keccak256(f"{config!r}/{seed}".encode() + genesis.encode())
        records = iter(()) if file is None else file.records()
        first = next(records, None)
        if first is None:
            self._begin(clock())
            if file is not None:
                payload = _GENESIS_RECORD.pack(fingerprint, self._blocks[0].time_ms)
                file.append(RecordKind.GENESIS, payload)
        elif file is not None:
            self._begin(_genesis_time(file, first, fingerprint))
            for record in records:
                self._replay(file, record)
        self._file = file

    # Blocks

    def mine(self, count: int = 1) -> list[Block]:
        """Build `count` blocks on the head from what the mempool offers."""
        return [self._mine() for _ in range(count)]

    def reorg(self, depth: int, drop: Collection[bytes] = ()) -> Block:
        """Drop the newest `depth` blocks and return the block that is the head again.

        Their transactions go back to the front of the mempool, except those whose hash is in
        `drop`. Raises ReorgTooDeep if a finalised block would go.
        """
        depth_max = self._blocks[-1].number - self._finalised
        if not 1 <= depth <= depth_max:
            raise ReorgTooDeep(depth, depth_max)
        returned = [
            signed
            for block in self._blocks[-depth:]
            for signed in block.transactions
            if signed.hash not in drop
        ]
        self._write(RecordKind.REORG, _REORG_RECORD.pack(depth))
        self._drop(depth)
        self.mempool.put_back(returned, self._blocks[-1].number)
        return self._blocks[-1]

    def head(self) -> Head:
        """Return the newest block and what is justified and finalised."""
        block, safe = self._blocks[-1], self._blocks[self._safe()]
        final = self._blocks[self._finalised]
        return Head(
            block.number,
            block.hash,
            block.parent,
            block.time_ms,
            safe.number,
            safe.hash,
            final.number,
            final.hash,
        )

    def block(self, number: int) -> Block | None:
        """Return canonical block `number`, or None."""
        return self._blocks[number] if 0 <= number < len(self._blocks) else None

    def block_of(self, block_hash: bytes) -> Block | None:
        """Return the canonical block of that hash, or None."""
        return self._by_hash.get(block_hash)

    def changes(self, after: int, limit: int) -> list[HeadChange]:
        """Return how the head moved after change number `after`, at most `limit` moves."""
        first = max(after, 0)
        return self._changes[first : first + max(limit, 0)]

    @contextmanager
    def at(self, block_hash: bytes | None) -> Iterator[None]:
        """Let the caller read court and ledger as they were after the block; None is the head.

        Raises BlockUnknown for a block that is not canonical, or older than what is retained: an
        epoch before the last finalised block, so that whoever pins to that has an epoch to read.
        """
        if block_hash is None:
            yield
            return
        block = self._by_hash.get(block_hash)
        if block is None:
            raise BlockUnknown(block_hash.hex(), "not on this chain")
        if block.number < self._retained():
            reason = f"older than block {self._retained()}, the first that is retained"
            raise BlockUnknown(block_hash.hex(), reason)
        with self._log.at(block.mark):
            yield

    # Transactions

    def submit(self, encoded: bytes) -> bytes:
        """Take a signed transaction into the mempool and return its hash. Raises Refused."""
        signed = SignedTransaction.decode(encoded)
        self._check(signed)
        if signed.hash in self.mempool:
            raise Refused(
                TransactionError.ALREADY_KNOWN,
                f"expected a new transaction, was {signed.hash.hex()}, which waits already; "
                "wait for its receipt",
            )
        nonce = self.ledger.account(signed.sender).nonce
        if signed.transaction.nonce < nonce:
            raise Refused(
                TransactionError.STALE_NONCE,
                f"expected nonce {nonce} or above, was {signed.transaction.nonce}; "
                "sign again with the next nonce",
            )
        if self._is_ready(signed):
            self.mempool.make_room(self._is_ready)
        self.mempool.add(signed, self._blocks[-1].number)
        return signed.hash

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return what became of a transaction on this chain, or None if it is on no block."""
        return self._receipts.get(transaction_hash)

    def dry_run(self, encoded: bytes) -> Receipt:
        """Execute a transaction as if the next block began with it, and take everything back.

        Nonce and fee are not looked at, so that whoever has no money can still ask. Raises Refused
        only for what `submit` would refuse by its bytes alone.
        """
        signed = SignedTransaction.decode(encoded)
        self._check(signed)
        mark = self._log.mark()
        try:
            return self._execute(signed, self._next_context(), 0)
        finally:
            self._log.undo_to(mark)

    # Parts

    def _check(self, signed: SignedTransaction) -> None:
        """Refuse what can never be executed here."""
        transaction, config = signed.transaction, self.config
        if transaction.chain_id != config.chain_id:
            raise Refused(
                TransactionError.WRONG_CHAIN,
                f"expected chain {config.chain_id}, was {transaction.chain_id}; sign for this one",
            )
        if transaction.settlement != config.settlement:
            raise Refused(
                TransactionError.WRONG_SETTLEMENT,
                f"expected {config.settlement.hex()}, was {transaction.settlement.hex()}; "
                "sign for this court",
            )
        gas_min = gas.intrinsic(len(signed.encoded))
        if not gas_min <= transaction.gas_limit <= config.block_gas_limit:
            raise Refused(
                TransactionError.GAS_LIMIT,
                f"expected a gas limit of {gas_min} to {config.block_gas_limit}, "
                f"was {transaction.gas_limit}; set another",
            )
        if transaction.fee_per_gas < config.fee_per_gas_min:
            raise Refused(
                TransactionError.FEE_TOO_LOW,
                f"expected at least {config.fee_per_gas_min} gwei per gas, "
                f"was {transaction.fee_per_gas}; offer more",
            )
        if transaction.body.kind == TransactionKind.FAUCET and not config.faucet:
            raise Refused(
                TransactionError.NO_FAUCET,
                "expected a chain with a faucet, was one without; use money that exists",
            )

    def _is_ready(self, signed: SignedTransaction) -> bool:
        """Say whether the next block could include the transaction: its nonce, and its fee."""
        account = self.ledger.account(signed.sender)
        return signed.transaction.nonce == account.nonce and account.native >= _fee_max(signed)

    def _begin(self, time_ms: int) -> None:
        block = self._sealed(time_ms, NO_HASH, (), (), 0)
        self._blocks.append(block)
        self._by_hash[block.hash] = block
        self._log.forget_before(block.mark)

    def _mine(self) -> Block:
        context = self._next_context()
        included: list[SignedTransaction] = []
        receipts: list[Receipt] = []
        gas_used = 0
        for pending in self.mempool.offered(context.number):
            transaction, account = (
                pending.signed.transaction,
                self.ledger.account(pending.signed.sender),
            )
            if transaction.nonce > account.nonce:
                continue
            if transaction.nonce < account.nonce or account.native < _fee_max(pending.signed):
                self.mempool.remove(pending.signed.hash)
                continue
            if gas_used + transaction.gas_limit > self.config.block_gas_limit:
                continue
            receipts.append(self._include(pending.signed, context, len(included)))
            included.append(pending.signed)
            gas_used += receipts[-1].gas_used
            self.mempool.remove(pending.signed.hash)
        return self._append(context.time_ms, included, receipts)

    def _append(
        self, time_ms: int, included: Sequence[SignedTransaction], receipts: Sequence[Receipt]
    ) -> Block:
        gas_used = sum(receipt.gas_used for receipt in receipts)
        block = self._sealed(
            time_ms, self._blocks[-1].hash, tuple(included), tuple(receipts), gas_used
        )
        self._write(RecordKind.BLOCK, _encode_block(block))
        self._blocks.append(block)
        self._by_hash[block.hash] = block
        self._receipts.update((receipt.transaction_hash, receipt) for receipt in block.receipts)
        self._finalise(self._checkpoint(2))
        self._note(ChangeKind.BLOCK)
        return block

    def _finalise(self, number: int) -> None:
        """Let go of what only a reorganisation before block `number` could need."""
        for block in self._blocks[self._finalised + 1 : number + 1]:
            light = replace(block, transactions=())
            self._blocks[block.number] = self._by_hash[block.hash] = light
        self._finalised = max(self._finalised, number)
        self._log.forget_before(self._blocks[self._retained()].mark)

    def _sealed(
        self,
        time_ms: int,
        parent: bytes,
        included: tuple[SignedTransaction, ...],
        receipts: tuple[Receipt, ...],
        gas_used: int,
    ) -> Block:
        number = len(self._blocks)
        # Blocks that replace dropped ones must never have their hashes.
        head = _BLOCK.pack(b"NVBK", self._seed, self._forks, number, time_ms, parent)
        block_hash = keccak256(head + b"".join(signed.hash for signed in included))
        placed = tuple(replace(receipt, block_hash=block_hash) for receipt in receipts)
        mark = self._log.mark()
        return Block(number, block_hash, parent, time_ms, included, placed, gas_used, mark)

    def _drop(self, depth: int) -> None:
        for block in self._blocks[-depth:]:
            del self._by_hash[block.hash]
            for receipt in block.receipts:
                del self._receipts[receipt.transaction_hash]
        del self._blocks[-depth:]
        self._log.undo_to(self._blocks[-1].mark)
        self._forks += 1
        self._note(ChangeKind.REORG)

    def _note(self, kind: ChangeKind) -> None:
        block = self._blocks[-1]
        sequence = len(self._changes) + 1
        self._changes.append(
            HeadChange(sequence, kind, block.number, block.hash, block.parent, block.time_ms)
        )

    def _checkpoint(self, epochs: int) -> int:
        """Return the block that opened the epoch `epochs` before the head's."""
        epoch = self._blocks[-1].number // self.config.epoch_blocks
        return max(epoch - epochs, 0) * self.config.epoch_blocks

    def _retained(self) -> int:
        return max(self._finalised - self.config.epoch_blocks, 0)

    def _safe(self) -> int:
        return max(self._checkpoint(1), self._finalised)

    def _next_context(self, time_ms: int | None = None) -> BlockContext:
        parent = self._blocks[-1]
        now = self.clock() if time_ms is None else time_ms
        return BlockContext(parent.number + 1, max(parent.time_ms + 1, now), self._hash_of)

    def _hash_of(self, number: int) -> bytes | None:
        block = self.block(number)
        return None if block is None else block.hash

    def _include(self, signed: SignedTransaction, context: BlockContext, index: int) -> Receipt:
        """Charge, execute, refund. The fee is taken first, so that it can always be paid."""
        self.ledger.use_nonce(signed.sender)
        fee_max = _fee_max(signed)
        self.ledger.burn_fee(signed.sender, fee_max)
        receipt = self._execute(signed, context, index)
        self.ledger.refund_fee(signed.sender, fee_max - receipt.fee)
        return receipt

    def _execute(self, signed: SignedTransaction, context: BlockContext, index: int) -> Receipt:
        transaction = signed.transaction
        kind = transaction.body.kind
        meter = gas.GasMeter(transaction.gas_limit)
        mark = self._log.mark()
        events: tuple[Event, ...] = ()
        error, text = None, ""
        try:
            meter.spend(gas.intrinsic(len(signed.encoded)))
            events = self._call(
                transaction.body, Call(signed.sender, context, meter, transaction.fee_per_gas)
            )
        except Refused as refused:
            self._log.undo_to(mark)
            error, text = refused.code, refused.text
        fee = 0 if kind == TransactionKind.FAUCET else meter.spent * transaction.fee_per_gas
        return Receipt(
            signed.hash,
            signed.sender,
            kind,
            context.number,
            NO_HASH,
            index,
            error,
            text,
            meter.spent,
            fee,
            events,
        )

    def _call(self, body: Body, call: Call) -> tuple[Event, ...]:
        """Make the court's call of the body's name; the faucet is the chain's own."""
        arguments = [getattr(body, field.name) for field in fields(body)]
        if isinstance(body, Faucet):
            self.ledger.mint(*arguments)
            return ()
        made = getattr(self.court, body.kind.name.lower())(call, *arguments)
        return made if isinstance(made, tuple) else (made,)

    # The file

    def _write(self, kind: RecordKind, payload: bytes) -> None:
        if self._file is not None:
            self._file.append(kind, payload)

    def _replay(self, file: ChainFile, record: Record) -> None:
        """Execute what the file says happened, and compare."""
        if record.kind == RecordKind.REORG:
            (depth,) = _REORG_RECORD.unpack(record.payload)
            self._drop(depth)
            return
        if record.kind != RecordKind.BLOCK:
            raise ChainFileCorrupt(
                str(file.path), record.offset, "a block or a reorg", record.kind.name
            )
        time_ms, block_hash, encoded = _decode_block(record.payload)
        context = self._next_context(time_ms)
        included = [SignedTransaction.decode(one) for one in encoded]
        receipts = [self._include(one, context, index) for index, one in enumerate(included)]
        block = self._append(context.time_ms, included, receipts)
        if block.hash != block_hash:
            was = f"block {block.number} of hash {block.hash.hex()}"
            raise ChainFileCorrupt(str(file.path), record.offset, block_hash.hex(), was)


def _fee_max(signed: SignedTransaction) -> int:
    """Return the most that the sender may be charged in gwei; a faucet is free."""
    transaction = signed.transaction
    if transaction.body.kind == TransactionKind.FAUCET:
        return 0
    return transaction.gas_limit * transaction.fee_per_gas


def _genesis_time(file: ChainFile, record: Record, fingerprint: bytes) -> int:
    if record.kind != RecordKind.GENESIS or len(record.payload) != _GENESIS_RECORD.size:
        raise ChainFileCorrupt(str(file.path), record.offset, "a genesis record", record.kind.name)
    was, time_ms = _GENESIS_RECORD.unpack(record.payload)
    if was != fingerprint:
        raise VerifierError(
            f"base layer file {file.path}: expected the configuration, genesis and seed of "
            f"fingerprint {fingerprint.hex()}, was {was.hex()}. Next: start with those that the "
            "file was made with, or with a new file."
        )
    return int(time_ms)


def _encode_block(block: Block) -> bytes:
    head = _BLOCK_RECORD.pack(block.number, block.time_ms, block.hash, len(block.transactions))
    encoded = (signed.encoded for signed in block.transactions)
    return head + b"".join(_LENGTH.pack(len(one)) + one for one in encoded)


def _decode_block(payload: bytes) -> tuple[int, bytes, list[bytes]]:
    _, time_ms, block_hash, count = _BLOCK_RECORD.unpack_from(payload)
    offset, encoded = _BLOCK_RECORD.size, []
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(payload, offset)
        offset += _LENGTH.size + length
        encoded.append(payload[offset - length : offset])
    return time_ms, block_hash, encoded
