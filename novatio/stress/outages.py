"""What fails around a market: collateral that loses its peg, a frozen feed, a silent risk model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from clearing.codes import Code, Fund, InstrumentKind, Kind, Mode
from clearing.forms import ROWS_PER_ACTION
from clearing.genesis import (
    Genesis,
    GenesisAsset,
    GenesisInstrument,
    GenesisTier,
    GenesisUnderlying,
)
from clearing.units import LOTS_MAX, MICRO, PPM
from novatio.stress.scenario import UNLIMITED, Scenario, Tick, Verdict, declare, perpetual, walk
from novatio.stress.waterfall import Rescue, publish, settle
from novatio.stress.world import MINUTE_MS, START_MS, Actor, World

__all__ = ["OUTAGES"]

THOUSAND: Final = 1_000 * MICRO
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
TIER: Final = GenesisTier(100_000, 50_000, UNLIMITED, 2 * UNLIMITED)
LOT: Final = 1_000_000  # a thousandth of a coin
PRICE: Final = 50 * MICRO

USDC: Final = 1
PEG: Final = MICRO

STRIKES: Final = (45 * MICRO, 50 * MICRO, 55 * MICRO)
OPTIONS: Final = tuple(
    (1 + 2 * place + (kind - InstrumentKind.CALL), kind, strike)
    for place, strike in enumerate(STRIKES)
    for kind in (InstrumentKind.CALL, InstrumentKind.PUT)
)
EXPIRY_DAYS: Final = 30
HEDGE_LOTS: Final = 300
VOLATILITY: Final = 0.6
LOOKS: Final = (2, 6, 62)  # minutes without new rows after which their effects are looked at


def stablecoin_genesis(seed: int) -> Genesis:
    """Declare a perpetual and a stablecoin that counts as collateral, less five in a hundred."""
    coin = GenesisAsset(
        haircut_ppm=50_000,
        initial_haircut_ppm=50_000,
        cap=UNLIMITED,
        scale=UNLIMITED,
        peg_price=PEG,
        peg_threshold_ppm=20_000,
        peg_factor_ppm=PPM,
    )
    return declare(seed, [perpetual("BTC-PERP", LOT)], TIER, assets=(coin,))


def play_depeg(world: World, course: Sequence[Tick]) -> Verdict:
    """Longs hold little cash and much of a stablecoin, which falls to .52 as BTC falls a tenth."""
    world.endow(Fund.INSURANCE, 500 * THOUSAND)
    makers = world.crowd("maker", [5_000 * THOUSAND] * 3)
    keepers = world.crowd("keeper", [5_000 * THOUSAND] * 2)
    longs = world.crowd("long", [5 * THOUSAND] * 12)
    savers = world.crowd("saver", [50 * THOUSAND] * 3)
    world.price(PRICE)
    world.asset_price(USDC, PEG)
    for long in longs:
        world.deposit(long, 100 * THOUSAND, USDC)
    # The position must have lost cash before anybody can want the collateral.
    for i, long in enumerate(longs):
        lots = world.uniform(200, 600) * THOUSAND // PRICE
        while lots and world.trade(long, makers[i % len(makers)], lots) != Code.APPLIED:
            lots //= 2
    opened = sum(world.lots(long) for long in longs)
    held = int(world.state.assets[USDC].held)
    rescue = Rescue(keepers, bidders=makers, buyers=makers)
    for tick in course:
        world.wait(tick.wait_ms)
        world.price(PRICE * (PPM - min(100_000, PPM - min(PPM, tick.price_ppm))) // PPM)
        world.asset_price(USDC, PEG * tick.price_ppm // PPM)
        rescue.round(world)
    settle(world, rescue)
    return Verdict(
        met=held > 0
        and world.now.deficit == 0
        and sum(map(world.equity, savers)) == 150 * THOUSAND,
        operands={
            "collateral_units": held,
            "long_lots_opened": opened,
            "long_lots_left": sum(world.lots(long) for long in longs),
            "insurance_after_micro": world.now.insurance,
        },
    )


def frozen_genesis(seed: int) -> Genesis:
    """Declare a perpetual with the law's usual ages: a minute for opening, five for margin."""
    return declare(seed, [perpetual("BTC-PERP", LOT)], TIER, price_jump_ppm=750_000)


