"""Posting against a real simulated chain: retries, reorganisations, rollbacks, restarts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearing.keys import address_of
from clearing.units import LAW_VERSION
from node.batcher import BatchPolicy, batch_data
from node.events import GenerationMoved, InboxArrived, Tick
from node.poster import POSTS_IN_FLIGHT_MAX, Poster
from node.status import BatchStage
from prover.engine import Engine
from prover.proofs import withdrawal_proof
from tests.node.scenario import (
    ALICE_KEY,
    BOB_KEY,
    CHAIN_ID,
    SEQUENCER_KEY,
    SETTLEMENT,
    Shell,
    genesis,
    price,
    submission,
    trade,
    withdraw,
)
from verifier.base.chain import SimulatedChain
from verifier.base.errors import BaseLayerUnavailable
from verifier.base.interface import InProcessBaseLayer, Mode
from verifier.base.mempool import delayed
from verifier.base.transactions import (
    ClaimWithdrawal,
    Deposit,
    Faucet,
    Freeze,
    NameSuccessor,
    OpenPosting,
    PostBatch,
    ProveFraud,
    RotateSequencer,
    Transaction,
)
from verifier.config import CourtConfig
from verifier.header import Header

COURT = CourtConfig.test(
    chain_id=CHAIN_ID, settlement=SETTLEMENT, sequencer=address_of(SEQUENCER_KEY)
)
RICH = 10**15
# Longer than the blocks that pass before anything is sealed.
POLICY = BatchPolicy(steps_max=512, bytes_max=1 << 20, interval_ms=20_000)
ABOUT_FINAL = COURT.final_after_blocks + 3 * COURT.epoch_blocks + 4


class Setting:
    """A node, a chain and a poster between them; `tick` passes one block."""

    def __init__(
        self, native: int = RICH, court: CourtConfig = COURT, policy: BatchPolicy = POLICY
    ) -> None:
        self.shell = Shell(policy=policy)
        # Any evidence is fraud here: what evidence is worth, the court's own tests say.
        self.chain = SimulatedChain(
            court,
            Engine(genesis()).opening(),
            clock=lambda: self.shell.now_ms,
            laws={LAW_VERSION: lambda header, evidence: True},
        )
        self.base = InProcessBaseLayer(self.chain)
        self.nonces: dict[bytes, int] = {}
        self.send(ALICE_KEY, Faucet(address_of(SEQUENCER_KEY), native, 0))
        for key in (ALICE_KEY, BOB_KEY):
            self.send(key, Faucet(address_of(key), RICH, RICH))
            self.send(key, Deposit(address_of(key), 0, 0, 10**12))
        self.poster = self.new_poster()

    def new_poster(self) -> Poster:
        return Poster(self.base, COURT, SEQUENCER_KEY, 1, self.shell.log, self.shell.seals)

    def send(self, key: bytes, body, nonce: int | None = None) -> bytes:
        if nonce is None:
            nonce = self.nonces.get(key, 0)
            self.nonces[key] = nonce + 1
        transaction = Transaction(CHAIN_ID, SETTLEMENT, nonce, 50_000_000, 1, body)
        return self.base.submit(transaction.sign(key))

    def step(self):
        """The poster looks once, and the node hears of it."""
        seals = len(self.shell.seals)
        news = self.poster.step(self.shell.sequencer.inbox_next)
        self.shell.send(GenerationMoved(news.generation, news.closed, news.away))
        self.shell.send(InboxArrived(news.inbox_first, news.inbox))
        for seal in self.shell.seals[seals:]:
            self.poster.add(seal)
        return news

    def tick(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.shell.now_ms += COURT.block_time_ms
            self.chain.mine()
            self.step()

    def refused(self, action: bytes):
        """Submit an action and return why it was not looked at."""
        request = 10_000 + len(self.shell.refusals)
        self.shell.send(submission(request, action))
        return self.shell.refusals[request]

    def seal(self, *actions: bytes) -> None:
        """Clear actions and end a batch."""
        self.shell.submit(len(self.shell.replies), *actions)
        self.shell.now_ms += POLICY.interval_ms + 1
        known = len(self.shell.seals)
        self.shell.send(Tick())
        for seal in self.shell.seals[known:]:
            self.poster.add(seal)


@pytest.fixture
def setting():
    made = Setting()
    made.tick(8)
    made.seal(price(made.shell.now_ms), trade(1))
    made.tick(2)
    return made


def test_only_deposits_of_final_blocks_are_consumed():
    setting = Setting()
    setting.tick()
    assert setting.base.inbox(0, 9) != []
    assert setting.shell.sequencer.inbox_next == 0
    setting.tick(8)
    assert setting.shell.sequencer.inbox_next == 2


def test_a_batch_is_posted_finalised_and_its_withdrawal_claimed(setting):
    setting.seal(withdraw(1, amount=77))
    setting.tick(ABOUT_FINAL + 6)
    heads = setting.base.heads()
    assert heads.tip_number == heads.finalised_number == 2
    assert heads.tip_root == setting.shell.engine.root()
    status = setting.poster.status
    assert status.stage(2) == BatchStage.WITHDRAWABLE
    assert not status.error and not status.foreign_batch
    proof = withdrawal_proof(setting.shell.engine, 0, setting.shell.seals[1].withdrawal_count)
    name = status.posted_batches[2].batch_id
    setting.send(ALICE_KEY, ClaimWithdrawal(name, 0, proof.leaf, proof.siblings))
    setting.tick()
    assert setting.base.is_claimed(0)


def test_what_was_posted_is_the_batch_and_refers_to_a_final_block(setting):
    view = setting.base.batches(1, 1)[0]
    header = Header.decode(view.record.header)
    seal = setting.shell.seals[0]
    assert setting.base.batch_data(view.record.batch_id) == batch_data(setting.shell.log, seal)
    assert (header.pre_root, header.post_root) == (seal.pre_root, seal.post_root)
    assert setting.base.block(header.base_number).hash == header.base_hash
    assert header.base_number <= setting.base.head().finalised_number


def test_stages_are_reported_as_they_move(setting):
    setting.seal(trade(2))
    seen = []
    for _ in range(ABOUT_FINAL + 8):
        setting.shell.now_ms += COURT.block_time_ms
        setting.chain.mine()
        seen += [
            setting.poster.status.stage(seal.number)
            for seal in setting.step().moved
            if seal.number == 2
        ]
    assert seen == [
        BatchStage.POSTED,
        BatchStage.SAFE,
        BatchStage.FINALISED,
        BatchStage.WITHDRAWABLE,
    ]


def test_several_batches_go_out_one_after_the_other_in_few_blocks(setting):
    for k in range(2, 8):
        setting.seal(trade(k))
    setting.step()
    assert len(setting.chain.mempool) == POSTS_IN_FLIGHT_MAX
    setting.tick(3)
    assert setting.base.heads().tip_number == 7
    assert setting.poster.failed == 0


def test_a_batch_that_a_reorganisation_took_away_is_posted_again(setting):
    setting.seal(trade(2))
    setting.step()
    block = setting.chain.mine()[0]
    assert setting.base.heads().tip_number == 2
    name = setting.base.heads().tip_id
    setting.step()
    setting.chain.reorg(1, drop=[signed.hash for signed in block.transactions])
    setting.chain.mine()
    assert setting.base.heads().tip_number == 1
    setting.tick(5)
    assert setting.base.heads().tip_number == 2
    assert setting.base.heads().tip_id == name


def test_a_posting_that_waits_long_is_neither_doubled_nor_lost(setting):
    setting.chain.mempool.policy = delayed(4)
    setting.seal(trade(2))
    setting.seal(trade(3))
    setting.tick(16)
    assert setting.base.heads().tip_number == 3
    assert setting.poster.failed == 0
    posted = setting.poster.status.posted_batches
    assert [posted[number].postings for number in (2, 3)] == [1, 1]


def test_after_a_rollback_the_same_data_are_posted_under_the_new_generation(setting):
    setting.seal(trade(2))
    setting.tick(2)
    data = batch_data(setting.shell.log, setting.shell.seals[1])
    fallen = setting.base.batches(1, 9)
    evidence = fallen[0].record.header + bytes(4)
    setting.send(BOB_KEY, ProveFraud(fallen[0].record.batch_id, evidence))
    setting.tick()
    assert setting.base.heads().generation == 1
    setting.tick(6)
    posted = setting.base.batches(1, 9)
    assert [view.record.generation for view in posted] == [1, 1]
    assert setting.base.batch_data(posted[1].record.batch_id) == data
    assert setting.shell.sequencer.generation == 1
    assert setting.shell.submit(99, trade(3)).receipt.generation == 1


def forged(setting: Setting) -> bytes:
    """Post a batch with the sequencer's stolen key; return its id."""
    first = setting.base.batches(1, 1)[0].record
    data = setting.base.batch_data(first.batch_id)
    assert data is not None
    engine = Engine(genesis())
    header = replace(
        Header.decode(first.header),
        number=2,
        parent_id=first.batch_id,
        pre_root=first.post_root,
        base_number=setting.base.head().finalised_number,
        base_hash=setting.base.head().finalised_hash,
    )
    opening = setting.shell.seals[0].opening
    assert engine.root() != header.post_root
    nonce = setting.base.account(address_of(SEQUENCER_KEY)).nonce
    setting.send(SEQUENCER_KEY, PostBatch(COURT.bond, header.encode(), opening, data), nonce=nonce)
    return header.batch_id()


