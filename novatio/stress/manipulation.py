"""Manipulations: somebody moves a thin market's price and tries to leave with other people's money.

Nothing but margin stands in the way of the positions: caps on open interest are off, so that what
comes behind them is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from clearing.codes import Code, Fund, Kind
from clearing.genesis import Genesis, GenesisPool, GenesisTier
from clearing.requests import Request
from clearing.units import MICRO, PPM
from novatio.stress.scenario import (
    UNLIMITED,
    Scenario,
    Tick,
    Verdict,
    declare,
    perpetual,
    walk,
)
from novatio.stress.waterfall import Rescue, publish, settle
from novatio.stress.world import MINUTE_MS, Actor, World

__all__ = ["MANIPULATIONS"]

THOUSAND: Final = 1_000 * MICRO
MILLION: Final = 1_000 * THOUSAND
# Margin of a thin market: 5 times leverage at most.
TRANCHE: Final = 100 * THOUSAND  # of insurance, that a thin market may use in an hour
THIN: Final = GenesisTier(200_000, 100_000, UNLIMITED, 2 * UNLIMITED, TRANCHE)
# The same, but initial margin grows with open interest from 1 to 50 million.
DEEP: Final = GenesisTier(200_000, 100_000, MILLION, 50 * MILLION, TRANCHE)
KEEPER: Final = 100 * THOUSAND  # what a keeper dares to have in a thin market
# What an attacker can win from a house that lets him have his position: insurance, keepers.
AT_RISK: Final = TRANCHE + 2 * KEEPER
STABLE_PPM: Final = 60_000  # most that the stable price moves in an hour
BAND_PPM: Final = 300_000  # of the stable price, beyond which a market is auctioned

MNGO_LOT: Final = 1_000 * 10**9  # a thousand coins
MNGO_PRICE: Final = 38_200_000  # of a lot: .0382 a coin
MNGO_LOTS: Final = 483_000

YFI_LOT: Final = 10**6  # a thousandth of a coin
YFI_PRICE: Final = 8 * MICRO
YFI_WALLETS: Final = 100

JELLY_LOT: Final = 1_000 * 10**9
JELLY_PRICE: Final = 9_500_000  # of a lot: .0095 a coin
JELLY_VALUE: Final = 4 * MILLION
JELLY_SLEEVE: Final = 2 * MILLION


def thin_genesis(
    seed: int, symbol: str, lot: int, tier: GenesisTier = THIN, **changes: Any
) -> Genesis:
    """Declare one thin perpetual under the law's defences against manipulation."""
    defences = {
        "profit_cap": 100 * THOUSAND,
        "stable_rate_ppm": STABLE_PPM,
        "auction_fast_ms": 5 * MINUTE_MS,
    }
    return declare(seed, [perpetual(symbol, lot)], tier, **(defences | changes))


def play_mango(world: World, course: Sequence[Tick]) -> Verdict:
    """Two accounts of one person trade 483 million MNGO with each other; the price is pushed.

    The one that wins asks for its unrealised profit after every tick, while the other goes under;
    what the loser still covers is marked to market first, so that it may count.
    """
    lenders = world.crowd("lender", [11 * MILLION] * 10)
    world.endow(Fund.INSURANCE, MILLION)
    keepers = world.crowd("keeper", [KEEPER] * 2)
    attackers = world.crowd("attacker", [5 * MILLION] * 2)
    winner, loser = attackers
    world.price(MNGO_PRICE)
    opened = world.trade(winner, loser, MNGO_LOTS)
    rescue = Rescue(keepers)
    start = world.mark()
    most, asked_out = 0, 0
    for tick in course:
        publish(world, tick, start)
        rescue.round(world)
        most = max(most, world.equity(winner))
        for actor in (loser, winner):
            if world.markets_of(actor.account):
                world.apply(world.request(Kind.MARK_TO_MARKET, account=actor.account))
        if world.equity(winner) > 0:
            world.apply(world.withdrawal(winner, world.equity(winner)))
        world.withdraw_most(attackers)
        asked_out = world.withdrawn(attackers)
    settle(world, rescue)
    world.withdraw_most(attackers)
    gained = world.profit(attackers)
    lent = sum(world.equity(lender) for lender in lenders)
    return Verdict(
        met=opened == Code.APPLIED and gained <= AT_RISK and lent == 110 * MILLION,
        attackers=attackers,
        operands={
            "position_opened": opened == Code.APPLIED,
            "attacker_deposited_micro": 10 * MILLION,
            "attacker_could_win_micro": AT_RISK,
            "attacker_paper_equity_micro": most,
            "attacker_withdrawn_micro": world.withdrawn(attackers),
            "withdrawn_during_attack_micro": asked_out,
            "lenders_micro": lent,
        },
    )


