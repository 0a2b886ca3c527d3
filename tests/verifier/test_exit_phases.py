"""Sharing: what claims get, whatever the order, the classes, and what is there."""

from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import InstrumentKind
from clearing.leaves import INSTRUMENT_HEADER_PIECES, ROW_PIECES
from clearing.units import SERIES_MAX
from verifier.account_leaf import ProvenAccount, ProvenCollateral
from verifier.errors import CourtError, Refused
from verifier.exit import Exit
from verifier.exit_claim import ExitTerms, Tree, Worth
from verifier.exit_claim import _take as seized_of
from verifier.exit_leaves import (
    PIECE_BYTES,
    UNDERLYING_BYTES,
    AssetTerms,
    PoolTerms,
    active_number,
    decode_market,
)
from verifier.host.storage import UndoLog
from verifier.multiproof import ProofError

CLOSE, ENDS = 20, 100
LATE_CLOSE = (CLOSE + ENDS) // 2
IN_TIME, LATER, LAST, AFTER = 5, CLOSE + 1, LATE_CLOSE + 1, ENDS + 1
TREE = Tree(bytes(32), 64)
POOL = PoolTerms(account=0, sleeve=1, shares=1_000)
PRICES = (0, 2_000_000, 500_000)  # micro-quote per 10^6 units


def terms(pools=()):
    assets = tuple(AssetTerms(price, 0, 0) for price in PRICES)
    return ExitTerms(b"b" * 32, 7, 3, TREE, TREE, TREE, assets, pools, CLOSE, ENDS)


def house(quote, *units, pools=()):
    made = Exit(UndoLog())
    made.begin(terms(pools), (quote, *units, *[0] * (7 - len(units))))
    return made


def worth(account, senior=0, junior=0, home=(), seized=(), shares=()):
    owner = bytes([account]) * 20
    return Worth(account, owner, senior, junior, tuple(home), tuple(seized), tuple(shares))


def pay_all(made, accounts, block=LATER):
    """Pay in this order; return what each got of each asset."""
    return {account: made.pay(account, block)[1] for account in accounts}


def refused(code, call):
    with pytest.raises(Refused) as error:
        call()
    assert error.value.code == code, error.value


def test_everybody_is_paid_in_full_when_there_is_enough_and_the_rest_is_surplus():
    made = house(1_000)
    made.file(worth(4, senior=300, junior=200), IN_TIME)
    made.file(worth(5, senior=100), IN_TIME)
    paid = pay_all(made, (5, 4))
    assert (paid[4][0], paid[5][0]) == (500, 100)
    assert made.totals().left[0] == 400
    assert made.take_rest(0, AFTER) == 400
    assert made.totals().left[0] == 0


def test_an_exit_goes_on_to_its_last_block_and_the_rest_is_nobodys_before():
    made = house(1_000)
    for account in (4, 5, 6):
        made.file(worth(account, senior=100), IN_TIME)
    refused(CourtError.CLAIMS_OPEN, lambda: made.pay(4, CLOSE))
    assert made.pay(4, CLOSE + 1)[1][0] == 100
    assert made.pay(5, ENDS)[1][0] == 100
    refused(CourtError.EXIT_NOT_ENDED, lambda: made.take_rest(0, ENDS))
    refused(CourtError.EXIT_ENDED, lambda: made.pay(6, ENDS + 1))
    assert made.take_rest(0, ENDS + 1) == 800


def test_seniors_are_whole_before_juniors_share_what_is_left():
    made = house(500)
    made.file(worth(4, senior=300, junior=200), IN_TIME)
    made.file(worth(5, senior=100, junior=200), IN_TIME)
    paid = pay_all(made, (4, 5))
    # 400 to seniors, 100 for 400 of juniors.
    assert (paid[4][0], paid[5][0]) == (300 + 50, 100 + 50)
    assert made.totals().left[0] == 0


def test_juniors_get_nothing_while_seniors_are_short():
    made = house(100)
    made.file(worth(4, senior=300), IN_TIME)
    made.file(worth(5, senior=100, junior=1_000), IN_TIME)
    paid = pay_all(made, (4, 5))
    assert (paid[4][0], paid[5][0]) == (75, 25)


def test_shares_are_rounded_down_and_the_residue_is_surplus():
    made = house(100)
    for account in (4, 5, 6):
        made.file(worth(account, senior=100), IN_TIME)
    paid = pay_all(made, (4, 5, 6))
    assert [paid[account][0] for account in (4, 5, 6)] == [33, 33, 33]
    assert made.totals().left[0] == 1


