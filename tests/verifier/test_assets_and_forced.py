"""At the base layer: an escrow for each asset, and what owners force into the inbox."""

import pytest

from clearing.codes import InboxKind
from clearing.keccak import keccak256
from clearing.messages import Inbox, PriceObservation, decode_action, inbox_accumulator
from clearing.recovery import address_of, sign
from clearing.units import ASSETS_MAX
from tests.verifier.court_world import (
    ALICE,
    BOB,
    CHAIN_ID,
    GAS,
    SETTLEMENT,
    World,
    withdrawals_tree,
)
from verifier.base.transactions import (
    ClaimWithdrawal,
    Deposit,
    Faucet,
    Finalise,
    Force,
    SignedTransaction,
    Transaction,
)
from verifier.base.wire import inbox_from, inbox_to
from verifier.errors import CourtError, PostError, Refused
from verifier.escrow import WithdrawalLeaf
from verifier.events import Forced, WithdrawalClaimed
from verifier.inbox import ForcedRequest, forced_price

LAST_ASSET = ASSETS_MAX - 1
SEEN = tuple(PriceObservation(9 + i, 8, 7, bytes([i]) * 65) for i in range(17))


@pytest.fixture
def world():
    world = World()
    world.fund()
    return world


def tokens(world, key, asset):
    return world.chain.ledger.account(address_of(key), asset).token


def deposit(world, key, asset, amount):
    assert world.send(key, Faucet(address_of(key), 0, amount, asset)).error is None
    return world.send(key, Deposit(address_of(key), 0, asset, amount))


def test_the_faucet_makes_tokens_of_one_asset_and_no_other(world):
    before = tokens(world, BOB, 0)
    assert world.send(BOB, Faucet(address_of(BOB), 0, 70, LAST_ASSET)).error is None
    assert (tokens(world, BOB, LAST_ASSET), tokens(world, BOB, 1)) == (70, 0)
    assert tokens(world, BOB, 0) == before
    assert world.chain.ledger.token_minted(LAST_ASSET) == 70
    receipt = world.send(BOB, Faucet(address_of(BOB), 0, 70, ASSETS_MAX))
    assert receipt.error == CourtError.UNKNOWN_ASSET


def test_a_deposit_of_an_asset_goes_into_the_escrow_of_that_asset(world):
    (event,) = deposit(world, ALICE, 2, 70).events
    assert (event.asset, event.amount) == (2, 70)
    escrow = world.court.escrow
    assert [escrow.held(asset) for asset in range(4)] == [0, 0, 70, 0]
    assert tokens(world, ALICE, 2) == 0
    inbox = world.court.inbox
    assert [inbox.deposited_at(1, asset) for asset in range(4)] == [0, 0, 70, 0]
    assert world.court.solvency(2) == (70, 0, 0, 70)
    assert world.court.solvency() == (0, 0, 0, 0)


def test_nobody_deposits_an_asset_that_he_does_not_have(world):
    assert world.send(ALICE, Faucet(address_of(ALICE), 0, 70, 2)).error is None
    receipt = world.send(ALICE, Deposit(address_of(ALICE), 0, 2, 71))
    assert receipt.error == CourtError.INSUFFICIENT_TOKENS
    assert world.send(ALICE, Deposit(address_of(ALICE), 0, 1, 1)).error is not None


def final_claim(world, leaf):
    """The claim of the only withdrawal of a batch that is final."""
    root, siblings = withdrawals_tree([leaf])
    batch = world.post(world.build(world.after(withdrawal_count=1, withdrawals_root=root)))
    world.pass_window()
    assert world.send(BOB, Finalise(batch.id)).error is None
    return batch, ClaimWithdrawal(batch.id, 0, leaf.encode(), siblings[0])


