"""WITHHELD: steps asked for, answered, asked for in vain, and all of it under reorganisations."""

import pytest

from clearing.recovery import address_of
from clearing.units import STEPS_DEPTH
from tests.support.committee import WINDOWS, committee_of, held
from tests.verifier.court_world import (
    ALICE,
    BOB,
    PROVER,
    SEQUENCER,
    Batch,
    World,
    make_config,
)
from verifier.base.chain_file import ChainFile
from verifier.base.interface import InProcessBaseLayer
from verifier.base.remote import RemoteBaseLayer
from verifier.base.service import BaseLayerServer, SteppedClock
from verifier.base.transactions import (
    AnswerStep,
    AskStep,
    ClaimCredit,
    Faucet,
    Finalise,
    Freeze,
    SettleAsk,
    Transaction,
)
from verifier.batch import STEP_BYTES_MAX, BatchData, Step, decode_pairs, step_record_hash
from verifier.batches import BatchStatus
from verifier.errors import CourtError
from verifier.events import AskReturned, BatchReverted, StepAnswered, StepAsked
from verifier.host import gas
from verifier.multiproof import dense_root
from verifier.withheld import AskStatus, Wanted, answer_closes, ask_closes


@pytest.fixture
def world():
    world = World(make_config(committee=committee_of(), **WINDOWS))
    world.fund()
    return world


class Held:
    """A posted batch of four steps, with what members keep of it."""

    def __init__(self, world, count=4):
        self.steps = tuple(Step(world.now, (b"\x04" + bytes([i]) * 9, b"")) for i in range(count))
        inline = world.build(steps=self.steps)
        header, posted = held(inline.header, inline.data)
        world.opened[header.batch_id()] = inline.opened
        self.batch = world.post(Batch(header, inline.opened, posted))
        self.id = self.batch.id
        self.pairs = BatchData.decode(inline.data, count).pairs
        self.posted_block = world.chain.head().number

    def wanted(self, step):
        """Prove a record: up to four of them are one node, so the others are its siblings."""
        level = [step_record_hash(i, *pair) for i, pair in enumerate(self.pairs)]
        siblings = tuple(level[i] for i in range(len(level)) if i != step)
        return Wanted(step, self.pairs[step].step_hash, self.pairs[step].post_root, siblings)

    def ask(self, step=0):
        return AskStep(self.id, self.wanted(step))

    def answer(self, step=0):
        return AnswerStep(self.id, step, self.steps[step].encode())


def mine_to(world, block):
    world.chain.mine(block - world.chain.head().number)


def to_last_ask(world, held_batch):
    """Let the next block be the last in which may be asked."""
    mine_to(world, ask_closes(world.config.challenge_window_blocks, held_batch.posted_block) - 1)


def to_last_answer(world, held_batch):
    mine_to(world, answer_closes(world.config.challenge_window_blocks, held_batch.posted_block) - 1)


def conserved(world):
    totals = world.court.bonds.totals
    assert totals.paid + totals.burned + totals.held == totals.deposited
    return totals


def error(world, key, body):
    before = world.court.heads(), world.court.bonds.totals
    receipt = world.send(key, body)
    assert (world.court.heads(), world.court.bonds.totals) == before
    return receipt.error


def dry_run(world, key, body):
    return world.chain.dry_run(world.sign(key, body)).error


def test_an_asked_step_is_answered_at_cost_and_the_asker_gets_the_rest(world):
    made = Held(world)
    prepaid = world.court.withheld.prepayment
    before = world.chain.ledger.account(address_of(PROVER)).native
    asked = world.send(PROVER, made.ask(2))
    assert asked.events == (StepAsked(made.id, 2, address_of(PROVER), prepaid),)
    assert world.chain.ledger.account(address_of(PROVER)).native == before - prepaid - asked.fee
    assert world.court.batch(made.id).open_asks == 1

    answered = world.send(BOB, made.answer(2))
    paid, returned = answered.events[0].paid, answered.events[0].returned
    assert answered.events == (StepAnswered(made.id, 2, address_of(BOB), paid, returned),)
    # The answer costs its sender nothing, and earns him nothing.
    assert paid == answered.fee and paid + returned == prepaid
    assert world.court.bonds.credit(address_of(BOB)) == paid
    assert world.court.bonds.credit(address_of(PROVER)) == returned
    assert world.court.withheld.answered(made.id, 2) == made.steps[2].encode()
    assert world.court.batch(made.id).open_asks == 0
    conserved(world)
    for key in (BOB, PROVER):
        assert world.send(key, ClaimCredit()).error is None
    assert conserved(world).held == world.config.bond


