"""Leaving a frozen house: what begins an exit, what a claim is worth, and who is paid what."""

from dataclasses import replace
from itertools import permutations

import pytest

from clearing.codes import InboxKind, InstrumentStatus, Scope
from clearing.keccak import pieces
from clearing.recovery import address_of
from prover.exits import exit_claim, exit_opening
from tests.support.exits import CALL, PERPETUAL, SECOND, ExitWorld, Holder
from tests.verifier.court_world import ALICE, BOB, withdrawing
from verifier.base.chain_file import ChainFile
from verifier.base.interface import InProcessBaseLayer
from verifier.base.transactions import (
    BeginExit,
    ClaimExit,
    Deposit,
    Finalise,
    Force,
    Freeze,
    PayExit,
    RefundDeposit,
    TakeSurplus,
)
from verifier.errors import CourtError
from verifier.events import DepositRefunded, ExitBegun, ExitFiled, SurplusTaken
from verifier.exit_claim import CLAIM_BYTES_MAX, ExitClaim
from verifier.exit_leaves import UNDERLYING_BYTES
from verifier.host import gas
from verifier.inbox import ForcedRequest

# A bought ten lots at 30, B sold them; the price is 50. A's profit is 200, B has lost as much.
A = Holder(cash=700, positions=((PERPETUAL, 10, 300),))
B = Holder(cash=1_300, positions=((PERPETUAL, -10, -300),))


@pytest.fixture
def world():
    return ExitWorld()


def tokens(world, address, asset=0):
    return world.chain.ledger.account(address, asset).token


def worth(world, account):
    filed = InProcessBaseLayer(world.chain).exit_claim(account)
    assert filed is not None
    return filed.worth


def refuse(world, body, code, key=BOB):
    receipt = world.send(key, body)
    assert receipt.error == code, receipt.text


# Beginning


def test_an_exit_begins_at_the_last_final_batch_with_what_it_has_in_custody(world):
    world.settle(A, B, funds=50)
    begun = world.begin()
    heads = world.court.heads()
    block = world.chain.head().number
    assert begun == ExitBegun(
        heads.finalised_id,
        1,
        (2_050, 0, 0, 0, 0, 0, 0, 0),
        block + world.config.exit_claim_blocks,
        block + world.config.exit_end_blocks,
    )
    refuse(world, BeginExit(exit_opening(world.engine).encode()), CourtError.EXIT_BEGUN)


def test_an_exit_waits_for_the_freeze_and_for_every_posted_batch(world):
    world.settle(A, B)
    opening = exit_opening(world.engine).encode()
    refuse(world, BeginExit(opening), CourtError.NOT_FROZEN)
    world.now -= world.config.freeze_lag_ms
    batch = world.post()
    world.now = world.court_clock() + world.config.freeze_lag_ms + 1
    assert world.send(BOB, Freeze()).error is None
    refuse(world, BeginExit(opening), CourtError.BATCHES_OPEN)
    # Proven wrong after the freeze, it moves the exit root to the batch below.
    assert world.prove(batch).error is None
    receipt = world.send(BOB, BeginExit(opening))
    assert receipt.error is None
    assert receipt.events[0].number == 1


def test_a_batch_that_survives_the_freeze_is_the_exit_root(world):
    world.settle(A, B)
    world.now -= world.config.freeze_lag_ms
    batch = world.post()
    world.now = world.court_clock() + world.config.freeze_lag_ms + 1
    world.send(BOB, Freeze())
    world.pass_window()
    assert world.send(BOB, Finalise(batch.id)).error is None
    # What opens the batch below does not open this one.
    opening = exit_opening(world.engine).encode()
    refuse(world, BeginExit(opening), CourtError.INVALID_EXIT_PROOF)


