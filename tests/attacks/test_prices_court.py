"""Prices, rows and expiry before the court: each outcome acquits if honest, convicts if forged.

Every step of a story is put to the court as it is told: with its true root, which must acquit, and
with another one, which must convict.
"""

from typing import Any

import pytest

from clearing.codes import Code, InstrumentStatus, Kind
from clearing.genesis import GenesisAsset
from clearing.grid_preset import POINTS, VOLATILITY_DOWN_PPM, VOLATILITY_UP_PPM
from prover.engine import Engine
from prover.forge import BatchForge, Place
from prover.witness import build_evidence
from tests.prover.market import PROPOSER, columns_of
from tests.support.options import CALLS, EXPIRY_MS, FUTURE, PUTS, OptionWorld, shocked
from tests.support.world import MARK, PUBLISHERS, address_of, key_of
from verifier.batch import Pair
from verifier.evidence import check_bad_step

PLACE = Place(0, 1, b"\x01" * 32, 9, b"\x02" * 32, PROPOSER)
ASSET_PRICE = (1 << 31) + 1


class CourtWorld(OptionWorld):
    """A world whose every step goes to the court too; nothing may be edited by hand."""

    def __init__(self, **changes):
        self.engines: Any = None
        super().__init__(**changes)

    def judge(self, actions):
        self.engines = self.engines or [Engine(self.genesis, accounts_capacity=4) for _ in "ab"]
        before, engine = self.engines
        encoded = [a if isinstance(a, bytes) else a.encode() for a in actions]
        forge = BatchForge(engine)
        codes = forge.honest(encoded, self.time).codes.tolist()
        assert self.verdict(forge) is False
        forge.pairs[0] = Pair(forge.pairs[0].step_hash, b"\x99" * 32)
        assert self.verdict(forge) is True
        before.advance(columns_of(before, encoded), self.time)
        assert before.root() == engine.root()
        assert super().judge(actions) == codes
        return [Code(code) for code in codes]

    def verdict(self, forge):
        """What the court says of the forge's one step."""
        (step,) = forge.steps
        header = forge.finish(PLACE).header
        built = build_evidence(self.engines[0], header, forge.pairs, 0, step.encode())
        return check_bad_step(header, built.encode())


def change(rows, place, by):
    """The rows, one of them off at the centre."""
    id, values = rows[place]
    off = [*values[:13], values[13] + by, *values[14:]]
    return [*rows[:place], (id, off), *rows[place + 1 :]]


