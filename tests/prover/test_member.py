"""A committee member: what it stores, what it signs, what it refuses, and how others reach it."""

from dataclasses import replace
from typing import Any

import grpc
import pytest

from clearing.recovery import address_of, sign
from prover.member import DataMember, MemberRefused
from prover.member_service import CommitteeClient, MemberServer, MemberUnreachable
from prover.member_store import HeldData, MemberStore, StoreError
from prover.v1 import committee_pb2 as pb
from prover.v1 import committee_pb2_grpc
from tests.support.committee import WINDOWS, committee_of, member_of, secret_of
from verifier import bls
from verifier.batch import PAIR_BYTES, BatchData, Pair, Step, data_hash, steps_root
from verifier.committee import Attested, check_attestation
from verifier.config import CourtConfig
from verifier.header import DATA_COMMITTEE, Header

SEQUENCER, STRANGER = bytes([0] * 31 + [1]), bytes([0] * 31 + [2])
COURT = replace(
    CourtConfig.test(chain_id=9, settlement=b"\5" * 20, sequencer=address_of(SEQUENCER)),
    committee=committee_of(),
    **WINDOWS,
)
CHAIN = "chain 9"


def data_of(count=3, salt=0):
    steps = tuple(Step(1_000 + i, (bytes([i, salt]) * 5,)) for i in range(count))
    pairs = tuple(Pair(step.hash(), bytes([i + 1]) * 32) for i, step in enumerate(steps))
    return BatchData(pairs, steps).encode()


def attested_of(data, count=3, generation=0, number=1):
    pairs = data[: PAIR_BYTES * count]
    return Attested(9, b"\5" * 20, generation, number, data_hash(pairs), len(pairs))


def header_of(data, count=3, generation=0, number=1):
    pairs = data[: PAIR_BYTES * count]
    listed = [(pairs[i : i + 32], pairs[i + 32 : i + 64]) for i in range(0, len(pairs), 64)]
    return Header(
        2, 9, b"\5" * 20, generation, number, bytes(32), 0, bytes(32), bytes(32), bytes(32),
        steps_root(listed), count, DATA_COMMITTEE, data_hash(pairs), len(pairs), bytes(20),
    )  # fmt: skip


def request_of(data, key=SEQUENCER, count=3, generation=0, number=1) -> tuple[Any, ...]:
    digest = attested_of(data, count, generation, number).digest()
    return generation, number, count, data, sign(key, digest)


@pytest.fixture
def store(tmp_path):
    made = MemberStore(tmp_path / "member", CHAIN)
    yield made
    made.close()


@pytest.fixture
def member(store):
    return DataMember(COURT, store, secret_of(0), lambda: COURT.sequencer)


def refusal(member, *request):
    with pytest.raises(MemberRefused) as refused:
        member.attest(*request)
    return refused.value.reason


# What it signs


def test_a_member_signs_for_data_that_it_keeps(member, store):
    data = data_of()
    signature = member.attest(*request_of(data))
    assert bls.verify(member.public_key, attested_of(data).digest(), signature)
    assert store.get(0, 1) == HeldData(3, data)
    assert member.data(0, 1, attested_of(data).data_hash) == data


def test_the_same_again_gets_the_same_signature(member, store):
    first = member.attest(*request_of(data_of()))
    assert member.attest(*request_of(data_of())) == first
    assert store.batch_count == 1


def test_other_data_for_the_same_place_are_never_signed(member):
    first, second = data_of(salt=1), data_of(salt=2)
    member.attest(*request_of(first))
    assert refusal(member, *request_of(second)) == "OTHER_DATA_SIGNED"
    assert member.data(0, 1, attested_of(first).data_hash) == first
    assert member.data(0, 1, attested_of(second).data_hash) is None
    # Another generation or number is another place.
    member.attest(*request_of(second, generation=1))
    member.attest(*request_of(second, number=2))


def test_a_member_that_forgot_nothing_over_a_restart_signs_no_other_data(tmp_path):
    for salt in (1, 2):
        store = MemberStore(tmp_path / "member", CHAIN)
        member = DataMember(COURT, store, secret_of(0), lambda: COURT.sequencer)
        if salt == 1:
            member.attest(*request_of(data_of(salt=salt)))
        else:
            assert refusal(member, *request_of(data_of(salt=salt))) == "OTHER_DATA_SIGNED"
        store.close()


