"""The base layer: order, gas, money, reorganisations at every point, and its file."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.recovery import address_of
from tests.verifier.court_world import (
    ALICE,
    BOB,
    GAS,
    PROVER,
    SEQUENCER,
    World,
    claim,
    evidence,
    make_config,
    withdrawing,
)
from verifier.base.chain import ChangeKind
from verifier.base.chain_file import ChainFile, RecordKind
from verifier.base.errors import BlockUnknown, ChainFileCorrupt, ReorgTooDeep
from verifier.base.mempool import censoring, delayed, shuffled
from verifier.base.transactions import (
    ClaimCredit,
    Deposit,
    Faucet,
    Finalise,
    ProveFraud,
    SettleReward,
    SignedTransaction,
    TransactionKind,
)
from verifier.batches import BatchStatus
from verifier.errors import CourtError, TransactionError, VerifierError
from verifier.host.storage import Cell, Table, UndoLog


@pytest.fixture
def world():
    world = World()
    world.fund()
    return world


# Order


def test_transactions_are_executed_in_order_of_arrival(world):
    order = [claim(world, BOB), claim(world, ALICE), claim(world, ALICE, 1), claim(world, PROVER)]
    hashes = [world.chain.submit(one) for one in order]
    (block,) = world.chain.mine()
    assert [receipt.transaction_hash for receipt in block.receipts] == hashes


def test_a_nonce_waits_for_the_one_before_it(world):
    later = world.chain.submit(claim(world, ALICE, 1))
    world.chain.mine()
    assert world.chain.receipt(later) is None and later in world.chain.mempool
    first = world.chain.submit(claim(world, ALICE))
    world.chain.mine(2)
    assert world.chain.receipt(first).block_number < world.chain.receipt(later).block_number


def test_of_two_transactions_with_one_nonce_one_is_executed(world):
    first = world.chain.submit(claim(world, ALICE))
    second = world.chain.submit(claim(world, ALICE, fee=2))
    world.chain.mine(2)
    assert world.chain.receipt(first) is not None
    assert world.chain.receipt(second) is None and second not in world.chain.mempool


def test_a_sender_who_cannot_pay_is_dropped(world):
    poor = b"\x66" * 32
    submitted = world.chain.submit(claim(world, poor))
    world.chain.mine()
    assert world.chain.receipt(submitted) is None and len(world.chain.mempool) == 0


def test_a_censor_holds_back_senders_and_kinds(world):
    batch = world.post()
    world.chain.mempool.policy = censoring(
        senders={address_of(ALICE)}, kinds={TransactionKind.PROVE_FRAUD}
    )
    proof = world.chain.submit(world.sign(PROVER, ProveFraud(batch.id, evidence(batch.header))))
    held, free = world.chain.submit(claim(world, ALICE)), world.chain.submit(claim(world, BOB))
    world.chain.mine(3)
    assert world.chain.receipt(free) is not None
    assert world.chain.receipt(held) is None and world.chain.receipt(proof) is None
    world.chain.mempool.policy = delayed(0)
    world.chain.mine()
    assert world.chain.receipt(proof).error is None


def test_a_delay_is_counted_in_blocks(world):
    world.chain.mempool.policy = delayed(2)
    submitted = world.chain.submit(claim(world, ALICE))
    number = world.chain.head().number
    world.chain.mine(5)
    assert world.chain.receipt(submitted).block_number == number + 3


def test_a_builder_may_copy_and_reorder_a_proof(world):
    """Without commitments the reward goes to whoever comes first; the batch falls either way."""
    batch = world.post()
    stolen = []

    def copycat(waiting, number):
        for pending in list(waiting):
            body = pending.signed.transaction.body
            if isinstance(body, ProveFraud) and pending.signed.sender != address_of(BOB):
                copy = SignedTransaction.decode(world.sign(BOB, body))
                world.chain.mempool.add(copy, number)
                stolen.append(copy.hash)
                return [replace(pending, signed=copy), *waiting]
        return waiting

    world.chain.mempool.policy = copycat
    receipt = world.prove(batch)
    assert receipt.error == CourtError.NO_OLDER_COMMITMENT
    assert world.chain.receipt(stolen[0]).error is None
    assert world.court.batch(batch.id).status == BatchStatus.REVERTED


def test_the_same_seed_gives_the_same_chain_and_another_one_another():
    def run(seed):
        world = World(seed=seed)
        world.fund()
        world.chain.mempool.policy = shuffled(seed)
        for key in (ALICE, BOB, PROVER, SEQUENCER):
            world.chain.submit(claim(world, key))
        (block,) = world.chain.mine()
        return block.hash, [receipt.sender for receipt in block.receipts]

    assert run(3) == run(3)
    assert len({run(seed)[0] for seed in range(4)}) == 4
    assert len({tuple(run(seed)[1]) for seed in range(6)}) > 1


def test_a_block_holds_no_more_gas_than_its_limit(world):
    limit = 60_000_000
    hashes = [world.chain.submit(world.sign(key, ClaimCredit(), gas=limit)) for key in (ALICE, BOB)]
    world.chain.mine(2)
    numbers = [world.chain.receipt(one).block_number for one in hashes]
    assert numbers[1] == numbers[0] + 1


# Gas and money


def test_a_transaction_pays_for_what_it_spends(world):
    before = world.chain.ledger.account(address_of(ALICE))
    receipt = world.deposit(ALICE, 10)
    after = world.chain.ledger.account(address_of(ALICE))
    assert 21_000 < receipt.gas_used < GAS
    assert before.native - after.native == receipt.fee == receipt.gas_used
    assert (before.token - after.token, after.nonce - before.nonce) == (10, 1)


def test_without_gas_a_transaction_fails_and_leaves_no_trace(world):
    enough = world.deposit(ALICE, 10).gas_used
    deposit = Deposit(address_of(ALICE), 0, 0, 10)
    assert world.send(ALICE, deposit, gas=enough).error is None
    count = world.court.inbox.count
    receipt = world.send(ALICE, deposit, gas=enough - 1)
    assert receipt.error == TransactionError.OUT_OF_GAS
    assert (receipt.gas_used, receipt.events) == (enough - 1, ())
    assert world.court.inbox.count == count


def test_a_bond_must_be_there_beside_the_fee():
    world = World()
    world.send(SEQUENCER, Faucet(address_of(SEQUENCER), GAS + world.config.bond - 1, 0))
    receipt = world.try_post(world.build())
    assert receipt.error == TransactionError.INSUFFICIENT_BALANCE
    assert world.court.heads().tip_number == 0


def test_larger_batches_cost_more(world):
    from verifier.batch import Step

    def used(steps):
        return world.try_post(world.build(steps=steps)).gas_used

    step = Step(world.now, (bytes(100),) * 8)
    small, more_steps, more_bytes = (
        used((step,)),
        used((step, step)),
        used((Step(world.now, (bytes(200),) * 8),)),
    )
    assert small + 16 * 800 < min(more_steps, more_bytes)


# Time and finality


def test_time_follows_the_clock_and_always_moves_on(world):
    world.now += 5_000
    world.chain.mine()
    assert world.chain.head().time_ms == world.now
    world.now -= 60_000
    before = world.chain.head().time_ms
    world.chain.mine()
    assert world.chain.head().time_ms == before + 1


def test_epochs_justify_and_then_finalise():
    world = World()
    seen = []
    for _ in range(9):
        head = world.chain.head()
        seen.append((head.number, head.safe_number, head.finalised_number))
        world.chain.mine()
    assert seen == [
        (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 2, 0), (5, 2, 0), (6, 4, 2), (7, 4, 2),
        (8, 6, 4),
    ]  # fmt: skip


def test_a_finalised_block_lets_go_of_its_bytes_and_keeps_its_receipts(world):
    batch = world.post()
    number = world.chain.head().number
    assert len(world.chain.block(number).transactions) == 1
    world.chain.mine(3 * world.config.epoch_blocks)
    block = world.chain.block(number)
    assert block.transactions == () and len(block.receipts) == 1
    assert world.chain.block_of(block.hash) is block
    assert world.court.batch_data(batch.id) == batch.data


def test_the_finalised_head_never_moves_back(world):
    world.chain.mine(4 - world.chain.head().number % 2)
    final = world.chain.head().finalised_number
    world.chain.reorg(world.chain.head().number - final)
    head = world.chain.head()
    assert (head.number, head.safe_number, head.finalised_number) == (final, final, final)
    with pytest.raises(ReorgTooDeep):
        world.chain.reorg(1)
    with pytest.raises(ReorgTooDeep):
        world.chain.reorg(0)


# Reorganisations


def test_a_reorganisation_returns_transactions_in_their_order(world):
    first, second = claim(world, ALICE), claim(world, BOB)
    hashes = [world.chain.submit(first)]
    world.chain.mine()
    hashes.append(world.chain.submit(second))
    world.chain.mine()
    waiting = world.chain.submit(claim(world, PROVER))
    old = world.chain.head().hash
    world.chain.reorg(2)
    assert all(world.chain.receipt(one) is None for one in hashes)
    (block,) = world.chain.mine()
    assert [signed.hash for signed in block.transactions] == [*hashes, waiting]
    assert world.chain.block_of(old) is None


def test_a_reorganisation_may_lose_transactions(world):
    submitted = world.chain.submit(claim(world, ALICE))
    world.chain.mine()
    world.chain.reorg(1, drop={submitted})
    world.chain.mine()
    assert world.chain.receipt(submitted) is None


def test_blocks_that_come_again_have_other_hashes(world):
    world.chain.mine()
    old = world.chain.head()
    world.chain.reorg(1)
    world.chain.mine()
    new = world.chain.head()
    assert (old.number, old.time_ms, old.parent) == (new.number, new.time_ms, new.parent)
    assert old.hash != new.hash


def everything(world):
    """Return all that can be read of court and ledger."""
    court, ledger = world.court, world.chain.ledger
    keys = (ALICE, BOB, PROVER, SEQUENCER)
    return (
        court.heads(),
        court.batches(0, 100),
        court.inbox.entries(0, 100),
        court.reverts(0, 100),
        court.bonds.totals,
        court.solvency(),
        court.escrow.paid(),
        [court.escrow.is_claimed(i) for i in range(3)],
        [(ledger.account(address_of(key)), court.bonds.credit(address_of(key))) for key in keys],
        [court.rewards.commitments(address_of(key)) for key in keys],
        [court.rewards.reward(0, view.batch_id) for view in court.reverts(0, 100)],
    )


LIFE = [
    "deposit", "post", "child", "commit", "prove", "reveal", "repost", "finalise", "withdraw",
    "settle", "credit",
]  # fmt: skip


def live(world, until):
    """Play a life of batches, up to and with the moment `until`."""
    moments: dict[str, Any] = {}
    moments["deposit"] = lambda: world.deposit(ALICE, 1_000)
    moments["post"] = lambda: moments.__setitem__("first", world.post())
    moments["child"] = world.post
    moments["commit"] = lambda: world.commit(moments["first"])
    moments["prove"] = lambda: world.prove(moments["first"], key=BOB)
    moments["reveal"] = lambda: world.prove(moments["first"])
    moments["repost"] = lambda: moments.__setitem__("claims", withdrawing(world, False))
    moments["finalise"] = lambda: world.send(BOB, Finalise(moments["claims"][0].id))
    moments["withdraw"] = lambda: world.send(BOB, moments["claims"][1][0])
    moments["settle"] = lambda: world.send(BOB, SettleReward(0, moments["first"].id))
    moments["credit"] = lambda: world.send(PROVER, ClaimCredit())
    for moment in LIFE[: LIFE.index(until)]:
        moments[moment]()
        if moment == "repost":
            world.pass_window()
    before = everything(world), world.chain.head()
    result = moments[until]()
    assert getattr(result, "error", None) is None
    return before


@pytest.mark.parametrize("moment", LIFE)
def test_a_reorganisation_undoes_every_moment_of_a_batch_and_replays_it(world, moment):
    before, head = live(world, moment)
    after = everything(world)
    assert after != before
    depth = world.chain.head().number - head.number
    world.chain.reorg(depth)
    assert everything(world) == before
    assert world.chain.head().hash == head.hash
    world.chain.mine(depth)
    replayed = everything(world)
    if moment != "repost":
        assert replayed == after
    else:
        # The deposit of this moment and its batch now share a block, so the base block that the
        # batch names is on the branch that was dropped: it is refused, and its bond stays home.
        assert replayed[0] == before[0]


def test_a_batch_on_a_dropped_base_block_is_refused_on_the_new_branch(world):
    world.chain.mine()
    batch = world.post()
    world.chain.reorg(2)
    (block,) = world.chain.mine()
    assert [receipt.error.name for receipt in block.receipts] == ["BASE_REFERENCE_NOT_CANONICAL"]
    assert world.court.batch(batch.id) is None


def test_a_reorganised_claim_pays_once(world):
    _, claims = withdrawing(world)
    before = world.chain.ledger.account(address_of(BOB)).token
    for _ in range(3):
        world.send(BOB, claims[0])
        world.chain.reorg(1)
        world.chain.mine()
    assert world.chain.ledger.account(address_of(BOB)).token == before + 300


# Reads


def test_a_read_can_be_pinned_to_a_block_until_an_epoch_after_it_is_final(world):
    states = {}
    for _ in range(8):
        world.post()
        states[world.chain.head().hash] = everything(world)
    now = everything(world)
    for block_hash, state in states.items():
        block = world.chain.block_of(block_hash)
        if block.number >= world.chain.head().finalised_number - world.config.epoch_blocks:
            with world.chain.at(block_hash):
                assert everything(world) == state
        else:
            with pytest.raises(BlockUnknown, match="older"), world.chain.at(block_hash):
                pass
    assert everything(world) == now


def test_a_read_pinned_to_a_dropped_block_fails_and_says_so(world):
    world.chain.mine()
    dropped = world.chain.head().hash
    world.chain.reorg(1)
    with pytest.raises(BlockUnknown, match="not on this chain"), world.chain.at(dropped):
        pass


def test_a_dry_run_tells_what_would_happen_and_does_nothing(world):
    batch = world.post()
    before = everything(world), world.chain.head()
    nobody = b"\x55" * 32
    body = ProveFraud(batch.id, evidence(batch.header))
    receipt = world.chain.dry_run(world.sign(nobody, body))
    assert receipt.error is None and receipt.events[0].prover == address_of(nobody)
    none = ProveFraud(batch.id, evidence(batch.header, verdict=b"N"))
    assert world.chain.dry_run(world.sign(nobody, none)).error == CourtError.NO_FRAUD
    assert (everything(world), world.chain.head()) == before
    assert world.prove(batch).error is None


def test_changes_of_the_head_are_told_in_order(world):
    start = len(world.chain.changes(0, 1_000))
    world.chain.mine(2)
    world.chain.reorg(1)
    world.chain.mine()
    changes = world.chain.changes(start, 1_000)
    assert [change.kind for change in changes] == [
        ChangeKind.BLOCK, ChangeKind.BLOCK, ChangeKind.REORG, ChangeKind.BLOCK,
    ]  # fmt: skip
    assert [change.sequence for change in changes] == list(range(start + 1, start + 5))
    assert changes[2].hash == changes[0].hash and changes[3].parent == changes[0].hash
    assert world.chain.changes(start + 4, 10) == []


# The undo log


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=30), st.data())
def test_undoing_restores_what_was(writes, draw):
    log = UndoLog()
    table: Table[int, int] = Table(log)
    cell = Cell(log, 0)
    history = []
    for key, value in writes:
        history.append((log.mark(), dict(table._values), cell.value))
        if key:
            table[key] = value
        else:
            cell.value = value
    now = dict(table._values), cell.value
    for mark, values, single in history:
        with log.at(mark):
            assert (dict(table._values), cell.value) == (values, single)
        assert (dict(table._values), cell.value) == now
    if history:
        place = draw.draw(st.integers(0, len(history) - 1))
        log.forget_before(history[place][0])
        for mark, values, single in reversed(history[place:]):
            log.undo_to(mark)
            assert (dict(table._values), cell.value) == (values, single)
        if place:
            with pytest.raises(VerifierError):
                log.undo_to(history[0][0])


# The file


def open_world(path, **options):
    return World(file=ChainFile(path), **options)


def busy(path):
    """Return a world with some history, a reorganisation included, and its file closed."""
    world = open_world(path)
    world.fund()
    batch = world.post()
    world.deposit()
    world.chain.reorg(1)
    world.chain.mine()
    world.prove(batch)
    world.file.close()
    return world


def test_a_chain_opened_again_is_the_same(tmp_path):
    world = busy(tmp_path / "chain")
    again = open_world(tmp_path / "chain", now=1)
    assert everything(again) == everything(world)
    assert again.chain.head() == world.chain.head()
    assert again.chain.changes(0, 1_000) == world.chain.changes(0, 1_000)
    again.now = world.now + 9
    again.chain.mine()
    assert again.chain.head().number == world.chain.head().number + 1
    again.file.close()


def test_a_file_has_one_user(tmp_path):
    world = open_world(tmp_path / "chain")
    with pytest.raises(VerifierError, match="another"):
        ChainFile(tmp_path / "chain")
    world.file.close()
    open_world(tmp_path / "chain").file.close()


def test_a_file_of_another_chain_is_refused(tmp_path):
    busy(tmp_path / "chain")
    for options in ({"seed": 5}, {"config": make_config(drift_ms=1)}):
        with (
            ChainFile(tmp_path / "chain") as file,
            pytest.raises(VerifierError, match="fingerprint"),
        ):
            World(file=file, **options)


def record_ends(path):
    file = ChainFile(path)
    offsets = [record.offset for record in file.records()]
    file.close()
    return [*offsets[1:], path.stat().st_size]


@settings(max_examples=30)
@given(st.data())
def test_a_torn_tail_is_cut_to_the_last_whole_block(tmp_path_factory, draw):
    path = tmp_path_factory.mktemp("torn") / "chain"
    world = busy(path)
    ends = record_ends(path)
    size = draw.draw(st.integers(ends[0], ends[-1] - 1))
    whole = max(end for end in ends if end <= size)
    tail = draw.draw(st.sampled_from([b"", bytes(40), bytes(5_000)]))
    encoded = path.read_bytes()
    # Bytes that were not written read as zeros; a whole zero tail begins at a record's head.
    path.write_bytes(encoded[:whole] + tail if tail else encoded[:size])
    again = open_world(path)
    assert path.stat().st_size == whole
    assert again.chain.head().hash in {change.hash for change in world.chain.changes(0, 1_000)} | {
        world.chain.block(0).hash
    }
    again.chain.mine()
    again.file.close()
    open_world(path).file.close()


@settings(max_examples=60)
@given(st.data())
def test_a_flipped_bit_is_named_and_nothing_is_changed(tmp_path_factory, draw):
    path = tmp_path_factory.mktemp("flipped") / "chain"
    busy(path)
    encoded = bytearray(path.read_bytes())
    place = draw.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= 1 << draw.draw(st.integers(0, 7))
    path.write_bytes(encoded)
    with ChainFile(path) as file, pytest.raises(ChainFileCorrupt) as corrupt:
        World(file=file)
    assert corrupt.value.offset <= place
    assert path.read_bytes() == bytes(encoded)


def test_blocks_that_execute_to_something_else_are_corruption(tmp_path):
    busy(tmp_path / "chain")
    with ChainFile(tmp_path / "chain") as source:
        records = list(source.records())
    with ChainFile(tmp_path / "other") as file:
        for record in [records[0], records[2], records[1], *records[3:]]:
            file.append(record.kind, record.payload)
        with pytest.raises(ChainFileCorrupt, match="of hash"):
            World(file=file)


def test_a_second_genesis_is_corruption(tmp_path):
    busy(tmp_path / "chain")
    with ChainFile(tmp_path / "chain") as file:
        genesis = next(file.records())
        file.append(RecordKind.GENESIS, genesis.payload)
        with pytest.raises(ChainFileCorrupt, match="a block or a reorg"):
            World(file=file)
