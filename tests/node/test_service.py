"""The node as its clients see it: over gRPC, on a real disk."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from clearing.keys import address_of, recover
from clearing.messages import action_hash, decode_action
from node.config import ConfigInvalid
from node.gate import Refused
from node.receipts import Receipt, check_receipt, receipt_digest
from node.v1 import node_pb2 as pb
from node.v1 import node_pb2_grpc
from tests.node.scenario import (
    ALICE_KEY,
    BOB_KEY,
    DOMAIN,
    PRICE,
    SEQUENCER_KEY,
    START_MS,
    genesis,
    trade,
    withdraw,
)
from tests.node.service import SECONDS, Client, refused, submission
from verifier.account_proof import AccountProof, verify_account_proof
from verifier.batch import BatchData, Opening

CERTIFICATES = Path(__file__).parent / "certificates"
API_KEY = "correct horse battery staple"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    client = Client(tmp_path_factory.mktemp("node")).fund()
    client.submit(*(trade(k) for k in range(1, 20)))
    yield client
    client.stop()


@pytest.fixture
def client(tmp_path):
    made = Client(tmp_path).fund()
    yield made
    made.stop()


def test_a_trade_is_answered_with_code_sequence_and_a_receipt_that_checks(client):
    before = client.submit(trade(1)).receipt
    outcomes = client.submit(trade(2), trade(3))
    assert list(outcomes.codes) == [0, 0]
    assert list(outcomes.sequences) == [3, 4]
    receipt = outcomes.receipt
    assert receipt.accumulator_before == before.accumulator
    assert receipt.own_hashes == action_hash(trade(2)) + action_hash(trade(3))
    check_receipt(
        Receipt(
            receipt.generation,
            receipt.count,
            receipt.accumulator,
            receipt.signature,
            receipt.count_before,
            receipt.accumulator_before,
            np.array(receipt.step_counts),
            receipt.step_roots,
            receipt.own_hashes,
            receipt.token,
        )
    )
    digest = receipt_digest(DOMAIN, receipt.generation, receipt.count, receipt.accumulator)
    assert recover(receipt.signature, digest) == address_of(SEQUENCER_KEY)


def test_a_rejection_says_name_acceptance_code_and_operands(shared):
    outcomes = shared.submit(trade(900, at=PRICE + 1))
    rejection = outcomes.rejections[0]
    assert (rejection.name, rejection.acceptance) == ("OFF_TICK", "CLR-TRD-008")
    assert rejection.operands["tick_micro"] == "1000"
    assert list(outcomes.codes) == [rejection.code]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"price": PRICE + 1}, "OFF_TICK"),
        ({"price": PRICE * 2}, "LIMIT_PRICE"),
        ({"taker_fee": 1_001}, "FEE_ABOVE_MAXIMUM"),
        ({"maker_fee": -600}, "FEE_NEGATIVE"),
        ({"instrument": 7}, "NO_INSTRUMENT"),
        ({"lots": 11}, "OVERFILL"),
    ],
)
def test_a_trade_changed_after_signing_is_rejected_with_operands_and_touches_nothing(
    shared, change, name
):
    root = shared.stub.GetHeads(pb.GetHeadsRequest()).sequenced
    changed = replace(decode_action(trade(950)), **change).encode()
    outcomes = shared.submit(changed)
    allowed = {name, "BAD_SIGNATURE"}
    assert outcomes.rejections[0].name in allowed
    assert outcomes.rejections[0].message
    account = shared.stub.GetAccount(pb.GetAccountRequest(id=0)).account
    assert account.positions[0].lots == -190
    assert root.sequence + 1 == shared.stub.GetHeads(pb.GetHeadsRequest()).sequenced.sequence


def test_garbage_of_every_length_is_answered_and_the_node_keeps_serving(client):
    chance = np.random.default_rng(5)
    for length in (0, 1, 2, 53, 200, 1_000, 2_048):
        junk = chance.bytes(length)
        assert client.submit(junk, trade(1)).sequences[0] == 0
    kinds = [bytes([kind]) + trade(1)[1:] for kind in range(30)]
    assert len(client.submit(*kinds).codes) == 30
    assert list(client.submit(trade(2)).codes) == [0]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.Submission(), "EMPTY_SUBMISSION"),
        (pb.Submission(actions=b"abc", lengths=[2]), "LENGTHS_MISMATCH"),
        (pb.Submission(actions=b"abc", lengths=[3, 2**32 - 1]), "LENGTHS_MISMATCH"),
        (pb.Submission(actions=bytes(2_049), lengths=[2_049]), "ACTION_TOO_LARGE"),
        (pb.Submission(lengths=[0] * 1_025), "SUBMISSION_TOO_LARGE"),
        (pb.Submission(actions=bytes((1 << 20) + 1), lengths=[1]), "SUBMISSION_TOO_LARGE"),
    ],
)
def test_a_submission_that_describes_itself_wrongly_is_refused_whole(shared, request_, reason):
    before = shared.stub.GetHeads(pb.GetHeadsRequest()).sequenced
    code, info, retry = refused(
        shared.stub.Submit, pb.SubmitRequest(submission=request_), timeout=SECONDS
    )
    assert (code, info.reason, retry) == (grpc.StatusCode.INVALID_ARGUMENT, reason, None)
    assert shared.stub.GetHeads(pb.GetHeadsRequest()).sequenced == before


def raw_call(client, method: str, data: bytes):
    return client.channel.unary_unary(f"/node.v1.NodeService/{method}")(data, timeout=SECONDS)


def test_bytes_that_are_no_message_and_unknown_fields_are_refused_by_name(shared):
    code, info, _ = refused(raw_call, shared, "Submit", b"\xff\xff\xff")
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_MESSAGE")
    # Field 15, a varint, on the outside and inside of the submission.
    code, info, _ = refused(raw_call, shared, "GetAccount", b"\x78\x01")
    assert (info.reason, info.metadata["field"]) == ("UNKNOWN_FIELD", "#15")
    inside = submission(trade(1)).SerializeToString() + b"\x78\x01"
    data = b"\x0a" + bytes([len(inside) & 0x7F | 0x80, len(inside) >> 7]) + inside
    code, info, _ = refused(raw_call, shared, "Submit", data)
    assert (info.reason, info.metadata["field"]) == ("UNKNOWN_FIELD", "submission.#15")


def test_a_mutating_call_needs_a_deadline_and_a_read_does_not(shared):
    code, info, _ = refused(shared.submit, trade(1), timeout=None)
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DEADLINE_REQUIRED")
    code, info, _ = refused(shared.submit, trade(1), timeout=3_600)
    assert info.metadata["deadline_ms_max"] == "60000"
    assert shared.stub.GetInfo(pb.GetInfoRequest()).chain_id == genesis().chain_id


def test_resubmission_over_the_wire_is_idempotent_and_can_be_looked_up(client):
    first = client.submit(trade(1), trade(2))
    again = client.submit(trade(1), trade(2))
    assert list(again.sequences) == list(first.sequences)
    assert list(again.repeats) == [0, 1]
    assert not again.HasField("receipt")
    client.submit(trade(3))
    request = pb.GetActionRequest(action_hash=action_hash(trade(2)))
    found = client.stub.GetAction(request)
    assert (found.sequence, found.code, found.name) == (3, 0, "APPLIED")
    assert found.receipt.signature == first.receipt.signature
    assert found.receipt.own_hashes == first.receipt.own_hashes
    code, info, _ = refused(client.stub.GetAction, pb.GetActionRequest(action_hash=bytes(32)))
    assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, "NO_SUCH_ACTION")
    code, info, _ = refused(client.stub.GetAction, pb.GetActionRequest(action_hash=b"x"))
    assert info.reason == "MALFORMED_HASH"


def test_a_stream_answers_each_message_and_survives_bad_ones(client):
    messages = [
        pb.SubmitStreamRequest(client_sequence=k, submission=submission(trade(k)))
        for k in range(1, 30)
    ]
    messages[10].submission.lengths.append(5)
    answers = {
        answer.client_sequence: answer
        for answer in client.stub.SubmitStream(iter(messages), timeout=SECONDS)
    }
    assert sorted(answers) == list(range(1, 30))
    assert answers[11].refusal.reason == "LENGTHS_MISMATCH"
    good = [answers[k].outcomes for k in range(1, 30) if k != 11]
    assert all(list(outcomes.codes) == [0] for outcomes in good)
    assert len({outcomes.sequences[0] for outcomes in good}) == 28


def test_a_message_of_a_stream_that_does_not_parse_gets_a_refusal_of_its_own(client):
    stream = client.channel.stream_stream(
        "/node.v1.NodeService/SubmitStream",
        response_deserializer=pb.SubmitStreamResponse.FromString,
    )
    good = pb.SubmitStreamRequest(client_sequence=7, submission=submission(trade(1)))
    answers = list(stream(iter([b"\xff", good.SerializeToString()]), timeout=SECONDS))
    reasons = {answer.client_sequence: answer.refusal.reason for answer in answers}
    assert reasons == {0: "MALFORMED_MESSAGE", 7: ""}


def test_concurrent_submissions_each_get_their_own_outcome(client):
    results = {}

    def run(k: int) -> None:
        results[k] = client.submit(trade(k), trade(k + 100))

    threads = [threading.Thread(target=run, args=(k,)) for k in range(1, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    places = [place for outcomes in results.values() for place in outcomes.sequences]
    assert sorted(places) == list(range(2, 50))
    for k, outcomes in results.items():
        assert action_hash(trade(k)) in outcomes.receipt.own_hashes


def test_reads_tell_state_and_margin(shared):
    account = shared.stub.GetAccount(pb.GetAccountRequest(id=1)).account
    assert account.owner == address_of(BOB_KEY)
    assert [(each.instrument, each.lots) for each in account.positions] == [(0, 190)]
    assert account.positions[0].value_micro == 190 * PRICE
    assert account.margin.notional_micro == 190 * PRICE
    assert account.margin.initial_micro == 19 * PRICE
    assert account.margin.equity_micro == account.cash_micro + 190 * PRICE
    instrument = shared.stub.GetInstrument(pb.GetInstrumentRequest(id=0)).instrument
    assert (instrument.symbol, instrument.mark_price_micro) == ("BTC-PERP", PRICE)
    assert instrument.open_interest_lots == 190
    params = shared.stub.GetParams(pb.GetParamsRequest())
    assert list(params.publishers) == list(genesis().publishers)
    assert params.tiers[0].initial_ppm == 100_000
    listed = shared.stub.ListInstruments(pb.ListInstrumentsRequest())
    assert [each.id for each in listed.instruments] == [0]
    code, info, _ = refused(shared.stub.GetAccount, pb.GetAccountRequest(id=99))
    assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, "NO_ACCOUNT")
    code, info, _ = refused(shared.stub.GetInstrument, pb.GetInstrumentRequest(id=99))
    assert info.reason == "NO_INSTRUMENT"


def test_accounts_are_listed_by_page_and_by_owner(shared):
    first = shared.stub.ListAccounts(pb.ListAccountsRequest(page_size=1))
    assert ([each.id for each in first.accounts], first.next_page_token) == ([0], "1")
    rest = shared.stub.ListAccounts(pb.ListAccountsRequest(page_token=first.next_page_token))
    assert ([each.id for each in rest.accounts], rest.next_page_token) == ([1], "")
    owned = shared.stub.ListAccounts(pb.ListAccountsRequest(owner=address_of(BOB_KEY)))
    assert [each.id for each in owned.accounts] == [1]
    beyond = shared.stub.ListAccounts(pb.ListAccountsRequest(page_token="99"))
    assert not beyond.accounts
    for request, reason in (
        (pb.ListAccountsRequest(page_size=1_001), "PAGE_TOO_LARGE"),
        (pb.ListAccountsRequest(page_token="x"), "MALFORMED_PAGE_TOKEN"),
        (pb.ListAccountsRequest(owner=b"x"), "MALFORMED_ADDRESS"),
    ):
        assert refused(shared.stub.ListAccounts, request)[1].reason == reason


def test_a_what_if_agrees_with_what_then_happens(client):
    fills = [pb.HypotheticalFill(instrument=0, lots=-10, price_micro=PRICE, fee_ppm=0)]
    asked = client.stub.WhatIfMargin(pb.WhatIfMarginRequest(account=0, fills=fills))
    assert asked.legal
    client.submit(trade(1))
    assert client.stub.GetAccount(pb.GetAccountRequest(id=0)).account.margin == asked.after
    huge = [pb.HypotheticalFill(instrument=0, lots=10**6)]
    assert not client.stub.WhatIfMargin(pb.WhatIfMarginRequest(account=0, fills=huge)).legal
    for fills, reason in (
        ([pb.HypotheticalFill(instrument=0, lots=2**50)], "OUT_OF_RANGE"),
        ([pb.HypotheticalFill(instrument=0, lots=2**48, price_micro=2**48)], "OUT_OF_RANGE"),
        ([pb.HypotheticalFill(instrument=9, lots=1)], "NO_INSTRUMENT"),
        ([pb.HypotheticalFill(lots=1)] * 65, "TOO_MANY_FILLS"),
    ):
        request = pb.WhatIfMarginRequest(account=0, fills=fills)
        assert refused(client.stub.WhatIfMargin, request)[1].reason == reason


def test_an_account_proof_leads_to_the_state_root(shared):
    answer = shared.stub.GetAccountProof(pb.GetAccountProofRequest(id=1))
    siblings = tuple(
        answer.siblings[start : start + 32] for start in range(0, len(answer.siblings), 32)
    )
    opening = Opening.decode(answer.opening)
    proof = AccountProof(answer.leaf, siblings, opening)
    assert opening.state_root() == answer.point.state_root
    assert AccountProof.decode(proof.encode()) == proof
    assert verify_account_proof(proof, answer.point.state_root).owner == address_of(BOB_KEY)


def test_batches_can_be_listed_and_their_data_read(tmp_path):
    times = [START_MS]
    client = Client(tmp_path, clock=lambda: times[0]).fund()
    try:
        for k in range(1, 4):
            client.submit(trade(k))
            times[0] += 1_000
            wait_until(lambda k=k: client.node.shell.sequencer.batcher.number == k + 1)
            wait_until(lambda k=k: sealed_of(client) == k)
        page = client.stub.ListBatches(pb.ListBatchesRequest(page_size=2))
        assert [batch.number for batch in page.batches] == [3, 2]
        rest = client.stub.ListBatches(pb.ListBatchesRequest(page_token=page.next_page_token))
        assert [batch.number for batch in rest.batches] == [1]
        batch = client.stub.GetBatch(pb.GetBatchRequest(number=2))
        assert Opening.decode(batch.opening).state_root() == batch.batch.post_root
        pieces = client.stub.GetBatchData(pb.GetBatchDataRequest(number=2))
        data = b"".join(piece.piece for piece in pieces)
        decoded = BatchData.decode(data, batch.batch.step_count)
        assert decoded.steps[0].actions == (trade(2),)
        heads = client.stub.GetHeads(pb.GetHeadsRequest())
        assert heads.sealed.number == 3
        assert heads.sealed.state_root == heads.sequenced.state_root
        code, info, _ = refused(client.stub.GetBatch, pb.GetBatchRequest(number=9))
        assert (code, info.reason) == (grpc.StatusCode.NOT_FOUND, "NO_SUCH_BATCH")
        assert refused(client.stub.GetWithdrawalProof, pb.GetWithdrawalProofRequest(index=0))
    finally:
        client.stop()


def sealed_of(client: Client) -> int:
    return int(client.stub.ListBatches(pb.ListBatchesRequest(page_size=1)).batches[0].number)


def wait_until(holds) -> None:
    """Wait for the node's own threads; fails after a time that no machine needs."""
    for _ in range(2_000):
        try:
            if holds():
                return
        except IndexError:
            pass
        threading.Event().wait(0.01)
    raise AssertionError("expected this to happen within 20 s, was not")


