"""Receivers that take no money: whoever is owed to one waits alone, and holds up nobody else."""

import pytest

from clearing.recovery import address_of
from tests.attacks.ledger_audit import audit
from tests.attacks.lifecycles import LIFECYCLES
from tests.attacks.stage import Lifecycle, Stage, begin
from tests.support.exits import ExitWorld, Holder
from tests.verifier.court_world import ALICE, BOB, PROVER, withdrawing
from verifier.base.transactions import ClaimCredit, PayExit, RefundDeposit, TakeSurplus
from verifier.errors import TransactionError

REFUSES = TransactionError.RECEIVER_REFUSES
PAYING = [life for life in LIFECYCLES if life.name != "money of every asset"]


def native(world, key):
    return world.chain.ledger.account(address_of(key)).native


def tokens(world, address):
    return world.chain.ledger.account(address).token


def test_a_withdrawal_to_a_receiver_that_refuses_waits_and_the_next_one_is_paid():
    world = ExitWorld()
    world.fund()
    _, claims = withdrawing(world)
    world.chain.ledger.takes_nothing = {address_of(BOB)}
    before = tokens(world, address_of(BOB))
    assert world.send(ALICE, claims[0]).error == REFUSES
    assert not world.court.escrow.is_claimed(0) and world.court.solvency().holds
    world.chain.ledger.takes_nothing.clear()
    for claim in claims:
        assert world.send(ALICE, claim).error is None
    assert tokens(world, address_of(BOB)) == before + 700


def test_a_prover_that_refuses_its_reward_takes_the_batch_back_all_the_same():
    world = ExitWorld()
    world.fund()
    batch = world.post()
    world.chain.ledger.takes_nothing = {address_of(PROVER)}
    assert world.prove(batch).error is None
    assert world.settle_reward(batch).error is None
    assert world.send(PROVER, ClaimCredit()).error == REFUSES
    credit = world.court.bonds.credit(address_of(PROVER))
    assert credit == world.config.bond // 2
    world.chain.ledger.takes_nothing.clear()
    before = native(world, PROVER)
    receipt = world.send(PROVER, ClaimCredit())
    assert native(world, PROVER) == before + credit - receipt.fee


def test_in_an_exit_everybody_else_is_paid_and_who_refuses_may_change_his_mind():
    world = ExitWorld()
    world.settle(Holder(cash=700), Holder(cash=300))
    world.now -= world.config.freeze_lag_ms
    index = world.court.inbox.count
    world.deposit(BOB, 5_000)
    world.now += world.config.freeze_lag_ms
    world.begin()
    world.claim(2, 3)
    world.close_claims()
    refusing = {bytes([2]) * 20, address_of(BOB), world.config.beneficiary}
    world.chain.ledger.takes_nothing = refusing
    for body in (PayExit(2), RefundDeposit(index)):
        assert world.send(ALICE, body).error == REFUSES
    assert world.pay(3)[3][0] == 300
    world.chain.ledger.takes_nothing = refusing - {bytes([2]) * 20}
    assert world.pay(2)[2][0] == 700
    world.chain.ledger.takes_nothing = set()
    assert world.send(ALICE, RefundDeposit(index)).error is None


def test_a_beneficiary_that_refuses_leaves_the_surplus_where_it_is():
    world = ExitWorld()
    world.settle(Holder(cash=700), funds=77)
    world.leave(2)
    world.chain.mine(world.config.exit_end_blocks)
    world.chain.ledger.takes_nothing = {world.config.beneficiary}
    assert world.send(ALICE, TakeSurplus(0)).error == REFUSES
    assert world.court.exit.totals().left[0] == 77 == world.court.escrow.held()


@pytest.mark.parametrize("life", PAYING, ids=lambda life: life.name)
def test_a_life_goes_on_while_any_one_party_refuses_money_and_ends_when_it_takes_it(
    life: Lifecycle,
) -> None:
    """Only what is owed to the one who refuses is left; nobody else waits for him."""
    parties = {move.key for group in life.groups for move in group if move.key}
    parties |= {BOB, ALICE}
    for key in parties:
        stage: Stage = begin(life)
        stage.chain.ledger.takes_nothing = {address_of(key), bytes([2]) * 20}
        # An exit must not end meanwhile: what was not paid then is the beneficiary's.
        for _ in range(40 if life.prepare else 150):
            stage.act(life)
            stage.tick()
        owed = ("claim", "pay", "refund", "surplus", "take", "finalise", "file", "post")
        assert all(move.name.startswith(owed) for move in life.wanted(stage))
        stage.chain.ledger.takes_nothing = set()
        stage.live(life, 400)
        audit(stage, life)
