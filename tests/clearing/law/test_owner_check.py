"""Owner checks: what the accounts of one owner hold together, and how long they may only reduce."""

import pytest

from clearing.codes import Code, InboxKind, InstrumentStatus, Kind, Scope, Side, Tag
from clearing.formulas import evaluate
from clearing.genesis import GenesisError
from clearing.keccak import pieces, tagged_hash
from clearing.owner_groups import EVERYWHERE
from clearing.units import GROUP_ACCOUNTS_MAX, HOLD_MAX_MS, LOTS_MAX, PPM, STEP_LISTED
from tests.support.pools import OWN, SLEEVE, PoolWorld
from tests.support.world import DEPOSIT, MARK, Trader, World, address_of

CAP = 10
HOLD_MS = 60_000
# Of all accounts of one owner: twelve tenths of one position's cap.
SHARE_PPM = 1_200_000
LIMIT = 12


class Group:
    """Alice has three accounts, which hold in the first market what `held` says."""

    def __init__(self, *held, **changes):
        changes = {"owner_group_ppm": SHARE_PPM, "owner_hold_ms": HOLD_MS} | changes
        self.world = World(**changes)
        for market in self.world.state.instruments:
            market.position_cap = CAP
        self.mine = [self.world.trader("alice", subaccount=i) for i in range(3)]
        # Who makes markets is held to no limit, or he would be in the way.
        self.makers = [self.world.trader(f"maker {i}") for i in range(4)]
        for place, lots in enumerate(held):
            assert self.take(place, lots) == Code.APPLIED

    def take(self, place, lots, instrument=0, **changes):
        """One of the accounts buys lots (or sells them) from whoever holds least."""
        maker = min(self.makers, key=lambda one: abs(self.world.lots(one, instrument)))
        side = Side.BUY if lots > 0 else Side.SELL
        trade = self.world.trade(
            self.mine[place], maker, abs(lots), side=side, instrument=instrument, **changes
        )
        return self.world.apply(trade)

    def check(self, *places, instrument=0):
        ids = [self.mine[place].account for place in places]
        return self.world.apply(self.asked(ids, instrument))

    def asked(self, ids, instrument=0):
        return self.world.request(Kind.OWNER_CHECK, payload=ids, instrument=instrument)

    def held(self, place):
        row = self.world.account(self.mine[place])
        return int(row.hold_until), int(row.hold_instrument)


def test_an_owner_beyond_the_limit_may_only_reduce_in_the_market_clr_trd_016():
    group = Group(7, -6)
    until = group.world.time + HOLD_MS
    assert group.check(0, 1) == Code.APPLIED
    assert [group.held(place) for place in range(3)] == [(until, 0), (until, 0), (0, 0)]
    assert group.take(0, 1) == Code.OWNER_LIMIT
    assert group.take(1, -1) == Code.OWNER_LIMIT
    assert group.take(1, 9) == Code.OWNER_LIMIT
    assert group.take(0, -2) == Code.APPLIED
    assert group.take(1, 6) == Code.APPLIED
    # Closed is not forgotten: opening again is growing.
    assert group.take(1, 1) == Code.OWNER_LIMIT
    assert group.take(0, 1, instrument=1) == Code.APPLIED


def test_the_limit_is_a_share_of_the_position_cap_rounded_down_and_may_be_reached():
    group = Group(6, -6, owner_group_ppm=1_299_999)
    assert group.check(0, 1) == Code.NOT_NEEDED
    assert group.take(1, -1) == Code.APPLIED
    assert group.check(0, 1) == Code.APPLIED


def test_an_owner_within_the_limit_is_left_alone_clr_col_002():
    group = Group(6, -6)
    for places in ((0,), (1,), (0, 1), (0, 1, 2)):
        assert group.check(*places) == Code.NOT_NEEDED
    assert group.take(2, 1) == Code.APPLIED


def test_without_a_limit_nobody_is_held():
    group = Group(10, 10, 10, owner_group_ppm=0)
    assert group.check(0, 1, 2) == Code.NOT_NEEDED


def test_an_account_that_holds_nothing_is_held_with_the_others():
    group = Group(7, 6)
    assert group.check(0, 1, 2) == Code.APPLIED
    assert group.take(2, 1) == Code.OWNER_LIMIT


