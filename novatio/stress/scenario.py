"""What a scenario is: a market, a course of prices, what people do, and what must come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from clearing.genesis import Genesis, GenesisInstrument, GenesisTier
from clearing.keys import address_of
from clearing.units import LOTS_MAX, PPM
from novatio.market import Bars, MarketDataError
from novatio.stress.world import MINUTE_MS, START_MS, Actor, World, publisher_addresses
from novatio.world import CHAIN_ID, private_key

__all__ = [
    "Report",
    "Scenario",
    "Tick",
    "Verdict",
    "declare",
    "perpetual",
    "read_prices",
    "run",
    "ticks_of_bars",
    "ticks_of_prices",
    "walk",
]

UNLIMITED: Final = 1 << 60
TIMES_MAX: Final = 1_000  # a course may rise to of its first price
_PRICE: Final = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,6}))?")


@dataclass(frozen=True, slots=True)
class Tick:
    """A price some time after the one before: milliseconds, and ppm of the first price."""

    wait_ms: int
    price_ppm: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a scenario saw: whether its own expectation was met, who attacked, and its numbers."""

    met: bool
    attackers: Sequence[Actor] = ()
    operands: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A stress test. ``play`` runs it in a world that stands at ``genesis(seed)``."""

    name: str
    summary: str
    expectation: str
    genesis: Callable[[int], Genesis]
    course: Callable[[], Sequence[Tick]]
    play: Callable[[World, Sequence[Tick]], Verdict]

    def world(self, seed: int) -> World:
        """Return the world of this scenario and seed, before anything has happened."""
        own = seed * 2**32 + crc32(self.name.encode())
        return World(self.genesis(own), own)


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one scenario. Amounts are micro-quote.

    ``deficit_micro_by_step`` says what each step of the waterfall took off the sum of all accounts'
    negative equity (negative: it added to it), and at ``halt`` what nobody has paid.
    """

    name: str
    passed: bool
    deficit_micro_by_step: Mapping[str, int]
    adl_overshoot_lots: int
    conservation_residual_micro: int
    flat_accounts_touched: int
    attacker_profit_micro: int
    operands: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """Return the report for programs: numbers are numbers, in the units of their keys."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


def _plain(value: Any) -> Any:
    return {key: _plain(one) for key, one in value.items()} if isinstance(value, Mapping) else value


def run(scenario: Scenario, seed: int = 1, course: Sequence[Tick] = ()) -> Report:
    """Play a scenario, along another course of prices if one is given, and report."""
    world = scenario.world(seed)
    return judge(scenario, world, scenario.play(world, course or scenario.course()))


def judge(scenario: Scenario, world: World, verdict: Verdict) -> Report:
    """Report on a world in which a scenario has been played."""
    audit = world.audit
    whole = audit.residual_micro == 0 and audit.residual_lots == 0
    fair = audit.overshoot_lots == 0 and not audit.flat_touched
    outcomes: dict[str, dict[str, int]] = {}
    for (kind, code), count in sorted(world.outcomes.items()):
        outcomes.setdefault(kind, {})[code] = count
    return Report(
        name=scenario.name,
        passed=whole and fair and verdict.met,
        deficit_micro_by_step=audit.by_step(),
        adl_overshoot_lots=audit.overshoot_lots,
        conservation_residual_micro=audit.residual_micro,
        flat_accounts_touched=len(audit.flat_touched),
        attacker_profit_micro=world.profit(verdict.attackers),
        operands={
            "expectation": scenario.expectation,
            "expectation_met": verdict.met,
            "deficit_found_micro": audit.found,
            "residual_lots": audit.residual_lots,
            "deleveraged_lots": audit.deleveraged_lots,
            "accounts": int(world.totals.account_count),
            "steps": world.steps,
            "law_halted": world.halted,
            **verdict.operands,
            "outcomes": outcomes,
        },
    )


def declare(
    seed: int, instruments: Sequence[GenesisInstrument], tier: GenesisTier, **changes: Any
) -> Genesis:
    """Return the genesis of a stress world; ``changes`` are fields of `Genesis`."""
    return Genesis(
        chain_id=CHAIN_ID,
        settlement=address_of(private_key(seed, "settlement")),
        time_ms=START_MS,
        publishers=publisher_addresses(seed),
        price_quorum=2,
        tiers=(tier,),
        instruments=tuple(instruments),
        **changes,
    )


def perpetual(symbol: str, lot_size: int, **changes: int) -> GenesisInstrument:
    """Return a perpetual without caps, so that margin alone stands in the way of a position."""
    return GenesisInstrument(symbol, 0, 1, lot_size, LOTS_MAX, LOTS_MAX, **changes)


def walk(targets_ppm: Sequence[int], step_ppm: int, wait_ms: int = MINUTE_MS) -> list[Tick]:
    """Return ticks from 1 to each target in turn, none moving further than ``step_ppm``."""
    ticks = []
    at = PPM
    for target in targets_ppm:
        while at != target:
            reach = at * step_ppm // PPM
            at = min(target, at + reach) if target > at else max(target, at - reach)
            ticks.append(Tick(wait_ms, at))
    return ticks


def ticks_of_bars(bars: Bars) -> list[Tick]:
    """Return two ticks a bar: its extreme further from the price before, then its close.

    Raises MarketDataError for a price beyond ``TIMES_MAX`` times the first.
    """
    first = int(bars.open[0])
    last, time = first, int(bars.time_ms[0])
    ticks = []
    for i in range(len(bars)):
        low, high, close = int(bars.low[i]), int(bars.high[i]), int(bars.close[i])
        wait = max(2, int(bars.time_ms[i]) - time)
        time = int(bars.time_ms[i])
        extreme = low if last - low >= high - last else high
        ticks += [
            Tick(wait - wait // 2, _ratio(extreme, first, bars.symbol, i + 2)),
            Tick(wait // 2, _ratio(close, first, bars.symbol, i + 2)),
        ]
        last = close
    return ticks


def read_prices(path: Path) -> list[int]:
    """Return the prices of a file in micro-quote: one a line, 6 decimals at most, UTF-8.

    Raises MarketDataError for a line that is no price above zero, or a file without any.
    """
    prices = []
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        found_byte = f"expected UTF-8 text, was byte 0x{error.object[error.start]:02x}"
        raise MarketDataError(path.name, number, "price", found_byte) from error
    for number, text in enumerate(lines, 1):
        found = _PRICE.fullmatch(text.strip())
        price = int(found[1] + (found[2] or "").ljust(6, "0")) if found else 0
        if not price:
            raise MarketDataError(
                path.name, number, "price", f"expected a price like 4321.25, was {text!r}"
            )
        prices.append(price)
    if not prices:
        raise MarketDataError(path.name, 1, "price", "expected a price, was the end of the file")
    return prices


def ticks_of_prices(prices: Sequence[int], wait_ms: int = MINUTE_MS) -> list[Tick]:
    """Return a tick for each price, a minute apart.

    Raises MarketDataError for a price beyond ``TIMES_MAX`` times the first.
    """
    return [
        Tick(wait_ms, _ratio(price, prices[0], "prices", line))
        for line, price in enumerate(prices, 1)
    ]


def _ratio(price: int, first: int, source: str, line: int) -> int:
    if price > TIMES_MAX * first:
        text = f"expected at most {TIMES_MAX} times the first price, was {price // first} times"
        raise MarketDataError(source, line, "price", text)
    return max(1, price * PPM // first)