def test_a_batch_of_a_stolen_key_stops_posting_until_it_is_reverted(setting):
    name = forged(setting)
    setting.tick()
    assert setting.base.heads().tip_id == name
    assert setting.poster.status.foreign_batch
    setting.seal(trade(2))
    setting.tick(3)
    assert setting.base.heads().tip_id == name
    assert name.hex() in setting.poster.status.error
    setting.send(BOB_KEY, ProveFraud(name, setting.base.batch(name).record.header + bytes(4)))
    setting.tick(5)
    assert not setting.poster.status.foreign_batch
    assert setting.base.heads().tip_root == setting.shell.engine.root()
    assert setting.base.heads().generation == 1


def test_a_new_poster_recognises_the_batches_of_the_one_before(setting):
    setting.seal(trade(2))
    setting.tick(2)
    setting.poster = setting.new_poster()
    setting.seal(trade(3))
    setting.tick(3)
    assert not setting.poster.status.foreign_batch
    assert setting.base.heads().tip_number == 3
    assert setting.poster.submitted == 1


def test_a_poster_without_money_says_how_much_it_needs():
    setting = Setting(native=5)
    setting.tick(8)
    setting.seal(price(setting.shell.now_ms))
    setting.tick()
    assert "fund the address" in setting.poster.status.error
    assert setting.base.heads().tip_number == 0
    setting.send(ALICE_KEY, Faucet(address_of(SEQUENCER_KEY), RICH, 0))
    setting.tick(3)
    assert setting.base.heads().tip_number == 1
    assert setting.poster.status.error == ""


