"""No transaction, however it was made, breaks the building of a block: it is refused, and paid."""

import random
import struct

import pytest

from clearing.keccak import keccak256
from clearing.keys import address_of, sign
from prover.forge import mint
from tests.prover.chain_world import GAS, PROVER, SEQUENCER, ChainWorld, decode_header
from verifier.base.transactions import TransactionKind
from verifier.errors import Refused

HEAD = struct.Struct(">4sBQ20sQQQ")
EDGES = (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff")


@pytest.fixture(scope="module")
def world():
    made = ChainWorld()
    made.opening_batch()
    made.forged_batch(mint(1, 10**9))
    return made


def bodies(world):
    """The bodies that did something, as bytes, and a proof that would."""
    found = []
    for number in range(world.base.head().number + 1):
        for signed in world.chain.block(number).transactions:
            transaction = signed.transaction
            found.append((transaction.body.kind, transaction.body.encode()))
    replica = world.replica()
    for view in world.base.batches(1, 9):
        judged = replica.judge(decode_header(view), world.base.batch_data(view.record.batch_id))
    found.append((TransactionKind.PROVE_FRAUD, judged.batch_id + judged.evidence))
    found.append((TransactionKind.FINALISE, judged.batch_id))
    found.append((TransactionKind.CLAIM_CREDIT, b""))
    claim = judged.batch_id + bytes(8 + 64) + b"\x24" + bytes(32 * 36)
    found.append((TransactionKind.CLAIM_WITHDRAWAL, claim))
    return found


def mangled(body, chance):
    """The body with some bytes changed, cut out or put in."""
    data = bytearray(body)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(data) + 1)
        choice = chance.randrange(4)
        if choice == 0 and data:
            data[place % len(data)] = chance.choice(EDGES)[0]
        elif choice == 1:
            width = chance.choice([1, 8, 32])
            data[place : place + width] = chance.choice(EDGES) * width
        elif choice == 2:
            del data[place : place + chance.choice([1, 8, 32, 400])]
        else:
            data[place:place] = chance.randbytes(chance.choice([1, 32]))
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_no_mangled_transaction_breaks_a_block(world, seed):
    chance = random.Random(seed)
    known = bodies(world)
    judged = 0
    for _ in range(150):
        kind, body = chance.choice(known)
        if chance.randrange(10) == 0:
            kind = chance.choice(list(TransactionKind))
        key = chance.choice([SEQUENCER, PROVER])
        nonce = world.base.account(address_of(key)).nonce
        config = world.config
        head = HEAD.pack(b"NVTX", kind, config.chain_id, config.settlement, nonce, GAS, 1)
        payload = head + mangled(body, chance)
        signed = payload + sign(key, keccak256(payload))
        try:
            world.chain.dry_run(signed)
            name = world.chain.submit(signed)
        except Refused:
            continue
        world.mine()
        assert world.base.receipt(name) is not None
        judged += 1
    assert judged > 30
    totals = world.base.bonds()
    assert totals.paid + totals.burned + totals.held == totals.deposited
    ledger = world.chain.ledger
    assert (
        ledger.native_total() + ledger.fees_burned.value + totals.held + totals.burned
        == ledger.native_minted.value
    )
    assert ledger.token_total() + world.base.solvency().escrow == ledger.token_minted()
