"""Another stress grid: announced by governance, begun together with the rows that belong to it."""

import pytest

from clearing.codes import Code, Kind, Mode
from clearing.genesis import GenesisUnderlying
from clearing.grid import CENTRE
from clearing.grid_preset import VOLATILITY_DOWN_PPM, VOLATILITY_UP_PPM
from clearing.marks import mark_price
from node.margins import margin_of
from tests.clearing.law.test_risk_rows import GOVERNANCE, grid, set_grid
from tests.support.options import CALLS, EXPIRY_MS, IN_ORDER, PUTS, SHOCKS, OptionWorld, shocked
from tests.support.world import DEPOSIT, MARK, START_MS, address_of

TIMELOCK = 100_000
WIDER = [2 * shock for shock in SHOCKS[:27]] + [-900_000, -600_000, *SHOCKS[29:]]


class GridWorld(OptionWorld):
    """Options with an active set; governance announced a grid with levels twice as far apart."""

    def __init__(self, announced=True, **changes):
        lasting = {"price_stale_margin_ms": 1 << 39, "price_stale_open_ms": 1 << 39}
        governed = {"governance": address_of(GOVERNANCE), "timelock_ms": TIMELOCK}
        super().__init__(**{**lasting, **governed, **changes})
        self.wait(1_000)
        self.publish_rows()
        if announced:
            assert self.announce() == Code.APPLIED

    def announce(self, prices=WIDER, **changes):
        return self.apply(set_grid(self, grid(prices=prices, **changes)))

    def enact(self, underlying=0):
        return self.apply(self.request(Kind.ENACT_GRID, underlying=underlying))

    def wider_rows(self, extra=5_000):
        """Rows of the announced grid: intrinsic value and something more."""
        found = []
        for id in IN_ORDER:
            sign, strike = (1 if id in CALLS else -1), int(self.instrument(id).strike)
            gaps = [sign * (shocked(MARK, shock) - strike) for shock in WIDER]
            found.append((id, [max(gap, 0) + extra for gap in gaps]))
        return found


def due(**changes):
    """The announced grid's time has come."""
    world = GridWorld(**changes)
    world.wait(TIMELOCK)
    return world


def test_an_announced_grid_waits_and_nothing_changes():
    world = GridWorld()
    row = world.underlying
    assert row.prices.tolist() == list(SHOCKS)
    assert row.next_prices.tolist() == WIDER
    assert (row.next_volatility_down_ppm, row.next_volatility_up_ppm) == (
        VOLATILITY_DOWN_PPM,
        VOLATILITY_UP_PPM,
    )
    assert row.next_time == world.time + TIMELOCK
    assert (world.series.active_number, world.series.active_time) == (1, world.time)
    # Rows of the old grid are staged and activated as ever, to the last millisecond.
    world.wait(TIMELOCK - 1)
    world.publish_rows(extra=6_000)
    assert world.enact() == Code.TIMELOCK


def test_grid_and_rows_begin_at_once():
    world = due()
    world.stage(world.wider_rows(extra=6_000))
    # Margin reads the old ones until then, of the same set in all markets.
    assert int(mark_price(world.state, world.instrument(CALLS[1]))) == 5_000
    assert world.enact() == Code.APPLIED
    row = world.underlying
    assert row.prices.tolist() == WIDER
    assert row.next_time == 0
    assert (world.series.active_number, world.series.active_time) == (2, world.time)
    assert (world.series.reference_price, world.series.forward_price) == (MARK, MARK)
    assert int(mark_price(world.state, world.instrument(CALLS[1]))) == 6_000
    world.wait(1_000)
    world.stage(world.wider_rows())
    assert world.apply(world.activation()) == Code.APPLIED
    assert world.enact() == Code.TIMELOCK


def test_rows_of_the_time_from_which_on_are_rows_of_the_next_grid_clr_row_003():
    world = due()
    assert world.apply(world.row_action(world.rows())) == Code.ROW_BOUND
    assert world.apply(world.row_action(world.rows(), time=world.time - 1)) == Code.APPLIED
    world = due()
    early = world.row_action(world.wider_rows(), time=world.time - 1)
    assert world.apply(early) == Code.ROW_BOUND


def test_rows_of_the_next_grid_are_not_activated_one_by_one_clr_row_001():
    world = due()
    world.stage(world.wider_rows())
    assert world.apply(world.activation()) == Code.ROW_TIME


def test_a_set_of_the_old_grid_may_still_be_activated_when_the_time_has_come():
    world = due()
    earlier = world.time - 1
    world.stage(world.rows(extra=6_000), time=earlier)
    assert world.enact() == Code.ROW_INCOMPLETE
    assert world.apply(world.activation(time=earlier)) == Code.APPLIED