def play_yfi(world: World, course: Sequence[Tick]) -> Verdict:
    """A hundred wallets buy with all leverage they get, and take profits out to buy more.

    Market makers with deep pockets stand on the other side. Open interest begins at .8 million.
    """
    world.endow(Fund.INSURANCE, 22 * MILLION)
    makers = world.crowd("maker", [40 * MILLION] * 5)
    keepers = world.crowd("keeper", [10 * MILLION] * 2)
    wallets = world.crowd("wallet", [90 * THOUSAND] * YFI_WALLETS)
    world.price(YFI_PRICE)
    world.trade(makers[0], makers[1], 800 * THOUSAND // YFI_PRICE)
    rescue = Rescue(keepers, bidders=makers, buyers=makers)
    start = world.mark()
    opened, peak = 0, 0
    for place, tick in enumerate(course):
        publish(world, tick, start)
        rescue.round(world)
        if place % 2 == 0 and tick.price_ppm >= PPM:
            for wallet in wallets[opened : opened + 10]:
                _buy_most(world, wallet, makers[opened % len(makers)], 440 * THOUSAND)
                opened += 1
        if place % 4 == 0:
            world.withdraw_most(wallets[:opened])
        peak = max(peak, int(world.instrument().open_interest) * world.mark())
    settle(world, rescue)
    world.withdraw_most(wallets)
    return Verdict(
        met=world.now.deficit == 0 and peak <= DEEP.open_interest_upper,
        attackers=wallets,
        operands={
            "attacker_deposited_micro": YFI_WALLETS * 90 * THOUSAND,
            "attacker_withdrawn_micro": world.withdrawn(wallets),
            "open_interest_peak_micro": peak,
            "insurance_after_micro": world.now.insurance,
            "makers_profit_micro": world.profit(makers),
        },
    )


def _buy_most(world: World, buyer: Actor, seller: Actor, value: int) -> None:
    """Buy for this value, or for as much less as margin demands."""
    lots = value // world.mark()
    while lots and world.trade(buyer, seller, lots) != Code.APPLIED:
        lots //= 2


def play_jelly(world: World, course: Sequence[Tick]) -> Verdict:
    """A short of four million is sold to accounts of the same person, then left without margin.

    Keepers have little; a pool's sleeve takes over what no auction sells, at the cost of providers.
    """
    savers = world.crowd("saver", [20 * MILLION] * 3)
    world.endow(Fund.INSURANCE, MILLION)
    providers = world.crowd("provider", [5 * MILLION] * 3)
    for provider in providers:
        world.apply(_provision(world, provider, 4 * MILLION))
    keepers = world.crowd("keeper", [KEEPER] * 2)
    attackers = world.crowd("attacker", [3 * MILLION, 2 * MILLION, 2 * MILLION])
    short, *longs = attackers
    world.price(JELLY_PRICE)
    for long in longs:
        world.trade(long, short, JELLY_VALUE // 2 // JELLY_PRICE)
    world.withdraw_most([short])
    withdrawn_first = world.withdrawn([short])
    pooled = _pool_equity(world)
    lowest = pooled
    rescue = Rescue(keepers, pools=(0,))
    start = world.mark()
    for tick in course:
        publish(world, tick, start)
        rescue.round(world)
        world.withdraw_most(attackers)
        lowest = min(lowest, _pool_equity(world))
    settle(world, rescue)
    world.withdraw_most(attackers)
    saved = sum(world.equity(saver) for saver in savers)
    gained = world.profit(attackers)
    return Verdict(
        met=gained <= AT_RISK and pooled - lowest <= JELLY_SLEEVE and saved == 60 * MILLION,
        attackers=attackers,
        operands={
            "attacker_deposited_micro": 7 * MILLION,
            "margin_withdrawn_at_once_micro": withdrawn_first,
            "attacker_withdrawn_micro": world.withdrawn(attackers),
            "attacker_could_win_micro": AT_RISK,
            "sleeve_cap_micro": JELLY_SLEEVE,
            "pool_before_micro": pooled,
            "pool_lowest_micro": lowest,
            "pool_after_micro": _pool_equity(world),
            "savers_micro": saved,
        },
    )


def _provision(world: World, provider: Actor, amount: int) -> Request:
    """A signed deposit into pool 0."""
    return world.request(
        Kind.POOL_DEPOSIT, provider.key, account=provider.account, pool=0, amount=amount, limit=0
    )


def _pool_equity(world: World) -> int:
    """Equity of pool 0 and its sleeve, as far as the sleeve has any."""
    own, sleeve = world.pool_accounts(0)
    return world.equity(own) + max(0, world.equity(sleeve))


def yfi_course() -> list[Tick]:
    """Up by 4 % every four minutes to 3.15, then down by 30 % an hour for three hours."""
    ticks = walk([3_150_000], 40_000, 4 * MINUTE_MS)
    at = ticks[-1].price_ppm
    for _ in range(3):
        ticks += [
            Tick(4 * MINUTE_MS, at - at * 300_000 * part // (15 * PPM)) for part in range(1, 16)
        ]
        at = ticks[-1].price_ppm
    return ticks


MANIPULATIONS: Final = (
    Scenario(
        "mango-2022",
        "483 million MNGO self-dealt at .0382, price to .91 and back to .02, profit asked out",
        "lenders lose nothing, the attacker gains no more than a tranche of insurance and what "
        "keepers put at risk, .3 million",
        lambda seed: thin_genesis(seed, "MNGO-PERP", MNGO_LOT, band_ppm=BAND_PPM),
        lambda: walk([910_000 * PPM // 38_200, 20_000 * PPM // 38_200], 190_000),
        play_mango,
    ),
    Scenario(
        "yfi-2023",
        "a hundred wallets pyramid a rise of 215 %, then 30 % an hour down",
        "open interest is bounded by margin, and no deficit is left unpaid",
        lambda seed: thin_genesis(seed, "YFI-PERP", YFI_LOT, DEEP),
        yfi_course,
        play_yfi,
    ),
    Scenario(
        "jelly-2025",
        "a short of four million self-dealt at .0095, margin withdrawn, price times four",
        "savers lose nothing, the pool no more than its sleeve, the attacker gains no more than a "
        "tranche of insurance and what keepers put at risk, .3 million",
        lambda seed: thin_genesis(
            seed, "JELLY-PERP", JELLY_LOT, pools=(GenesisPool(sleeve_cap=JELLY_SLEEVE),)
        ),
        lambda: walk([4 * PPM, PPM], 190_000),
        play_jelly,
    ),
)