def test_an_answer_is_never_paid_more_than_was_prepaid(world):
    made = Held(world)
    world.send(PROVER, made.ask())
    signed = replace_fee(world, BOB, made.answer(), 10 * world.config.proof_fee_per_gas)
    world.chain.submit(signed)
    (block,) = world.chain.mine()
    (event,) = block.receipts[0].events
    assert event.paid == world.court.withheld.prepayment < block.receipts[0].fee
    assert event.returned == 0
    conserved(world)


def replace_fee(world, key, body, fee):
    nonce = world.chain.ledger.account(address_of(key)).nonce
    config = world.config
    limit = 1_000_000
    made = Transaction(config.chain_id, config.settlement, nonce, limit, fee, body)
    return made.sign(key)


def test_a_batch_with_an_unanswered_step_falls_like_fraud(world):
    made = Held(world)
    child = world.post()
    world.send(PROVER, made.ask(1))
    mine_to(world, answer_closes(world.config.challenge_window_blocks, made.posted_block))
    # Whoever calls, the asker is who proved it.
    receipt = world.send(BOB, SettleAsk(made.id, 1))
    bond = world.config.bond
    prepaid = world.court.withheld.prepayment
    asker = address_of(PROVER)
    assert receipt.events == (
        BatchReverted(
            made.id, 1, 0, 1, asker, 2 * bond, bond // 2, 2 * bond - bond // 2,
            receipt.block_number, 0,
        ),
        AskReturned(made.id, 1, asker, prepaid),
    )  # fmt: skip
    assert world.court.batch(made.id).status == BatchStatus.REVERTED
    assert world.court.batch(child.id).status == BatchStatus.REVERTED
    assert world.court.heads().generation == 1 and world.court.heads().tip_number == 0
    assert world.court.bonds.credit(asker) == bond // 2 + prepaid
    assert world.court.bonds.credit(address_of(BOB)) == 0
    conserved(world)