def test_a_withdrawal_of_an_asset_is_paid_in_that_asset(world):
    deposit(world, ALICE, 2, 70)
    batch, claim = final_claim(world, WithdrawalLeaf(0, 2, 30, 3, address_of(BOB)))
    before = tokens(world, BOB, 0)
    receipt = world.send(ALICE, claim)
    assert receipt.events == (WithdrawalClaimed(batch.id, 0, address_of(BOB), 30, 2),)
    assert (tokens(world, BOB, 2), tokens(world, BOB, 0)) == (30, before)
    assert (world.court.escrow.held(2), world.court.escrow.paid(2)) == (40, 30)
    assert world.court.solvency(2) == (40, 40, 0, 0)
    assert world.court.solvency(2).holds


def test_the_escrow_of_one_asset_never_pays_for_another(world):
    world.deposit(ALICE, 1_000)
    deposit(world, ALICE, 2, 70)
    _, claim = final_claim(world, WithdrawalLeaf(0, 2, 71, 3, address_of(BOB)))
    assert world.send(BOB, claim).error == CourtError.ESCROW_SHORT
    assert (world.court.escrow.held(), world.court.escrow.held(2)) == (1_000, 70)


# Forced messages


def test_a_forced_message_carries_its_sender_and_its_numbers(world):
    world.deposit(ALICE, 5)
    world.deposit(BOB, 5)
    request = ForcedRequest(InboxKind.LIQUIDATE, 3, 7, 4, 9)
    receipt = world.send(ALICE, Force(request))
    assert receipt.events == (Forced(2, InboxKind.LIQUIDATE, address_of(ALICE), 3, 7, 4, 9),)
    entry = world.court.inbox.entry(2)
    message = entry.message
    assert message.encode() == (
        bytes([6])
        + (2).to_bytes(8, "big")
        + (3).to_bytes(8, "big")
        + address_of(ALICE)
        + (4).to_bytes(4, "big")
        + (7).to_bytes(4, "big")
        + (9).to_bytes(8, "big")
    )
    before = world.court.inbox.accumulator_at(2)
    assert entry.accumulator == inbox_accumulator(before, message.message_hash())
    assert entry.deposited[0] == 10


def test_whoever_sends_it_the_message_names_him_and_nobody_else(world):
    world.deposit(ALICE, 5)
    assert world.send(BOB, Force(ForcedRequest(InboxKind.WITHDRAW, 3, 0, 0, 5))).error is None
    assert world.court.inbox.entry(1).message.owner == address_of(BOB)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ForcedRequest(InboxKind.DEPOSIT, 3, 0, 0, 5), CourtError.UNKNOWN_REQUEST),
        (ForcedRequest(7, 3, 0, 0, 5), CourtError.UNKNOWN_REQUEST),
        (ForcedRequest(InboxKind.PRICE, 0, 0, 0, 5), CourtError.AMOUNT_OUT_OF_BOUNDS),
        (ForcedRequest(InboxKind.PRICE, 0, 0, 0, 2, SEEN[:1]), CourtError.AMOUNT_OUT_OF_BOUNDS),
        (ForcedRequest(InboxKind.PRICE, 0, 0, 0, 1, SEEN[:2]), CourtError.AMOUNT_OUT_OF_BOUNDS),
        (forced_price(0, ()), CourtError.AMOUNT_OUT_OF_BOUNDS),
        (forced_price(0, SEEN), CourtError.AMOUNT_OUT_OF_BOUNDS),
        (ForcedRequest(InboxKind.PRICE, 3, 0, 0, 1, SEEN[:1]), CourtError.UNKNOWN_REQUEST),
        (ForcedRequest(InboxKind.PRICE, 0, 0, 3, 1, SEEN[:1]), CourtError.UNKNOWN_REQUEST),
        (ForcedRequest(InboxKind.PRICE, 3, 0, 3, 1, SEEN[:1]), CourtError.UNKNOWN_REQUEST),
        (ForcedRequest(InboxKind.WITHDRAW, 3, 0, 0, 5, SEEN[:1]), CourtError.UNKNOWN_REQUEST),
        (ForcedRequest(0, 3, 0, 0, 5), CourtError.UNKNOWN_REQUEST),
        (ForcedRequest(InboxKind.CANCEL_ALL, 4, 0, 0, 5), CourtError.NO_SUCH_ACCOUNT),
        (ForcedRequest(InboxKind.LIQUIDATE, 3, 0, 4, 5), CourtError.NO_SUCH_ACCOUNT),
        (ForcedRequest(InboxKind.WITHDRAW, 3, ASSETS_MAX, 0, 5), CourtError.UNKNOWN_ASSET),
        (ForcedRequest(InboxKind.WITHDRAW, 3, 0, 0, 0), CourtError.AMOUNT_OUT_OF_BOUNDS),
        (ForcedRequest(InboxKind.WITHDRAW, 3, 0, 0, 2**61 + 1), CourtError.AMOUNT_OUT_OF_BOUNDS),
    ],
)
def test_what_no_law_could_do_is_refused(world, request_, code):
    world.deposit(ALICE, 5)
    assert world.send(ALICE, Force(request_)).error == code
    assert world.court.inbox.count == 1


