"""The client: what it checks, what it repeats, and what it makes of failures."""

import asyncio
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import novatio
from clearing.codes import Code
from clearing.keys import address_of
from clearing.messages import action_hash
from node.gate import Refused
from node.v1 import node_pb2 as pb
from novatio import AsyncClient, Client, LocalSigner, Market, verify_account_proof, write_key
from novatio._flows import Call, Flows, Sleep
from novatio.errors import (
    BadRequest,
    CorruptData,
    KeyUnusable,
    NotFound,
    NotReady,
    OutcomeUnknown,
    Overloaded,
    RejectedByLaw,
    Unauthenticated,
    Unavailable,
    VerificationFailed,
)
from novatio.proofs import ReceiptCheck
from novatio.signing import find_signer
from tests.novatio.house import BUYER, DEADLINE_SECONDS, SELLER, SEQUENCER

BUYER_SIGNER = LocalSigner(BUYER)


def trade(client, size="0.01", price="4000", **changes):
    sell = client.order(0, "BTC-PERP", "sell", size, price, slot=2)
    buy = client.order(1, "BTC-PERP", "buy", size, price, slot=2, signer=BUYER_SIGNER)
    return client.trade(sell, buy, **changes)


# The package.


def test_every_public_name_is_there_sorted_and_listed():
    assert novatio.__all__ == sorted(novatio.__all__)
    for name in novatio.__all__:
        assert getattr(novatio, name) is not None
        assert name in dir(novatio)
    with pytest.raises(AttributeError):
        novatio.Missing  # noqa: B018


# Keys.


def test_a_fresh_key_file_belongs_to_its_owner_alone_and_can_be_read_back(tmp_path):
    path = tmp_path / "trader.key"
    signer = write_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert LocalSigner.from_file(path).address == signer.address
    with pytest.raises(KeyUnusable):
        write_key(path)


def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "trader.key"
    write_key(path)
    os.chmod(path, 0o640)
    with pytest.raises(KeyUnusable, match="640") as caught:
        find_signer(path)
    assert caught.value.next_step == f"chmod 600 {path}"


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 32, "00" * 32])
def test_what_is_no_key_is_refused_and_not_repeated_in_the_error(text):
    with pytest.raises(KeyUnusable) as caught:
        LocalSigner.from_hex(text)
    assert not text or text not in str(caught.value)


def test_the_environment_gives_the_key_that_nothing_else_gave(monkeypatch):
    monkeypatch.setenv("NOVATIO_KEY", SELLER.hex())
    found = [find_signer(key) for key in (None, BUYER, BUYER.hex())]
    assert [signer and signer.address for signer in found] == [
        address_of(SELLER),
        address_of(BUYER),
        address_of(BUYER),
    ]
    monkeypatch.delenv("NOVATIO_KEY")
    assert find_signer(None) is None


def test_a_signer_shows_its_address_and_never_its_key():
    assert SELLER.hex() not in repr(LocalSigner(SELLER))


# Against a node.


def test_a_trade_is_applied_and_its_receipt_checked(house):
    action = trade(house.client)
    [outcome] = house.client.submit([action])
    assert outcome.applied
    assert outcome.raise_for_rejection() is outcome
    assert outcome.action_hash == action_hash(action.encode())
    assert outcome.proven
    # The outcome of a frame reaches the disk with what follows it.
    house.until(lambda: house.client.action(outcome.action_hash).proven)
    assert house.client.action(outcome.action_hash).sequence == outcome.sequence


def test_the_same_bytes_again_give_the_first_outcome(house):
    action = trade(house.client)
    [first] = house.client.submit([action])
    [again, new] = house.client.submit([action, trade(house.client)])
    assert (again.sequence, again.code) == (first.sequence, first.code)
    assert again.repeated and not first.repeated and not new.repeated
    [third, fourth] = house.client.submit([action, action])
    assert third.repeated and fourth.repeated
    assert third.sequence == fourth.sequence == first.sequence


def test_a_rejection_is_an_outcome_with_its_operands_and_an_error_on_demand(house):
    actions = [trade(house.client), trade(house.client, size="100000")]
    [fine, rejected] = house.client.submit(actions)
    assert fine.applied
    assert rejected.code is Code.MARGIN
    assert rejected.acceptance == "CLR-MRG-001"
    with pytest.raises(RejectedByLaw) as caught:
        rejected.raise_for_rejection()
    assert caught.value.exit_code == 4
    assert caught.value.operands == dict(rejected.operands) != {}