def test_seized_units_cover_what_the_quote_escrow_lacks():
    # Worth 200 at the exit's price: a hundred units at two micro-quote.
    made = house(100, 100)
    made.file(worth(4, senior=200, junior=50), IN_TIME)
    made.file(worth(5, seized=[(1, 100)]), IN_TIME)
    paid = pay_all(made, (5, 4))
    assert paid[5] == (0,) * 8
    # Seniors: 100 in quote and 100 of the 200 in units; juniors 50 of it in units.
    assert paid[4][:2] == (100, 50 + 25)
    assert made.totals().left[:2] == (0, 25)


def test_seized_units_that_nobody_lacks_are_surplus():
    made = house(300, 100)
    made.file(worth(4, senior=200), IN_TIME)
    made.file(worth(5, home=[(1, 40)], seized=[(1, 60)]), IN_TIME)
    paid = pay_all(made, (4, 5))
    assert paid[4][:2] == (200, 0)
    assert paid[5][:2] == (0, 40)
    assert made.totals().left[:2] == (100, 60)


def test_a_late_claim_gets_the_same_ratio_out_of_the_surplus():
    made = house(150)
    made.file(worth(4, senior=100, junior=60), IN_TIME)
    assert made.file(worth(5, junior=40), LATER).late
    assert made.pay(4, LATER)[1][0] == 150  # 50 of 60
    assert made.pay(5, LAST)[1][0] == 0
    made = house(200)
    made.file(worth(4, senior=100), IN_TIME)
    made.file(worth(5, senior=40), LATER)
    assert pay_all(made, (5, 4), LAST)[5][0] == 40
    assert made.totals().left[0] == 60


def test_late_claims_share_what_those_in_time_leave_in_every_order():
    for order in permutations((4, 5, 6)):
        made = house(150)
        made.file(worth(4, senior=100), IN_TIME)
        made.file(worth(5, senior=40), LATER)
        made.file(worth(6, senior=60), LATE_CLOSE)
        paid = pay_all(made, order, LAST)
        assert [paid[account][0] for account in (4, 5, 6)] == [100, 20, 30]


def test_late_seniors_are_whole_before_late_juniors_in_every_order():
    for order in permutations((4, 5, 6, 7)):
        made = house(160)
        made.file(worth(4, senior=10), IN_TIME)
        made.file(worth(5, junior=100), LATER)
        made.file(worth(6, senior=100), LATE_CLOSE)
        made.file(worth(7, senior=20, junior=100), LATER)
        paid = pay_all(made, order, LAST)
        # Of 150 the seniors take 120, and 200 of juniors share 30.
        assert [paid[account][0] for account in (4, 5, 6, 7)] == [10, 15, 100, 20 + 15]


def test_where_nobody_was_in_time_the_late_are_shared_among_by_class_too():
    for order in permutations((4, 5)):
        made = house(100)
        made.file(worth(4, junior=100), LATER)
        made.file(worth(5, senior=100), LATER)
        paid = pay_all(made, order, LAST)
        assert (paid[4][0], paid[5][0]) == (0, 100)


def test_late_seniors_come_before_late_juniors_in_seized_units_too():
    for order in permutations((5, 6)):
        made = house(50, 100)
        made.file(worth(4, senior=100, junior=100), IN_TIME)
        made.file(worth(3, seized=[(1, 100)]), IN_TIME)
        made.file(worth(5, junior=100), LATER)
        made.file(worth(6, senior=60), LATER)
        paid = pay_all(made, order, LAST)
        # In time get 50 and 25 units for the senior, 50 units for the junior part. Of the 25 left
        # the fraction of a senior 60 is 15, that of a junior 100 would be 50.
        assert (paid[5][:2], paid[6][:2]) == ((0, 10), (0, 15))


def test_late_claims_are_filed_halfway_to_the_end_and_paid_after_it():
    made = house(1_000)
    made.file(worth(4, senior=100), IN_TIME)
    assert made.file(worth(5, senior=100), LATE_CLOSE).late
    with pytest.raises(Refused) as early:
        made.pay(5, LATE_CLOSE)
    assert early.value.code == CourtError.CLAIMS_OPEN and str(LATE_CLOSE) in str(early.value)
    refused(CourtError.EXIT_ENDED, lambda: made.file(worth(6, senior=100), LAST))
    assert made.pay(4, LATER)[1][0] == 100
    assert made.pay(5, LAST)[1][0] == 100


def test_a_late_claim_takes_nothing_that_claims_in_time_have_to_get():
    made = house(100, 30)
    made.file(worth(4, senior=200, home=[(1, 30)]), IN_TIME)
    made.file(worth(5, senior=200, home=[(1, 30)]), LATER)
    assert made.pay(5, LAST)[1] == (0,) * 8
    assert made.pay(4, LAST)[1][:2] == (100, 30)


