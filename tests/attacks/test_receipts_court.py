"""A sequencer who breaks its word without breaking the law: only receipts tell."""

import pytest

from clearing import eip712
from clearing.keccak import to_bytes
from clearing.keys import address_of, sign
from clearing.messages import Receipt
from prover.forge import BatchForge, mint
from prover.replica import Verdict
from tests.attacks.test_games import ask, books_balance, judged
from tests.prover.chain_world import PROVER, SEQUENCER, ChainWorld, decode_header
from verifier.base.transactions import ProveFraud, ProveReceipt, PutStake
from verifier.batch import BatchData
from verifier.batches import BatchStatus
from verifier.errors import CourtError
from verifier.receipts import LeftOut, SignedReceipt, TwoReceipts, roots_of


@pytest.fixture
def world():
    made = ChainWorld()
    made.opening_batch()
    made.send(SEQUENCER, PutStake())
    return made


def receipt_now(world, generation=0):
    """What the sequencer's node signs at the end of the frame that it just applied."""
    totals = world.engine.totals
    count, accumulator = int(totals.sequenced_count), to_bytes(totals.sequenced_accumulator)
    domain = eip712.domain_separator(world.config.chain_id, world.config.settlement)
    promise = Receipt(generation, count, accumulator)
    signature = sign(SEQUENCER, eip712.digest(domain, promise.struct_hash()))
    return SignedReceipt(generation, count, accumulator, signature)


def posted_frames(world, *frames):
    """Apply and post frames of trades as one batch; return it and the receipt of each frame."""
    forge, given = BatchForge(world.engine), []
    for trades in frames:
        assert not forge.honest(trades, world.now).codes.any()
        given.append(receipt_now(world))
    return world.post(forge.finish(world.place())), given


def evidence(world, batch, receipt):
    header = decode_header(world.base.batch(batch))
    data = BatchData.decode(world.base.batch_data(batch), header.step_count)
    return ProveReceipt(LeftOut(batch, receipt, roots_of(data)).encode())


def trades(world, count):
    return [world.market.trade(i % 3, i % 3 + 1) for i in range(count)]


def test_a_trade_that_was_answered_and_left_out_costs_the_stake_and_no_batch(world):
    with_it, without_it = trades(world, 5), trades(world, 12)
    forge = BatchForge(world.engine)
    assert not forge.honest(with_it, world.now).codes.any()
    promised = receipt_now(world)
    world.rewind()
    batch, _ = posted_frames(world, without_it[:6], without_it[6:])
    assert judged(world).verdict is Verdict.VALID
    stake = world.config.receipt_stake
    proven = ask(world, PROVER, evidence(world, batch, promised))
    assert proven.error is None, proven.text
    assert proven.events[0].rewarded == stake // 2 == proven.events[0].burned
    assert world.base.batch(batch).status is BatchStatus.POSTED
    books_balance(world)


def test_the_laws_own_batches_keep_every_receipt_that_was_given_for_them(world):
    given = []
    for sizes in ((3, 9, 1), (8,), (2, 2)):
        batch, receipts = posted_frames(world, *(trades(world, size) for size in sizes))
        given += [(batch, receipt) for receipt in receipts]
    for batch, _ in given:
        for _, receipt in given:
            refused = ask(world, PROVER, evidence(world, batch, receipt))
            assert refused.error == CourtError.NO_FRAUD, refused.text


def test_after_the_fall_of_a_forged_batch_the_next_generation_may_be_ordered_anew(world):
    bad = world.forged_batch(mint(1, 10**9))
    old = receipt_now(world)
    proof = judged(world).evidence
    assert ask(world, PROVER, ProveFraud(bad, proof)).error is None
    assert world.base.reverts(0, 1)[0].forfeited == world.config.receipt_stake
    world.rewind()
    world.send(SEQUENCER, PutStake())
    batch, _ = posted_frames(world, trades(world, 20))
    new = receipt_now(world, generation=1)
    for body in (
        evidence(world, batch, old),
        evidence(world, batch, new),
        ProveReceipt(TwoReceipts(old, new).encode()),
    ):
        assert ask(world, PROVER, body).error == CourtError.NO_FRAUD
    assert world.base.stake(address_of(SEQUENCER)).amount == world.config.receipt_stake