def test_an_exit_is_not_begun_with_other_assets_or_pools_or_another_root(world):
    world.settle(A, B)
    assert world.send(BOB, Freeze()).error is None
    good = exit_opening(world.engine)
    twisted = bytearray(good.assets[1])
    twisted[100] ^= 1
    for wrong in (
        replace(good, assets=good.assets[:-1]),
        replace(good, assets=(good.assets[0], bytes(twisted), good.assets[2])),
        replace(good, assets=(good.assets[0], good.assets[2], good.assets[1])),
        replace(good, pools=()),
        replace(good, opening=bytes(len(good.opening))),
    ):
        refuse(world, BeginExit(wrong.encode()), CourtError.INVALID_EXIT_PROOF)
    for mangled in (b"", good.encode()[:-1], good.encode() + b"\x00"):
        refuse(world, BeginExit(mangled), CourtError.INVALID_EXIT_PROOF)
    assert world.send(BOB, BeginExit(good.encode())).error is None


def test_claims_wait_for_the_exit_to_begin(world):
    world.settle(A, B)
    refuse(world, ClaimExit(exit_claim(world.engine, 2).encode()), CourtError.NO_EXIT)
    refuse(world, PayExit(2), CourtError.NO_EXIT)
    refuse(world, RefundDeposit(0), CourtError.NO_EXIT)
    refuse(world, TakeSurplus(0), CourtError.NO_EXIT)


# What a claim is worth


def test_equity_at_the_stable_price_splits_into_what_was_paid_in_and_profit(world):
    world.settle(A, B)
    world.begin()
    receipt = world.send(ALICE, ClaimExit(exit_claim(world.engine, 2).encode()))
    owner = bytes([2]) * 20
    # 700 + 10 * 50 = 1200, of which 10 * 50 - 300 is profit.
    assert receipt.events == (ExitFiled(2, owner, 1_000, 200, False),)
    world.claim(3)
    assert (worth(world, 3).senior, worth(world, 3).junior) == (800, 0)
    world.close_claims()
    assert world.pay(2, 3) == {2: (1_200, *[0] * 7), 3: (800, *[0] * 7)}
    assert tokens(world, owner) == 1_200


def test_profit_of_one_market_is_net_of_losses_in_another(world):
    world.settle(
        Holder(cash=1_000, positions=((PERPETUAL, 10, 300), (SECOND, 10, 350))),
        Holder(cash=3_000, positions=((PERPETUAL, -10, -300), (SECOND, -10, -350))),
    )
    world.begin()
    world.claim(2)
    # 500 - 300 gained, 350 - 200 lost.
    assert (worth(world, 2).senior, worth(world, 2).junior) == (1_650, 50)


def test_pending_funding_is_part_of_equity_and_rounded_against_the_account(world):
    world.settle(A, B, change=lambda state: set_index(state, 15 * 10**11))
    world.begin()
    world.claim(2, 3)
    # Ten lots owe 10 * 1.5 = 15: the long pays it out of its profit, the short receives it.
    assert (worth(world, 2).senior, worth(world, 2).junior) == (1_000, 185)
    assert (worth(world, 3).senior, worth(world, 3).junior) == (815, 0)


def set_index(state, index):
    state.instruments[PERPETUAL].funding_high = index >> 62
    state.instruments[PERPETUAL].funding_low = index & ((1 << 62) - 1)


def test_a_fraction_of_funding_is_rounded_up_for_the_payer_and_down_for_the_receiver(world):
    world.settle(A, B, change=lambda state: set_index(state, 10**11 + 1))
    world.begin()
    world.claim(2, 3)
    assert (worth(world, 2).junior, worth(world, 3).senior) == (198, 801)


def test_a_market_without_a_stable_price_counts_at_its_mark(world):
    world.settle(A, B, prices=(0, 20))
    world.begin()
    world.claim(2)
    assert worth(world, 2).senior + worth(world, 2).junior == 700 + 10 * 7