def test_a_late_claim_takes_its_units_home_before_others_are_paid_in_them():
    for order in permutations((5, 6)):
        made = house(0, 130)
        made.file(worth(4, senior=100), IN_TIME)
        made.file(worth(3, seized=[(1, 100)]), IN_TIME)
        made.file(worth(5, home=[(1, 30)]), LATER)
        made.file(worth(6, senior=300), LATER)
        paid = pay_all(made, order, LAST)
        assert (paid[5][1], paid[6][1]) == (30, 50)


def test_a_late_junior_gets_nothing_where_juniors_get_nothing():
    made = house(100)
    made.file(worth(4, senior=200), IN_TIME)
    made.file(worth(5, junior=50), LATER)
    assert made.pay(5, LAST)[1][0] == 0


def test_late_claims_of_a_class_that_nobody_filed_for_share_what_is_left():
    made = house(100)
    made.file(worth(4, senior=60, junior=30), LATER)
    assert made.pay(4, LAST)[1][0] == 90


def test_a_pools_equity_goes_to_its_shares():
    made = house(1_000, pools=(POOL,))
    made.file(worth(0, senior=600), IN_TIME)
    made.file(worth(1, senior=100), IN_TIME)
    made.file(worth(4, senior=50, shares=[(0, 300)]), IN_TIME)
    made.file(worth(5, shares=[(0, 700)]), IN_TIME)
    refused(CourtError.POOL_UNPAID, lambda: made.pay(4, LATER))
    assert made.pay(0, LATER)[1] == (0,) * 8
    refused(CourtError.POOL_UNPAID, lambda: made.pay(4, LATER))
    made.pay(1, LATER)
    paid = pay_all(made, (5, 4))
    assert (paid[4][0], paid[5][0]) == (50 + 210, 490)
    totals = made.totals()
    assert totals.paid[0] + totals.left[0] == totals.escrow[0]
    assert totals.left[0] == 250


def test_what_has_no_price_is_seized_of_nobody():
    account = ProvenAccount(
        id=4,
        owner=bytes(20),
        subaccount=0,
        mode=0,
        cash=0,
        order_floor=0,
        request_sequence=0,
        positions=(),
        pages={},
        collaterals=(ProvenCollateral(1, 30, 0), ProvenCollateral(2, 30, 0)),
    )
    free, dear = AssetTerms(0, 0, 0), AssetTerms(2_000_000, 10, 0)
    # Ten of the second asset cover twenty; the steadier first one would cover nothing.
    assert seized_of([free, free, dear], account, 20) == (((1, 30), (2, 20)), ((2, 10),))


@pytest.mark.parametrize("kind", [InstrumentKind.PERPETUAL, InstrumentKind.CALL])
def test_an_instruments_leaf_that_ends_early_is_no_proof(kind):
    header = bytes([1, kind]) + bytes(PIECE_BYTES * INSTRUMENT_HEADER_PIECES - 2)
    whole = header + bytes(PIECE_BYTES * 2 * ROW_PIECES if kind == InstrumentKind.CALL else 0)
    assert decode_market(whole).kind == kind
    for cut in (1, PIECE_BYTES, len(whole)):
        with pytest.raises(ProofError, match="leaf of"):
            decode_market(whole[:-cut])


@pytest.mark.parametrize("series", [-1, SERIES_MAX])
def test_a_series_that_no_underlying_has_is_no_proof(series):
    leaf = bytes(UNDERLYING_BYTES)
    assert active_number(leaf, SERIES_MAX - 1) == 0
    with pytest.raises(ProofError, match="expected a series of 0 to"):
        active_number(leaf, series)


def test_an_option_whose_series_believes_no_set_of_rows_is_worth_nothing():
    option = decode_market(
        bytes([1, InstrumentKind.CALL])
        + bytes(PIECE_BYTES * (INSTRUMENT_HEADER_PIECES + 2 * ROW_PIECES) - 2)
    )._replace(centres=((0, 7), (1, 9)))
    assert [option.price(number) for number in (0, 1, 2)] == [0, 9, 0]


def test_shares_wait_for_accounts_of_their_pool_that_nobody_claimed_for():
    made = house(1_000, pools=(POOL,))
    made.file(worth(4, shares=[(0, 300)]), IN_TIME)
    refused(CourtError.POOL_UNPAID, lambda: made.pay(4, LATER))


def test_a_pools_pot_is_not_surplus_for_late_claims():
    made = house(100, pools=(POOL,))
    made.file(worth(0, senior=100), IN_TIME)
    made.file(worth(1), IN_TIME)
    made.pay(0, LATER)
    made.pay(1, LATER)
    made.file(worth(9, senior=100), LATER)
    made.file(worth(4, shares=[(0, 1_000)]), LATER)
    assert made.pay(9, LAST)[1][0] == 0
    assert made.pay(4, LAST)[1][0] == 100


