"""A rehearsal: what the law would say to a round of the feed, on a copy of the markets.

The copy is made from what the node tells of its markets, and the law's own code judges the very
actions that would be published, so that nothing has to be published to find out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from clearing.codes import ACCEPTANCE, Code, InstrumentKind
from clearing.decode import pack, recover_signers
from clearing.genesis import Genesis, GenesisAsset, GenesisInstrument, GenesisTier
from clearing.genesis import GenesisUnderlying as Declared
from clearing.units import ASSETS_MAX, LOTS_MAX, PPM
from node.v1 import node_pb2 as pb
from novatio.governance import params_record
from novatio.risk_feed import Post, View
from prover.engine import Engine

__all__ = ["Fault", "rehearse"]


@dataclass(frozen=True, slots=True)
class Fault:
    """An action of a round that the law would reject, and why."""

    post: Post
    code: Code

    @property
    def acceptance(self) -> str:
        """Acceptance code of the rule."""
        return ACCEPTANCE.get(self.code, "")


def rehearse(
    view: View, info: pb.GetInfoResponse, posts: Sequence[Post], time_ms: int
) -> list[Fault]:
    """Return which of the actions the law would reject at a law time (ms), in their order.

    An expiry counts once: what follows from its first fault is left out.
    """
    engine = _copy(view, info, time_ms)
    blob, offsets = pack([post.action.encode() for post in posts])
    columns = engine.decode(blob, offsets)
    recover_signers(columns)
    codes = engine.advance(columns, time_ms).codes
    faults, faulty = [], set()
    for post, code in zip(posts, codes.tolist(), strict=True):
        place = (post.details.get("underlying"), post.details.get("series"))
        if code == Code.APPLIED or (place in faulty and None not in place):
            continue
        faults.append(Fault(post, Code(code)))
        faulty.add(place)
    return faults


def _copy(view: View, info: pb.GetInfoResponse, time_ms: int) -> Engine:
    """Return an engine whose markets stand as the node told."""
    params = view.params
    engine = Engine(
        Genesis(
            chain_id=info.chain_id,
            settlement=info.settlement,
            time_ms=time_ms,
            publishers=tuple(params.publishers),
            price_quorum=params.price_quorum,
            tiers=tuple(GenesisTier(PPM, PPM - 1, 0, 1) for _ in params.tiers),
            instruments=tuple(
                GenesisInstrument(
                    one.symbol, one.tier, one.tick_micro, one.lot_size_nano, LOTS_MAX, LOTS_MAX
                )
                for one in view.instruments
            ),
            underlyings=tuple(Declared() for _ in range(max(view.underlyings) + 1)),
            # Assets that there are not are the node's to refuse.
            assets=(GenesisAsset(0, 0, 1, 1),) * (ASSETS_MAX - 1),
        ),
        accounts_capacity=1,
    )
    state = cast(Any, engine.state)
    state.params[0] = params_record(params.record)
    for one in view.instruments:
        _write_instrument(state.instruments[one.id], one)
    for number, underlying in view.underlyings.items():
        _write_underlying(state.underlyings[number], underlying)
    return engine


def _write_instrument(row: Any, told: pb.Instrument) -> None:
    row.kind, row.status, row.series = told.kind, told.status, told.series
    row.underlying, row.strike, row.expiry = told.underlying, told.strike_micro, told.expiry_ms
    row.settle_price = told.settlement_price_micro
    if told.kind < InstrumentKind.CALL:
        row.mark_price, row.index_price = told.mark_price_micro, told.index_price_micro
        row.price_time = row.stable_time = told.price_time_ms
        row.stable_price = told.stable_price_micro
    elif told.row_number:
        risk = row.rows[told.row_number % 2]
        risk.number = told.row_number
        risk["values"] = np.array(told.row_micro, np.int64)


def _write_underlying(row: Any, told: pb.Underlying) -> None:
    row.reference = told.reference_instrument
    row.index_price, row.price_time = told.index_price_micro, told.price_time_ms
    row.volatility_down_ppm = told.volatility_down_ppm
    row.volatility_up_ppm = told.volatility_up_ppm
    row.point_count = len(told.price_shocks_ppm)
    row.prices[: row.point_count] = list(told.price_shocks_ppm)
    row.damps[: row.point_count] = list(told.dampings_ppm)
    if told.next_grid_time_ms:
        row.next_time = told.next_grid_time_ms
        row.next_volatility_down_ppm = told.next_volatility_down_ppm
        row.next_volatility_up_ppm = told.next_volatility_up_ppm
        row.next_prices[:] = list(told.next_price_shocks_ppm)
        row.next_damps[:] = list(told.next_dampings_ppm)
    row.scenario_count = len(told.scenario_prices_ppm)
    row.scenario_time = told.scenario_time_ms
    row.scenario_rest = told.scenario_rest
    for place, one in enumerate(told.series):
        series = row.series[place]
        series.expiry, series.option_count = one.expiry_ms, one.option_count
        # Whatever is left to expire is at least one market; how many matters to nobody here.
        series.market_count = 0 if one.settlement_price_micro else 1
        series.active_number, series.active_time = one.active_number, one.active_time_ms
        # A new set is begun in any case: the one that is half staged is of an earlier time.
        series.staged_number, series.staged_time = one.active_number, one.staged_time_ms
        series.reference_price = one.reference_price_micro
        series.forward_price = one.forward_price_micro
        series.discount_nano = one.discount_nano