def frames(stream, count: int) -> list[pb.TailResponse]:
    found = []
    for response in stream:
        if response.HasField("frame"):
            found.append(response)
        if len(found) == count:
            break
    stream.cancel()
    return found


def test_a_tail_resumes_exactly_where_it_was_left_and_across_a_restart(tmp_path):
    client = Client(tmp_path).fund()
    for k in range(1, 6):
        client.submit(trade(k))
    total = client.node.shell.frames
    everything = frames(client.stub.Tail(pb.TailRequest(), timeout=SECONDS), total)
    assert [each.frame.sequence_before for each in everything[-5:]] == [1, 2, 3, 4, 5]
    assert everything[-1].frame.actions == trade(5)
    assert everything[0].frame.inbox_count == 2
    for place, response in enumerate(everything[:-1]):
        request = pb.TailRequest(token=response.next_token)
        rest = frames(client.stub.Tail(request, timeout=SECONDS), total - place - 1)
        assert rest == everything[place + 1 :]
    client.stop()
    client = Client(tmp_path)
    try:
        request = pb.TailRequest(token=everything[1].next_token)
        assert frames(client.stub.Tail(request, timeout=SECONDS), total - 2) == everything[2:]
        request = pb.TailRequest(token=everything[-1].next_token, omit_actions=True)
        live = client.stub.Tail(request, timeout=SECONDS)
        client.submit(trade(6))
        (found,) = frames(live, 1)
        assert (found.frame.sequence_before, found.frame.actions) == (6, b"")
    finally:
        client.stop()