def test_requests_are_signed_by_the_owner_and_move_the_books(house):
    client = house.client
    cash = client.account(1).cash_micro
    outcomes = client.submit(
        [
            client.transfer(0, 1, "2.5"),
            client.cancel(0, slot=9),
            client.withdraw(1, "2.5", signer=BUYER_SIGNER),
            client.withdraw(1, "1"),
        ]
    )
    codes = [outcome.code for outcome in outcomes]
    assert codes == [Code.APPLIED, Code.APPLIED, Code.APPLIED, Code.BAD_SIGNATURE]
    assert client.account(1).cash_micro == cash


def test_a_bulk_signature_and_a_venue_are_accepted(house):
    client, venue = house.client, LocalSigner(bytes([9]) * 32)
    market = client.market("BTC-PERP")
    terms = {"sequence": client._flows.sequence(), "expiry_ms": 2**60, "venue": venue.address}
    sells = client.sign_bulk(
        [market.order(0, "sell", "0.01", "4000", slot=40 + n, **terms) for n in range(3)]
    )
    buy = client.order(
        1, "BTC-PERP", "buy", "0.03", "4000", slot=40, venue=venue.address, signer=BUYER_SIGNER
    )
    trades = [client.trade(sell, buy, venue_signer=venue) for sell in sells]
    assert [outcome.code for outcome in client.submit(trades)] == [Code.APPLIED] * 3


def test_an_empty_submission_asks_nobody():
    with Client("127.0.0.1:1") as client:
        assert client.submit([]) == []


def test_reads_answer_in_units_that_their_names_say(house):
    client = house.client
    assert client.info().sequencer == address_of(SEQUENCER)
    assert client.instrument("BTC-PERP").tick_micro == client.market(0).tick_micro == 10
    assert [account.id for account in client.accounts()] == [0, 1]
    assert [account.id for account in client.accounts(address_of(BUYER))] == [1]
    fill = pb.HypotheticalFill(instrument=0, lots=1)
    assert client.what_if(0, [fill]).after.notional_micro > 0
    assert client.params().price_quorum == 1


def test_what_does_not_exist_is_not_found(house):
    with pytest.raises(NotFound) as caught:
        house.client.account(99)
    assert caught.value.reason == "NO_ACCOUNT"
    assert caught.value.metadata["account"] == "99"
    with pytest.raises(NotFound):
        house.client.market("DOGE-PERP")
    with pytest.raises(NotFound):
        house.client.action(bytes(32))


def test_batches_can_be_listed_and_fetched(house):
    house.client.submit([trade(house.client)])
    house.until(lambda: house.client.batches(limit=1))
    [newest] = house.client.batches(limit=1)
    assert len(house.client.batch_data(newest.number)) == newest.data_bytes
    assert house.client.batch(newest.number).batch.post_root == newest.post_root


def test_the_tail_resumes_behind_the_last_event(house):
    client = house.client
    start = client.heads().sequenced.token
    [outcome] = client.submit([trade(client)])
    events = client.tail(start, heartbeat_ms=100)
    first = next(event for event in events if event.WhichOneof("event") == "frame")
    events.close()
    later = client.tail(first.next_token, heartbeat_ms=100)
    for event in later:
        assert event.next_token >= first.next_token
        if event.WhichOneof("event") == "frame":
            assert event.frame.token > first.frame.token
            break
        if event.WhichOneof("event") == "heartbeat":
            assert event.heartbeat.point.sequence >= outcome.sequence
            break
    later.close()


def test_an_account_proof_holds_under_its_root_and_under_no_other(house):
    proof = house.client.account_proof(1)
    proven = verify_account_proof(proof, proof.point.state_root, 1)
    assert proven.owner == address_of(BUYER)
    with pytest.raises(VerificationFailed):
        verify_account_proof(proof, bytes(32), 1)
    with pytest.raises(VerificationFailed):
        verify_account_proof(proof, proof.point.state_root, 0)
    proof.leaf = proof.leaf[:31] + bytes([proof.leaf[31] ^ 1]) + proof.leaf[32:]
    with pytest.raises(VerificationFailed):
        verify_account_proof(proof, proof.point.state_root, 1)