def test_what_settles_is_worth_its_settlement_price(world):
    def settling(state):
        state.instruments[PERPETUAL].status = InstrumentStatus.SETTLING
        state.instruments[PERPETUAL].settle_price = 40

    world.settle(A, B, change=settling)
    world.begin()
    world.claim(2)
    assert (worth(world, 2).senior, worth(world, 2).junior) == (1_000, 100)


def test_an_option_is_worth_its_committed_mark_of_the_set_that_its_series_believes(world):
    def active(state):
        state.underlyings[0].series[0].active_number = 5
        for row, (number, value) in enumerate(((4, 99), (5, 60))):
            state.instruments[CALL].rows[row].number = number
            state.instruments[CALL].rows[row].values[13] = value

    world.settle(
        Holder(cash=700, positions=((CALL, 10, 300),)),
        Holder(cash=1_300, positions=((CALL, -10, -300),)),
        change=active,
    )
    world.begin()
    world.claim(2)
    assert (worth(world, 2).senior, worth(world, 2).junior) == (1_000, 300)


def test_an_option_of_another_set_than_its_series_believes_has_no_value(world):
    def active(state):
        state.underlyings[0].series[0].active_number = 6
        state.instruments[CALL].rows[0].number = 4
        state.instruments[CALL].rows[0].values[13] = 99

    world.settle(Holder(cash=700, positions=((CALL, 10, 300),)), Holder(cash=300), change=active)
    world.begin()
    world.claim(2)
    assert (worth(world, 2).senior, worth(world, 2).junior) == (700, 0)


def test_collateral_goes_home_in_kind_whatever_its_haircut(world):
    world.settle(replace(A, units=((1, 40), (2, 70))), B)
    paid = world.leave(2, 3)
    assert paid[2][:3] == (1_200, 40, 70)
    assert tokens(world, bytes([2]) * 20, 2) == 70


def test_units_are_seized_steadiest_first_and_rounded_up_for_a_negative_balance(world):
    # Owes 31 after the loss of 200: 62 of asset 2, the smaller haircut, at half a micro-quote.
    debtor = Holder(cash=469, positions=((PERPETUAL, -10, -300),), units=((1, 100), (2, 50)))
    world.settle(A, debtor)
    world.begin()
    world.claim(3)
    # 50 of asset 2 cover 25, three of asset 1 the six that are left.
    assert worth(world, 3).seized == ((1, 3), (2, 50))
    assert worth(world, 3).home == ((1, 97),)
    assert (worth(world, 3).senior, worth(world, 3).junior) == (0, 0)


def test_a_fraction_of_a_unit_that_is_owed_costs_a_whole_one(world):
    debtor = Holder(cash=468, positions=((PERPETUAL, -10, -300),), units=((1, 100), (2, 50)))
    world.settle(A, debtor)
    world.begin()
    world.claim(3)
    # It owes 32: 25 are covered by asset 2, and seven by four units that are worth two each.
    assert worth(world, 3).seized == ((1, 4), (2, 50))


def test_profit_that_pays_a_debt_is_nobodys_claim(world):
    world.settle(
        Holder(cash=-400, positions=((PERPETUAL, 10, 300),)),
        Holder(cash=1_800, positions=((PERPETUAL, -10, -300),)),
    )
    world.begin()
    world.claim(2)
    # Ten lots are worth 500, of which 200 are profit; beyond the debt there are 100.
    assert (worth(world, 2).senior, worth(world, 2).junior) == (0, 100)


def test_seized_units_make_up_for_what_the_quote_escrow_lacks(world):
    debtor = Holder(cash=400, positions=((PERPETUAL, -10, -300),), units=((1, 100),))
    world.settle(A, debtor)
    paid = world.leave(2, 3)
    # A is owed 1200, there are 1100 and fifty units worth 100.
    assert paid == {2: (1_100, 50, *[0] * 6), 3: (0, 50, *[0] * 6)}


