"""Transactions have one encoding, one sender, and one way into the mempool."""

from dataclasses import fields, replace
from inspect import signature

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.recovery import address_of
from tests.verifier.court_world import (
    ALICE,
    BOB,
    CHAIN_ID,
    GAS,
    SETTLEMENT,
    World,
    claim,
    make_config,
)
from verifier.base.transactions import (
    AnswerStep,
    AskStep,
    Body,
    ClaimCredit,
    ClaimWithdrawal,
    Commit,
    Deposit,
    Faucet,
    Finalise,
    PostBatch,
    Prolong,
    ProveFraud,
    ProveReceipt,
    PutStake,
    SettleAsk,
    SettleReward,
    SignedTransaction,
    TakeStake,
    Transaction,
    TransactionKind,
)
from verifier.batch import OPENING_BYTES
from verifier.court import Court
from verifier.errors import (
    Refused,
    TransactionError,
)
from verifier.host.ledger import Ledger
from verifier.withheld import Wanted

HASH = st.binary(min_size=32, max_size=32)
ADDRESS = st.binary(min_size=20, max_size=20)
U64 = st.integers(0, 2**64 - 1)
U32 = st.integers(0, 2**32 - 1)
BODIES = st.one_of(
    st.builds(Faucet, ADDRESS, U64, U64),
    st.builds(Deposit, ADDRESS, U32, U32, U64),
    st.builds(
        PostBatch,
        U64,
        st.binary(min_size=384, max_size=384),
        st.binary(min_size=OPENING_BYTES, max_size=OPENING_BYTES),
        st.binary(max_size=50),
    ),
    st.builds(ProveFraud, HASH, st.binary(max_size=50)),
    st.builds(Finalise, HASH),
    st.builds(
        ClaimWithdrawal,
        HASH,
        U64,
        st.binary(min_size=64, max_size=64),
        st.lists(HASH, max_size=36).map(tuple),
    ),
    st.builds(ClaimCredit),
    st.builds(
        AskStep, HASH, st.builds(Wanted, U32, HASH, HASH, st.lists(HASH, max_size=24).map(tuple))
    ),
    st.builds(AnswerStep, HASH, U32, st.binary(max_size=50)),
    st.builds(SettleAsk, HASH, U32),
    st.builds(Commit, HASH),
    st.builds(SettleReward, U64, HASH),
    st.builds(ProveReceipt, st.binary(max_size=50)),
    st.sampled_from([Prolong(), PutStake(), TakeStake()]),
)
TRANSACTIONS = st.builds(Transaction, U64, ADDRESS, U64, U64, U64, BODIES)


@pytest.fixture
def world():
    world = World()
    world.fund()
    return world


@given(TRANSACTIONS)
def test_decoding_a_transaction_inverts_encoding(transaction):
    encoded = transaction.sign(ALICE)
    signed = SignedTransaction.decode(encoded)
    assert (signed.transaction, signed.sender) == (transaction, address_of(ALICE))
    assert signed.encoded == encoded


@given(TRANSACTIONS, st.data())
def test_a_transaction_with_another_byte_is_not_its_senders(transaction, draw):
    encoded = bytearray(transaction.sign(ALICE))
    encoded[draw.draw(st.integers(0, len(encoded) - 1))] ^= draw.draw(st.integers(1, 255))
    try:
        assert SignedTransaction.decode(bytes(encoded)).sender != address_of(ALICE)
    except Refused as refused:
        assert refused.code in (TransactionError.MALFORMED, TransactionError.BAD_SIGNATURE)


@given(TRANSACTIONS, st.integers(1, 200))
def test_a_transaction_that_is_cut_or_too_long_is_not_its_senders(transaction, length):
    encoded = transaction.sign(ALICE)
    for other in (encoded[:-length], encoded + bytes(length)):
        try:
            assert SignedTransaction.decode(other).sender != address_of(ALICE)
        except Refused as refused:
            assert refused.code in (TransactionError.MALFORMED, TransactionError.BAD_SIGNATURE)