def test_staged_rows_and_all_their_rejections_go_to_the_court():
    world = CourtWorld()
    world.wait(1_000)
    rows = world.rows()
    stories = [
        (world.row_action(rows, underlying=1), Code.NO_UNDERLYING),
        (world.row_action(rows, series=3), Code.NO_SERIES),
        (world.row_action(rows, publishers=PUBLISHERS[:2]), Code.QUORUM),
        (world.row_action(rows, publishers=(*PUBLISHERS[:2], "mallory")), Code.PUBLISHER),
        (world.row_action(rows, time=world.time + 10_001), Code.ROW_TIME),
        (world.row_action([(99, rows[0][1])]), Code.NO_INSTRUMENT),
        (world.row_action(rows[1:2] + rows[:1]), Code.ROW_ORDER),
        (world.row_action(change(rows, 0, -60_000)), Code.ROW_BOUND),
        (world.row_action(change(rows, 4, 5)), Code.ROW_MONOTONE),
        (world.row_action(change(rows, 5, 4)), Code.ROW_MONOTONE),
        (world.row_action(change(rows[:2], 1, 60_000)), Code.ROW_PARITY),
        (world.row_action(rows, price=MARK // 2), Code.ROW_BOUND),
        (world.row_action(rows, forward=2 * MARK), Code.ROW_BOUND),
        (world.row_action(rows, discount_nano=10**8), Code.ROW_BOUND),
        (world.row_action(rows, forward=MARK - 20_000), Code.ROW_PARITY),
        (world.activation(), Code.ROW_TIME),
        (world.row_action(rows[:4]), Code.APPLIED),
        (world.activation(), Code.ROW_INCOMPLETE),
        (world.activation(series=3), Code.NO_SERIES),
    ]
    for action, expected in stories:
        assert world.apply(action) == expected
    world.wait(1_000)
    world.publish_rows()
    world.wait(1_000)
    # Two steps of the same set, the second of which finds its neighbours in the payload alone.
    world.stage(world.rows(extra=6_000)[:2])
    world.wait(1_000)
    assert world.step(list(world.staging(world.rows(extra=4_000)[:2]))) == [Code.APPLIED]
    jumping = world.row_action(world.rows(extra=10_100_000), time=world.time + 1)
    assert world.apply(jumping) == Code.ROW_JUMP
    # The carry of the active set is what the next one is held to.
    leaping = world.row_action(world.rows(), time=world.time + 1, forward=MARK + 50_003)
    assert world.apply(leaping) == Code.ROW_JUMP
    steep = world.row_action(world.rows(), time=world.time + 1, discount_nano=10**9 - 1_000_003)
    assert world.apply(steep) == Code.ROW_JUMP
    other = world.row_action(world.rows()[2:], world.after(world.rows()[:2]), forward=MARK + 1)
    assert world.apply(other) == Code.ROW_TIME


def test_a_bend_in_the_rows_goes_to_the_court():
    world = CourtWorld(row_parity_ppm=1_000_000)
    bent = change(world.rows(), 2, 5_000_002)
    assert world.apply(world.row_action(bent)) == Code.ROW_CONVEX


def test_rows_in_parts_of_one_step_or_of_many_go_to_the_court():
    world = CourtWorld()
    rows = world.rows()
    world.wait(1_000)
    parts = [world.row_action(rows[:2])]
    before = world.after(rows[:2])
    parts.append(world.row_action(rows[2:5], before))
    assert world.step(parts) == [Code.APPLIED] * 2
    last = world.row_action(rows[5:], world.after(rows[:5]))
    assert world.step([last, world.activation()]) == [Code.APPLIED] * 2


def test_scenarios_and_a_grid_go_to_the_court():
    world = CourtWorld(governance=address_of("governance"), timelock_ms=60_000)
    world.wait(1_000)
    world.publish_rows()

    def scenarios(first, shocks, publishers=PUBLISHERS[:3], time=0):
        fields = {"underlying": 0, "first": first, "rest": 1, "time": world.time + time}
        return world.published(Kind.SCENARIOS, shocks, publishers, **fields)

    def grid(pieces, signer="governance", **fields):
        fields = {"underlying": 0, **fields}
        return world.request(Kind.SET_GRID, key_of(signer), payload=pieces, **fields)

    prices = [2 * price for price, _ in POINTS[:27]] + [-900_000, -600_000]
    wider = [VOLATILITY_DOWN_PPM, VOLATILITY_UP_PPM, *prices, *(p for p, _ in POINTS[29:])]
    wider += [damp for _, damp in POINTS]
    legal = grid(wider)
    stories = [
        (scenarios(0, [5 << 32] * 200), Code.APPLIED),
        (scenarios(200, [-5 << 32] * 9), Code.APPLIED),
        (scenarios(210, [5]), Code.ROW_ORDER),
        (scenarios(0, [5], time=-1), Code.ROW_TIME),
        (scenarios(0, [1 << 62]), Code.ROW_BOUND),
        (scenarios(0, [5], PUBLISHERS[:2]), Code.QUORUM),
        (grid(wider, "mallory"), Code.BAD_SIGNATURE),
        (grid(wider[:-1]), Code.PARAMETER_BOUND),
        (grid(wider, underlying=1), Code.NO_UNDERLYING),
        (legal, Code.APPLIED),
        (legal, Code.STALE_SEQUENCE),
        (world.row_action(world.rows()), Code.ROW_TIME),
        (world.request(Kind.ENACT_GRID, underlying=1), Code.NO_UNDERLYING),
        (world.request(Kind.ENACT_GRID, underlying=0), Code.TIMELOCK),
    ]
    for action, expected in stories:
        assert world.apply(action) == expected
    world.wait(60_000)
    enact = world.request(Kind.ENACT_GRID, underlying=0)
    assert world.apply(enact) == Code.ROW_INCOMPLETE
    assert world.apply(world.row_action(world.rows())) == Code.ROW_BOUND
    shocks = [int(shock) for shock in world.underlying.next_prices]
    rows = []
    for id, _ in world.rows():
        sign, strike = (1 if id in CALLS else -1), int(world.instrument(id).strike)
        gaps = [sign * (shocked(MARK, shock) - strike) for shock in shocks]
        rows.append((id, [max(gap, 0) + 5_000 for gap in gaps]))
    world.stage(rows)
    assert world.apply(world.activation()) == Code.ROW_TIME
    assert world.apply(enact) == Code.APPLIED
    assert world.underlying.prices.tolist() == shocks


@pytest.mark.parametrize("instrument", [FUTURE, CALLS[0], PUTS[2]])
def test_an_expiry_and_all_its_rejections_go_to_the_court(instrument):
    world = CourtWorld(price_jump_ppm=1_000_000)
    world.wait(1_000)
    long, short, other = (world.trader(name) for name in ("long", "short", "other"))
    world.publish_rows()
    price = MARK if instrument == FUTURE else 10_000_000
    assert world.apply(world.trade(long, short, 10, price, instrument=instrument)) == Code.APPLIED
    expire = world.request(Kind.EXPIRE, instrument=instrument)

    def settle(trader):
        return world.request(Kind.SETTLE, account=trader.account, instrument=instrument)

    assert world.apply(expire) == Code.NOT_EXPIRED
    world.time = EXPIRY_MS - 1_000
    assert world.apply(world.price(0, 47_000_000)) == Code.APPLIED
    world.time = EXPIRY_MS
    closing = world.trade(short, long, 10, price, instrument=instrument)
    stories = [
        (closing, Code.INSTRUMENT_STATUS),
        (expire, Code.SETTLEMENT_WINDOW),
        (world.request(Kind.EXPIRE, instrument=0), Code.INSTRUMENT_STATUS),
        (world.request(Kind.EXPIRE, instrument=99), Code.NO_INSTRUMENT),
        (settle(long), Code.INSTRUMENT_STATUS),
        (world.price(0, 48_000_000), Code.APPLIED),
        (expire, Code.APPLIED),
        (expire, Code.INSTRUMENT_STATUS),
        (settle(other), Code.NO_POSITION),
        (world.request(Kind.SETTLE, account=99, instrument=instrument), Code.NO_ACCOUNT),
        (settle(short), Code.APPLIED),
        (settle(long), Code.APPLIED),
        (settle(long), Code.INSTRUMENT_STATUS),
    ]
    for action, expected in stories:
        assert world.apply(action) == expected
    assert world.series.settle_price == 47_000_000
    assert world.instrument(instrument).status == InstrumentStatus.CLOSED


def test_marking_to_market_goes_to_the_court():
    world = CourtWorld()
    long, short, flat = (world.trader(name) for name in ("long", "short", "flat"))
    for instrument in (0, FUTURE):
        trade = world.trade(long, short, 10, instrument=instrument)
        assert world.apply(trade) == Code.APPLIED

    def mark(account):
        return world.request(Kind.MARK_TO_MARKET, account=account)

    assert world.apply(mark(short.account)) == Code.NOT_NEEDED
    for instrument in (0, FUTURE):
        world.move_price(MARK + 1_000, instrument)
    stories = [
        (mark(long.account), Code.NOT_NEEDED),
        (mark(short.account), Code.APPLIED),
        (mark(long.account), Code.APPLIED),
        (mark(flat.account), Code.NO_POSITION),
        (mark(99), Code.NO_ACCOUNT),
    ]
    for action, expected in stories:
        assert world.apply(action) == expected
    world.wait(300_001)
    assert world.apply(mark(long.account)) == Code.PRICE_STALE


def test_bands_auctions_outages_and_collateral_go_to_the_court():
    asset = GenesisAsset(50_000, 0, 10**12, 10**12)
    world = CourtWorld(band_ppm=100_000, stable_rate_ppm=200_000, assets=(asset,))
    long, short, keeper = (world.trader(name) for name in ("long", "short", "keeper"))
    assert world.apply(world.trade(long, short)) == Code.APPLIED

    def uncross(price, publishers=PUBLISHERS[:3], instrument=0, time=0):
        fields = {"instrument": instrument, "price": price, "time": world.time + time}
        return world.published(Kind.UNCROSS, (), publishers, **fields)

    world.move_price(57_500_000)
    assert world.instrument().status == InstrumentStatus.AUCTION
    stories = [
        (world.trade(long, short), Code.INSTRUMENT_STATUS),
        (world.liquidate(keeper, short), Code.GATED),
        (uncross(54_000_000), Code.PRICE_TIME),
        (uncross(54_000_001), Code.OFF_TICK),
        (uncross(94_000_000), Code.PRICE_BAND),
        (uncross(54_000_000, PUBLISHERS[:1]), Code.QUORUM),
        (uncross(54_000_000, instrument=FUTURE), Code.INSTRUMENT_STATUS),
        (world.price(ASSET_PRICE, 7, 10**6), Code.APPLIED),
        (world.price(ASSET_PRICE, 7, 10**6), Code.PRICE_TIME),
        (world.price(ASSET_PRICE + 1, 7, 10**6), Code.NO_ASSET),
        (world.price(CALLS[0], 7), Code.INSTRUMENT_STATUS),
        (world.funding(FUTURE), Code.INSTRUMENT_STATUS),
    ]
    for action, expected in stories:
        assert world.apply(action) == expected
    world.wait(300_000)
    assert world.apply(uncross(54_000_000)) == Code.APPLIED
    world.wait(300_001)
    assert world.apply(world.price(0, 54_000_000)) == Code.APPLIED
    assert world.apply(world.liquidate(keeper, short)) == Code.GATED
    assert world.instrument().grace_until == world.time + 60_000