def test_a_claim_is_filed_once_and_paid_once():
    made = house(100)
    made.file(worth(4, senior=100), IN_TIME)
    refused(CourtError.ALREADY_FILED, lambda: made.file(worth(4, senior=100), IN_TIME))
    made.pay(4, LATER)
    refused(CourtError.ALREADY_PAID, lambda: made.pay(4, LATER))
    refused(CourtError.ALREADY_FILED, lambda: made.file(worth(4, senior=100), LATER))
    refused(CourtError.NO_SUCH_CLAIM, lambda: made.pay(5, LATER))


def test_claims_are_filed_before_any_is_paid_and_neither_before_nor_after_the_exit():
    nothing = Exit(UndoLog())
    refused(CourtError.NO_EXIT, lambda: nothing.file(worth(4), IN_TIME))
    refused(CourtError.NO_EXIT, lambda: nothing.pay(4, LATER))
    refused(CourtError.NO_EXIT, lambda: nothing.take_rest(0, AFTER))
    made = house(100)
    refused(CourtError.EXIT_BEGUN, lambda: made.begin(terms(), (0,) * 8))
    assert not made.file(worth(4, senior=100), CLOSE).late
    refused(CourtError.CLAIMS_OPEN, lambda: made.pay(4, CLOSE))
    refused(CourtError.EXIT_NOT_ENDED, lambda: made.take_rest(0, ENDS))
    refused(CourtError.EXIT_ENDED, lambda: made.pay(4, AFTER))
    refused(CourtError.EXIT_ENDED, lambda: made.file(worth(5), AFTER))
    assert made.take_rest(0, AFTER) == 100
    refused(CourtError.NO_SURPLUS, lambda: made.take_rest(0, AFTER))
    refused(CourtError.NO_SURPLUS, lambda: made.take_rest(8, AFTER))


def test_sharing_can_be_undone():
    log = UndoLog()
    made = Exit(log)
    made.begin(terms(), (100, *[0] * 7))
    made.file(worth(4, senior=100), IN_TIME)
    mark = log.mark()
    made.file(worth(5, senior=100), IN_TIME)
    log.undo_to(mark)
    made.pay(4, LATER)
    log.undo_to(mark)
    made.file(worth(5, senior=300), IN_TIME)
    assert pay_all(made, (5, 4))[4][0] == 25


AMOUNT = st.integers(0, 10**6)
UNITS = st.integers(0, 10**4)
PARTS = st.tuples(AMOUNT, AMOUNT, UNITS, UNITS, st.integers(0, 100))


@st.composite
def exits(draw):
    """Claims of any kind with what is there of quote, and orders to file and pay them in."""
    parts = draw(st.lists(PARTS, min_size=1, max_size=8))
    claims = [
        worth(
            2 + place,
            senior,
            junior,
            home=[(1, home)] if home else [],
            seized=[(2, seized)] if seized else [],
            shares=[(0, shares)] if shares else [],
        )
        for place, (senior, junior, home, seized, shares) in enumerate(parts)
    ]
    claims += [worth(0, draw(AMOUNT), draw(AMOUNT)), worth(1, draw(AMOUNT))]
    orders = [draw(st.permutations(claims)) for _ in range(4)]
    late = draw(st.sets(st.integers(0, len(parts) + 1)))
    return draw(st.integers(0, 2 * 10**6)), orders, late


@given(exits())
@settings(max_examples=150, deadline=None)
def test_claims_in_any_order_are_paid_alike_and_nothing_is_made_or_lost(drawn):
    quote, orders, late = drawn
    units = [sum(dict(one.home).get(1, 0) for one in orders[0])]
    units.append(sum(dict(one.seized).get(2, 0) for one in orders[0]))
    supply = max(1, sum(dict(one.shares).get(0, 0) for one in orders[0]))
    pool = POOL._replace(shares=supply)
    results = []
    for filing, paying in pairwise(orders):
        made = house(quote, *units, pools=(pool,))
        for claim in filing:
            if claim.account not in late:
                made.file(claim, IN_TIME)
        for claim in filing:
            if claim.account in late:
                made.file(claim, LATER)
        split = made.split()
        assert split.senior.quote + split.junior.quote <= quote
        if split.junior.quote or split.junior.units_value:
            assert split.senior.quote + split.senior.units_value == split.senior.total
        # Shares wait for the accounts of their pool; everything else may come in any order.
        accounts = sorted((one.account for one in paying), key=lambda account: account > 1)
        results.append(pay_all(made, accounts, LAST))
        totals = made.totals()
        for asset, there in enumerate(totals.escrow):
            given_out = sum(paid[asset] for paid in results[-1].values())
            assert given_out == totals.paid[asset]
            assert totals.left[asset] >= 0
            assert totals.paid[asset] + totals.left[asset] == there
    assert all(result == results[0] for result in results)
