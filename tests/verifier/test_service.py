"""One suite over both houses of the base layer, and what only the service has."""

import threading
from inspect import signature

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from clearing.recovery import address_of
from tests.verifier.court_world import (
    ALICE,
    BOB,
    PROVER,
    SEQUENCER,
    World,
    evidence,
    make_config,
    withdrawing,
)
from tests.verifier.test_receipts import signed
from verifier import events
from verifier.base import wire
from verifier.base.chain import ChangeKind, Receipt
from verifier.base.errors import BaseLayerUnavailable, BlockUnknown, ReorgTooDeep
from verifier.base.interface import LIST_MAX, BaseLayer, InProcessBaseLayer
from verifier.base.remote import RemoteBaseLayer
from verifier.base.service import ADVANCE_MS_MAX, MINE_MAX, BaseLayerServer, SteppedClock
from verifier.base.transactions import (
    ClaimCredit,
    Commit,
    Deposit,
    Prolong,
    ProveFraud,
    ProveReceipt,
    PutStake,
    TakeStake,
    TransactionKind,
)
from verifier.base.wire import (
    error_from,
    exit_claim_from,
    exit_claim_to,
    receipt_from,
    receipt_to,
    status_of,
)
from verifier.batches import BatchStatus
from verifier.errors import CourtError, Refused, TransactionError
from verifier.exit import FiledClaim
from verifier.exit_claim import Worth
from verifier.receipts import TwoReceipts
from verifier.rewards import commitment_of
from verifier.v1 import verifier_pb2 as pb


@pytest.fixture
def world():
    world = World(config=make_config(guardian=address_of(ALICE), guardian_delay_blocks=2))
    clock = SteppedClock(world.clock)
    world.chain.clock = clock
    world.fund()
    return world


@pytest.fixture
def server(world):
    server = BaseLayerServer(world.chain, world.chain.clock)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def remote(server):
    client = RemoteBaseLayer(server.address)
    yield client
    client.close()


@pytest.fixture(params=["in process", "over gRPC"])
def base(request, world):
    if request.param == "in process":
        return InProcessBaseLayer(world.chain)
    return request.getfixturevalue("remote")


# The contract


def test_a_life_of_batches_reads_the_same_in_both_houses(world, base):
    _, claims = withdrawing(world)
    world.send(BOB, claims[0])
    wrong = world.post()
    child = world.post()
    proof = world.prove(wrong)
    failed = world.prove(wrong)
    world.post()
    alice, prover = address_of(ALICE), address_of(PROVER)
    court, chain = world.court, world.chain
    assert base.config() == world.config
    assert base.head() == chain.head()
    assert base.block(3) == InProcessBaseLayer(chain).block(3)
    assert base.block(3).transaction_hashes == (chain.block(3).receipts[0].transaction_hash,)
    assert base.receipt(proof.transaction_hash) == proof
    assert base.receipt(failed.transaction_hash) == failed
    assert base.receipt(failed.transaction_hash).error == CourtError.NO_OLDER_COMMITMENT
    assert base.heads() == court.heads()
    assert base.batches(0, 100) == court.batches(0, 100)
    assert [view.status for view in base.batches(0, 3)] == [
        BatchStatus.FINALISED, BatchStatus.FINALISED, BatchStatus.POSTED,
    ]  # fmt: skip
    assert base.batch(child.id) == court.batch(child.id)
    assert base.batch(child.id).status == BatchStatus.REVERTED
    assert base.batch_data(wrong.id) == wrong.data
    assert base.inbox(0, 10) == court.inbox.entries(0, 10) != []
    assert base.account_id(alice, 0) == 3
    assert (base.is_claimed(0), base.is_claimed(1)) == (True, False)
    assert base.account(alice) == chain.ledger.account(alice)
    assert base.credit(prover) == 0
    assert base.reward(0, wrong.id) == court.rewards.reward(0, wrong.id)
    assert base.reward(1, wrong.id) is None
    assert base.commitments(prover) == court.rewards.commitments(prover)
    assert base.stake(prover) == court.stakes.of(prover)
    assert base.receipt_signer(1) == world.config.sequencer and base.receipt_signer(2) is None
    assert (base.first_bound(0), base.first_bound(1)) == (0, 1)
    assert base.bonds() == court.bonds.totals
    assert base.solvency() == court.solvency()
    assert base.reverts(0, 10) == court.reverts(0, 10) == list(proof.events)
    assert base.changes(2, 3) == chain.changes(2, 3)