def test_a_node_with_another_sequencer_than_the_pinned_one_is_refused(house):
    with (
        Client(house.node.address, sequencer=bytes(20)) as client,
        pytest.raises(VerificationFailed, match="sequencer"),
    ):
        client.submit([trade(house.client)])


def test_the_client_for_asyncio_does_the_same(house):
    async def run():
        async with AsyncClient(house.node.address, key=SELLER, deadline=DEADLINE_SECONDS) as client:
            sell = await client.order(0, "BTC-PERP", "sell", "0.01", "4000", slot=3)
            buy = await client.order(
                1, "BTC-PERP", "buy", "0.01", "4000", slot=3, signer=BUYER_SIGNER
            )
            start = (await client.heads()).sequenced.token
            [outcome] = await client.submit([await client.trade(sell, buy)])
            [again] = await client.submit([await client.trade(sell, buy)])
            async for event in client.tail(start, heartbeat_ms=100):
                if event.WhichOneof("event") == "frame":
                    break
            with pytest.raises(NotFound):
                await client.account(99)
            return outcome, again

    outcome, again = asyncio.run(run())
    assert outcome.applied and again.repeated and again.sequence == outcome.sequence


# Receipts that lie.


def flip(field):
    def tamper(outcomes):
        value = getattr(outcomes.receipt, field)
        setattr(outcomes.receipt, field, bytes([value[0] ^ 1]) + value[1:])

    return tamper


def count_more(outcomes):
    outcomes.receipt.count += 1


def claim_another_place(outcomes):
    outcomes.sequences[0] += 1


def hide_the_action(outcomes):
    del outcomes.receipt.own_steps[:]
    outcomes.receipt.own_hashes = b""


def call_it_a_repeat(outcomes):
    outcomes.repeats.append(0)
    outcomes.sequences[0] += 1


def leave_the_receipt_out(outcomes):
    outcomes.ClearField("receipt")


def answer_too_little(outcomes):
    del outcomes.codes[:]


@pytest.mark.parametrize(
    "tamper",
    [
        flip("signature"),
        flip("accumulator"),
        flip("accumulator_before"),
        flip("step_roots"),
        flip("own_hashes"),
        count_more,
        claim_another_place,
        hide_the_action,
        call_it_a_repeat,
        leave_the_receipt_out,
        answer_too_little,
    ],
)
def test_a_receipt_that_lies_is_caught(house, tamper):
    blob = trade(house.client).encode()
    request = pb.SubmitRequest(submission=pb.Submission(actions=blob, lengths=[len(blob)]))
    outcomes = house.client._stub.Submit(request, timeout=DEADLINE_SECONDS).outcomes
    flows = house.client._flows
    assert house.client._run(flows.proven([blob], outcomes))[0].applied

    tamper(outcomes)
    with pytest.raises(VerificationFailed):
        house.client._run(flows.proven([blob], outcomes))


def test_a_sequencer_that_signs_two_histories_is_caught(house):
    blob = trade(house.client).encode()
    request = pb.SubmitRequest(submission=pb.Submission(actions=blob, lengths=[len(blob)]))
    outcomes = house.client._stub.Submit(request, timeout=DEADLINE_SECONDS).outcomes
    receipt = outcomes.receipt
    with Client(house.node.address) as client:
        client.info()
        flows = client._flows
        flows.last_receipt = ReceiptCheck(
            receipt.generation, receipt.count_before, b"\x01" * 32, {}, bytes(65)
        )
        with pytest.raises(VerificationFailed, match="two histories"):
            client._run(flows.checked(receipt))
        # A rollback on the base layer begins another history rightly.
        flows.last_receipt = ReceiptCheck(
            receipt.generation + 1, receipt.count_before, b"\x01" * 32, {}, bytes(65)
        )
        assert client._run(flows.checked(receipt)).count == receipt.count


# Repetition, without any network: flows know no I/O.


def calls():
    flows = Flows(None, 5.0, lambda: 1, None)
    return flows.call("Submit", pb.SubmitRequest(), submits=True)


def test_a_shed_submission_is_sent_again_with_the_same_bytes_after_the_wait_asked_for():
    flow = calls()
    first = next(flow)
    assert isinstance(first, Call)
    assert flow.throw(Overloaded("full", retry_after=0.25)) == Sleep(0.25)
    again = next(flow)
    assert again.request is first.request
    with pytest.raises(StopIteration) as done:
        flow.send("answer")
    assert done.value.value == "answer"