@pytest.mark.parametrize(
    "body",
    [
        Faucet(b"short", 1, 1),
        Deposit(b"a" * 21, 0, 0, 1),
        Deposit(b"a" * 20, 2**32, 0, 1),
        Finalise(b"short"),
        ProveFraud(b"short", b""),
        PostBatch(1, b"", b"", b""),
        ClaimWithdrawal(bytes(32), 0, bytes(63), ()),
        ClaimWithdrawal(bytes(32), 0, bytes(64), (b"short",)),
    ],
)
def test_a_body_that_does_not_fit_is_not_cut_to_size(body):
    with pytest.raises(ValueError):
        Transaction(1, SETTLEMENT, 0, 1, 1, body).encode()


def test_two_senders_of_one_payload_send_two_transactions(world):
    hashes = [world.chain.submit(claim(world, key)) for key in (ALICE, BOB)]
    world.chain.mine()
    senders = [world.chain.receipt(one).sender for one in hashes]
    assert senders == [address_of(ALICE), address_of(BOB)]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"chain_id": 1}, TransactionError.WRONG_CHAIN),
        ({"settlement": bytes(20)}, TransactionError.WRONG_SETTLEMENT),
        ({"gas_limit": 21_000}, TransactionError.GAS_LIMIT),
        ({"gas_limit": 60_000_001}, TransactionError.GAS_LIMIT),
        ({"fee_per_gas": 0}, TransactionError.FEE_TOO_LOW),
        ({"nonce": 0}, TransactionError.STALE_NONCE),
    ],
)
def test_what_can_never_be_executed_does_not_enter_the_mempool(world, change, code):
    transaction = Transaction(CHAIN_ID, SETTLEMENT, 1, GAS, 1, ClaimCredit())
    with pytest.raises(Refused) as refused:
        world.chain.submit(replace(transaction, **change).sign(ALICE))
    assert refused.value.code == code
    assert len(world.chain.mempool) == 0


def test_a_transaction_waits_once(world):
    encoded = claim(world, ALICE)
    world.chain.submit(encoded)
    with pytest.raises(Refused) as refused:
        world.chain.submit(encoded)
    assert refused.value.code == TransactionError.ALREADY_KNOWN


def test_the_mempool_is_bounded():
    world = World(config=make_config(mempool_max=2))
    world.fund(ALICE)
    for ahead in (0, 1):
        world.chain.submit(claim(world, ALICE, ahead))
    with pytest.raises(Refused) as refused:
        world.chain.submit(claim(world, ALICE, 2))
    assert refused.value.code == TransactionError.MEMPOOL_FULL


def test_there_is_no_faucet_unless_configured():
    world = World(config=make_config(faucet=False))
    with pytest.raises(Refused) as refused:
        world.chain.submit(world.sign(ALICE, Faucet(address_of(ALICE), 1, 1)))
    assert refused.value.code == TransactionError.NO_FAUCET


def test_the_faucet_is_free_and_not_bottomless(world):
    receipt = world.send(ALICE, Faucet(address_of(BOB), 2**62, 0))
    assert (receipt.error, receipt.fee) == (TransactionError.NO_FAUCET, 0)
    nobody = b"\x77" * 32
    assert world.send(nobody, Faucet(address_of(nobody), 5, 6)).error is None
    assert world.chain.ledger.account(address_of(nobody)) == (5, 6, 1)


@pytest.mark.parametrize("body", Body.of_kind.values(), ids=lambda body: body.kind.name)
def test_a_body_has_the_arguments_of_the_courts_call_of_its_name(body):
    home = Ledger.mint if body is Faucet else getattr(Court, body.kind.name.lower())
    taken = [name for name in signature(home).parameters if name not in ("self", "call")]
    arguments = [field.name for field in fields(body)]
    assert len(taken) == len(arguments)
    if body is not Faucet:
        assert taken == arguments


def test_every_kind_of_transaction_has_a_body():
    assert set(Body.of_kind) == set(TransactionKind)