def test_only_the_sequencer_asks(member, store):
    assert refusal(member, *request_of(data_of(), STRANGER)) == "NOT_SEQUENCER"
    generation, number, count, data, signature = request_of(data_of())
    assert refusal(member, generation, number + 1, count, data, signature) == "NOT_SEQUENCER"
    assert refusal(member, generation, number, count, data, b"") == "NOT_SEQUENCER"
    assert store.batch_count == 0


def test_whom_the_court_lets_post_may_change(store):
    standing = [address_of(SEQUENCER)]
    member = DataMember(COURT, store, secret_of(0), lambda: standing[0])
    member.attest(*request_of(data_of()))
    standing[0] = address_of(STRANGER)
    assert refusal(member, *request_of(data_of(), number=2)) == "NOT_SEQUENCER"
    member.attest(*request_of(data_of(), STRANGER, number=2))


HOSTILE_DATA = {
    "a step that is not the pair's": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "a byte less": lambda data: data[:-1],
    "a byte more": lambda data: data + b"\0",
    "pairs alone": lambda data: data[: 3 * PAIR_BYTES],
}


@pytest.mark.parametrize("name", HOSTILE_DATA)
def test_a_member_does_not_sign_for(member, store, name):
    data = HOSTILE_DATA[name](data_of())
    assert refusal(member, *request_of(data)) in (
        "WRONG_STEP_HASH", "MALFORMED_DATA", "TRAILING_BYTES",
    )  # fmt: skip
    assert store.batch_count == 0


def test_a_member_bounds_what_it_keeps(member):
    assert refusal(member, 0, 1, 0, b"", b"") == "WRONG_STEP_COUNT"
    beyond = COURT.committee_steps_max + 1
    assert refusal(member, *request_of(data_of(beyond), count=beyond)) == "WRONG_STEP_COUNT"
    assert refusal(member, 0, 1, 3, bytes(COURT.batch_bytes_max + 1), b"") == "TOO_MANY_BYTES"


def test_a_member_tells_who_it_is(member):
    member.attest(*request_of(data_of()))
    status = member.status()
    assert status == (member_of(0).public_key, True, 1, len(data_of()))


# What it stores


def test_one_process_uses_a_directory(store, tmp_path):
    with pytest.raises(StoreError, match="in use"):
        MemberStore(tmp_path / "member", CHAIN)


def test_a_directory_is_of_one_chain(tmp_path):
    MemberStore(tmp_path / "member", CHAIN).close()
    with pytest.raises(StoreError, match="of chain 9"):
        MemberStore(tmp_path / "member", "chain 10")
    MemberStore(tmp_path / "member", CHAIN).close()


def test_a_write_that_was_cut_short_is_forgotten(tmp_path):
    directory = tmp_path / "member"
    MemberStore(directory, CHAIN).close()
    (directory / "0-1.new").write_bytes(b"half")
    store = MemberStore(directory, CHAIN)
    assert (store.batch_count, store.get(0, 1)) == (0, None)
    assert store.put(0, 1, HeldData(3, data_of())) == HeldData(3, data_of())
    store.close()


@pytest.mark.parametrize("damage", [lambda old: old[:-1], lambda old: b"", lambda old: old + b"!"])
def test_a_damaged_file_is_neither_served_nor_replaced(member, tmp_path, damage):
    member.attest(*request_of(data_of()))
    path = tmp_path / "member" / "0-1"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreError, match="restore"):
        member.data(0, 1, attested_of(data_of()).data_hash)
    with pytest.raises(StoreError):
        member.attest(*request_of(data_of()))


def test_what_is_held_is_counted_over_restarts(tmp_path):
    store = MemberStore(tmp_path / "member", CHAIN)
    for number in (1, 2, 10):
        store.put(0, number, HeldData(3, data_of()))
    counted = store.batch_count, store.data_bytes
    store.close()
    again = MemberStore(tmp_path / "member", CHAIN)
    assert (again.batch_count, again.data_bytes) == counted == (3, 3 * len(data_of()))
    again.close()


# How others reach it