def test_a_claim_pays_the_key_that_took_the_owners_place(world):
    def rotate(state):
        state.accounts[2].key_count = 1
        state.accounts[2].keys[0].scope = Scope.ROOT
        state.accounts[2].keys[0].address = pieces(bytes(12) + address_of(ALICE))

    world.settle(A, B, change=rotate)
    before = tokens(world, address_of(ALICE))
    world.leave(2)
    assert tokens(world, address_of(ALICE)) == before + 1_200


def test_an_account_leaves_whatever_optional_words_its_leaf_has(world):
    def hold(state):
        state.accounts[2].not_before = 1  # a gate that it stood at
        state.accounts[2].hold_until = 2  # a sweep of its owner's group
        state.accounts[2].call_lots = 3  # an order in a call

    world.settle(A, B, change=hold)
    world.leave(2, 3)
    assert [tokens(world, bytes([k]) * 20) for k in (2, 3)] == [1_200, 800]


def test_a_session_key_takes_nobodys_place(world):
    def grant(state):
        state.accounts[2].key_count = 1
        state.accounts[2].keys[0].scope = Scope.TRADE
        state.accounts[2].keys[0].address = pieces(bytes(12) + address_of(ALICE))

    world.settle(A, B, change=grant)
    world.begin()
    world.claim(2)
    assert worth(world, 2).recipient == bytes([2]) * 20


def test_depositors_of_a_pool_leave_with_its_equity_by_their_shares(world):
    def pool(state):
        state.pools[0].shares = 1_000
        state.accounts[4].cash = 0
        state.accounts[0].cash = 800
        state.accounts[1].cash = 100

    world.settle(
        Holder(cash=100, units=((64, 300),)),
        Holder(units=((64, 700),)),
        Holder(cash=900),
        change=pool,
    )
    world.begin()
    world.claim(0, 1, 2, 3, 4)
    world.close_claims()
    refuse(world, PayExit(2), CourtError.POOL_UNPAID)
    paid = world.pay(0, 1, 3, 2, 4)
    assert [paid[account][0] for account in (0, 1, 2, 3, 4)] == [0, 0, 100 + 270, 630, 0]


# Who is paid what


def test_in_a_crash_with_bankrupt_accounts_seniors_come_first_in_every_order(world):
    # C is bankrupt by 300: what A and D won is not all there.
    holders = (
        Holder(cash=700, positions=((PERPETUAL, 10, 300),)),
        Holder(cash=-100, positions=((PERPETUAL, -10, -300),)),
        Holder(cash=400),
    )
    results = []
    for order in permutations((2, 3, 4)):
        one = ExitWorld()
        one.settle(*holders)
        results.append(one.leave(*order))
    first = results[0]
    # 1000 are there: 1000 + 400 of seniors share them, A's profit of 200 gets nothing.
    assert [first[account][0] for account in (2, 3, 4)] == [714, 0, 285]
    assert all(result == first for result in results)


def test_unclaimed_withdrawals_are_paid_first_and_in_full_and_no_claim_touches_them():
    world = ExitWorld()
    world.fund()
    _, claims = withdrawing(world)
    assert world.court.solvency().unclaimed == 700
    world.now = world.court_clock() + world.config.freeze_lag_ms + 1
    assert world.send(BOB, Freeze()).error is None
    before = tokens(world, address_of(BOB))
    for claim in claims:
        assert world.send(ALICE, claim).error is None
    assert tokens(world, address_of(BOB)) == before + 700


def test_nothing_but_a_deposit_is_given_back(world):
    world.settle(A, B)
    world.now -= world.config.freeze_lag_ms
    index = world.court.inbox.count
    request = ForcedRequest(InboxKind.WITHDRAW, 2, 0, 0, 900)
    assert world.send(ALICE, Force(request)).error is None
    world.now += world.config.freeze_lag_ms
    assert world.begin().escrow[0] == 2_000
    # It names an amount too, that nobody brought.
    assert world.court.inbox.entry(index).message.amount == 900
    refuse(world, RefundDeposit(index), CourtError.NOT_REFUNDABLE, ALICE)
    assert world.court.escrow.held() == 2_000