@pytest.mark.parametrize("left_out", range(6))
def test_no_grid_begins_before_every_option_is_staged_clr_row_008(left_out):
    world = due()
    rows = world.wider_rows()
    world.stage([row for place, row in enumerate(rows) if place != left_out])
    assert world.enact() == Code.ROW_INCOMPLETE
    world.wait(1_000)
    world.stage(rows)
    assert world.enact() == Code.APPLIED


@pytest.mark.parametrize(("late", "expected"), [(0, Code.APPLIED), (1, Code.ROW_INCOMPLETE)])
def test_no_grid_begins_with_rows_that_are_too_old_clr_row_008(late, expected):
    world = due()
    world.stage(world.wider_rows())
    world.wait(300_000 + late)
    assert world.enact() == expected


def test_every_expiry_begins_with_the_grid_and_what_is_over_is_expired_first_clr_row_008():
    soon = START_MS + TIMELOCK + 50_000
    world = due(underlyings=(GenesisUnderlying(expiries=(soon, EXPIRY_MS)),))
    world.stage(world.wider_rows())
    world.underlying.series[1] = world.underlying.series[0]
    other = world.underlying.series[1]
    other.expiry, other.staged_count = EXPIRY_MS, 0
    assert world.enact() == Code.ROW_INCOMPLETE
    other.active_number = 0  # margin reads nothing of it: nobody holds any of it
    world.wait(60_000)
    assert world.enact() == Code.APPLIED
    assert int(other.staged_number) == 0


def test_an_underlying_without_rows_begins_its_grid_when_the_time_has_come():
    world = due()
    world.series.active_number = 0
    assert world.enact() == Code.APPLIED
    assert world.underlying.prices.tolist() == WIDER


def test_a_later_announcement_takes_the_place_of_an_earlier_one():
    world = due()
    world.stage(world.wider_rows())
    far = [*WIDER[:-1], WIDER[-1] + 1]
    assert world.announce(far) == Code.APPLIED
    # What was staged was for the other one, or may be for none.
    assert world.enact() == Code.TIMELOCK
    assert world.apply(world.activation()) == Code.ROW_TIME
    assert world.apply(world.row_action(world.wider_rows())) == Code.ROW_TIME
    world.wait(TIMELOCK)
    assert world.enact() == Code.ROW_INCOMPLETE
    assert world.underlying.next_prices.tolist() == far


@pytest.mark.parametrize(("by", "expected"), [(10_000_000, Code.APPLIED), (10_000_001, 55)])
def test_of_another_grid_only_the_centre_is_held_to_the_active_row_clr_row_007(by, expected):
    world = due(row_parity_ppm=1_000_000)
    rows = world.wider_rows()
    # A fifth of the reference; all other points are elsewhere now.
    id, values = rows[2]
    assert values[CENTRE] == 5_000
    rows[2] = (id, [*values[:CENTRE], 5_000 + by, *values[CENTRE + 1 :]])
    assert world.apply(world.row_action(rows[2:3])) == expected


def test_a_grid_of_an_underlying_that_does_not_exist_is_not_enacted_clr_act_010():
    assert due().enact(1) == Code.NO_UNDERLYING


def test_without_an_announcement_nothing_is_enacted_clr_gov_001():
    world = GridWorld(announced=False)
    world.wait(TIMELOCK)
    world.stage(world.rows())
    assert world.enact() == Code.TIMELOCK


def test_nobody_is_liquidated_by_a_grid_that_is_half_begun():
    """A hedged portfolio, whose rows would be too old if the grid came before them."""
    world = GridWorld(announced=False, row_age_warn_ms=300_000)
    trader, other = world.trader("trader", DEPOSIT), world.trader("other", 10 * DEPOSIT)
    mode = world.request(Kind.SET_MODE, trader.key, account=trader.account, mode=Mode.PORTFOLIO)
    assert world.apply(mode) == Code.APPLIED
    world.wait(1_000)
    world.publish_rows()
    for maker, taker, id, price in ((trader, other, PUTS[1], 5_000), (trader, other, 0, MARK)):
        assert world.apply(world.trade(maker, taker, 40, price, instrument=id)) == Code.APPLIED
    same = list(SHOCKS)
    before = margin_of(world.state, trader.account)
    assert world.announce(same) == Code.APPLIED
    keeper = world.trader("keeper", 10 * DEPOSIT)
    world.wait(TIMELOCK)
    steps = [
        lambda: None,
        lambda: world.stage(world.rows()[:3]),
        lambda: world.wait(1_000) or world.stage(world.rows()),
        lambda: world.enact(),
    ]
    for step in steps:
        step()
        assert margin_of(world.state, trader.account)[:3] == before[:3]
        assert world.apply(world.liquidate(keeper, trader, 1, instrument=0)) == Code.HEALTHY
    assert world.underlying.next_time == 0