def test_a_new_account_is_free_until_a_check_names_it():
    group = Group(7, 6)
    assert group.check(0, 1) == Code.APPLIED
    assert group.take(2, 1) == Code.APPLIED
    assert group.check(0, 1, 2) == Code.APPLIED
    assert group.take(2, 1) == Code.OWNER_LIMIT


def test_the_hold_ends_at_its_time_and_a_later_check_prolongs_it():
    group = Group(7, 6)
    assert group.check(0, 1) == Code.APPLIED
    group.world.wait(HOLD_MS - 1)
    assert group.take(0, 1) == Code.OWNER_LIMIT
    assert group.check(0, 1) == Code.APPLIED
    group.world.wait(1)
    assert group.take(0, 1) == Code.OWNER_LIMIT
    group.world.wait(HOLD_MS - 1)
    group.world.move_price(MARK)
    assert group.take(0, 1) == Code.APPLIED


def test_the_same_check_frees_an_owner_who_is_back_within_the_limit():
    group = Group(7, 6)
    assert group.check(0, 1) == Code.APPLIED
    assert group.check(0, 1) == Code.APPLIED
    assert group.take(1, -1) == Code.APPLIED
    assert group.check(0, 1) == Code.APPLIED
    row = group.world.account(group.mine[0])
    assert (row.hold_until, row.hold_instrument, row.hold_group) == (0, 0, 0)
    assert group.take(2, 1) == Code.APPLIED
    assert group.take(0, -1) == Code.APPLIED
    assert group.take(0, 1) == Code.APPLIED
    assert group.check(0, 1) == Code.NOT_NEEDED


@pytest.mark.parametrize("places", [(0,), (1,), (0, 2), (0, 1, 2)])
def test_other_accounts_than_those_added_up_free_nobody_clr_col_002(places):
    group = Group(7, 6)
    assert group.check(0, 1) == Code.APPLIED
    assert group.take(1, -6) == Code.APPLIED
    assert group.check(*places) == Code.NOT_NEEDED
    assert group.take(0, 1) == Code.OWNER_LIMIT


def test_the_same_accounts_in_another_market_free_nobody():
    group = Group(7, 6)
    assert group.check(0, 1) == Code.APPLIED
    assert group.check(0, 1, instrument=1) == Code.NOT_NEEDED
    assert group.take(0, 1) == Code.OWNER_LIMIT


def test_whoever_is_beyond_two_limits_grows_nowhere_until_the_time_is_over():
    group = Group(7, 6)
    for place, lots in ((0, 7), (1, 6)):
        assert group.take(place, lots, instrument=1) == Code.APPLIED
    assert group.check(0, 1) == Code.APPLIED
    group.world.wait(1_000)
    assert group.check(0, 1, instrument=1) == Code.APPLIED
    until = group.world.time + HOLD_MS
    assert group.held(0) == (until, EVERYWHERE)
    for instrument in (0, 1, 2):
        assert group.take(0, 1, instrument=instrument) == Code.OWNER_LIMIT
        assert group.take(1, 1, instrument=instrument) == Code.OWNER_LIMIT
    # Neither market's check frees it: each knows of itself alone.
    for instrument in (0, 1):
        assert group.take(1, -6, instrument=instrument) == Code.APPLIED
        assert group.check(0, 1, instrument=instrument) == Code.NOT_NEEDED
    group.world.wait(HOLD_MS - 2_000)
    for instrument in (0, 1, 2):
        group.world.move_price(MARK, instrument)
    assert group.take(0, 1) == Code.APPLIED


def test_a_hold_that_is_over_does_not_widen_the_next_one():
    group = Group(7, 6)
    assert group.check(0, 1) == Code.APPLIED
    for place, lots in ((0, 7), (1, 6)):
        assert group.take(place, lots, instrument=1) == Code.APPLIED
    group.world.wait(HOLD_MS)
    assert group.check(0, 1, instrument=1) == Code.APPLIED
    assert group.held(0) == (group.world.time + HOLD_MS, 1)


def test_who_signs_for_an_account_makes_no_difference():
    group = Group(7, 6)
    heir = int.from_bytes(address_of("heir"), "big")
    alice = group.mine[1]
    rotate = group.world.request(Kind.ROTATE_KEY, alice.key, account=alice.account, key=heir)
    assert group.world.apply(rotate) == Code.APPLIED
    assert group.check(0, 1) == Code.APPLIED
    group.mine[1] = Trader("heir", alice.account)
    assert group.take(1, 1) == Code.OWNER_LIMIT
    assert group.take(1, -1) == Code.APPLIED