def test_a_deposit_that_no_batch_consumed_is_given_back_and_is_no_part_of_the_exit(world):
    world.settle(A, B)
    world.now -= world.config.freeze_lag_ms
    index = world.court.inbox.count
    assert world.send(ALICE, Deposit(address_of(BOB), 0, 0, 5_000)).error is None
    world.now += world.config.freeze_lag_ms
    begun = world.begin()
    assert begun.escrow[0] == 2_000
    assert world.court.solvency().holds
    refuse(world, RefundDeposit(index - 1), CourtError.NOT_REFUNDABLE)
    refuse(world, RefundDeposit(index + 1), CourtError.NOT_REFUNDABLE)
    receipt = world.send(ALICE, RefundDeposit(index))
    assert receipt.events == (DepositRefunded(index, address_of(BOB), 0, 5_000),)
    refuse(world, RefundDeposit(index), CourtError.ALREADY_PAID)
    assert world.court.solvency().holds
    world.claim(2, 3)
    world.close_claims()
    world.pay(2, 3)
    assert world.court.escrow.held() == 0
    assert world.court.solvency().holds


def test_the_rest_goes_to_the_beneficiary_when_the_exit_ends(world):
    world.settle(A, B, funds=77)
    world.leave(2, 3)
    refuse(world, TakeSurplus(0), CourtError.EXIT_NOT_ENDED)
    world.chain.mine(world.config.exit_end_blocks)
    before = tokens(world, world.config.beneficiary)
    receipt = world.send(ALICE, TakeSurplus(0))
    assert receipt.events == (SurplusTaken(world.config.beneficiary, 0, 77),)
    assert tokens(world, world.config.beneficiary) == before + 77
    refuse(world, TakeSurplus(0), CourtError.NO_SURPLUS)
    refuse(world, PayExit(2), CourtError.EXIT_ENDED)
    assert world.court.escrow.held() == 0


# Forged claims


def test_a_claim_is_taken_once(world):
    world.settle(A, B)
    world.begin()
    claim = ClaimExit(exit_claim(world.engine, 2).encode())
    assert world.send(BOB, claim).error is None
    refuse(world, claim, CourtError.ALREADY_FILED)
    refuse(world, PayExit(2), CourtError.CLAIMS_OPEN)
    refuse(world, PayExit(3), CourtError.NO_SUCH_CLAIM)
    world.close_claims()
    world.pay(2)
    refuse(world, PayExit(2), CourtError.ALREADY_PAID)
    refuse(world, claim, CourtError.ALREADY_FILED)


def forgeries(world):
    """(name, claim) that are not what the exit root says."""
    engine = world.engine
    good, other = exit_claim(engine, 2), exit_claim(engine, 3)
    richer = bytearray(good.account)
    richer[24:32] = (10**9).to_bytes(8, "big")
    renamed = bytearray(good.account)
    renamed[8:16] = (3).to_bytes(8, "big")
    dearer = bytearray(good.instruments[0])
    dearer[80:88] = (10**6).to_bytes(8, "big")
    second = exit_claim(engine, 4)
    yield "a leaf with more cash", replace(good, account=bytes(richer))
    yield "a leaf of another id", replace(good, account=bytes(renamed))
    yield "another account's siblings", replace(good, account_siblings=other.account_siblings[::-1])
    yield "a market with another price", replace(good, instruments=(bytes(dearer),))
    yield (
        "another market's price",
        replace(
            good,
            instruments=second.instruments,
            instrument_siblings=second.instrument_siblings,
        ),
    )
    yield "no market", replace(good, instruments=(), instrument_siblings=())
    yield "a market too many", replace(good, instruments=good.instruments + second.instruments)
    yield "a sibling too few", replace(good, account_siblings=good.account_siblings[:-1])
    yield (
        "a sibling too many",
        replace(good, instrument_siblings=(*good.instrument_siblings, bytes(32))),
    )
    yield "an underlying too many", replace(good, underlyings=(bytes(UNDERLYING_BYTES),))
    yield "siblings of nothing", replace(good, underlying_siblings=(bytes(32),))