def play_frozen(world: World, course: Sequence[Tick]) -> Verdict:
    """For an hour no price comes, while the market falls by a third, and some know.

    They try to sell at the old price to whoever has an old order standing, and to leave with their
    margin. The first price after the hour brings the whole fall at once.
    """
    world.endow(Fund.INSURANCE, 1_000 * THOUSAND)
    makers = world.crowd("maker", [3_000 * THOUSAND] * 3)
    keepers = world.crowd("keeper", [3_000 * THOUSAND] * 2)
    knowing = world.crowd("insider", [100 * THOUSAND] * 2)
    longs = world.crowd("long", [100 * THOUSAND] * 8)
    world.price(PRICE)
    for i, long in enumerate((*longs, knowing[0])):
        value = world.uniform(240, 340) * THOUSAND
        world.trade(long, makers[i % len(makers)], value // PRICE)
    rescue = Rescue(keepers, bidders=makers, buyers=makers)
    start = world.mark()
    late = {"trades": 0, "withdrawals": 0, "liquidations": 0}
    for minute in range(1, 61):
        world.wait(MINUTE_MS)
        if minute % 6 == 0:
            late["trades"] += world.trade(makers[0], knowing[1], 100) == Code.APPLIED
            demand = world.withdrawal(knowing[0], THOUSAND)
            late["withdrawals"] += world.apply(demand) == Code.APPLIED
            late["liquidations"] += _liquidate(world, keepers[0], longs[-1]) == Code.APPLIED
    for tick in course:
        publish(world, tick, start)
        rescue.round(world)
    rounds = settle(world, rescue)
    return Verdict(
        met=not any(late.values()) and world.now.deficit == 0,
        attackers=knowing,
        operands={
            **{f"{what}_at_the_old_price": count for what, count in late.items()},
            "rounds_to_settle": rounds,
            "insurance_after_micro": world.now.insurance,
        },
    )


def _liquidate(world: World, keeper: Actor, account: Actor, instrument: int = 0) -> Code:
    """Offer to take a lot of an account over; return what the law says."""
    return world.apply(
        world.request(
            Kind.LIQUIDATE,
            keeper.key,
            keeper=keeper.account,
            account=account.account,
            instrument=instrument,
            lots=1,
        )
    )


def option_genesis(seed: int) -> Genesis:
    """Declare a perpetual that moves the index, and calls and puts of one expiry."""
    options = [
        GenesisInstrument(
            f"BTC-{strike // MICRO}-{'C' if kind == InstrumentKind.CALL else 'P'}",
            0, 1, LOT, LOTS_MAX, LOTS_MAX, kind=kind, strike=strike,
        )
        for _, kind, strike in OPTIONS
    ]  # fmt: skip
    expiry = START_MS + EXPIRY_DAYS * DAY_MS
    return declare(
        seed,
        [perpetual("BTC-PERP", LOT), *options],
        TIER,
        underlyings=(GenesisUnderlying(expiries=(expiry,)),),
    )


def publish_rows(world: World) -> Code:
    """Stage rows of all options at the index, and activate them; return the last outcome."""
    from risk.rows import option_rows

    reference = world.mark()
    rows = option_rows(
        reference,
        10**9,
        EXPIRY_DAYS / 365,
        [strike for _, _, strike in OPTIONS],
        [kind == InstrumentKind.CALL for _, kind, _ in OPTIONS],
        [VOLATILITY] * len(OPTIONS),
    )
    fields: dict[str, Any] = {"underlying": 0, "series": 0, "time": world.time, "price": reference}
    code = Code.APPLIED
    context = [-1] * 4  # the last two calls, the last two puts
    for first in range(0, len(OPTIONS), ROWS_PER_ACTION):
        part = range(first, min(first + ROWS_PER_ACTION, len(OPTIONS)))
        payload = list(context)
        for place in part:
            id, kind, _ = OPTIONS[place]
            payload += [id, *rows.values[place].tolist()]
            at = 0 if kind == InstrumentKind.CALL else 2
            context[at : at + 2] = [id, context[at]]
        carry = {"forward": rows.forward, "discount_nano": rows.discount}
        code = world.apply(world.published(Kind.RISK_ROWS, payload, **fields, **carry))
        if code != Code.APPLIED:
            return code
    return world.apply(
        world.published(
            Kind.ACTIVATE,
            discount_long_ppm=PPM,
            discount_short_ppm=PPM,
            confidence_ppm=PPM,
            **fields,
        )
    )


def play_offline(world: World, course: Sequence[Tick]) -> Verdict:
    """A portfolio of short options while rows grow old: first dearer, then reduce-only, then stuck.

    The perpetual's price goes on. At the end the publisher comes back.
    """
    fund, buyer = world.crowd("fund", [200 * THOUSAND] * 2)
    world.price(PRICE)
    published = publish_rows(world)
    mode = world.apply(
        world.request(Kind.SET_MODE, fund.key, account=fund.account, mode=Mode.PORTFOLIO)
    )
    marks = {id: _row_centre(world, id) for id, _, _ in OPTIONS}
    sold = [
        world.trade(buyer, fund, 2_000, marks[id], id)
        for id, _, strike in OPTIONS
        if strike != STRIKES[1]
    ]
    world.trade(fund, buyer, HEDGE_LOTS)
    fresh = highest = aged = world.now.initial[fund.account]
    refused: dict[str, str] = {}
    start = world.mark()
    passed = 0
    looks = list(LOOKS)
    for tick in _lasting(course, LOOKS[-1] * MINUTE_MS):
        publish(world, tick, start)
        passed += tick.wait_ms
        highest = max(highest, world.now.initial[fund.account])
        while looks and passed >= looks[0] * MINUTE_MS:
            minutes = looks.pop(0)
            if minutes == LOOKS[0]:
                aged = world.now.initial[fund.account]
            refused[f"open_after_{minutes}_min"] = _sell(world, fund, buyer, marks).name
            refused[f"withdraw_after_{minutes}_min"] = world.apply(
                world.withdrawal(fund, THOUSAND)
            ).name
            refused[f"liquidate_after_{minutes}_min"] = _liquidate(
                world, buyer, fund, OPTIONS[-2][0]
            ).name
    # Old rows raise maintenance margin too, which spares the options but not what hedges them.
    hedge = _liquidate(world, buyer, fund)
    back = publish_rows(world)
    again = _sell(world, fund, buyer, {id: _row_centre(world, id) for id in marks})
    met = (
        {published, mode, back, again, *sold} == {Code.APPLIED}
        and aged * 100 >= fresh * 124 > 0
        and refused["open_after_6_min"] != "APPLIED"
        and refused["open_after_62_min"] != "APPLIED"
        and refused["withdraw_after_62_min"] != "APPLIED"
        and refused["liquidate_after_62_min"] != "APPLIED"
    )
    return Verdict(
        met,
        operands={
            "rows_published": published.name,
            "portfolio_mode": mode.name,
            "options_sold": [code.name for code in sold],
            "margin_fresh_micro": fresh,
            "margin_highest_micro": highest,
            **refused,
            "liquidate_hedge_at_the_end": hedge.name,
            "rows_back": back.name,
            "open_when_back": again.name,
        },
    )


def _lasting(course: Sequence[Tick], least_ms: int) -> Iterator[Tick]:
    """Yield a course, then its last price a minute at a time until so much has passed."""
    yield from course
    last = course[-1].price_ppm
    for _ in range(sum(tick.wait_ms for tick in course), least_ms, MINUTE_MS):
        yield Tick(MINUTE_MS, last)


def _sell(world: World, fund: Actor, buyer: Actor, marks: dict[int, int]) -> Code:
    """Let the fund sell one more call."""
    id = OPTIONS[-2][0]
    return world.trade(buyer, fund, 1, marks[id], id)


def _row_centre(world: World, instrument: int) -> int:
    """The value of a lot of an option in its newest row, at least one micro-quote."""
    from clearing.grid import CENTRE

    newest = max(world.instrument(instrument).rows, key=lambda row: int(row.number))
    return max(1, int(newest.values[CENTRE]))


def fall_course() -> list[Tick]:
    """A third gone at the first price after an hour, and quiet for a quarter of one."""
    return [Tick(MINUTE_MS, 667_000)] * 15


def quiet_course() -> list[Tick]:
    """Sixty-five minutes of prices within one in a hundred."""
    return [Tick(MINUTE_MS, PPM + (minute % 5 - 2) * 4_000) for minute in range(65)]


OUTAGES: Final = (
    Scenario(
        "usdc-052",
        "a stablecoin that serves as collateral falls to .52 and comes back to .97",
        "positions are closed in time, no deficit is left unpaid",
        stablecoin_genesis,
        lambda: walk([520_000, 970_000], 60_000),
        play_depeg,
    ),
    Scenario(
        "feed-frozen-1h",
        "no price for an hour in which the market falls by a third",
        "nobody trades, leaves or is liquidated at the old price; no deficit is left unpaid",
        frozen_genesis,
        fall_course,
        play_frozen,
    ),
    Scenario(
        "risk-publisher-offline",
        "a portfolio of options whose risk rows are not renewed for an hour",
        "margin rises with the age of rows, then nothing opens, then nothing leaves",
        option_genesis,
        quiet_course,
        play_offline,
    ),
)