def test_what_cannot_be_helped_by_repetition_is_raised_at_once():
    flow = calls()
    next(flow)
    with pytest.raises(BadRequest):
        flow.throw(BadRequest("no"))


def test_a_node_that_stays_away_is_given_up_after_a_few_attempts():
    flow = calls()
    next(flow)
    sleeps = 0
    with pytest.raises(OutcomeUnknown):
        while True:
            assert isinstance(flow.throw(OutcomeUnknown("gone")), Sleep)
            sleeps += 1
            next(flow)
    assert sleeps == 3


def test_a_later_refusal_does_not_hide_that_an_earlier_attempt_may_have_got_through():
    flow = calls()
    next(flow)
    flow.throw(OutcomeUnknown("gone"))
    next(flow)
    with pytest.raises(OutcomeUnknown):
        flow.throw(BadRequest("no"))


def test_sequences_rise_even_when_the_clock_stands():
    flows = Flows(None, 5.0, lambda: 1_000, None)
    assert [flows.sequence() for _ in range(3)] == [1_000, 1_001, 1_002]


def test_signing_without_a_key_says_how_to_give_one(house, monkeypatch):
    monkeypatch.delenv("NOVATIO_KEY", raising=False)
    with Client(house.node.address) as client, pytest.raises(KeyUnusable) as caught:
        client.withdraw(0, "1")
    assert "NOVATIO_KEY" in caught.value.next_step


def test_a_market_can_be_made_without_a_node():
    assert Market(0, "X", 1, 10**9).lots("3") == 3


# Failures of the wire.


class Failing(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every call with one status, as a node's gate would."""

    def __init__(self, refused):
        self.refused = refused

    def service(self, call):
        def abort(request, context):
            if isinstance(self.refused, Refused):
                context.abort_with_status(self.refused.status())
            context.abort(self.refused, "bare")

        return grpc.unary_unary_rpc_method_handler(abort)


def failed(refused, use):
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((Failing(refused),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with Client(f"127.0.0.1:{port}", deadline=0.05) as client:
            use(client)
    finally:
        server.stop(None).wait()


S = grpc.StatusCode


@pytest.mark.parametrize(
    ("code", "kind", "exit_code", "retryable"),
    [
        (S.INVALID_ARGUMENT, BadRequest, 2, False),
        (S.NOT_FOUND, NotFound, 3, False),
        (S.FAILED_PRECONDITION, NotReady, 1, False),
        (S.UNAUTHENTICATED, Unauthenticated, 1, False),
        (S.PERMISSION_DENIED, Unauthenticated, 1, False),
        (S.UNAVAILABLE, Unavailable, 5, True),
        (S.RESOURCE_EXHAUSTED, Overloaded, 1, True),
        (S.DATA_LOSS, CorruptData, 7, False),
    ],
)
def test_a_refusal_becomes_an_error_with_reason_and_operands(code, kind, exit_code, retryable):
    refused = Refused(code, "SOME_REASON", "was 5", {"was": 5})
    with pytest.raises(kind) as caught:
        failed(refused, lambda client: client.heads())
    error = caught.value
    assert (error.reason, error.metadata) == ("SOME_REASON", {"was": "5"})
    assert (error.exit_code, error.retryable) == (exit_code, retryable)
    assert error.next_step


def test_the_wait_that_a_node_asks_for_is_kept_in_the_error():
    refused = Refused(S.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", {}, 1_500)
    with pytest.raises(Overloaded) as caught:
        failed(refused, lambda client: client.heads())
    assert caught.value.retry_after == 1.5


def submit_blindly(client):
    client._run(client._flows.call("Submit", pb.SubmitRequest(), submits=True))


@pytest.mark.parametrize("code", [S.UNAVAILABLE, S.UNKNOWN, S.INTERNAL, S.DEADLINE_EXCEEDED])
def test_a_submission_that_failed_on_the_way_has_an_unknown_outcome(code):
    with pytest.raises(OutcomeUnknown):
        failed(code, submit_blindly)


def test_a_submission_that_the_node_refused_was_not_looked_at():
    refused = Refused(S.UNAVAILABLE, "SHUTTING_DOWN", "stopping")
    with pytest.raises(Unavailable):
        failed(refused, submit_blindly)
    unknown = Refused(S.UNAVAILABLE, "OUTCOME_UNKNOWN", "the disk failed")
    with pytest.raises(OutcomeUnknown):
        failed(unknown, submit_blindly)
