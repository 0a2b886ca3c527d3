"""The demo's traders and their venue: who wants what in each minute, and how it is matched.

Everything here is a pure function of seed and market data. Makers quote both sides around the bar's
close, takers cross their quotes, best price first; the venue signs all trades of a minute with one
tree. Now and then a trade is wrong on purpose, in one of the ways of `Flaw`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import numpy as np

from clearing import eip712
from clearing.codes import Code, Side
from clearing.keys import sign
from clearing.messages import Authorisation, Order, Trade
from clearing.units import PPM
from novatio.market import Integers
from novatio.orders import Market
from novatio.world import HOUR_MS, MINUTE_MS, Participant

__all__ = ["NATURAL_CODES", "Flaw", "Flow", "Taker", "flaw_at"]

MAKER_FEE_PPM: Final = 20
TAKER_FEE_PPM: Final = 100
FEE_MAX_PPM: Final = 500
ORDER_LIFE_MS: Final = 48 * HOUR_MS
LIMIT_SLACK_PPM: Final = 5_000
QUOTE_LOTS: Final = 20_000
HALF_SPREADS_PPM: Final = (100, 160, 240, 360)
# A leveraged taker who has lost this much holds on.
FALL_PPM: Final = 15_000
# Takers build their positions during this share of the replay, in a few clips each.
BUILD_SHARE: Final = 0.15
CLIPS: Final = 3
NOISE_TRADES: Final = (9, 18)
FLAW_EVERY: Final = 24
LEVERAGED: Final = 1  # the market of every second taker: ETH, long
PAUPER: Final = 0  # the taker whose deposit covers no order


class Flaw(Enum):
    """What is wrong with a trade, and the code that the law must give it."""

    EXPIRED = Code.EXPIRED
    BAD_SIGNATURE = Code.BAD_SIGNATURE
    OVERFILL = Code.OVERFILL
    OFF_TICK = Code.OFF_TICK
    LIMIT_PRICE = Code.LIMIT_PRICE
    MARGIN = Code.MARGIN


FLAWS: Final = tuple(Flaw)
# An honest trade may fail too: the crash took its margin, or the price ran away from it.
NATURAL_CODES: Final = frozenset({Code.MARGIN, Code.PRICE_BAND})


def flaw_at(minute: int) -> Flaw | None:
    """Return the flaw of a minute; most have none."""
    turn, rest = divmod(minute, FLAW_EVERY)
    return FLAWS[turn % len(FLAWS)] if rest == FLAW_EVERY - 1 else None


@dataclass(frozen=True, slots=True)
class Taker:
    """A taker's plan: a position of `lots` (signed) in `instrument`, built in `clips` minutes."""

    account: int
    key: bytes
    instrument: int
    lots: int
    clips: tuple[int, ...]


class _Quote(NamedTuple):
    """A maker's order of this minute, its struct hash and its owner's authorisation."""

    order: Order
    hash: bytes
    authorisation: Authorisation


class _Wish(NamedTuple):
    taker: int
    instrument: int
    side: Side
    lots: int
    flaw: Flaw | None


