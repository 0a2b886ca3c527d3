"""Lies told to the real court: what is taken falls back, and no proof works twice or elsewhere."""

from typing import Any

import pytest

from clearing.keys import address_of
from prover.forge import BatchForge, mint
from prover.proofs import withdrawal_proof
from prover.replica import Verdict
from tests.prover.chain_world import GAS, PROVER, SEQUENCER, ChainWorld, decode_header
from verifier.base.transactions import ClaimWithdrawal, Finalise, ProveFraud, Transaction
from verifier.batches import BatchStatus
from verifier.errors import CourtError


@pytest.fixture
def world():
    made = ChainWorld()
    made.opening_batch()
    return made


def ask(world, key, body):
    """Send what may be refused; return the receipt."""
    nonce = world.base.account(address_of(key)).nonce
    config = world.config
    signed = Transaction(config.chain_id, config.settlement, nonce, GAS, 1, body).sign(key)
    sent = world.base.submit(signed)
    world.mine()
    return world.base.receipt(sent)


def judged(world):
    """Let a fresh replica judge all canonical batches; return the last judgement."""
    replica, last = world.replica(), None
    for view in world.base.batches(1, 100):
        data = world.base.batch_data(view.record.batch_id)
        last = replica.judge(decode_header(view), data)
        if last.verdict is not Verdict.VALID:
            break
    return last


def stolen_withdrawal(state: Any) -> None:
    """Append nothing, but let a withdrawal that exists pay more."""
    state.withdrawals[0].amount *= 1_000


def withdrawing_batch(world, account=1, amount=10**6):
    forge = BatchForge(world.engine)
    assert not forge.honest([world.market.withdraw(account, amount)], world.now).codes.any()
    return world.post(forge.finish(world.place()))


def claim_of(world, batch, index, engine=None):
    count = world.base.batch(batch).record.withdrawal_count
    proof = withdrawal_proof(engine or world.engine, index, count)
    return ClaimWithdrawal(batch, index, proof.leaf, proof.siblings)


def finalise_all(world):
    world.mine(world.config.final_after_blocks + 1)
    for view in world.base.batches(1, 100):
        if view.status is BatchStatus.POSTED:
            assert ask(world, PROVER, Finalise(view.record.batch_id)).error is None


def books_balance(world):
    totals = world.base.bonds()
    assert totals.paid + totals.burned + totals.held == totals.deposited
    assert world.base.solvency().holds


def test_a_forged_withdrawal_falls_before_it_can_be_claimed_and_its_index_is_used_again(world):
    bad = world.forged_batch(stolen_withdrawal, actions=[world.market.withdraw(1, 10**6)], honest=2)
    claim = claim_of(world, bad, 0)
    assert ask(world, PROVER, claim).error == CourtError.NOT_FINALISED
    lie = judged(world)
    assert ask(world, PROVER, ProveFraud(bad, lie.evidence)).error is None
    assert ask(world, PROVER, claim).error == CourtError.NOT_FINALISED
    world.rewind()
    good = withdrawing_batch(world, account=2, amount=7)
    finalise_all(world)
    assert ask(world, PROVER, claim).error == CourtError.NOT_FINALISED
    stale = ClaimWithdrawal(good, 0, claim.leaf, claim.siblings)
    assert ask(world, PROVER, stale).error == CourtError.INVALID_WITHDRAWAL_PROOF
    honest = claim_of(world, good, 0)
    before = world.base.account(address_of((3).to_bytes(32, "big"))).token
    assert ask(world, PROVER, honest).error is None
    assert world.base.account(address_of((3).to_bytes(32, "big"))).token == before + 7
    assert ask(world, PROVER, honest).error == CourtError.ALREADY_CLAIMED
    later = withdrawing_batch(world, account=1, amount=9)
    finalise_all(world)
    assert ask(world, PROVER, claim_of(world, later, 0)).error == CourtError.ALREADY_CLAIMED
    again = ClaimWithdrawal(good, 1, *claim_fields(claim_of(world, later, 1)))
    assert ask(world, PROVER, again).error == CourtError.NO_SUCH_WITHDRAWAL
    assert ask(world, PROVER, claim_of(world, later, 1)).error is None
    books_balance(world)


def claim_fields(claim):
    return claim.leaf, claim.siblings


def test_evidence_of_one_generation_convicts_nobody_in_the_next(world):
    bad = world.forged_batch(mint(1, 10**9))
    child = world.honest_batch()
    lie = judged(world)
    assert ask(world, PROVER, ProveFraud(bad, lie.evidence)).error is None
    for fallen, code in (
        (bad, CourtError.NO_OLDER_COMMITMENT),
        (child, CourtError.ALREADY_REVERTED),
    ):
        refused = ask(world, PROVER, ProveFraud(fallen, lie.evidence))
        assert refused.error == code
    world.rewind()
    good = world.honest_batch()
    refused = ask(world, PROVER, ProveFraud(good, lie.evidence))
    assert refused.error == CourtError.INVALID_EVIDENCE
    assert judged(world).verdict is Verdict.VALID
    finalise_all(world)
    refused = ask(world, PROVER, ProveFraud(good, lie.evidence))
    assert refused.error == CourtError.ALREADY_FINALISED
    books_balance(world)


def test_a_sequencer_who_proves_himself_wrong_burns_every_descendants_bond(world):
    bond = world.config.bond
    bad = world.forged_batch(mint(1, 10**9))
    for _ in range(3):
        world.honest_batch()
    lie = judged(world)
    held = world.base.bonds().held
    assert ask(world, SEQUENCER, ProveFraud(bad, lie.evidence)).error is None
    totals = world.base.bonds()
    assert held - totals.held == 4 * bond - bond // 2
    reward = world.base.reward(world.base.batch(bad).record.generation, bad)
    assert (reward.winner, reward.amount) == (address_of(SEQUENCER), bond // 2)
    books_balance(world)


def test_the_child_of_a_lie_is_proven_on_its_own_only_where_it_lies_itself(world):
    world.forged_batch(mint(1, 10**9))
    second = world.forged_batch(mint(2, 10**9), honest=0)
    lie = judged(world)
    refused = ask(world, PROVER, ProveFraud(second, lie.evidence))
    assert refused.error == CourtError.INVALID_EVIDENCE
    assert world.base.heads().generation == 0
    assert ask(world, PROVER, ProveFraud(lie.batch_id, lie.evidence)).error is None
    assert world.base.batch(second).status == BatchStatus.REVERTED
    books_balance(world)