def test_every_kind_of_event_comes_through(world, base):
    world.deposit()
    _, claims = withdrawing(world)
    world.send(BOB, claims[0])
    batch = world.post()
    commitments = [
        commitment_of(address_of(key), 0, batch.id, evidence(batch.header)) for key in (ALICE, BOB)
    ]
    for key, commitment in zip((ALICE, BOB), commitments, strict=True):
        world.send(key, Commit(commitment))
    for body in (PutStake(), TakeStake(), PutStake(), Prolong()):
        world.send(ALICE, body)
    world.prove(batch, key=BOB)
    world.prove(batch, key=ALICE)
    world.settle_reward(batch)
    world.send(ALICE, ClaimCredit())
    world.send(SEQUENCER, PutStake())
    two = TwoReceipts(signed(1, bytes(32), 1), signed(1, b"\x01" * 32, 1))
    world.send(BOB, ProveReceipt(two.encode()))
    kinds = set()
    for number in range(world.chain.head().number + 1):
        for receipt in world.chain.block(number).receipts:
            assert base.receipt(receipt.transaction_hash) == receipt
            kinds |= {type(event).__name__ for event in receipt.events}
    assert len(kinds) == 13


def test_what_is_not_there_is_none_and_never_an_error(base):
    nothing = bytes(32)
    assert base.block(10**6) is None and base.block(-1) is None
    assert base.receipt(nothing) is None
    assert base.batch(nothing) is None and base.batch_data(nothing) is None
    assert base.batch_data(base.heads().tip_id) is None
    assert base.account_id(bytes(20), 7) is None
    assert base.account(bytes(20)) == (0, 0, 0)
    lists = base.batches(9, 9), base.inbox(9, 9), base.reverts(9, 9), base.changes(999, 9)
    assert lists == ([], [], [], [])
    assert base.batches(-3, 1) == base.batches(0, 1) != []
    assert base.inbox(0, -1) == []


def test_a_submitted_transaction_is_executed_in_the_next_block(world, base):
    encoded = world.sign(ALICE, Deposit(address_of(BOB), 4, 0, 77))
    submitted = base.submit(encoded)
    assert base.receipt(submitted) is None
    world.chain.mine()
    assert base.receipt(submitted).error is None
    assert base.inbox(0, 1)[0].message.amount == 77


def test_refusals_keep_their_code_and_their_operands(world, base):
    encoded = world.sign(ALICE, ClaimCredit(), nonce=0)
    with pytest.raises(Refused) as refused:
        base.submit(encoded)
    with pytest.raises(Refused) as local:
        world.chain.submit(encoded)
    assert refused.value.code is TransactionError.STALE_NONCE
    assert str(refused.value) == str(local.value)
    with pytest.raises(Refused) as refused:
        base.dry_run(b"nonsense")
    assert refused.value.code is TransactionError.MALFORMED


def test_a_dry_run_changes_nothing(world, base):
    batch = world.post()
    encoded = world.sign(PROVER, ProveFraud(batch.id, evidence(batch.header, step=5)))
    receipt = base.dry_run(encoded)
    assert receipt.events[0].step == 5 and receipt.block_hash == bytes(32)
    assert base.heads().tip_id == batch.id
    assert base.account(address_of(PROVER)).nonce == 1


def test_reads_pinned_to_one_block_agree_with_each_other(world, base):
    world.deposit()
    pinned, before = base.head().hash, (base.heads(), base.solvency(), base.inbox(0, 9))
    world.deposit()
    world.post()
    assert (base.heads(pinned), base.solvency(pinned), base.inbox(0, 9, pinned)) == before
    assert base.heads().tip_number == 1
    final = base.head().finalised_hash
    assert base.heads(final).tip_number == 0
    assert base.batch(base.heads().tip_id, final) is None


