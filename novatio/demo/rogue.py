"""The operator turns rogue: three batches that break the law, posted with the operator's own key.

Each is made from a copy of an honest replica that stands at the court's tip, so only the one step
that cheats is wrong. Everything that the court checks at posting holds; only running the law shows
the fraud.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from clearing import eip712
from clearing.codes import Code, Side
from clearing.keys import sign
from clearing.messages import NO_ADDRESS, Authorisation, Funding, Order, Trade
from clearing.units import MICRO
from novatio.orders import Market
from novatio.world import HOUR_MS
from prover.engine import Engine
from prover.forge import (
    BatchForge,
    Place,
    Posting,
    mint,
    with_forged_signatures,
    without_margin,
)
from verifier.base.interface import Head, Heads

__all__ = ["FORGERIES", "Forger", "place_on"]

FORGERIES: Final = ("minted collateral", "a forged signature", "a skipped margin check")
MINTED: Final = 1_000_000 * MICRO
STOLEN_LOTS: Final = 10
UNCOVERED_LOTS: Final = 20_000
# Far above every sequence that an honest order has used.
SEQUENCE: Final = 1 << 40


def place_on(heads: Heads, head: Head, proposer: bytes) -> Place:
    """Return the place behind the court's tip."""
    return Place(
        generation=heads.generation,
        number=heads.tip_number + 1,
        parent_id=heads.tip_id,
        base_number=head.number,
        base_hash=head.hash,
        proposer=proposer,
    )


@dataclass(frozen=True, slots=True)
class Forger:
    """Makes the batches. `accomplice` and `pauper` are the owner keys of those account ids."""

    market: Market
    domain: bytes
    operator_key: bytes
    maker: int
    maker_key: bytes
    pauper: int
    pauper_key: bytes

    def forge(self, engine: Engine, forgery: str, place: Place) -> Posting:
        """Return a batch with one step that cheats as `forgery` (one of FORGERIES) says.

        `engine` stands at the court's tip and stays there. Raises AssertionError if the law's own
        rules would have let the step pass: then it would not be a fraud.
        """
        forge = BatchForge(copy.deepcopy(engine))
        time = int(engine.totals.clock)
        if forgery == FORGERIES[0]:
            forge.forged([Funding(0).encode()], time, mutate=mint(self.pauper, MINTED))
        elif forgery == FORGERIES[1]:
            # The maker never signed: the operator did, with its own key.
            trade = self._trade(engine, STOLEN_LOTS, self.operator_key, self.pauper_key)
            self._expect_applied(forge.forged([trade], time, prepare=with_forged_signatures))
        else:
            trade = self._trade(engine, UNCOVERED_LOTS, self.maker_key, self.pauper_key)
            self._expect_applied(forge.forged([trade], time, prepare=without_margin))
        return forge.finish(place)

    def _expect_applied(self, codes: Iterable[int]) -> None:
        found = [Code(int(code)).name for code in codes]
        if found != [Code.APPLIED.name]:
            raise AssertionError(f"expected the forged trade to look applied, was {found}")

    def _trade(self, engine: Engine, lots: int, maker_key: bytes, taker_key: bytes) -> bytes:
        """Return a trade at the mark in which the pauper buys from the maker, without a venue."""
        row = engine.state.instruments[self.market.instrument]
        tick = self.market.tick_micro
        price = int(row.mark_price) // tick * tick
        expiry = int(engine.totals.clock) + HOUR_MS
        maker = Order(self.maker, lots, price, 0, SEQUENCE, expiry, 0, 0)
        taker = Order(self.pauper, lots, price, 0, SEQUENCE, expiry, 0, 0)
        return Trade(
            instrument=self.market.instrument,
            lots=lots,
            price=price,
            maker_fee=0,
            taker_fee=0,
            venue=NO_ADDRESS,
            maker_side=Side.SELL,
            maker=maker,
            taker=taker,
            maker_authorisation=self._signed(maker, Side.SELL, maker_key),
            taker_authorisation=self._signed(taker, Side.BUY, taker_key),
        ).encode()

    def _signed(self, order: Order, side: Side, key: bytes) -> Authorisation:
        digest = order.struct_hash(NO_ADDRESS, self.market.instrument, side)
        return Authorisation(sign(key, eip712.digest(self.domain, digest)))