def test_a_forged_claim_is_refused_and_the_true_one_still_taken(world):
    world.settle(A, B, Holder(cash=100, positions=((SECOND, 1, 20),)), Holder(cash=5))
    world.begin()
    for name, forged in forgeries(world):
        receipt = world.send(BOB, ClaimExit(forged.encode()))
        assert receipt.error == CourtError.INVALID_EXIT_PROOF, name
    encoded = exit_claim(world.engine, 2).encode()
    for mangled in (b"", encoded[:-1], encoded + b"\x00", bytes(CLAIM_BYTES_MAX + 1)):
        refuse(world, ClaimExit(mangled), CourtError.INVALID_EXIT_PROOF)
    assert ExitClaim.decode(encoded) == exit_claim(world.engine, 2)
    world.claim(2)


def test_an_option_is_not_claimed_without_or_with_another_underlying(world):
    world.settle(Holder(cash=700, positions=((CALL, 10, 300),)), Holder(cash=300))
    world.begin()
    good = exit_claim(world.engine, 2)
    leaf = bytearray(good.underlyings[0])
    leaf[-1] ^= 1
    for wrong in (
        replace(good, underlyings=(), underlying_siblings=()),
        replace(good, underlyings=(bytes(leaf),)),
    ):
        refuse(world, ClaimExit(wrong.encode()), CourtError.INVALID_EXIT_PROOF)
    world.claim(2)


def test_an_account_that_does_not_exist_has_no_claim(world):
    world.settle(A, B)
    world.begin()
    with pytest.raises(KeyError):
        exit_claim(world.engine, 4)


def test_a_reorganisation_within_the_claim_window_loses_no_claim_and_doubles_none(world):
    world.settle(A, B)
    world.begin()
    world.claim(2)
    world.chain.mine()
    world.chain.reorg(2)
    assert InProcessBaseLayer(world.chain).exit_claim(2) is None
    # The transaction waits again, and the same block may take it once more.
    world.chain.mine()
    world.claim(3)
    refuse(world, ClaimExit(exit_claim(world.engine, 2).encode()), CourtError.ALREADY_FILED)
    world.close_claims()
    assert world.pay(3, 2) == {2: (1_200, *[0] * 7), 3: (800, *[0] * 7)}


def test_a_reorganisation_takes_a_payment_back(world):
    world.settle(A, B)
    world.begin()
    world.claim(2, 3)
    world.close_claims()
    world.pay(2)
    world.chain.reorg(1)
    assert tokens(world, bytes([2]) * 20) == 0
    world.chain.mine()
    assert tokens(world, bytes([2]) * 20) == 1_200
    totals = InProcessBaseLayer(world.chain).exit_totals()
    assert totals.escrow[0] == totals.paid[0] + totals.left[0] == 2_000


def test_the_longest_claim_fits_a_transaction_and_a_block(world):
    config = world.config
    worst = gas.intrinsic(CLAIM_BYTES_MAX + 256) + gas.claiming(CLAIM_BYTES_MAX)
    assert worst <= config.block_gas_limit


def test_a_chain_opened_from_its_file_stands_in_the_same_exit(tmp_path):
    path = tmp_path / "chain"
    with ChainFile(path) as file:
        world = ExitWorld(file=file)
        world.settle(A, B, funds=3)
        world.begin()
        world.claim(2, 3)
        world.close_claims()
        world.pay(2)
        before = InProcessBaseLayer(world.chain)
        seen = before.standing(), before.exit_totals(), before.exit_claim(3), before.solvency()
    with ChainFile(path) as file:
        again = InProcessBaseLayer(ExitWorld(file=file, now=world.now).chain)
        assert (
            again.standing(),
            again.exit_totals(),
            again.exit_claim(3),
            again.solvency(),
        ) == seen