class Flow:
    """Signed trades, a minute at a time.

    `accounts` gives each participant's account id, `closes` the price of each minute in micro-quote
    per lot, int64[minutes] for each of `markets`.
    """

    def __init__(
        self,
        seed: int,
        participants: Sequence[Participant],
        accounts: Sequence[int],
        markets: Sequence[Market],
        closes: Sequence[Integers],
        venue_key: bytes,
        venue: bytes,
        domain: bytes,
        *,
        loop: bool = False,
        first_sequence: int = 0,
    ) -> None:
        """Plan everything.

        Minutes beyond the last one trade at its price, or with `loop` begin anew. Orders carry
        sequences above `first_sequence`.
        """
        self._loop = loop
        self._first_sequence = first_sequence
        self._seed = seed
        self._markets = tuple(markets)
        self._closes = tuple(closes)
        self._venue_key = venue_key
        self._venue = venue
        self._domain = domain
        pairs = list(zip(participants, accounts, strict=True))
        self._makers = [(one.key, id) for one, id in pairs if one.role == "maker"]
        self.minutes = len(closes[0])
        self._peaks = np.maximum.accumulate(closes[LEVERAGED])
        # How many trades were wrong on purpose, by the code that they must get.
        self.flawed: Counter[Code] = Counter()
        self.takers = self._plans([(one, id) for one, id in pairs if one.role == "taker"])
        self._sequences = [first_sequence] * len(self.takers)
        self._builds: dict[int, list[int]] = {}
        for place, taker in enumerate(self.takers):
            for clip in taker.clips:
                self._builds.setdefault(clip, []).append(place)

    def _plans(self, takers: Sequence[tuple[Participant, int]]) -> list[Taker]:
        """Half of the takers go long ETH with leverage; the others trade BTC both ways."""
        rng = np.random.default_rng([self._seed, 2])
        build_minutes = max(CLIPS + 1, int(self.minutes * BUILD_SHARE))
        plans = []
        for place, (one, account) in enumerate(takers):
            instrument = LEVERAGED if place % 2 else 1 - LEVERAGED
            leveraged = instrument == LEVERAGED
            leverage_ppm = int(rng.integers(3_500_000, 8_500_000)) if leveraged else 2_000_000
            notional = one.deposit_micro * leverage_ppm // PPM
            lots = max(CLIPS, notional // int(self._closes[instrument][0]))
            if not leveraged and rng.integers(2):
                lots = -lots
            clips = sorted(int(c) for c in rng.integers(1, build_minutes, CLIPS))
            if place == PAUPER:
                clips = []
            plans.append(Taker(account, one.key, instrument, lots, tuple(clips)))
        return plans

    def trades(self, minute: int, law_ms: int) -> list[bytes]:
        """Return the encoded trades of a minute at the law's time `law_ms`, signed by everyone.

        Minutes have to be asked for in order, because orders carry rising sequences.
        """
        quotes = {
            (market.instrument, side): self._quotes(market, side, minute, law_ms)
            for market in self._markets
            for side in Side
        }
        left = {key: [quote.order.lots for quote in found] for key, found in quotes.items()}
        trades: list[Trade] = []
        hashes: list[bytes] = []
        for wish in self._wishes(minute):
            key = (wish.instrument, Side.BUY if wish.side == Side.SELL else Side.SELL)
            for trade, digest in self._fill(wish, minute, law_ms, quotes[key], left[key]):
                trades.append(trade)
                hashes.append(digest)
        return self._venue_signed(trades, hashes)

    def _quotes(self, market: Market, side: Side, minute: int, law_ms: int) -> list[_Quote]:
        """Return the makers' quotes of one side, best first; each replaces the one before."""
        close, tick = self._close(market.instrument, minute), market.tick_micro
        found = []
        for (key, account), spread in zip(self._makers, HALF_SPREADS_PPM, strict=True):
            away = close * spread // PPM
            price = close - away if side == Side.BUY else close + away
            order = Order(
                account=account,
                lots=QUOTE_LOTS,
                limit_price=max(tick, price // tick * tick),
                slot=2 * market.instrument + side - 1,
                sequence=self._first_sequence + minute + 1,
                expiry=law_ms + ORDER_LIFE_MS,
                max_fee=FEE_MAX_PPM,
                flags=0,
            )
            digest = order.struct_hash(self._venue, market.instrument, side)
            found.append(_Quote(order, digest, self._authorised(key, digest)))
        return found

    def _wishes(self, minute: int) -> Iterator[_Wish]:
        """Yield what takers want in this minute: their plans, noise, and at times a flaw."""
        rng = np.random.default_rng([self._seed, 3, minute])
        for place in self._builds.get(minute, ()):
            taker = self.takers[place]
            side = Side.BUY if taker.lots > 0 else Side.SELL
            yield _Wish(place, taker.instrument, side, abs(taker.lots) // CLIPS, None)
        count = int(rng.integers(*NOISE_TRADES))
        places = rng.integers(1, len(self.takers), count)
        sides = rng.integers(1, 3, count)
        shares = rng.integers(5, 30, count)
        for place, side, share in zip(places.tolist(), sides, shares, strict=True):
            if self._holds_on(place, minute):
                place = max(PAUPER + 2, place - 1)
            taker = self.takers[place]
            lots = max(1, abs(taker.lots) * int(share) // 1_000)
            yield _Wish(place, taker.instrument, Side(int(side)), lots, None)
        flaw = flaw_at(minute)
        if flaw is Flaw.MARGIN:
            yield _Wish(PAUPER, 0, Side.BUY, 100, flaw)
        elif flaw is not None:
            taker = self.takers[1]
            yield _Wish(1, taker.instrument, Side.SELL, 10, flaw)

    def _fill(
        self, wish: _Wish, minute: int, law_ms: int, quotes: Sequence[_Quote], left: list[int]
    ) -> Iterator[tuple[Trade, bytes]]:
        """Match one taker against the quotes, best first; yield trades and their struct hashes."""
        taker = self.takers[wish.taker]
        self._sequences[wish.taker] += 1
        tick = self._markets[wish.instrument].tick_micro
        close = self._close(wish.instrument, minute)
        slack = close * LIMIT_SLACK_PPM // PPM
        limit = close + slack if wish.side == Side.BUY else close - slack
        if wish.flaw is Flaw.LIMIT_PRICE:
            limit = 4 * close
        order = Order(
            account=taker.account,
            lots=wish.lots,
            limit_price=max(tick, limit // tick * tick),
            slot=wish.instrument,
            sequence=self._sequences[wish.taker],
            expiry=law_ms + (-MINUTE_MS if wish.flaw is Flaw.EXPIRED else ORDER_LIFE_MS),
            max_fee=FEE_MAX_PPM,
            flags=0,
        )
        digest = order.struct_hash(self._venue, wish.instrument, wish.side)
        key = self._venue_key if wish.flaw is Flaw.BAD_SIGNATURE else taker.key
        authorisation = self._authorised(key, digest)
        wanted = wish.lots
        for place, quote in enumerate(quotes):
            lots = min(wanted, left[place])
            if not lots:
                continue
            wanted -= lots
            price = quote.order.limit_price
            if wish.flaw is None:
                left[place] -= lots
            elif wish.flaw is Flaw.OVERFILL:
                lots += 1
            elif wish.flaw is Flaw.OFF_TICK:
                price += 1
            trade = Trade(
                instrument=wish.instrument,
                lots=lots,
                price=price,
                maker_fee=MAKER_FEE_PPM,
                taker_fee=TAKER_FEE_PPM,
                venue=self._venue,
                maker_side=Side.BUY if wish.side == Side.SELL else Side.SELL,
                maker=quote.order,
                taker=order,
                maker_authorisation=quote.authorisation,
                taker_authorisation=authorisation,
                venue_authorisation=Authorisation(),
            )
            if wish.flaw is not None:
                self.flawed[wish.flaw.value] += 1
            yield trade, _trade_hash(trade, quote.hash, digest)
            if not wanted:
                return

    def _holds_on(self, place: int, minute: int) -> bool:
        """Whether a leveraged taker sits on a loss: it sells nothing, and has no margin to buy."""
        instrument = self.takers[place].instrument
        if instrument != LEVERAGED:
            return False
        peak = int(self._peaks[min(minute, self.minutes - 1)])
        return self._close(instrument, minute) * PPM < peak * (PPM - FALL_PPM)

    def _close(self, instrument: int, minute: int) -> int:
        place = minute % self.minutes if self._loop else min(minute, self.minutes - 1)
        return int(self._closes[instrument][place])

    def _authorised(self, key: bytes, struct_hash: bytes) -> Authorisation:
        return Authorisation(sign(key, eip712.digest(self._domain, struct_hash)))

    def _venue_signed(self, trades: Sequence[Trade], hashes: Sequence[bytes]) -> list[bytes]:
        """Let one signature of the venue cover the whole minute, and encode."""
        if not trades:
            return []
        root, paths = eip712.bulk_tree(hashes)
        if len(trades) == 1:
            digest = eip712.digest(self._domain, root)
        else:
            digest = eip712.bulk_digest(self._domain, root)
        signature = sign(self._venue_key, digest)
        return [
            _with_venue(trade, Authorisation(signature, index if path else 0, path))
            for index, (trade, path) in enumerate(zip(trades, paths, strict=True))
        ]


def _trade_hash(trade: Trade, maker: bytes, taker: bytes) -> bytes:
    """Return the struct hash that the venue signs, from order hashes that are known already."""
    return eip712.hash_struct(
        eip712.TRADE_TYPE,
        maker,
        taker,
        trade.lots,
        trade.price,
        trade.maker_fee,
        trade.taker_fee,
    )


def _with_venue(trade: Trade, authorisation: Authorisation) -> bytes:
    # An unsigned authorisation is one depth byte behind 65 zeros, at the very end of the action.
    unsigned = trade.encode()
    return unsigned[: -len(Authorisation().encode())] + authorisation.encode()