class House:
    """Three members behind gRPC on loopback."""

    def __init__(self, directory):
        self.stores = [MemberStore(directory / str(i), CHAIN) for i in range(3)]
        members = [
            DataMember(COURT, one, secret_of(i), lambda: COURT.sequencer)
            for i, one in enumerate(self.stores)
        ]
        self.servers = [MemberServer(member, "127.0.0.1:0") for member in members]
        for server in self.servers:
            server.start()
        self.addresses = [server.address for server in self.servers]
        self.client = CommitteeClient(COURT.committee, self.addresses, deadline_seconds=10.0)

    def stop(self, *places):
        for place in places:
            self.servers[place].stop()

    def close(self):
        self.client.close()
        self.stop(*range(3))
        for store in self.stores:
            store.close()


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.close()


def attest(house, data):
    attested = attested_of(data)
    word = house.client.attest(attested, 3, data, SEQUENCER)
    if word is not None:
        check_attestation(COURT.committee, attested, word)
    return word


def test_a_quorum_signs_and_any_member_serves(house):
    data = data_of()
    assert attest(house, data) is not None
    header, pairs = header_of(data), data[: 3 * PAIR_BYTES]
    assert house.client.fetch(header, pairs) == data
    # What another header says is not what they hold.
    assert house.client.fetch(replace(header, number=2), pairs) is None
    assert house.client.fetch(header, bytes(len(pairs))) is None


def test_two_of_three_are_enough_and_one_is_not(house):
    house.stop(1)
    word = attest(house, data_of())
    assert word is not None and word.signers == 0b101
    house.stop(2)
    assert attest(house, data_of(salt=1)) is None


def test_data_are_served_while_one_member_lives(house):
    data = data_of()
    attest(house, data)
    signed = [i for i, store in enumerate(house.stores) if store.get(0, 1) is not None]
    house.stop(*(i for i in range(3) if i != signed[-1]))
    assert house.client.fetch(header_of(data), data[: 3 * PAIR_BYTES]) == data


def test_an_address_that_stands_twice_does_not_make_a_quorum(house):
    client = CommitteeClient(COURT.committee, house.addresses[:1] * 2, deadline_seconds=10.0)
    assert client.attest(attested_of(data_of()), 3, data_of(), SEQUENCER) is None
    client.close()


class Liar(committee_pb2_grpc.CommitteeServiceServicer):
    """Signs with a key that is no member's, or in another's name, and serves other bytes."""

    def __init__(self, secret, key):
        self.secret, self.key = secret, key

    def Attest(self, request, context):
        return pb.AttestResponse(public_key=self.key, signature=bls.sign(self.secret, b"x" * 32))

    def GetData(self, request, context):
        return pb.GetDataResponse(data=data_of(salt=9))


@pytest.fixture
def liar():
    from concurrent.futures import ThreadPoolExecutor

    server = grpc.server(ThreadPoolExecutor(2))
    servicer = Liar(secret_of(8), member_of(1).public_key)
    committee_pb2_grpc.add_CommitteeServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_liar_spoils_neither_a_quorum_nor_the_data(house, liar):
    data = data_of()
    addresses = [liar, house.addresses[0], house.addresses[2]]
    client = CommitteeClient(COURT.committee, addresses, deadline_seconds=10.0)
    attested = attested_of(data)
    word = client.attest(attested, 3, data, SEQUENCER)
    assert word is not None and word.signers == 0b101
    check_attestation(COURT.committee, attested, word)
    assert client.fetch(header_of(data), data[: 3 * PAIR_BYTES]) == data
    client.close()


def test_statuses_come_in_the_order_of_the_addresses(house):
    attest(house, data_of())
    house.stop(1)
    first, second, third = house.client.status()
    assert second is None
    assert first is not None and first.public_key == member_of(0).public_key
    assert third is not None and third.registered


def test_a_refusal_names_its_reason(house):
    generation, number, count, data, signature = request_of(data_of(), STRANGER)
    with grpc.insecure_channel(house.addresses[0]) as channel:
        stub = committee_pb2_grpc.CommitteeServiceStub(channel)
        request = pb.AttestRequest(
            generation=generation, number=number, step_count=count, data=data, signature=signature
        )
        with pytest.raises(grpc.RpcError) as refused:
            stub.Attest(request, timeout=10.0)
    error: Any = refused.value
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert address_of(SEQUENCER).hex() in error.details()


def test_a_taken_address_says_so(house):
    store = house.stores[0]
    with pytest.raises(MemberUnreachable, match="free address"):
        MemberServer(
            DataMember(COURT, store, secret_of(0), lambda: COURT.sequencer), house.addresses[1]
        )