def test_bonds_that_came_back_are_pulled(setting):
    for k in range(2, 8):
        setting.seal(trade(k))
        setting.tick()
    setting.tick(ABOUT_FINAL + 6)
    assert setting.base.credit(address_of(SEQUENCER_KEY)) < 4 * COURT.bond


def test_blocks_that_come_during_a_step_make_nothing_be_sent_twice(setting):
    class Hurried(InProcessBaseLayer):
        """Mines a block right after what a step surveys."""

        def batches(self, first, limit, at=None):
            found = super().batches(first, limit, at)
            setting.shell.now_ms += COURT.block_time_ms
            setting.chain.mine()
            return found

    setting.poster._base = Hurried(setting.chain)
    for k in range(2, 8):
        setting.seal(trade(k))
        setting.step()
    for _ in range(ABOUT_FINAL + 6):
        setting.step()
    assert setting.base.heads().finalised_number == 7
    assert setting.poster.failed == 0


def test_a_base_layer_that_does_not_answer_costs_a_step_and_nothing_else(setting):
    class Silent(InProcessBaseLayer):
        def head(self):
            raise BaseLayerUnavailable("GetHead", "silence")

    answering = setting.poster._base
    setting.seal(trade(2))
    setting.poster._base = Silent(setting.chain)
    with pytest.raises(BaseLayerUnavailable):
        setting.poster.step(0)
    setting.poster._base = answering
    setting.tick(2)
    assert setting.base.heads().tip_number == 2