@pytest.mark.parametrize("count", [1, 16])
def test_anybody_forces_a_price_in_and_the_law_can_read_what_the_court_took(world, count):
    receipt = world.send(ALICE, Force(forced_price((1 << 31) + 2, SEEN[:count])))
    event = Forced(0, InboxKind.PRICE, address_of(ALICE), 0, (1 << 31) + 2, 0, count)
    assert receipt.events == (event,)
    entry = world.court.inbox.entry(0)
    message = entry.message
    assert (message.observations, message.account, message.subaccount) == (SEEN[:count], 0, 0)
    assert decode_action(Inbox(message).encode()) == Inbox(message)
    assert entry.accumulator == inbox_accumulator(bytes(32), message.message_hash())
    assert inbox_from(inbox_to(entry)) == entry


def test_a_price_pays_for_every_byte_that_it_brings(world):
    one = world.send(ALICE, Force(forced_price(0, SEEN[:1]))).gas_used
    more = world.send(ALICE, Force(forced_price(0, SEEN[:16]))).gas_used
    assert more - one >= 15 * 89 * 16


def test_bytes_behind_a_forced_message_that_are_no_observation_are_malformed():
    good = Transaction(CHAIN_ID, SETTLEMENT, 0, GAS, 1, Force(forced_price(3, SEEN[:2])))
    assert SignedTransaction.decode(good.sign(ALICE)).transaction == good
    payload = good.encode()
    free = payload[:-89] + bytes(89)  # an index price of zero
    for wrong in (payload[:-1], payload + b"\0", free):
        with pytest.raises(Refused, match="MALFORMED"):
            SignedTransaction.decode(wrong + sign(ALICE, keccak256(wrong)))


def test_a_batch_that_passes_a_forced_message_over_for_too_long_is_refused(world):
    world.deposit(ALICE, 5)
    world.post()
    assert world.send(ALICE, Force(ForcedRequest(InboxKind.WITHDRAW, 3, 0, 0, 5))).error is None
    sent = world.court.inbox.entry(1).time_ms
    late = sent + world.config.forced_delay_ms + 1
    world.now = max(world.now, late)
    batch = world.build(world.after(consumed=1, clock=late))
    assert world.try_post(batch).error == PostError.INBOX_OVERDUE
    world.post(world.build(world.after(consumed=2, clock=late)))


def test_a_forced_message_is_its_own_inverse_through_bytes():
    request = ForcedRequest(InboxKind.CLOSE_POSITION, 1 << 24, 1023, 0, 1 << 48)
    encoded = Transaction(CHAIN_ID, SETTLEMENT, 0, GAS, 1, Force(request)).sign(ALICE)
    assert SignedTransaction.decode(encoded).transaction.body == Force(request)
