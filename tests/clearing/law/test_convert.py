"""Convert: keepers buy the collateral of whoever owes cash, steadiest first, and no more of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearing.codes import Code, Kind, Scope
from clearing.genesis import GenesisAsset
from clearing.units import AMOUNT_MAX, COLLATERALS_MAX, PPM, SHARES_BASE
from tests.clearing.law.faults import COMMON, Case, outcome, pairs
from tests.support.world import MARK, START_MS, Trader, World

NEVER = AMOUNT_MAX
STEADY = GenesisAsset(haircut_ppm=20_000, initial_haircut_ppm=0, cap=1 << 60, scale=1 << 60)
WILD = GenesisAsset(haircut_ppm=200_000, initial_haircut_ppm=0, cap=1 << 60, scale=1 << 60)
STEADY_ID, WILD_ID = 1, 2
ONE = 1_000_000  # micro-quote per 10^6 units: a unit is a micro-quote
LOTS = 50


def owing_world(steady=0, wild=100_000_000, **changes):
    """Alice lost more than her cash on fifty lots; collateral keeps her, just or not at all.

    She paid in two marks; 50 lots fell by four per cent, two marks: her cash and position are at
    zero less what the mark falls further.
    """
    changes.setdefault("conversion_ppm", 50_000)
    world = World(assets=(STEADY, WILD), **changes)
    for asset in (STEADY_ID, WILD_ID):
        world.price_asset(asset, ONE)
    alice, bob = world.trader("alice", 2 * MARK), world.trader("bob")
    keeper = world.trader("keeper")
    for asset, units in ((STEADY_ID, steady), (WILD_ID, wild)):
        if units:
            assert world.apply(world.deposit(alice, units, asset=asset)) == Code.APPLIED
    assert world.apply(world.trade(alice, bob, LOTS)) == Code.APPLIED
    world.move_price(MARK * 95 // 100)
    return world, alice, keeper


def convert(world, keeper, owner, asset, amount=NEVER, key=None, **changes):
    return world.request(
        Kind.CONVERT,
        keeper.key if key is None else key,
        keeper=keeper.account,
        account=owner.account,
        asset=asset,
        amount=amount,
        **changes,
    )


OWED = LOTS * MARK * 5 // 100 - 2 * MARK  # half a mark: 25e6


def test_a_conversion_sells_as_much_as_brings_what_is_owed():
    world, alice, keeper = owing_world()
    cash = int(world.account(keeper).cash)
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.APPLIED
    # 25e6 at five per cent less than the price: 26_315_790 units bring 25_000_000.5, paid up.
    sold = 26_315_790
    assert sold == -(-OWED * PPM // 950_000)
    assert world.units(alice, WILD_ID) == 100_000_000 - sold
    assert world.units(keeper, WILD_ID) == sold
    assert world.account(keeper).cash == cash - 25_000_001
    assert world.state.assets[WILD_ID].held == 100_000_000
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.NOT_NEEDED


def test_a_keeper_may_take_less():
    world, alice, keeper = owing_world()
    cash = int(world.account(alice).cash)
    assert world.apply(convert(world, keeper, alice, WILD_ID, 1_000)) == Code.APPLIED
    assert (world.units(keeper, WILD_ID), world.account(alice).cash - cash) == (1_000, 950)


def test_a_rounded_price_is_rounded_for_the_account_that_owes():
    world, alice, keeper = owing_world()
    cash = int(world.account(alice).cash)
    assert world.apply(convert(world, keeper, alice, WILD_ID, 1)) == Code.APPLIED
    assert world.account(alice).cash - cash == 1


def test_a_price_sells_collateral_to_the_last_millisecond_that_it_counts_for_margin_clr_trd_005():
    world, alice, keeper = owing_world()
    stale_ms = int(world.params.price_stale_margin_ms)
    row = world.state.assets[WILD_ID]
    row.price_time = world.time - stale_ms - 1
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.PRICE_STALE
    row.price_time = world.time - stale_ms
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.APPLIED


def test_the_discount_is_no_larger_than_the_haircut():
    world, alice, keeper = owing_world(steady=20_000_000, wild=50_000_000)
    cash = int(world.account(alice).cash)
    assert world.apply(convert(world, keeper, alice, STEADY_ID, 1_000_000)) == Code.APPLIED
    assert world.account(alice).cash - cash == 980_000


def test_the_smallest_haircut_is_sold_first_clr_wtf_002():
    world, alice, keeper = owing_world(steady=20_000_000, wild=50_000_000)
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.WATERFALL_ORDER
    assert world.apply(convert(world, keeper, alice, STEADY_ID)) == Code.APPLIED
    assert world.units(alice, STEADY_ID) == 0
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.APPLIED
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.NOT_NEEDED


def test_of_equal_haircuts_the_lower_asset_is_sold_first_clr_wtf_002():
    world, alice, keeper = owing_world(steady=20_000_000, wild=50_000_000)
    world.state.assets[STEADY_ID].haircut_ppm = WILD.haircut_ppm
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.WATERFALL_ORDER


def test_a_healthy_account_keeps_its_collateral_clr_liq_002():
    world, alice, keeper = owing_world(wild=200_000_000)
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.HEALTHY


def test_an_account_without_positions_pays_what_it_owes_however_much_it_has():
    world, alice, keeper = owing_world(wild=200_000_000)
    bob = Trader("bob", 1)
    # She sells out: the mark is five per cent down, and 25e6 stay owed.
    sale = world.trade(bob, alice, LOTS, price=MARK * 95 // 100)
    assert world.apply(sale) == Code.APPLIED
    assert world.account(alice).cash == -OWED
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.APPLIED
    assert world.account(alice).cash == 1
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.NOT_NEEDED


def test_nothing_is_sold_of_an_account_that_owes_nothing_clr_col_002():
    world, alice, keeper = owing_world()
    bob = Trader("bob", 1)
    assert world.apply(world.transfer(bob, alice, 2 * OWED)) == Code.APPLIED
    dora = world.trader("dora", 5)
    assert world.apply(world.deposit(dora, 70, asset=WILD_ID)) == Code.APPLIED
    assert world.apply(convert(world, keeper, dora, WILD_ID)) == Code.NOT_NEEDED


def test_a_keeper_whose_entries_are_all_taken_buys_nothing_clr_col_001():
    world, alice, keeper = owing_world()
    row = world.account(keeper)
    row.collateral_count = COLLATERALS_MAX
    for place in range(COLLATERALS_MAX):
        row.collaterals[place].asset = SHARES_BASE + place
        row.collaterals[place].amount = 1
    assert world.apply(convert(world, keeper, alice, WILD_ID)) == Code.COLLATERAL_CAP


def test_a_keeper_pays_in_cash_that_he_has_clr_mrg_002():
    world, alice, _ = owing_world()
    poor = world.trader("poor", 900)
    assert world.apply(world.deposit(poor, 10**9, asset=STEADY_ID)) == Code.APPLIED
    assert world.apply(convert(world, poor, alice, WILD_ID, 1_000)) == Code.TRANSFER_MARGIN
    assert world.apply(convert(world, poor, alice, WILD_ID, 900)) == Code.APPLIED


def test_a_session_key_of_a_keeper_may_convert():
    world, alice, keeper = owing_world()
    grant = world.request(
        Kind.KEY_GRANT,
        keeper.key,
        account=keeper.account,
        key=int.from_bytes(Trader("bot", 0).address, "big"),
        scope=Scope.KEEPER,
        first_instrument=0,
        last_instrument=0,
        limit=25_000_001,
        key_expiry=2 * START_MS,
    )
    assert world.apply(grant) == Code.APPLIED
    action = convert(world, keeper, alice, WILD_ID, key=Trader("bot", 0).key)
    assert world.apply(action) == Code.APPLIED


class Conversion(Case):
    """The keeper buys all that Alice owes."""

    def prepare(self):
        self.world, self.owner, self.keeper = owing_world(steady=20_000_000, wild=50_000_000)
        self.asset, self.key = STEADY_ID, None
        self.changes = {"sequence": 7_000}

    def action(self):
        return convert(
            self.world, self.keeper, self.owner, self.asset, key=self.key, **self.changes
        )


def set_to(name, value):
    return lambda case: setattr(case, name, value)


def stale_request(case):
    case.world.account(case.keeper).request_sequence = 7_000


def stale_price(case):
    for asset in (STEADY_ID, WILD_ID):
        case.world.state.assets[asset].price_time -= case.world.params.price_stale_margin_ms
        case.world.state.assets[asset].price_time -= 2_000


def healthy(case):
    case.world.account(case.owner).cash += 10 * MARK
    case.world.check_conservation = lambda: None


FAULTS = {
    **COMMON,
    Code.NO_ACCOUNT: set_to("owner", Trader("alice", 99)),
    Code.NO_ASSET: set_to("asset", 3),
    Code.EXPIRED: lambda case: case.changes.update(expiry=START_MS - 1),
    Code.BAD_SIGNATURE: set_to("key", Trader("mallory", 0).key),
    Code.STALE_SEQUENCE: stale_request,
    Code.PRICE_STALE: stale_price,
    Code.HEALTHY: healthy,
}


@pytest.mark.parametrize("code", FAULTS, ids=lambda code: code.name)
def test_each_rule_rejects_alone(code):
    assert outcome(Conversion, FAULTS, code) == code


@pairs(FAULTS)
def test_of_two_broken_rules_the_first_is_named(first, second):
    assert outcome(Conversion, FAULTS, second, first) == first


@pytest.mark.parametrize("asset", [0, 3, SHARES_BASE])
def test_cash_shares_and_what_is_not_listed_are_not_converted_clr_act_008(asset):
    world, alice, keeper = owing_world()
    assert world.apply(convert(world, keeper, alice, asset)) == Code.NO_ASSET


def test_nobody_converts_his_own_collateral_clr_trd_001():
    world, alice, _ = owing_world()
    assert world.apply(convert(world, alice, alice, WILD_ID)) == Code.SELF_TRADE


@settings(max_examples=25, deadline=None)
@given(
    price=st.integers(1, 3 * ONE),
    haircut=st.integers(0, 900_000),
    discount=st.integers(0, 500_000),
    amount=st.integers(1, 200_000_000),
)
def test_no_conversion_lowers_the_accounts_equity(price, haircut, discount, amount):
    world, alice, keeper = owing_world(conversion_ppm=discount)
    asset = world.state.assets[WILD_ID]
    asset.price = asset.stable_price = price
    asset.haircut_ppm = haircut

    def equity():
        row = world.account(alice)
        counted = world.units(alice, WILD_ID) * price * (PPM - haircut) // PPM // 10**6
        return int(row.cash) + counted

    before, held = equity(), world.units(alice, WILD_ID)
    code = world.apply(convert(world, keeper, alice, WILD_ID, amount))
    assert code in (Code.APPLIED, Code.HEALTHY)
    assert equity() >= before
    sold = held - world.units(alice, WILD_ID)
    assert (0 < sold <= amount) == (code == Code.APPLIED)