def test_every_read_can_be_pinned(world, base):
    at = base.head().finalised_hash
    world.deposit(ALICE)
    batch = world.post()
    world.prove(batch)
    alice, prover = address_of(ALICE), address_of(PROVER)
    pinned = (
        base.batch_data(batch.id, at),
        base.batches(1, 9, at),
        base.account_id(alice, 0, at),
        base.credit(prover, at),
        base.bonds(at),
        base.reverts(0, 9, at),
        base.is_claimed(0, at),
    )
    assert pinned == (None, [], None, 0, (0, 0, 0, 0), [], False)
    assert base.account(alice, at) != base.account(alice)


def test_a_read_pinned_to_a_dropped_block_says_so(world, base):
    world.chain.mine()
    dropped = base.head().hash
    world.chain.reorg(1)
    with pytest.raises(BlockUnknown) as unknown:
        base.heads(dropped)
    assert unknown.value.block == dropped.hex()
    assert "not on this chain" in str(unknown.value)


def test_lists_have_a_bound_of_their_own(world, base):
    world.chain.mine(LIST_MAX + 10)
    assert len(base.changes(0, 2**40)) == LIST_MAX
    assert base.changes(LIST_MAX, 2**40)[0].sequence == LIST_MAX + 1


def test_a_state_with_absurd_custody_can_still_be_read(world, base):
    world.post(world.build(world.after(custody=-(2**63))))
    assert base.heads().tip_number == 1
    assert base.batch(base.heads().tip_id).record.custody == -(2**63)
    assert not base.solvency().holds


# The service


def test_blocks_can_be_watched_and_the_watch_resumed(world, remote):
    world.chain.mine(2)
    changes = remote.watch(0, seconds=10)
    first = next(changes)
    assert first == world.chain.changes(0, 1)[0]
    resumed = remote.watch(world.chain.changes(0, 99)[-1].sequence, seconds=10)
    remote.mine()
    remote.reorg(1)
    assert [next(resumed).kind for _ in range(2)] == [ChangeKind.BLOCK, ChangeKind.REORG]
    changes.close()
    resumed.close()


def test_a_watch_ends_at_its_deadline(remote):
    last = remote.changes(0, LIST_MAX)[-1].sequence
    assert list(remote.watch(last, seconds=0.2)) == []


def test_the_simulator_mines_reorganises_and_moves_its_clock(world, remote):
    before = remote.head()
    assert remote.mine(3).number == before.number + 3
    assert remote.reorg(2).number == before.number + 1
    with pytest.raises(ReorgTooDeep) as deep:
        remote.reorg(1_000)
    assert deep.value.depth == 1_000
    assert remote.advance(60_000) == world.now + 60_000
    assert remote.mine().time_ms == world.now + 60_000


def test_a_reorganisation_over_the_wire_may_lose_transactions(world, remote):
    submitted = remote.submit(world.sign(ALICE, ClaimCredit()))
    remote.mine()
    remote.reorg(1, (submitted,))
    remote.mine()
    assert remote.receipt(submitted) is None


def test_absurd_requests_of_the_simulator_are_refused(remote):
    with pytest.raises(BaseLayerUnavailable, match="at most"):
        remote.mine(MINE_MAX + 1)
    with pytest.raises(BaseLayerUnavailable, match="at most"):
        remote.advance(ADVANCE_MS_MAX + 1)


def test_blocks_come_by_themselves_if_there_is_a_block_time(world):
    server = BaseLayerServer(world.chain, world.chain.clock, block_time_ms=5)
    last = world.chain.changes(0, LIST_MAX)[-1].sequence
    server.start()
    client = RemoteBaseLayer(server.address)
    changes = client.watch(last, seconds=30)
    assert [next(changes).number for _ in range(3)] == [5, 6, 7]
    changes.close()
    client.close()
    server.stop()
    assert server.failure is None