def test_a_silent_tail_beats_and_an_impossible_token_is_refused(shared):
    request = pb.TailRequest(token=shared.node.log.tail.sequence + 1, heartbeat_ms=100)
    stream = shared.stub.Tail(request, timeout=SECONDS)
    heads = shared.stub.GetHeads(pb.GetHeadsRequest())
    beat = next(each for each in stream if each.HasField("heartbeat"))
    assert beat.heartbeat.point.state_root == heads.sequenced.state_root
    stream.cancel()
    code, info, _ = refused(shared.stub.Tail, pb.TailRequest(token=10**9), timeout=SECONDS)
    assert (code, info.reason) == (grpc.StatusCode.OUT_OF_RANGE, "TOKEN_AHEAD")


class Patient:
    """A caller that never goes away and has no deadline."""

    def is_active(self) -> bool:
        return True

    def time_remaining(self) -> None:
        return None


def test_a_slow_tail_is_dropped_with_its_token_and_can_resume(tmp_path):
    client = Client(tmp_path, limits__tail_events_max=4).fund()
    try:
        start = client.node.log.tail.sequence + 1
        stream = client.node.reads.tail(pb.TailRequest(token=start), Patient())
        client.submit(trade(1))
        token = next(stream).next_token
        for k in range(2, 8):
            client.submit(trade(k))
        with pytest.raises(Refused, match="resume from token") as caught:
            next(stream)
        assert caught.value.operands["token"] == str(token)
        again = client.stub.Tail(pb.TailRequest(token=token), timeout=SECONDS)
        assert [each.frame.sequence_before for each in frames(again, 6)] == [2, 3, 4, 5, 6, 7]
    finally:
        client.stop()