def test_further_asks_about_a_fallen_batch_are_given_back(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    world.send(ALICE, made.ask(3))
    mine_to(world, answer_closes(world.config.challenge_window_blocks, made.posted_block))
    world.send(BOB, SettleAsk(made.id, 0))
    prepaid = world.court.withheld.prepayment
    receipt = world.send(BOB, SettleAsk(made.id, 3))
    assert receipt.events == (AskReturned(made.id, 3, address_of(ALICE), prepaid),)
    assert error(world, BOB, SettleAsk(made.id, 3)) is CourtError.NO_OPEN_ASK
    assert world.court.bonds.credit(address_of(ALICE)) == prepaid
    assert conserved(world).held == 2 * prepaid + world.config.bond // 2
    states = [ask.status for ask in world.court.withheld.asks(made.id, 0, 9)]
    assert states == [AskStatus.RETURNED, AskStatus.RETURNED]


def test_an_ask_about_a_batch_that_a_proof_took_back_is_given_back_at_once(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    assert world.prove(made.batch, BOB).error is None
    assert world.send(ALICE, SettleAsk(made.id, 0)).error is None
    assert world.court.bonds.credit(address_of(PROVER)) == world.court.withheld.prepayment
    conserved(world)


def test_what_was_answered_is_then_proven_wrong(world):
    """The last third of the window is left for BAD_STEP."""
    made = Held(world)
    to_last_ask(world, made)
    assert world.send(PROVER, made.ask(0)).error is None
    to_last_answer(world, made)
    assert world.send(SEQUENCER, made.answer(0)).error is None
    left = made.posted_block + world.config.challenge_window_blocks - world.chain.head().number
    assert left >= world.config.challenge_window_blocks // 3
    assert world.prove(made.batch).error is None
    assert world.court.batch(made.id).status == BatchStatus.REVERTED


def test_a_self_made_ask_loses_half_a_bond(world):
    """The sequencer that lets its own ask lapse gains nothing."""
    made = Held(world)
    world.send(SEQUENCER, made.ask(0))
    mine_to(world, answer_closes(world.config.challenge_window_blocks, made.posted_block))
    world.send(SEQUENCER, SettleAsk(made.id, 0))
    credit = world.court.bonds.credit(address_of(SEQUENCER))
    paid_in = world.config.bond + world.court.withheld.prepayment
    assert credit == paid_in - world.config.bond // 2


def test_a_batch_cannot_become_final_over_an_unanswered_ask(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    world.pass_window()
    assert error(world, SEQUENCER, Finalise(made.id)) is CourtError.ASKS_OPEN
    assert world.send(BOB, SettleAsk(made.id, 0)).error is None
    assert world.court.batch(made.id).status == BatchStatus.REVERTED


def test_an_answered_batch_becomes_final(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    world.send(SEQUENCER, made.answer(0))
    world.pass_window()
    assert world.send(BOB, Finalise(made.id)).error is None
    assert error(world, BOB, SettleAsk(made.id, 0)) is CourtError.ALREADY_FINALISED


def freeze(world):
    tip = world.court.batch(world.court.heads().tip_id).record
    world.now = tip.clock + world.config.freeze_lag_ms + 1
    assert world.send(BOB, Freeze()).error is None


def test_what_was_posted_before_a_freeze_can_still_be_asked_for_and_answered(world):
    made = Held(world)
    freeze(world)
    assert world.send(PROVER, made.ask(0)).error is None
    assert world.send(SEQUENCER, made.answer(0)).error is None
    world.pass_window()
    assert world.send(BOB, Finalise(made.id)).error is None


def test_a_withheld_batch_falls_after_a_freeze_too(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    freeze(world)
    world.pass_window()
    assert error(world, BOB, Finalise(made.id)) is CourtError.ASKS_OPEN
    assert world.send(BOB, SettleAsk(made.id, 0)).error is None
    assert world.court.heads().tip_number == 0
    conserved(world)


def test_asking_ends_with_the_first_third(world):
    made = Held(world)
    to_last_ask(world, made)
    assert world.send(PROVER, made.ask(0)).error is None
    assert error(world, PROVER, made.ask(1)) is CourtError.ASK_WINDOW_CLOSED


@pytest.mark.parametrize(("window", "asks", "answers"), [(90, 1_030, 1_060), (10, 1_003, 1_006)])
def test_a_window_has_three_thirds(window, asks, answers):
    assert (ask_closes(window, 1_000), answer_closes(window, 1_000)) == (asks, answers)


def test_answering_ends_with_the_second_third(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    world.send(PROVER, made.ask(1))
    to_last_answer(world, made)
    assert error(world, BOB, SettleAsk(made.id, 1)) is CourtError.ANSWER_WINDOW_OPEN
    assert error(world, BOB, made.answer(0)) is CourtError.ANSWER_WINDOW_CLOSED


def test_the_last_block_of_answers_is_in_time(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    to_last_answer(world, made)
    assert world.send(BOB, made.answer(0)).error is None


def test_a_step_is_asked_for_once(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    assert dry_run(world, ALICE, made.ask(0)) is CourtError.ALREADY_ASKED
    world.send(BOB, made.answer(0))
    assert error(world, ALICE, made.ask(0)) is CourtError.ALREADY_ASKED
    assert error(world, ALICE, made.answer(0)) is CourtError.NO_OPEN_ASK


def test_nobody_answers_what_nobody_asked(world):
    made = Held(world)
    assert error(world, BOB, made.answer(0)) is CourtError.NO_OPEN_ASK
    assert error(world, BOB, SettleAsk(made.id, 0)) is CourtError.NO_OPEN_ASK
    assert error(world, BOB, SettleAsk(bytes(32), 0)) is CourtError.NO_SUCH_BATCH


WRONG_ANSWERS = {
    "another step's": lambda made: made.steps[1].encode(),
    "a byte more": lambda made: made.steps[0].encode() + b"\0",
    "a byte less": lambda made: made.steps[0].encode()[:-1],
    "nothing": lambda made: b"",
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_an_answer_is_not(world, name):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    body = AnswerStep(made.id, 0, WRONG_ANSWERS[name](made))
    assert error(world, BOB, body) is CourtError.WRONG_ANSWER
    assert world.court.batch(made.id).open_asks == 1


def test_only_what_the_batch_committed_to_can_be_asked_for(world):
    made = Held(world)
    good = made.wanted(1)
    for wanted in (
        good._replace(step=2),
        good._replace(step=4),
        good._replace(step_hash=bytes(32)),
        good._replace(post_root=bytes(32)),
        good._replace(siblings=good.siblings[:-1]),
        good._replace(siblings=(*good.siblings, bytes(32))),
        good._replace(siblings=good.siblings[::-1]),
    ):
        body = AskStep(made.id, wanted)
        assert dry_run(world, PROVER, body) is CourtError.INVALID_STEP_PROOF
    assert dry_run(world, PROVER, AskStep(made.id, good)) is None


def test_the_steps_of_an_inline_batch_are_read_from_the_base_layer(world):
    made = Held(world)
    inline = world.post(world.build(steps=made.steps))
    body = AskStep(inline.id, made.wanted(0))
    assert error(world, PROVER, body) is CourtError.DATA_ARE_INLINE


def test_whoever_cannot_prepay_cannot_ask(world):
    made = Held(world)
    poor = bytes([9] * 32)
    world.send(PROVER, faucet(poor, 10**6))
    assert world.send(poor, made.ask(0), gas=500_000).error is not None
    assert world.court.batch(made.id).open_asks == 0


def faucet(key, native):
    return Faucet(address_of(key), native, 0)


def test_every_step_of_the_fullest_batch_can_be_asked_for_and_answered_in_time():
    """Asking alone must not bring an honest batch down, however rich the asker."""
    world = World(make_config(committee=committee_of(), **WINDOWS))
    world.fund()
    config = world.config
    dearest = gas.answering_max(STEP_BYTES_MAX)
    thirds = answer_closes(config.challenge_window_blocks, 0) - ask_closes(
        config.challenge_window_blocks, 0
    )
    assert config.committee_steps_max * dearest <= thirds * config.block_gas_limit // 2
    longest = Step(world.now, (bytes(2_048),) * 8)
    made = Held(world, 1)
    body = AnswerStep(made.id, 0, longest.encode())
    assert len(longest.encode()) == STEP_BYTES_MAX
    encoded = world.sign(BOB, body)
    assert gas.intrinsic(len(encoded)) + gas.answering(STEP_BYTES_MAX) <= dearest


def test_an_ask_that_is_reorganised_away_leaves_nothing(world):
    made = Held(world)
    before = world.chain.ledger.account(address_of(PROVER)), world.court.bonds.totals
    asked = world.send(PROVER, made.ask(0))
    world.chain.reorg(1, [asked.transaction_hash])
    after = world.chain.ledger.account(address_of(PROVER)), world.court.bonds.totals
    assert after == before
    assert world.court.withheld.asks(made.id, 0, 9) == []
    assert world.court.batch(made.id).open_asks == 0
    assert world.send(PROVER, made.ask(0)).error is None


def test_an_answer_that_is_reorganised_away_is_owed_again(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    answered = world.send(BOB, made.answer(0))
    world.chain.reorg(1, [answered.transaction_hash])
    assert world.court.withheld.answered(made.id, 0) is None
    assert world.court.batch(made.id).open_asks == 1
    assert world.court.bonds.credit(address_of(BOB)) == 0
    assert world.send(BOB, made.answer(0)).error is None


def test_a_fall_that_is_reorganised_away_happens_again(world):
    made = Held(world)
    world.send(PROVER, made.ask(0))
    mine_to(world, answer_closes(world.config.challenge_window_blocks, made.posted_block))
    settled = world.send(BOB, SettleAsk(made.id, 0))
    world.chain.reorg(1)
    assert world.court.batch(made.id).status == BatchStatus.POSTED
    assert world.court.batch(made.id).open_asks == 1
    conserved(world)
    world.chain.mine()
    assert world.chain.receipt(settled.transaction_hash).error is None
    assert world.court.batch(made.id).status == BatchStatus.REVERTED


def test_asks_and_answers_survive_the_chains_file(tmp_path):
    config = make_config(committee=committee_of(), **WINDOWS)
    file = ChainFile(tmp_path / "chain")
    world = World(config, file=file)
    world.fund()
    made = Held(world)
    world.send(PROVER, made.ask(0))
    world.send(PROVER, made.ask(2))
    world.send(BOB, made.answer(2))
    file.close()
    file = ChainFile(tmp_path / "chain")
    again = World(config, file=file)
    file.close()
    assert again.chain.head() == world.chain.head()
    assert again.court.withheld.asks(made.id, 0, 9) == world.court.withheld.asks(made.id, 0, 9)
    assert again.court.withheld.answered(made.id, 2) == made.steps[2].encode()


def test_asks_are_listed_in_the_order_of_their_coming(world):
    made = Held(world)
    for step in (3, 0, 2):
        world.send(PROVER, made.ask(step))
    asks = world.court.withheld.asks(made.id, 0, 9)
    assert [ask.step for ask in asks] == [3, 0, 2]
    assert [ask.step for ask in world.court.withheld.asks(made.id, 1, 1)] == [0]
    assert world.court.withheld.asks(made.id, 3, 9) == []


def test_pairs_alone_rebuild_the_root_that_asks_are_proven_against(world):
    made = Held(world)
    posted = world.court.batch_data(made.id)
    assert decode_pairs(posted, 4) == made.pairs
    leaves = [step_record_hash(i, *pair) for i, pair in enumerate(made.pairs)]
    assert dense_root(STEPS_DEPTH, leaves) == made.batch.header.steps_root


@pytest.fixture
def remote(world):
    server = BaseLayerServer(world.chain, SteppedClock(world.clock))
    server.start()
    client = RemoteBaseLayer(server.address)
    yield client
    client.close()
    server.stop()


def test_the_service_shows_committee_asks_and_answers_as_the_court_has_them(world, remote):
    made = Held(world)
    world.send(PROVER, made.ask(3))
    world.send(PROVER, made.ask(1))
    asked = world.chain.head().hash
    world.send(BOB, made.answer(3))
    local = InProcessBaseLayer(world.chain)
    assert remote.config() == world.config
    for at in (None, asked):
        assert remote.asks(made.id, 0, 9, at) == local.asks(made.id, 0, 9, at)
        assert remote.asks(made.id, 1, 1, at) == local.asks(made.id, 1, 1, at)
        assert remote.batch(made.id, at) == local.batch(made.id, at)
        assert remote.answered(made.id, 3, at) == local.answered(made.id, 3, at)
    assert remote.answered(made.id, 3) == made.steps[3].encode()
    assert remote.answered(made.id, 3, asked) is None
    assert remote.batch(made.id, asked).open_asks == 2
    assert remote.asks(bytes(32), 0, 9) == []
    mine_to(world, answer_closes(world.config.challenge_window_blocks, made.posted_block))
    world.send(BOB, SettleAsk(made.id, 1))
    for number in range(world.chain.head().number + 1):
        for receipt in world.chain.block(number).receipts:
            assert remote.receipt(receipt.transaction_hash) == receipt
