"""What the court refuses, what it takes back, and that its money is always all there."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clearing.keccak import keccak256
from clearing.recovery import address_of
from clearing.units import LAW_VERSION
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.witness import build_evidence
from tests.prover.market import Market
from tests.verifier.court_world import (
    ALICE,
    BOB,
    GAS,
    GENESIS_GLOBALS,
    PROVER,
    SEQUENCER,
    SETTLEMENT,
    START_MS,
    World,
    evidence,
    judge,
    make_config,
    opening_of,
    withdrawals_tree,
    withdrawing,
)
from verifier.base.chain import SimulatedChain
from verifier.base.transactions import (
    ClaimCredit,
    ClaimWithdrawal,
    Commit,
    Deposit,
    Faucet,
    Finalise,
    PostBatch,
    ProveFraud,
    PutStake,
    SettleReward,
    TakeStake,
    Transaction,
)
from verifier.batches import BatchStatus
from verifier.config import CourtConfig
from verifier.court import Court
from verifier.errors import (
    ConfigError,
    CourtError,
    PostError,
    Refused,
    TransactionError,
    refusal_of,
)
from verifier.escrow import WithdrawalLeaf
from verifier.events import BatchFinalised, BatchReverted, CreditClaimed, Deposited
from verifier.host.ledger import Ledger
from verifier.host.storage import UndoLog
from verifier.inbox import ACCOUNTS_MAX, Inbox
from verifier.rewards import commitment_of


@pytest.fixture
def world():
    world = World()
    world.fund()
    return world


# Fraud


def test_a_proof_takes_back_the_batch_and_everything_on_it(world):
    first, second, third = world.post(), world.post(), world.post()
    receipt = world.prove(second, step=0)
    bond = world.config.bond
    event = BatchReverted(
        second.id,
        2,
        0,
        0,
        address_of(PROVER),
        2 * bond,
        bond // 2,
        2 * bond - bond // 2,
        receipt.block_number,
        0,
    )
    assert receipt.events == (event,)
    heads = world.court.heads()
    assert (heads.tip_id, heads.tip_number, heads.generation) == (first.id, 1, 1)
    statuses = [world.court.batch(batch.id).status for batch in (first, second, third)]
    assert statuses == [BatchStatus.POSTED, BatchStatus.REVERTED, BatchStatus.REVERTED]
    assert world.court.reverts(0, 10) == [event]
    assert world.court.batch_data(third.id) == third.data


def test_half_of_one_bond_rewards_the_prover_and_the_rest_burns(world):
    first = world.post()
    world.post()
    world.prove(first)
    bond = world.config.bond
    assert world.court.bonds.credit(address_of(PROVER)) == 0
    assert world.court.bonds.totals == (2 * bond, 0, 2 * bond - bond // 2, bond // 2)
    assert world.settle_reward(first).error is None
    assert world.court.bonds.credit(address_of(PROVER)) == bond // 2
    assert world.court.bonds.totals == (2 * bond, 0, 2 * bond - bond // 2, bond // 2)


def test_proving_ones_own_batch_wrong_always_loses(world):
    batch = world.post()
    before = world.chain.ledger.account(address_of(SEQUENCER)).native + world.config.bond
    world.prove(batch, key=SEQUENCER)
    world.settle_reward(batch)
    assert world.send(SEQUENCER, ClaimCredit()).error is None
    after = world.chain.ledger.account(address_of(SEQUENCER)).native
    assert before - after >= world.config.bond // 2


def test_after_a_rollback_only_the_new_generation_is_posted(world):
    batch = world.post()
    world.prove(batch)
    assert world.try_post(batch).error == PostError.WRONG_GENERATION
    again = world.post()
    assert again.header.generation == 1 and again.id != batch.id
    assert world.court.batch(batch.id).status == BatchStatus.REVERTED
    assert world.court.batch(again.id).status == BatchStatus.POSTED


def test_a_second_proof_finds_the_work_done(world):
    first, second = world.post(), world.post()
    world.prove(first)
    assert world.prove(first, key=ALICE).error == CourtError.NO_OLDER_COMMITMENT
    assert world.prove(second, key=ALICE).error == CourtError.ALREADY_REVERTED
    assert world.court.bonds.credit(address_of(ALICE)) == 0


def test_evidence_that_shows_no_fraud_changes_nothing(world):
    batch = world.post()
    before = world.court.heads(), world.court.bonds.totals
    cases = {
        CourtError.NO_FRAUD: evidence(batch.header, verdict=b"N"),
        CourtError.INVALID_EVIDENCE: b"",
        CourtError.EVIDENCE_TOO_LONG: bytes(world.config.evidence_bytes_max + 1),
    }
    for code, sent in cases.items():
        assert world.send(PROVER, ProveFraud(batch.id, sent)).error == code
        assert (world.court.heads(), world.court.bonds.totals) == before


def test_evidence_of_another_batch_does_not_convict(world):
    first, second = world.post(), world.post()
    receipt = world.send(PROVER, ProveFraud(first.id, evidence(second.header)))
    assert receipt.error == CourtError.INVALID_EVIDENCE


def test_running_out_of_gas_is_nobodys_guilt(world):
    batch = world.post()
    body = ProveFraud(batch.id, evidence(batch.header))
    receipt = world.send(PROVER, body, gas=1_000_000)
    assert receipt.error.name == "OUT_OF_GAS" and receipt.gas_used == 1_000_000
    assert world.court.batch(batch.id).status == BatchStatus.POSTED
    assert world.prove(batch).error is None


def test_a_wrong_batch_falls_after_its_window_if_nobody_finalised_it(world):
    batch = world.post()
    world.pass_window()
    assert world.prove(batch).error is None


def test_what_is_not_posted_cannot_be_proven_wrong_or_finalised(world):
    batch = world.build()
    assert world.prove(batch).error == CourtError.NO_SUCH_BATCH
    assert world.send(BOB, Finalise(batch.id)).error == CourtError.NO_SUCH_BATCH


def test_a_rollback_writes_as_little_for_many_batches_as_for_one():
    def writes(count):
        config = make_config(max_unfinalised=10_000)
        world = World(config=config)
        world.fund()
        first = world.post()
        for _ in range(count - 1):
            world.post()
        log = world.chain._log
        before = log.mark()
        world.chain.submit(world.sign(PROVER, ProveFraud(first.id, evidence(first.header))))
        context = world.chain._next_context()
        pending = world.chain.mempool.offered(context.number)[0].signed
        receipt = world.chain._include(pending, context, 0)
        assert receipt.error is None and world.court.reverts(0, 1)[0].slashed == count * config.bond
        return log.mark() - before, receipt.gas_used

    assert writes(1) == writes(40)


@pytest.mark.parametrize("honest", [True, False])
def test_the_law_itself_convicts_a_forged_step_and_no_other(honest):
    market = Market()
    engine = Engine(market.genesis)
    config = CourtConfig.test(
        chain_id=market.genesis.chain_id,
        settlement=market.genesis.settlement,
        sequencer=address_of(SEQUENCER),
    )
    chain = SimulatedChain(config, engine.opening(), clock=lambda: START_MS)

    def send(key, body):
        nonce = chain.ledger.account(address_of(key)).nonce
        signed = Transaction(config.chain_id, config.settlement, nonce, GAS, 1, body).sign(key)
        submitted = chain.submit(signed)
        chain.mine()
        return chain.receipt(submitted)

    for key in (SEQUENCER, PROVER):
        assert send(key, Faucet(address_of(key), 10**14, 0)).error is None
    forge = BatchForge(engine)
    if honest:
        forge.honest([b"\x04undecodable"], START_MS + 5)
    else:
        forge.forged([b"\x04undecodable"], START_MS + 5, mutate=hide_the_time)
    heads, head = chain.court.heads(), chain.head()
    place = Place(0, 1, heads.tip_id, head.number, head.hash, address_of(SEQUENCER))
    posting = forge.finish(place)
    opening = posting.opening.encode()
    post = PostBatch(config.bond, posting.header.encode(), opening, posting.data)
    assert send(SEQUENCER, post).error is None
    step = forge.steps[0].encode()
    witness = build_evidence(Engine(market.genesis), posting.header, forge.pairs, 0, step)
    batch_id = posting.header.batch_id()
    receipt = send(PROVER, ProveFraud(batch_id, witness.encode()))
    view = chain.court.batch(batch_id)
    assert view is not None
    if honest:
        assert (receipt.error, view.status) == (CourtError.NO_FRAUD, BatchStatus.POSTED)
    else:
        assert (receipt.error, view.status) == (None, BatchStatus.REVERTED)


def hide_the_time(state):
    state.globals[0].clock = START_MS


# Finality


def test_a_batch_is_final_after_its_window_and_not_at_its_end(world):
    batch = world.post()
    posted = world.court.batch(batch.id).record.posted_block
    window = world.config.final_after_blocks
    world.chain.mine(posted + window - 1 - world.chain.head().number)
    receipt = world.send(BOB, Finalise(batch.id))
    assert receipt.block_number == posted + window
    assert receipt.error == CourtError.CHALLENGE_WINDOW_OPEN
    receipt = world.send(BOB, Finalise(batch.id))
    bond = world.config.bond
    assert receipt.events == (BatchFinalised(batch.id, 1, address_of(SEQUENCER), bond),)
    assert world.court.bonds.credit(address_of(SEQUENCER)) == bond


def test_batches_are_finalised_in_order_and_once(world):
    first, second = world.post(), world.post()
    world.pass_window()
    assert world.send(BOB, Finalise(second.id)).error == CourtError.NOT_NEXT_TO_FINALISE
    assert world.send(BOB, Finalise(first.id)).error is None
    assert world.send(BOB, Finalise(first.id)).error == CourtError.ALREADY_FINALISED
    assert world.send(BOB, Finalise(second.id)).error is None


def test_what_is_final_stays(world):
    batch = world.post()
    world.pass_window()
    world.send(BOB, Finalise(batch.id))
    assert world.prove(batch).error == CourtError.ALREADY_FINALISED
    genesis = world.court.batches(0, 1)[0].record.batch_id
    assert world.send(BOB, Finalise(genesis)).error == CourtError.ALREADY_FINALISED


def test_a_reverted_batch_is_never_finalised(world):
    batch = world.post()
    world.prove(batch)
    world.pass_window()
    assert world.send(BOB, Finalise(batch.id)).error == CourtError.ALREADY_REVERTED


def test_a_credit_is_paid_once(world):
    batch = world.post()
    world.prove(batch)
    world.settle_reward(batch)
    before = world.chain.ledger.account(address_of(PROVER)).native
    receipt = world.send(PROVER, ClaimCredit())
    reward = world.config.bond // 2
    assert receipt.events == (CreditClaimed(address_of(PROVER), reward),)
    after = world.chain.ledger.account(address_of(PROVER)).native
    assert after - before == reward - receipt.fee
    assert world.send(PROVER, ClaimCredit()).error == CourtError.NO_CREDIT


# The inbox


def test_a_pair_of_owner_and_subaccount_has_one_account_for_ever(world):
    alice, bob = address_of(ALICE), address_of(BOB)
    events = [
        world.deposit(ALICE, 5).events[0],
        world.deposit(ALICE, 6, subaccount=1).events[0],
        world.deposit(BOB, 7).events[0],
        world.deposit(ALICE, 8).events[0],
    ]
    assert events == [
        Deposited(0, 3, alice, 0, 0, 5),
        Deposited(1, 4, alice, 1, 0, 6),
        Deposited(2, 5, bob, 0, 0, 7),
        Deposited(3, 3, alice, 0, 0, 8),
    ]
    assert world.court.inbox.account_of(alice, 1) == 4
    assert world.court.inbox.account_of(bob, 1) is None


def test_the_accumulator_chains_the_messages(world):
    world.deposit(ALICE, 5)
    message = world.court.inbox.entry(0).message.encode()
    padded = (53).to_bytes(8, "big") + message + bytes(3)
    hashed = keccak256(padded + b"\x15")
    assert world.court.inbox.accumulator_at(1) == keccak256(bytes(32) + hashed + b"\x16")


@pytest.mark.parametrize(
    ("asset", "amount", "code"),
    [
        (8, 5, CourtError.UNKNOWN_ASSET),
        (0, 0, CourtError.AMOUNT_OUT_OF_BOUNDS),
        (0, 2**61 + 1, CourtError.AMOUNT_OUT_OF_BOUNDS),
        (0, 2**61, CourtError.INSUFFICIENT_TOKENS),
    ],
)
def test_a_deposit_is_refused_that_could_not_be_credited(world, asset, amount, code):
    receipt = world.send(ALICE, Deposit(address_of(ALICE), 0, asset, amount))
    assert receipt.error == code
    assert world.court.inbox.count == 0
    assert world.court.inbox.account_of(address_of(ALICE), 0) is None


def test_there_are_no_more_accounts_than_the_tree_has_leaves():
    inbox = Inbox(UndoLog(), ACCOUNTS_MAX - 1)
    assert inbox.deposit(b"a" * 20, 0, 0, 1, 1, 1).account == 4**12 - 1
    with pytest.raises(Refused) as refused:
        inbox.deposit(b"b" * 20, 0, 0, 1, 1, 1)
    assert refused.value.code == CourtError.ACCOUNTS_FULL
    assert inbox.deposit(b"a" * 20, 0, 0, 1, 1, 1).account == 4**12 - 1


# The way out


def test_a_withdrawal_is_paid_from_a_final_batch_once(world):
    _, claims = withdrawing(world)
    before = world.chain.ledger.account(address_of(BOB)).token
    for claim in claims:
        assert world.send(ALICE, claim).error is None
        assert world.send(ALICE, claim).error == CourtError.ALREADY_CLAIMED
    assert world.chain.ledger.account(address_of(BOB)).token == before + 700
    assert world.court.escrow.held() == 300
    assert world.court.solvency() == (300, 300, 0, 0)
    assert world.court.solvency().holds


def test_a_withdrawal_waits_for_finality(world):
    _, claims = withdrawing(world, finalise=False)
    assert world.send(BOB, claims[0]).error == CourtError.NOT_FINALISED


def test_a_claim_against_another_final_batch_pays_no_second_time(world):
    _, claims = withdrawing(world)
    world.send(BOB, claims[0])
    later = world.post()
    world.pass_window()
    world.send(BOB, Finalise(later.id))
    again = replace(claims[0], batch_id=later.id)
    assert world.send(BOB, again).error == CourtError.ALREADY_CLAIMED
    assert world.send(BOB, replace(claims[1], batch_id=later.id)).error is None


def test_a_claim_must_prove_its_own_leaf(world):
    _, (first, second) = withdrawing(world)
    wrong = CourtError.INVALID_WITHDRAWAL_PROOF
    forged = WithdrawalLeaf(0, 0, 301, 3, address_of(BOB)).encode()
    cases = [
        (replace(first, leaf=forged), wrong),
        (replace(first, leaf=second.leaf), wrong),
        (replace(first, siblings=()), wrong),
        (replace(first, siblings=(*first.siblings, bytes(32))), wrong),
        (replace(first, siblings=second.siblings), wrong),
        (replace(first, leaf=first.leaf[:43] + b"\x01" + first.leaf[44:]), wrong),
        (replace(first, index=2), CourtError.NO_SUCH_WITHDRAWAL),
        (replace(first, batch_id=bytes(32)), CourtError.NO_SUCH_BATCH),
    ]
    for claim, code in cases:
        assert world.send(BOB, claim).error == code
    assert world.court.escrow.paid() == 0


def test_a_leaf_at_another_place_than_its_index_pays_nobody(world):
    """Such a tree only a fraud can hold; paid by place, the leaf would be paid once a place."""
    world.deposit(ALICE, 1_000)
    claim = final_with(world, WithdrawalLeaf(1, 0, 5, 3, address_of(BOB)))
    assert world.send(BOB, claim).error == CourtError.INVALID_WITHDRAWAL_PROOF


def final_with(world, leaf):
    root, siblings = withdrawals_tree([leaf])
    batch = world.post(world.build(world.after(withdrawal_count=1, withdrawals_root=root)))
    world.pass_window()
    world.send(BOB, Finalise(batch.id))
    return ClaimWithdrawal(batch.id, 0, leaf.encode(), siblings[0])


@pytest.mark.parametrize(
    ("asset", "amount", "code"),
    [
        (8, 5, CourtError.UNKNOWN_ASSET),
        (0, 1_001, CourtError.ESCROW_SHORT),
        (0, -1, CourtError.ESCROW_SHORT),
    ],
)
def test_the_escrow_never_pays_what_it_does_not_have(world, asset, amount, code):
    world.deposit(ALICE, 1_000)
    claim = final_with(world, WithdrawalLeaf(0, asset, amount, 3, address_of(BOB)))
    assert world.send(BOB, claim).error == code
    assert world.court.escrow.held() == 1_000


def test_solvency_counts_what_is_not_consumed_yet(world):
    world.deposit(ALICE, 1_000)
    assert world.court.solvency() == (1_000, 0, 0, 1_000)
    world.post()
    assert world.court.solvency() == (1_000, 1_000, 0, 0)


def test_a_state_that_claims_more_than_the_escrow_is_not_solvent(world):
    world.deposit(ALICE, 1_000)
    world.post(world.build(world.after(custody=1_001)))
    assert not world.court.solvency().holds


def test_what_genesis_holds_in_custody_is_in_escrow():
    opened = GENESIS_GLOBALS._replace(custody=50)
    log = UndoLog()
    court = Court(make_config(), opening_of(opened), Ledger(log), log, {LAW_VERSION: judge})
    assert court.solvency() == (50, 50, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"law_version": LAW_VERSION + 1},
        {"inbox_count": 1},
        {"withdrawal_count": 1},
        {"custody": -1},
    ],
)
def test_a_state_that_is_no_beginning_is_refused(change):
    log = UndoLog()
    with pytest.raises(ConfigError):
        Court(make_config(), opening_of(GENESIS_GLOBALS._replace(**change)), Ledger(log), log)


# Views and configuration


def test_views_answer_whatever_they_are_asked(world):
    court = world.court
    assert court.batch(bytes(32)) is None and court.batch(b"") is None
    assert court.batch_data(bytes(32)) is None
    genesis = court.batches(-5, 99)
    assert [view.record.number for view in genesis] == [0]
    assert court.batch_data(genesis[0].record.batch_id) is None
    assert court.batches(1, 5) == [] and court.batches(0, -1) == []
    assert court.reverts(-1, 99) == [] and court.reverts(7, 1) == []
    assert court.inbox.entries(-1, 5) == [] and court.inbox.entry(-1) is None
    assert court.bonds.credit(b"") == 0
    assert not court.escrow.is_claimed(-1)


def test_the_presets_are_consistent():
    for preset in (CourtConfig.production, CourtConfig.devnet, CourtConfig.test):
        config = preset(chain_id=1, settlement=SETTLEMENT, sequencer=SETTLEMENT)
        assert config.max_unfinalised * config.batch_gap_blocks >= config.final_after_blocks
        assert config.guardian_delay_blocks == 0
    production = CourtConfig.production(chain_id=1, settlement=SETTLEMENT, sequencer=SETTLEMENT)
    assert not production.faucet


@pytest.mark.parametrize(
    "change",
    [
        {"max_unfinalised": 17},
        {"challenge_window_blocks": 6},
        {"reveal_window_blocks": 6},
        {"receipt_stake": 1_000},
        {"guardian": b"\x09" * 20},
        {"guardian_delay_blocks": 2},
        {"guardian": b"\x09" * 20, "guardian_delay_blocks": 3},
        {"guardian": b"\x09" * 20, "guardian_delay_blocks": 11, "max_unfinalised": 99},
        {"guardian": b"short", "guardian_delay_blocks": 1},
        {"reference_age_blocks": 6},
        {"reference_age_blocks": 257},
        {"bond": 1_000},
        {"block_gas_limit": 10_000_000},
        {"batch_steps_max": 4_097},
        {"batch_bytes_max": (32 << 20) + 1, "block_gas_limit": 10**12},
        {"law_version": LAW_VERSION + 1},
        {"sequencer": b"short"},
        {"settlement": bytes(20)},
        {"drift_ms": 0},
        {"epoch_blocks": True},
        {"faucet": 1},
    ],
)
def test_a_contradiction_is_not_a_configuration(change):
    with pytest.raises(ConfigError):
        make_config(**change)


def test_all_contradictions_are_named_at_once():
    with pytest.raises(ConfigError) as error:
        make_config(bond=1, max_unfinalised=1, epoch_blocks=100)
    assert len(error.value.problems) == 6


def test_refusals_have_numbers_of_their_own():
    members = [*TransactionError, *PostError, *CourtError]
    assert len({int(member) for member in members}) == len(members)
    assert all(refusal_of(int(member)) is member for member in members)
    with pytest.raises(ValueError):
        refusal_of(0)


def test_every_refusal_has_a_test():
    folder = Path(__file__).parent
    sources = "".join(path.read_text("utf-8") for path in folder.glob("test_*.py"))
    for family in (TransactionError, PostError, CourtError):
        proven = set(re.findall(family.__name__ + r"\.([A-Z_]+)", sources))
        assert proven >= set(family.__members__), set(family.__members__) - proven


# Money


class BondsAreConserved(RuleBasedStateMachine):
    """Whatever is posted, proven, finalised and pulled: paid + burned + held = deposited."""

    def __init__(self):
        super().__init__()
        self.world = World()
        self.world.fund()
        self.minted = self.world.chain.ledger.native_minted.value

    @rule()
    def post(self):
        receipt = self.world.try_post(self.world.build())
        assert receipt.error in (None, PostError.TOO_MANY_UNFINALISED)

    @rule(amount=st.integers(1, 10**6))
    def deposit(self, amount):
        self.world.deposit(ALICE, amount)

    @precondition(lambda self: self.world.court.heads().tip_number > 0)
    @rule(back=st.integers(0, 5), key=st.sampled_from([PROVER, SEQUENCER]))
    def prove(self, back, key):
        heads = self.world.court.heads()
        number = max(1, heads.tip_number - back)
        view = self.world.court.batches(number, 1)[0]
        sent = view.record.header + bytes(4) + b"F"
        receipt = self.world.send(key, ProveFraud(view.record.batch_id, sent))
        final = view.status == BatchStatus.FINALISED
        assert receipt.error == (CourtError.ALREADY_FINALISED if final else None)

    @precondition(lambda self: self.world.court.heads().tip_number > 0)
    @rule(back=st.integers(0, 5), key=st.sampled_from([PROVER, BOB]))
    def commit(self, back, key):
        number = max(1, self.world.court.heads().tip_number - back)
        record = self.world.court.batches(number, 1)[0].record
        sent = record.header + bytes(4) + b"F"
        named = address_of(key), record.generation, record.batch_id
        receipt = self.world.send(key, Commit(commitment_of(*named, sent)))
        assert receipt.error in (None, CourtError.ALREADY_COMMITTED)

    @precondition(lambda self: self.world.court.heads().generation > 0)
    @rule(back=st.integers(0, 3), key=st.sampled_from([PROVER, BOB]))
    def reveal_and_settle(self, back, key):
        last = self.world.court.heads().generation - 1
        event = self.world.court.reverts(max(last - back, 0), 1)[0]
        record = self.record_of(event.batch_id)
        sent = record.header + bytes(4) + b"F"
        self.world.send(key, ProveFraud(record.batch_id, sent))
        self.world.send(key, SettleReward(record.generation, record.batch_id))

    def record_of(self, batch_id):
        view = self.world.court.batch(batch_id)
        assert view is not None
        return view.record

    @rule(key=st.sampled_from([SEQUENCER, ALICE]))
    def stake(self, key):
        self.world.send(key, PutStake())
        self.world.send(key, TakeStake())

    @rule(blocks=st.integers(1, 12))
    def wait(self, blocks):
        self.world.chain.mine(blocks)

    @rule(ahead=st.integers(0, 2))
    def finalise(self, ahead):
        number = self.world.court.heads().finalised_number + 1 + ahead
        for view in self.world.court.batches(number, 1):
            self.world.send(BOB, Finalise(view.record.batch_id))

    @rule(key=st.sampled_from([PROVER, SEQUENCER, BOB]))
    def claim(self, key):
        credit = self.world.court.bonds.credit(address_of(key))
        receipt = self.world.send(key, ClaimCredit())
        assert receipt.error == (None if credit else CourtError.NO_CREDIT)

    @rule(depth=st.integers(1, 3))
    def reorganise(self, depth):
        head = self.world.chain.head()
        if depth <= head.number - head.finalised_number:
            self.world.chain.reorg(depth)
            self.world.chain.mine()

    @invariant()
    def nothing_is_lost(self):
        world = self.world
        deposited, paid, burned, held = world.court.bonds.totals
        assert paid + burned + held == deposited
        heads = world.court.heads()
        court, keys = world.court, [address_of(key) for key in (PROVER, SEQUENCER, ALICE, BOB)]
        credits = sum(court.bonds.credit(key) for key in keys)
        stakes = sum(court.stakes.of(key).amount for key in keys)
        names = [event.batch_id for event in court.reverts(0, 10_000)]
        earned = [court.rewards.reward(self.record_of(id).generation, id) for id in names]
        waiting = sum(one.amount for one in earned if one is not None and not one.paid)
        locked = (heads.tip_number - heads.finalised_number) * world.config.bond
        assert held == locked + credits + stakes + waiting
        ledger = world.chain.ledger
        assert ledger.native_total() + held + burned + ledger.fees_burned.value == self.minted
        assert ledger.token_total() + world.court.escrow.held() == ledger.token_minted()
        assert world.court.solvency().holds


BondsAreConserved.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestBondsAreConserved = BondsAreConserved.TestCase