def test_health_and_reflection_are_served(shared):
    health = health_pb2_grpc.HealthStub(shared.channel)
    for service in ("", "node.v1.NodeService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    stub = reflection_pb2_grpc.ServerReflectionStub(shared.channel)
    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([listing]))
    names = [each.name for each in answer.list_services_response.service]
    assert "node.v1.NodeService" in names


KEYED = f"""
[[venues]]
name = "small"
key_sha256 = "{hashlib.sha256(API_KEY.encode()).hexdigest()}"
actions_per_second = 1
burst = 3
in_flight_max = 2
[limits]
request_actions_max = 3
"""


def test_keys_are_asked_for_and_quotas_shed_with_a_hint(tmp_path):
    client = Client(tmp_path, toml=KEYED)
    try:
        code, info, _ = refused(client.submit, b"junk")
        assert (code, info.reason) == (grpc.StatusCode.UNAUTHENTICATED, "NO_CREDENTIALS")
        code, info, _ = refused(client.submit, b"junk", metadata=(("x-novatio-key", "wrong"),))
        assert (code, info.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNKNOWN_KEY")
        metadata = (("x-novatio-key", API_KEY),)
        assert list(client.submit(b"1", b"2", b"3", metadata=metadata).codes) == [2, 2, 2]
        code, info, retry = refused(client.submit, b"1", b"2", b"3", metadata=metadata)
        assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        assert 0 < retry <= 3_001
        assert info.metadata["burst_max"] == "3"
        # Looking is free: everything here is published anyway.
        assert client.stub.GetInfo(pb.GetInfoRequest()).actions_max == 3
    finally:
        client.stop()


MUTUAL = f"""
[tls]
certificate = "{CERTIFICATES / "server.pem"}"
private_key = "{CERTIFICATES / "server.key"}"
client_ca = "{CERTIFICATES / "ca.pem"}"
[[venues]]
name = "known"
certificate_name = "{{name}}"
"""


@pytest.mark.parametrize(("name", "let_in"), [("venue", True), ("somebody", False)])
def test_with_mutual_tls_the_certificate_names_the_venue(tmp_path, name, let_in):
    client = Client(tmp_path, toml=MUTUAL.format(name=name))
    authority = (CERTIFICATES / "ca.pem").read_bytes()
    key, chain = ((CERTIFICATES / f"venue.{end}").read_bytes() for end in ("key", "pem"))
    address = client.node.address.replace("127.0.0.1", "localhost")
    try:
        mutual = grpc.ssl_channel_credentials(authority, key, chain)
        with grpc.secure_channel(address, mutual) as channel:
            stub = node_pb2_grpc.NodeServiceStub(channel)
            request = pb.SubmitRequest(submission=submission(b"junk"))
            if let_in:
                assert list(stub.Submit(request, timeout=SECONDS).outcomes.codes) == [2]
            else:
                _, info, _ = refused(stub.Submit, request, timeout=SECONDS)
                assert info.reason == "NO_CREDENTIALS"
        for credentials in (grpc.ssl_channel_credentials(authority), None):
            channel = (
                grpc.insecure_channel(address)
                if credentials is None
                else grpc.secure_channel(address, credentials)
            )
            with channel, pytest.raises(grpc.RpcError) as caught:
                node_pb2_grpc.NodeServiceStub(channel).GetInfo(pb.GetInfoRequest(), timeout=SECONDS)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    finally:
        client.stop()


def test_a_request_that_waits_longer_than_its_deadline_is_not_sequenced(tmp_path):
    client = Client(tmp_path).fund()
    release = threading.Event()
    try:
        blocker = threading.Thread(
            target=client.node.shell.call, args=(lambda: release.wait(SECONDS), SECONDS)
        )
        blocker.start()
        with pytest.raises(grpc.RpcError) as caught:
            client.submit(trade(1), timeout=0.2)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        release.set()
        blocker.join()
        # Whatever became of it, asking again tells, and it is there once.
        assert list(client.submit(trade(1)).sequences) == [2]
    finally:
        release.set()
        client.stop()


def test_a_full_queue_sheds_with_resource_exhausted_and_a_hint(tmp_path):
    toml = "[limits]\nrequest_actions_max = 4\nqueue_actions_max = 4\n"
    client = Client(tmp_path, toml=toml).fund()
    release = threading.Event()
    try:
        blocker = threading.Thread(
            target=client.node.shell.call, args=(lambda: release.wait(SECONDS), SECONDS)
        )
        blocker.start()
        results = []

        def run(k: int) -> None:
            try:
                results.append(client.submit(trade(k), trade(k + 100), trade(k + 200)))
            except grpc.RpcError as error:
                results.append(error)

        threads = [threading.Thread(target=run, args=(k,)) for k in range(1, 5)]
        for thread in threads:
            thread.start()
        wait_until(lambda: client.node.shell._queue.qsize() >= 4)
        release.set()
        for thread in [*threads, blocker]:
            thread.join()
        errors = [each for each in results if isinstance(each, grpc.RpcError)]
        assert 1 <= len(errors) <= 3
        for error in errors:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            details = rpc_status.from_call(error).details
            kinds = {each.type_url.rpartition("/")[2] for each in details}
            assert kinds == {"google.rpc.ErrorInfo", "google.rpc.RetryInfo"}
    finally:
        release.set()
        client.stop()


def test_a_restarted_node_stands_where_it_stood_and_knows_its_repeats(tmp_path):
    client = Client(tmp_path).fund()
    first = client.submit(trade(1), trade(2, at=PRICE + 1))
    point = client.stub.GetHeads(pb.GetHeadsRequest()).sequenced
    client.stop()
    client = Client(tmp_path)
    try:
        assert client.stub.GetHeads(pb.GetHeadsRequest()).sequenced.state_root == point.state_root
        again = client.submit(trade(1), trade(2, at=PRICE + 1))
        assert list(again.codes) == list(first.codes)
        assert list(again.sequences) == list(first.sequences)
    finally:
        client.stop()


def test_after_the_disk_fails_the_node_says_so_and_still_answers_reads(tmp_path):
    client = Client(tmp_path).fund()
    try:
        client.break_disk()
        with pytest.raises(grpc.RpcError) as caught:
            client.submit(trade(1))
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        code, info, _ = refused(client.submit, trade(2))
        assert (code, info.reason) == (grpc.StatusCode.DATA_LOSS, "STORAGE_FAILED")
        heads = client.stub.GetHeads(pb.GetHeadsRequest())
        assert heads.status == pb.NODE_STATUS_FAILED
    finally:
        client.stop_broken()
    again = Client(tmp_path)
    try:
        assert list(again.submit(trade(1)).sequences) == [2]
    finally:
        again.stop()


def test_whoever_asks_again_as_soon_as_the_disk_failed_is_told_so(tmp_path):
    client = Client(tmp_path).fund()
    shell = client.node.shell

    def ask(number: int):
        action = trade(number)
        return shell.submit(action, np.array([len(action)]), START_MS + 10_000)

    try:
        client.break_disk()
        asked_again = []
        first = ask(1)
        # Runs on the node's own thread, right in the answer: nobody can be quicker.
        first.add_done_callback(lambda _: asked_again.append(ask(2)))
        assert first.result(SECONDS).reason == "OUTCOME_UNKNOWN"
        client.node.shell.call(lambda: None, SECONDS)
        assert asked_again[0].result(SECONDS).reason == "STORAGE_FAILED"
    finally:
        client.stop_broken()


def test_plain_text_beyond_loopback_is_refused(tmp_path):
    with pytest.raises(ConfigInvalid, match="expected a loopback address"):
        Client(tmp_path, node__listen="0.0.0.0:0")


def test_withdrawals_of_owners_are_sequenced_like_anything_else(client):
    assert list(client.submit(withdraw(1), withdraw(1, amount=5)).codes) == [0, 11]
    assert client.stub.GetAccount(pb.GetAccountRequest(id=0)).account.request_sequence == 1
    assert address_of(ALICE_KEY) == client.stub.GetAccount(pb.GetAccountRequest(id=0)).account.owner