def test_many_callers_see_one_state_each(world, remote):
    faults = []

    def read():
        for _ in range(20):
            head = remote.head()
            try:
                solvency = remote.solvency(head.hash)
            except BlockUnknown:
                continue
            if not solvency.holds:
                faults.append(solvency)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        remote.submit(world.sign(ALICE, Deposit(address_of(ALICE), 0, 0, 5)))
        remote.mine()
    remote.reorg(1)
    for thread in threads:
        thread.join()
    assert faults == []


def test_the_service_reports_its_health_and_describes_itself(server):
    with grpc.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "verifier.v1.BaseLayerService", "verifier.v1.SimulatorService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (answer,) = reflection.ServerReflectionInfo(iter([request]), timeout=10)
        names = {service.name for service in answer.list_services_response.service}
    assert {"verifier.v1.BaseLayerService", "verifier.v1.SimulatorService"} <= names


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:7", "example.org:1", "127.0.0.1", ""])
def test_plain_text_does_not_leave_the_machine(world, address):
    with pytest.raises(ValueError, match="loopback"):
        BaseLayerServer(world.chain, world.chain.clock, address)


def test_an_address_that_is_taken_is_named(world, server):
    with pytest.raises(BaseLayerUnavailable, match=server.address):
        BaseLayerServer(world.chain, world.chain.clock, server.address)


def test_a_service_that_is_gone_is_unavailable(world, remote, server):
    remote.head()
    server.stop()
    with pytest.raises(BaseLayerUnavailable, match="GetHead"):
        remote.head()


def test_errors_survive_the_wire():
    for error in (
        Refused(CourtError.NO_FRAUD, "expected one thing, was another; do a third"),
        BlockUnknown("ab", "gone"),
        ReorgTooDeep(5, 2),
    ):
        assert str(error_from(status_of(error))) == str(error)
    assert error_from(status_of(BaseLayerUnavailable("GetHead", "late"))) is None
    assert error_from(None) is None


EVENTS = (
    events.SequencerChanged(b"\x01" * 20, b"\x02" * 20, 3),
    events.SuccessorNamed(b"\x01" * 20, bytes(20)),
    events.LawAnnounced(3, 9, 1_700_000_000_000),
    events.PostingChanged(True, 7, 2),
    events.Frozen(9, 8, 7),
    events.ExitBegun(b"\x03" * 32, 9, (1, 0, 2, 0, 0, 0, 0, 0), 20, 40),
    events.ExitFiled(5, b"\x04" * 20, 6, 7, False),
    events.ExitPaid(5, b"\x04" * 20, (1, 2, 0, 0, 0, 0, 0, 3)),
    events.DepositRefunded(8, b"\x05" * 20, 1, 77),
    events.SurplusTaken(b"\x06" * 20, 2, 88),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_comes_over_the_wire_as_it_was(event):
    receipt = Receipt(
        b"h" * 32, b"s" * 20, TransactionKind.FREEZE, 1, b"b" * 32, 0, None, "", 1, 1, (event,)
    )
    assert receipt_from(receipt_to(receipt)) == receipt


def test_a_claim_with_every_kind_of_holding_comes_over_the_wire_as_it_was():
    worth = Worth(5, b"\x04" * 20, 6, 7, ((1, 2), (3, 4)), ((2, 5),), ((0, 9),))
    for claim in (FiledClaim(worth, True, (1,) * 8), FiledClaim(worth, False, ())):
        assert exit_claim_from(exit_claim_to(claim)) == claim


def test_every_call_of_the_service_is_a_method_of_the_base_layer():
    methods = {name for name in vars(BaseLayer) if not name.startswith("_")}
    assert {read.method for read in wire.READS.values()} == methods
    calls = pb.DESCRIPTOR.services_by_name["BaseLayerService"].methods_by_name
    assert set(calls) == {*wire.READS, "Watch"}
    for name in wire.READS:
        assert len(calls[name].output_type.fields) == 1
        arguments = set(signature(getattr(BaseLayer, wire.READS[name].method)).parameters)
        named = {field.name for field in calls[name].input_type.fields}
        assert {"at" if one == "at_block" else one for one in named} == arguments - {"self"}