def test_a_session_key_opens_nothing_either():
    group = Group(7, 6)
    alice = group.mine[0]
    grant = group.world.request(
        Kind.KEY_GRANT,
        alice.key,
        account=alice.account,
        key=int.from_bytes(address_of("bot"), "big"),
        scope=int(Scope.TRADE),
        first_instrument=0,
        last_instrument=9,
        limit=1 << 60,
        key_expiry=1 << 60,
    )
    assert group.world.apply(grant) == Code.APPLIED
    assert group.check(0, 1) == Code.APPLIED
    group.mine[0] = Trader("bot", alice.account)
    assert group.take(0, 1) == Code.OWNER_LIMIT


# Lots that come by other ways than a trade


def failing(group):
    """Somebody whom a keeper may relieve of a long position."""
    victim, bob = group.world.trader("victim", MARK), group.world.trader("bob")
    assert group.world.apply(group.world.trade(victim, bob, 10)) == Code.APPLIED
    group.world.move_price(MARK * 92 // 100)
    return victim


def test_a_held_keeper_takes_nothing_over_but_what_reduces_him():
    group = Group(-7, 6)
    victim = failing(group)
    assert group.check(0, 1) == Code.APPLIED
    take = group.world.liquidate(group.mine[1], victim, 2)
    assert group.world.apply(take) == Code.OWNER_LIMIT
    forced = {"asset": 0, "other": victim.account}
    group.world.apply(group.world.forced(InboxKind.LIQUIDATE, group.mine[1], 2, **forced))
    assert group.world.lots(group.mine[1]) == 6
    assert group.world.apply(group.world.liquidate(group.mine[0], victim, 2)) == Code.APPLIED
    assert group.world.lots(group.mine[0]) == -5


def test_a_held_account_that_fails_is_relieved_like_any():
    group = Group(7, 6)
    assert group.check(0, 1) == Code.APPLIED
    row = group.world.account(group.mine[0])
    taken = int(row.cash) + 7 * MARK
    row.cash -= taken
    group.world.account(group.makers[0]).cash += taken
    keeper = group.world.trader("keeper")
    assert group.world.apply(group.world.liquidate(keeper, group.mine[0], 7)) == Code.APPLIED
    assert group.world.lots(group.mine[0]) == 0


def test_a_held_account_trades_with_a_pool_only_to_reduce():
    world = PoolWorld(owner_group_ppm=SHARE_PPM, owner_hold_ms=HOLD_MS)
    world.instrument(0).position_cap = CAP
    mine = [world.trader("alice", DEPOSIT, i) for i in range(2)]
    for trader, lots in zip(mine, (7, 6), strict=True):
        assert world.apply(world.pool_trade(trader, lots)) == Code.APPLIED
    ids = [trader.account for trader in mine]
    check = world.request(Kind.OWNER_CHECK, payload=ids, instrument=0)
    assert world.apply(check) == Code.APPLIED
    assert world.apply(world.pool_trade(mine[0], 1)) == Code.OWNER_LIMIT
    sale = world.pool_trade(mine[0], 1, side=Side.SELL, limit=1)
    assert world.apply(sale) == Code.APPLIED


def test_the_accounts_of_a_pool_are_nobodys_and_are_never_held_clr_mrg_004():
    world = PoolWorld(owner_group_ppm=1, owner_hold_ms=HOLD_MS)
    for account in (OWN, SLEEVE):
        check = world.request(Kind.OWNER_CHECK, payload=[account], instrument=0)
        assert world.apply(check) == Code.ACCOUNT_MODE


# What is wrong with a check


def test_unknown_markets_and_accounts_clr_act_007_clr_act_006():
    group = Group(7, 6)
    assert group.check(0, 1, instrument=9) == Code.NO_INSTRUMENT
    assert group.world.apply(group.asked([0, 99])) == Code.NO_ACCOUNT
    assert group.world.apply(group.asked([-1, 0])) == Code.NO_ACCOUNT


@pytest.mark.parametrize("ids", [[0, 0], [1, 0], [0, 1, 1], [0, 2, 1]])
def test_no_account_counts_twice_clr_swp_004(ids):
    group = Group(7)
    assert group.world.apply(group.asked(ids)) == Code.OPERATION_ORDER


def test_a_stranger_is_not_added_clr_grp_001():
    group = Group(7)
    others = [maker.account for maker in group.makers]
    assert group.world.apply(group.asked([0, 1, others[0]])) == Code.OTHER_OWNER
    assert group.world.apply(group.asked(others[:2])) == Code.OTHER_OWNER


def test_the_first_thing_wrong_with_the_accounts_counts():
    group = Group(7)
    other = group.makers[0].account
    assert group.world.apply(group.asked([0, other, 99])) == Code.OTHER_OWNER
    assert group.world.apply(group.asked([1, 0, other])) == Code.OPERATION_ORDER
    assert group.world.apply(group.asked([0, 99, 1])) == Code.NO_ACCOUNT
    assert group.world.apply(group.asked([99], 9)) == Code.NO_INSTRUMENT


def test_the_number_of_a_group_is_the_first_piece_of_its_hash():
    group = Group(7, 6)
    assert group.check(0, 1) == Code.APPLIED
    words = b"".join(number.to_bytes(8, "big") for number in (0, 0, 1))
    expected = pieces(tagged_hash(Tag.OWNER_GROUP, words))[0]
    assert group.world.account(group.mine[0]).hold_group == expected


def test_lots_at_their_bounds_are_added_up_without_a_trap():
    group = Group(owner_group_ppm=100_000_000)
    group.world.instrument(0).position_cap = LOTS_MAX
    for place, lots in ((0, LOTS_MAX), (1, -LOTS_MAX)):
        row = group.world.account(group.mine[place])
        row.position_count, row.positions[0].lots = 1, lots
    group.world.instrument(0).open_interest = LOTS_MAX
    assert group.check(0, 1) == Code.NOT_NEEDED
    group.world.params.owner_group_ppm = 1_999_999
    assert group.check(0, 1) == Code.APPLIED


def test_a_closed_market_is_checked_like_any():
    group = Group(7, 6)
    group.world.instrument(0).status = InstrumentStatus.SETTLING
    assert group.check(0, 1) == Code.APPLIED


# The budget of a step


def test_the_payloads_of_a_step_name_so_many_accounts_and_no_more_clr_act_003():
    group = Group(7, 6)
    world = group.world
    mine = group.mine + [
        world.trader("alice", MARK, i) for i in range(3, GROUP_ACCOUNTS_MAX - len(group.makers))
    ]
    ids = [trader.account for trader in mine]
    assert len(ids) + 4 == GROUP_ACCOUNTS_MAX == STEP_LISTED
    few = group.asked(ids[:5])
    codes = world.step([group.asked(ids), few, world.funding(), few])
    assert codes == [Code.APPLIED, Code.STEP_FULL, Code.FUNDING_EARLY, Code.STEP_FULL]
    assert int(world.account(mine[-1]).hold_until) == world.time + HOLD_MS
    # An account that another action of the step names may still be listed beyond the bound.
    trade = world.trade(mine[0], group.makers[0], 1, side=Side.SELL)
    assert world.step([group.asked(ids), group.asked(ids), trade])[1:] == [
        Code.STEP_FULL,
        Code.APPLIED,
    ]


def test_a_whole_step_of_sweeps_names_as_many():
    group = Group(7, 6)
    tally = group.world.request(Kind.SWEEP_TALLY, payload=range(6), instrument=0)
    assert group.world.step([tally] * 8) == [Code.NO_OPERATION] * 8


@pytest.mark.parametrize(("cap", "share", "limit"), [(10, 1_299_999, 12), (7, 1, 0), (1, PPM, 1)])
def test_the_limit_is_a_formula_too(cap, share, limit):
    terms = {"position_cap": cap, "owner_group_ppm": share}
    assert evaluate("owner_group_limit", terms) == {"limit": limit}


# The parameters


@pytest.mark.parametrize(
    "changes",
    [
        {"owner_group_ppm": -1},
        {"owner_group_ppm": 100 * PPM + 1},
        {"owner_hold_ms": 0},
        {"owner_hold_ms": HOLD_MAX_MS + 1},
    ],
)
def test_a_genesis_beyond_their_bounds_is_refused(changes):
    with pytest.raises(GenesisError, match=next(iter(changes))):
        World(**changes)