# Who may post


def test_a_frozen_house_is_told_of_and_nothing_is_posted(setting):
    setting.shell.now_ms += COURT.freeze_lag_ms + 1
    setting.send(ALICE_KEY, Freeze())
    setting.chain.mine()
    setting.seal(price(setting.shell.now_ms))
    setting.tick(3)
    status = setting.poster.status
    assert "frozen" in status.error
    assert status.mode == Mode.FROZEN
    assert status.freezes_ms - status.opens_ms == COURT.freeze_lag_ms - COURT.open_lag_ms
    assert status.lag_ms > COURT.freeze_lag_ms
    assert setting.base.heads().tip_number == 1


def test_a_key_that_was_rotated_away_posts_nothing_and_says_which_one_does(setting):
    nonce = setting.base.account(address_of(SEQUENCER_KEY)).nonce
    setting.send(SEQUENCER_KEY, RotateSequencer(address_of(ALICE_KEY)), nonce)
    setting.chain.mine()
    setting.seal(price(setting.shell.now_ms))
    setting.tick(3)
    assert address_of(ALICE_KEY).hex() in setting.poster.status.error
    assert setting.base.heads().tip_number == 1
    refused = setting.refused(trade(2))
    assert refused.reason == "HOUSE_CLOSED" and address_of(ALICE_KEY).hex() in refused.message


def test_while_the_house_is_offered_what_was_acknowledged_is_posted_and_nothing_more_is(setting):
    setting.seal(trade(2))
    nonce = setting.base.account(address_of(SEQUENCER_KEY)).nonce
    setting.send(SEQUENCER_KEY, NameSuccessor(address_of(ALICE_KEY)), nonce)
    setting.tick(2)
    assert setting.base.heads().tip_number == 2
    refused = setting.refused(trade(3))
    assert refused.reason == "HOUSE_CLOSED" and address_of(ALICE_KEY).hex() in refused.message
    nonce = setting.base.account(address_of(SEQUENCER_KEY)).nonce
    setting.send(SEQUENCER_KEY, NameSuccessor(bytes(20)), nonce)
    setting.tick(2)
    setting.seal(trade(3))
    setting.tick(2)
    assert setting.base.heads().tip_number == 3


def test_a_node_that_comes_back_catches_up_and_closes_open_posting(setting):
    setting.shell.now_ms += COURT.open_lag_ms + 1
    setting.send(ALICE_KEY, OpenPosting())
    setting.chain.mine()
    assert setting.base.standing().mode == Mode.OPEN
    setting.seal(price(setting.shell.now_ms))
    setting.tick(6)
    assert setting.base.standing().mode == Mode.SEQUENCER
    heads = setting.base.heads()
    assert (heads.generation, heads.tip_number) == (2, 2)
    setting.seal(price(setting.shell.now_ms))
    setting.tick(4)
    assert setting.base.heads().tip_number == 3
